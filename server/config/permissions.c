// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Permission blocks (spec/accounts-security.md 7.1).
//
// A list that is empty or missing allows everything; only allow_responses turns a missing publish list into "nothing",
// whatever the order of the keys. Queue groups may be named in subscribe lists only: "subject queue".
#include "server/base/mem.h"
#include "server/config/process.h"

void mg_conf_perm_list_fini(struct mg_perm_list *l) {
    struct mg_permissions p = {.pub_allow = *l};
    mg_permissions_fini(&p);
    *l = (struct mg_perm_list){0};
}

static void push(struct mg_perm_list *l, mg_slice subject, mg_slice queue) {
    l->v = mg_realloc(l->v, (l->n + 1) * sizeof(*l->v));
    l->v[l->n++] = (struct mg_perm_entry){mg_slice_dup(subject), queue.n ? mg_slice_dup(queue) : NULL};
}

// The fields of s that blanks separate; returns how many, of which at most max are stored.
static size_t split_fields(const char *s, mg_slice *out, size_t max) {
    static const char blanks[] = " \t\n\v\f\r";
    size_t n = 0;
    for (s += strspn(s, blanks); *s != '\0'; s += strspn(s, blanks)) {
        size_t len = strcspn(s, blanks);
        if (n < max) out[n] = mg_slice_of(s, len);
        n++;
        s += len;
    }
    return n;
}

static bool bad(struct mg_conf_ctx *c, const struct mg_conf_value *at, const char *what, mg_slice text,
                const char *why) {
    char *s = mg_slice_dup(text);
    mg_conf_error_q(c, at, what, s, why);
    mg_free(s);
    return false;
}

static bool add_subject(struct mg_conf_ctx *c, const struct mg_conf_value *at, const char *s, bool queues,
                        struct mg_perm_list *out) {
    mg_slice f[2] = {mg_cstr(s), {NULL, 0}};
    if (!mg_conf_subject_valid(s, strlen(s))) {
        if (!queues || split_fields(s, f, 2) != 2)
            return bad(c, at, "subject ", mg_cstr(s), " is not a valid subject");
        if (!mg_conf_subject_valid(f[0].p, f[0].n)) return bad(c, at, "subject ", f[0], " is not a valid subject");
        if (!mg_conf_subject_valid(f[1].p, f[1].n)) return bad(c, at, "queue ", f[1], " is not a valid queue");
    }
    push(out, f[0], f[1]);
    return true;
}

bool mg_conf_parse_subjects(struct mg_conf_ctx *c, const struct mg_conf_value *v, bool queues,
                            struct mg_perm_list *out) {
    if (v->type == MG_CONF_STRING) return add_subject(c, v, v->str, queues, out);
    if (v->type != MG_CONF_ARRAY) {
        mg_conf_error(c, v, "Expected subject permissions to be a subject, or array of subjects, got %s",
                      mg_conf_type_name(v));
        return false;
    }
    bool ok = true;
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *item = &v->list.v[i];
        if (item->type != MG_CONF_STRING) {
            mg_conf_error(c, item, "Subject in permissions array cannot be cast to string");
            ok = false;
        } else {
            ok &= add_subject(c, item, item->str, queues, out);
        }
    }
    return ok;
}

// The value of publish or subscribe: subjects, or {allow, deny}.
static void parse_side(struct mg_conf_ctx *c, const struct mg_conf_value *v, bool queues, struct mg_perm_list *allow,
                       struct mg_perm_list *deny) {
    mg_conf_perm_list_fini(allow); // an alias of the same key may have come before
    mg_conf_perm_list_fini(deny);
    if (v->type != MG_CONF_MAP) {
        mg_conf_parse_subjects(c, v, queues, allow);
        return;
    }
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *m = &v->list.v[i];
        if (mg_conf_key_is(m, "allow")) mg_conf_parse_subjects(c, m, queues, allow);
        else if (mg_conf_key_is(m, "deny")) mg_conf_parse_subjects(c, m, queues, deny);
        else if (!m->used)
            mg_conf_error_q(c, m, "Unknown field name ", m->key,
                            " parsing subject permissions, only 'allow' or 'deny' are permitted");
    }
}

static bool parse_expires(struct mg_conf_ctx *c, const struct mg_conf_value *m, int64_t *ns) {
    char err[256];
    if (m->type != MG_CONF_STRING) mg_conf_error(c, m, "error parsing expires, not a duration string");
    else if (!mg_conf_parse_duration(m->str, ns, err, sizeof(err)))
        mg_conf_error(c, m, "error parsing expires: %s", err);
    else return true;
    return false;
}

// 7.1: true, or {max, expires}; 0 means the default, negative no limit.
static void parse_responses(struct mg_conf_ctx *c, const struct mg_conf_value *v, struct mg_permissions *p) {
    p->allow_responses = v->type == MG_CONF_MAP || (v->type == MG_CONF_BOOL && v->b);
    p->resp_max = 1;
    p->resp_expires_ns = 120 * (int64_t)MG_SEC;
    if (v->type == MG_CONF_BOOL) return;
    if (v->type != MG_CONF_MAP) {
        mg_conf_error(c, v, "error parsing response permissions, expected a boolean or a map");
        return;
    }
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *m = &v->list.v[i];
        int64_t n = 0;
        if (mg_conf_key_is(m, "max max_msgs max_messages max_responses")) {
            if (mg_conf_get_int(c, m, &n) && n != 0) p->resp_max = n;
        } else if (mg_conf_key_is(m, "expires expiration ttl")) {
            if (parse_expires(c, m, &n) && n != 0) p->resp_expires_ns = n;
        } else if (!m->used) {
            mg_conf_error_q(c, m, "Unknown field ", m->key, " parsing permissions");
        }
    }
}

struct mg_permissions *mg_conf_parse_permissions(struct mg_conf_ctx *c, const struct mg_conf_value *v) {
    if (v->type != MG_CONF_MAP) {
        struct mg_buf shown = MG_BUF_INIT;
        mg_conf_value_show(&shown, v);
        mg_conf_error(c, v, "Expected permissions to be a map/struct, got %.*s", (int)shown.len, shown.p);
        mg_buf_fini(&shown);
        return NULL;
    }
    struct mg_permissions *p = mg_zalloc(sizeof(*p));
    for (size_t i = 0; i < v->list.n; i++) {
        const struct mg_conf_value *m = &v->list.v[i];
        if (mg_conf_key_is(m, "publish pub import")) parse_side(c, m, false, &p->pub_allow, &p->pub_deny);
        else if (mg_conf_key_is(m, "subscribe sub export")) parse_side(c, m, true, &p->sub_allow, &p->sub_deny);
        else if (mg_conf_key_is(m, "allow_responses publish_allow_responses")) parse_responses(c, m, p);
        else if (!m->used) mg_conf_error_q(c, m, "Unknown field ", m->key, " parsing permissions");
    }
    p->pub_allow_set = p->pub_allow.n > 0 || p->allow_responses;
    p->sub_allow_set = p->sub_allow.n > 0;
    return p;
}
