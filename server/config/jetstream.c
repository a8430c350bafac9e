// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The jetstream block (spec/jetstream-streams.md 21): one table of its keys. What this server has not got is read,
// checked and recorded in options.inactive, so that the log says that it has no effect; encryption at rest refuses the
// start, because its owner would find plain text on the disk.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/base/mem.h"
#include "server/config/process.h"

#define STORE_MEMORY_MIN 64000000 // 64M without quotes

enum kind {
    STRING,
    INTEGER,
    BOOLEAN,
    SIZE,     // int or "10G"
    DURATION, // Go duration only
    SYNC,     // a duration or "always"
    CIPHER,
    BLOCK,
};

enum effect {
    WORKS,
    IDLE,   // no effect
    REFUSE, // no start with it
};

struct key {
    const char *names;
    enum kind kind;
    enum effect effect;
    size_t at;      // in struct mg_js_options, of WORKS: int64_t, bool or char *
    size_t given;   // of a bool that becomes true; 0: none
    const struct key *sub;
};

#define AT(field) offsetof(struct mg_js_options, field)
#define TAKE(names, kind, field) {names, kind, WORKS, AT(field), 0, NULL}
#define NOTE(names, kind) {names, kind, IDLE, 0, 0, NULL}
#define END {NULL, STRING, IDLE, 0, 0, NULL}

static const struct key batch_keys[] = {NOTE("max_inflight_per_stream", INTEGER), NOTE("max_inflight_total", INTEGER),
                                        NOTE("max_msgs", INTEGER), NOTE("timeout", DURATION), END};

static const struct key limit_keys[] = {TAKE("max_ack_pending", INTEGER, max_ack_pending),
                                        NOTE("max_ha_assets", INTEGER),
                                        TAKE("max_request_batch", INTEGER, max_request_batch),
                                        TAKE("duplicate_window", DURATION, duplicate_window),
                                        {"batch", BLOCK, WORKS, 0, 0, batch_keys},
                                        END};

static const struct key tpm_keys[] = {{"keys_file", STRING, REFUSE, 0, 0, NULL},
                                      NOTE("encryption_password", STRING),
                                      NOTE("srk_password", STRING),
                                      NOTE("pcr", INTEGER),
                                      NOTE("cipher", STRING),
                                      END};

static const struct key jetstream_keys[] = {
    TAKE("enabled enable", BOOLEAN, enabled),
    TAKE("store_dir store storedir", STRING, store_dir),
    {"max_memory_store max_mem_store max_mem", SIZE, WORKS, AT(max_memory), AT(max_memory_set), NULL},
    {"max_file_store max_file", SIZE, WORKS, AT(max_store), AT(max_store_set), NULL},
    TAKE("store_memory", SIZE, store_memory),
    TAKE("domain", STRING, domain),
    TAKE("sync_interval sync", SYNC, sync_interval),
    {"key ek encryption_key", STRING, REFUSE, 0, 0, NULL},
    {"prev_key prev_ek prev_encryption_key", STRING, REFUSE, 0, 0, NULL},
    NOTE("cipher", CIPHER),
    NOTE("extension_hint", STRING),
    {"limits", BLOCK, WORKS, 0, 0, limit_keys},
    {"tpm", BLOCK, WORKS, 0, 0, tpm_keys},
    TAKE("unique_tag", STRING, unique_tag),
    NOTE("max_outstanding_catchup", SIZE),
    TAKE("max_buffered_size", SIZE, max_buffered_size),
    TAKE("max_buffered_msgs", INTEGER, max_buffered_msgs),
    TAKE("request_queue_limit", INTEGER, request_queue_limit),
    TAKE("info_queue_limit", INTEGER, info_queue_limit),
    NOTE("meta_compact", INTEGER),
    NOTE("meta_compact_size", SIZE),
    NOTE("meta_compact_sync", BOOLEAN),
    NOTE("max_concurrent_io", INTEGER),
    TAKE("strict", BOOLEAN, strict),
    END};

// ---- values ---------------------------------------------------------------------------------------------------------

static bool get_size(struct mg_conf_ctx *c, const struct mg_conf_value *v, int64_t *out) {
    static const char units[] = "KMGT";
    if (v->type == MG_CONF_INT) {
        *out = v->i;
        return true;
    }
    if (v->type != MG_CONF_STRING) {
        mg_conf_error(c, v, "%s must be int64 or string", v->key);
        return false;
    }
    size_t n = strlen(v->str);
    *out = 0;
    if (n == 0) return true;
    const char *unit = strchr(units, v->str[n - 1]);
    bool number = n > 1 && n < 20 && strspn(v->str, "-0123456789") == n - 1;
    if (unit == NULL || !number) {
        mg_conf_error(c, v, "%s sizes defined as strings must end in K, M, G, T", v->key);
        return false;
    }
    int64_t factor = INT64_C(1) << (10 * (unit - units + 1));
    if (__builtin_mul_overflow(strtoll(v->str, NULL, 10), factor, out)) *out = INT64_MAX;
    return true;
}

static bool get_strict_duration(struct mg_conf_ctx *c, const struct mg_conf_value *v, int64_t *out) {
    char *text = NULL, err[256];
    bool ok = mg_conf_get_str(c, v, &text);
    if (ok && !mg_conf_parse_duration(text, out, err, sizeof(err))) {
        mg_conf_error(c, v, "%s", err);
        ok = false;
    }
    mg_free(text);
    return ok;
}

static bool get_sync(struct mg_conf_ctx *c, const struct mg_conf_value *v, int64_t *out) {
    if (v->type == MG_CONF_STRING && strcasecmp(v->str, "always") == 0) {
        *out = 0;
        return true;
    }
    return mg_conf_get_duration(c, v, v->key, out);
}

