// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Options objects: defaults and ownership. Every pointer in an options object is owned by it alone (lists share
// nothing), so freeing one is a walk over the struct and two objects never depend on each other.
//
// The defaults of options that the config table knows come from the table; what blocks bring is set here.
#include "server/config/options.h"

#include <stdlib.h>
#include <string.h>

#include "server/base/mem.h"
#include "server/config/table.h"

void mg_str_set(char **dst, const char *s) {
    char *copy = mg_strdup(s);
    mg_free(*dst);
    *dst = copy;
}

// ---- string lists ------------------------------------------------------------------------------------------------

void mg_strlist_add(struct mg_strlist *l, const char *s) {
    // Grows at powers of two, so no capacity needs to be kept.
    if ((l->n & (l->n - 1)) == 0) l->v = mg_realloc(l->v, (l->n ? l->n * 2 : 1) * sizeof(*l->v));
    l->v[l->n++] = mg_strdup(s);
}

void mg_strlist_fini(struct mg_strlist *l) {
    for (size_t i = 0; i < l->n; i++)
        mg_free(l->v[i]);
    mg_free(l->v);
    *l = (struct mg_strlist){0};
}

bool mg_strlist_has(const struct mg_strlist *l, const char *s) {
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i], s) == 0) return true;
    return false;
}

bool mg_strlist_eq(const struct mg_strlist *a, const struct mg_strlist *b) {
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i], b->v[i]) != 0) return false;
    return true;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void mg_strlist_sort_pairs(struct mg_strlist *l) {
    if (l->n > 2) qsort(l->v, l->n / 2, 2 * sizeof(*l->v), by_name);
}

// ---- parts -------------------------------------------------------------------------------------------------------

static void perm_list_fini(struct mg_perm_list *l) {
    for (size_t i = 0; i < l->n; i++) {
        mg_free(l->v[i].subject);
        mg_free(l->v[i].queue);
    }
    mg_free(l->v);
    *l = (struct mg_perm_list){0};
}

static struct mg_perm_list perm_list_dup(const struct mg_perm_list *l) {
    struct mg_perm_list copy = {mg_alloc(l->n * sizeof(*l->v) + 1), l->n};
    for (size_t i = 0; i < l->n; i++)
        copy.v[i] = (struct mg_perm_entry){mg_strdup(l->v[i].subject), mg_strdup(l->v[i].queue)};
    return copy;
}

void mg_permissions_fini(struct mg_permissions *p) {
    perm_list_fini(&p->pub_allow);
    perm_list_fini(&p->pub_deny);
    perm_list_fini(&p->sub_allow);
    perm_list_fini(&p->sub_deny);
    *p = (struct mg_permissions){0};
}

struct mg_permissions *mg_permissions_dup(const struct mg_permissions *p) {
    if (p == NULL) return NULL;
    struct mg_permissions *copy = mg_alloc(sizeof(*copy));
    *copy = *p;
    copy->pub_allow = perm_list_dup(&p->pub_allow);
    copy->pub_deny = perm_list_dup(&p->pub_deny);
    copy->sub_allow = perm_list_dup(&p->sub_allow);
    copy->sub_deny = perm_list_dup(&p->sub_deny);
    return copy;
}

void mg_user_fini(struct mg_user *u) {
    mg_free(u->user);
    mg_free(u->password);
    mg_free(u->nkey);
    if (u->perms) mg_permissions_fini(u->perms);
    mg_free(u->perms);
    *u = (struct mg_user){0};
}

void mg_tls_options_init(struct mg_tls_options *t) {
    *t = (struct mg_tls_options){.timeout_ns = 2 * MG_SEC, .min_version = 0x0303};
}

void mg_tls_options_fini(struct mg_tls_options *t) {
    mg_free(t->cert_file);
    mg_free(t->key_file);
    mg_free(t->ca_file);
    mg_strlist_fini(&t->cipher_suites);
    mg_strlist_fini(&t->curves);
    mg_strlist_fini(&t->pinned_certs);
    *t = (struct mg_tls_options){0};
}

void mg_mapping_fini(struct mg_mapping *m) {
    for (size_t i = 0; i < m->ndest; i++) {
        mg_free(m->dest[i].subject);
        mg_free(m->dest[i].cluster);
    }
    mg_free(m->dest);
    mg_free(m->src);
    *m = (struct mg_mapping){0};
}

void mg_options_add_inactive(struct mg_options *o, const char *name, bool refuse) {
    for (size_t i = 0; i < o->ninactive; i++) {
        if (strcmp(o->inactive[i].name, name) != 0) continue;
        o->inactive[i].refuse |= refuse;
        return;
    }
    o->inactive = mg_realloc(o->inactive, (o->ninactive + 1) * sizeof(*o->inactive));
    o->inactive[o->ninactive++] = (struct mg_inactive_block){mg_strdup(name), refuse};
}

const struct mg_inactive_block *mg_options_inactive(const struct mg_options *o, const char *name) {
    for (size_t i = 0; i < o->ninactive; i++)
        if (strcmp(o->inactive[i].name, name) == 0) return &o->inactive[i];
    return NULL;
}

// ---- the whole ---------------------------------------------------------------------------------------------------

struct mg_options *mg_options_new(void) {
    struct mg_options *o = mg_zalloc(sizeof(*o));
    for (const struct mg_conf_option *opt = mg_conf_table; opt->keys; opt++)
        mg_conf_option_default(opt, o);
    mg_tls_options_init(&o->tls_opts);
    o->js.strict = true;
    return o;
}

void mg_options_free(struct mg_options *o) {
    if (o == NULL) return;
    for (const struct mg_conf_option *opt = mg_conf_table; opt->keys; opt++)
        mg_conf_option_clear(opt, o);
    mg_free(o->http_host);
    mg_free(o->cluster_name);
    mg_free(o->user);
    mg_free(o->password);
    mg_free(o->token);
    for (size_t i = 0; i < o->nusers; i++)
        mg_user_fini(&o->users[i]);
    mg_free(o->users);
    mg_tls_options_fini(&o->tls_opts);
    for (size_t i = 0; i < o->nmappings; i++)
        mg_mapping_fini(&o->mappings[i]);
    mg_free(o->mappings);
    for (size_t i = 0; i < o->ninactive; i++)
        mg_free(o->inactive[i].name);
    mg_free(o->inactive);
    mg_free(o->js.store_dir);
    mg_free(o->js.domain);
    mg_free(o->js.unique_tag);
    mg_free(o->config_file);
    mg_free(o);
}
