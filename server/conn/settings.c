// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/conn/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/base/assert.h"
#include "server/base/buf.h"
#include "server/base/mem.h"
#include "server/config/options.h"

// Is it "host", "host:port" or "[v6]:port"? The texts are those of the reference.
static bool advertise_ok(const char *text, char *err, size_t errlen) {
    char why[300];
    const char *colon = strrchr(text, ':');
    bool v6 = text[0] == '[';
    if (v6 && strchr(text, ']') == NULL) {
        snprintf(why, sizeof(why), "address %s: missing ']' in address", text);
    } else if (!v6 && colon && strchr(text, ':') != colon) {
        snprintf(why, sizeof(why), "address %s: too many colons in address", text);
    } else if (colon && (!v6 || colon[-1] == ']')) {
        const char *digits = colon[1] == '-' ? colon + 2 : colon + 1;
        size_t n = strspn(digits, "0123456789");
        if (n > 0 && digits[n] == '\0') return true;
        snprintf(why, sizeof(why), "strconv.Atoi: parsing \"%s\": invalid syntax", colon + 1);
    } else {
        return true;
    }
    snprintf(err, errlen, "Error setting server INFO with ClientAdvertise value of %s, err=%s", text, why);
    return false;
}

// spec/jetstream-streams.md 22: $JS.<domain>.API is the API of this server, and the key-value and object stores of the
// domain are its own.
static int add_domain(struct mg_settings *s, const char *domain, char *err, size_t errlen) {
    static const char *const roots[][2] = {
        {"$JS.%s.API.INFO", "$JS.API.INFO"},
        {"$JS.%s.API.STREAM.>", "$JS.API.STREAM.>"},
        {"$JS.%s.API.CONSUMER.>", "$JS.API.CONSUMER.>"},
        {"$JS.%s.API.DIRECT.>", "$JS.API.DIRECT.>"},
        {"$JS.%s.API.META.>", "$JS.API.META.>"},
        {"$JS.%s.API.SERVER.>", "$JS.API.SERVER.>"},
        {"$JS.%s.API.ACCOUNT.>", "$JS.API.ACCOUNT.>"},
        {"$JS.%s.API.$KV.>", "$KV.>"},
        {"$JS.%s.API.$OBJ.>", "$OBJ.>"},
    };
    enum { N = sizeof(roots) / sizeof(roots[0]) };
    const struct mg_options *o = s->opts;
    struct mg_mapping *maps = mg_zalloc((o->nmappings + N) * sizeof(*maps));
    struct mg_map_dest dest[N];
    struct mg_buf text[N];
    if (o->nmappings) memcpy(maps, o->mappings, o->nmappings * sizeof(*maps));
    for (size_t i = 0; i < N; i++) {
        const char *mark = strchr(roots[i][0], '%');
        text[i] = (struct mg_buf)MG_BUF_INIT;
        mg_buf_addf(&text[i], "%.*s%s%s", (int)(mark - roots[i][0]), roots[i][0], domain, mark + 2);
        mg_buf_addc(&text[i], '\0');
        dest[i] = (struct mg_map_dest){.subject = (char *)(uintptr_t)roots[i][1], .weight = 100};
        maps[o->nmappings + i] = (struct mg_mapping){.src = text[i].p, .dest = &dest[i], .ndest = 1};
    }
    size_t bad = 0;
    mg_mapper_free(s->mapper);
    s->mapper = NULL;
    int rc = mg_mapper_new(maps, o->nmappings + N, o->cluster_name, &s->mapper, err, errlen, &bad);
    for (size_t i = 0; i < N; i++) mg_buf_fini(&text[i]);
    mg_free(maps);
    return rc;
}

struct mg_settings *mg_settings_new(struct mg_options *opts, uint64_t epoch, char *err, size_t errlen) {
    struct mg_settings *s = mg_zalloc(sizeof(*s));
    atomic_init(&s->refs, 1);
    s->epoch = epoch;
    s->opts = opts;
    if (opts->client_advertise && !advertise_ok(opts->client_advertise, err, errlen)) goto fail;
    if (opts->nmappings > 0) {
        char text[256];
        size_t bad = 0;
        if (mg_mapper_new(opts->mappings, opts->nmappings, opts->cluster_name, &s->mapper, text, sizeof(text),
                          &bad) != 0) {
            snprintf(err, errlen, "Error adding mapping for %s : %s", opts->mappings[bad].src, text);
            goto fail;
        }
    }
    if (opts->jetstream && opts->js.domain && add_domain(s, opts->js.domain, err, errlen) != 0) goto fail;
    if (opts->tls) {
        s->tls = mg_tls_ctx_new(&opts->tls_opts, true, err, errlen);
        if (s->tls == NULL) goto fail;
    }
    if (opts->tls && opts->https_port != 0) {
        s->monitor_tls = mg_tls_ctx_new(&opts->tls_opts, false, err, errlen);
        if (s->monitor_tls == NULL) goto fail;
    }
    s->auth = mg_auth_new(opts);
    return s;
fail:
    s->opts = NULL;
    mg_settings_unref(s);
    return NULL;
}

void mg_settings_advertise(struct mg_settings *s, int listen_port) {
    const char *at = s->opts->client_advertise ? s->opts->client_advertise : s->opts->host;
    size_t n = strlen(at);
    s->port = listen_port;
    const char *colon = s->opts->client_advertise ? strrchr(at, ':') : NULL;
    if (colon && (at[0] != '[' || colon[-1] == ']')) {
        int port = atoi(colon + 1);
        if (port > 0) s->port = port; // 0 and -1: the one that is listened on
        n = (size_t)(colon - at);
    }
    if (n >= 2 && at[0] == '[' && at[n - 1] == ']') {
        at++;
        n -= 2;
    }
    snprintf(s->host, sizeof(s->host), "%.*s", (int)n, at);
}

struct mg_settings *mg_settings_ref(struct mg_settings *s) {
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void mg_settings_unref(struct mg_settings *s) {
    if (s == NULL) return;
    uint32_t before = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel);
    mg_assert(before != 0);
    if (before != 1) return;
    mg_auth_unref(s->auth);
    mg_tls_ctx_unref(s->tls);
    mg_tls_ctx_unref(s->monitor_tls);
    mg_mapper_free(s->mapper);
    mg_options_free(s->opts);
    mg_free(s);
}