static void check_cipher(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (v->type == MG_CONF_STRING && strcasecmp(v->str, "chacha") && strcasecmp(v->str, "chachapoly") &&
        strcasecmp(v->str, "aes"))
        mg_conf_error_q(c, v, "Unknown cipher type: ", v->str, "");
}

// ---- keys -----------------------------------------------------------------------------------------------------------

static void read_block(struct mg_conf_ctx *c, const struct mg_conf_value *v, const struct key *keys,
                       struct mg_js_options *js);

// Reads the value into wherever the key says, or nowhere.
static void read_value(struct mg_conf_ctx *c, const struct mg_conf_value *v, const struct key *k,
                       struct mg_js_options *js) {
    int64_t number = 0;
    bool flag = false, ok = true;
    char *text = NULL, *at = (char *)js + k->at;
    switch (k->kind) {
    case STRING: ok = mg_conf_get_str(c, v, &text); break;
    case INTEGER: ok = mg_conf_get_int(c, v, &number); break;
    case BOOLEAN: ok = mg_conf_get_bool(c, v, &flag); break;
    case SIZE: ok = get_size(c, v, &number); break;
    case DURATION: ok = get_strict_duration(c, v, &number); break;
    case SYNC: ok = get_sync(c, v, &number); break;
    case CIPHER: check_cipher(c, v); return;
    case BLOCK:
        if (v->type == MG_CONF_MAP) read_block(c, v, k->sub, js);
        else mg_conf_error(c, v, "Expected %s to be a map, got %s", v->key, mg_conf_type_name(v));
        return;
    }
    if (ok && k->effect == WORKS && k->kind == STRING) {
        mg_str_set((char **)(void *)at, text);
    } else if (ok && k->effect == WORKS && k->kind == BOOLEAN) {
        memcpy(at, &flag, sizeof(flag));
    } else if (ok && k->effect == WORKS) {
        memcpy(at, &number, sizeof(number));
        if (k->given) *(bool *)(void *)((char *)js + k->given) = true;
    }
    mg_free(text);
}

static void read_block(struct mg_conf_ctx *c, const struct mg_conf_value *v, const struct key *keys,
                       struct mg_js_options *js) {
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *m = &v->list.v[i];
        const struct key *k = keys;
        while (k->names != NULL && !mg_conf_key_is(m, k->names)) k++;
        if (k->names == NULL) mg_conf_unknown(c, m);
        else read_value(c, m, k, js);
    }
}

static const struct mg_conf_value *member(const struct mg_conf_value *map, const char *names) {
    for (size_t i = 0; i < map->list.n; i++)
        if (mg_conf_key_is(&map->list.v[i], names)) return &map->list.v[i];
    return NULL;
}

// What has no effect is named as the configuration names it, with the blocks in front.
static void note_idle(struct mg_conf_ctx *c, const struct mg_conf_value *v, const struct key *keys, const char *block) {
    for (const struct key *k = keys; k->names; k++) {
        const struct mg_conf_value *m = member(v, k->names);
        if (m == NULL) continue;
        char name[80];
        snprintf(name, sizeof(name), "%s.%.*s", block, (int)strcspn(k->names, " "), k->names);
        if (k->kind == BLOCK && m->type == MG_CONF_MAP) note_idle(c, m, k->sub, name);
        else if (k->effect != WORKS) mg_options_add_inactive(c->o, name, k->effect == REFUSE);
    }
}

static void check_domain(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    const struct mg_conf_value *m = member(v, "domain");
    if (m && m->type == MG_CONF_STRING && strpbrk(m->str, ".*>"))
        mg_conf_error(c, m, "invalid domain name: may not contain ., * or >");
}

// What the smallest sizes are for (jetstream/store/size.h).
static void check_store_memory(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    const struct mg_conf_value *m = member(v, "store_memory");
    if (m && c->o->js.store_memory < STORE_MEMORY_MIN) mg_conf_error(c, m, "store_memory must be at least 64M");
}

void mg_conf_jetstream_word(struct mg_conf_ctx *c, const struct mg_conf_value *v, bool *enabled) {
    if (v->type == MG_CONF_BOOL) *enabled = v->b;
    else if (v->type != MG_CONF_STRING)
        mg_conf_error(c, v, "Expected map, bool or string to define JetStream, got %s", mg_conf_type_name(v));
    else if (strcasecmp(v->str, "enabled") == 0 || strcasecmp(v->str, "enable") == 0) *enabled = true;
    else if (strcasecmp(v->str, "disabled") == 0 || strcasecmp(v->str, "disable") == 0) *enabled = false;
    else mg_conf_error(c, v, "Expected 'enabled' or 'disabled' for string value, got '%s'", v->str);
}

void mg_conf_block_jetstream(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    struct mg_js_options *js = &c->o->js;
    if (v->type != MG_CONF_MAP) {
        mg_conf_jetstream_word(c, v, &c->o->jetstream);
        return;
    }
    js->enabled = true;
    read_block(c, v, jetstream_keys, js);
    check_domain(c, v);
    check_store_memory(c, v);
    c->o->jetstream = js->enabled;
    if (js->enabled) note_idle(c, v, jetstream_keys, "jetstream");
    const struct mg_conf_value *dir = member(v, "store_dir store storedir");
    if (dir != NULL && c->o->store_dir != NULL) mg_conf_error(c, dir, "Duplicate 'store_dir' configuration");
    else if (dir != NULL && js->store_dir) mg_str_set(&c->o->store_dir, js->store_dir);
    mg_str_set(&js->store_dir, NULL);
}
