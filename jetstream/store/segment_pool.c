// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/store/segment_pool.h"

#include <string.h>

#include "jetstream/store/store_impl.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/disk.h"

struct opened_segment {
    struct mg_list idle;          // when nobody uses it
    struct opened_segment *chain; // of its bucket
    const struct mg_segment_ref *of;
    struct mg_file *file;
    struct mg_segment *segment;
    uint32_t users;
};

void mg_segment_pool_init(struct mg_segment_pool *p) {
    *p = (struct mg_segment_pool){.open = 0};
    mg_mutex_init(&p->lock);
    mg_list_init(&p->idle);
}

void mg_segment_pool_fini(struct mg_segment_pool *p) {
    mg_assert(p->open == 0);
    mg_mutex_fini(&p->lock);
    for (struct mg_segment_block *b = p->blocks, *next; b; b = next) {
        next = b->next;
        mg_free(b);
    }
}

// ---- references -----------------------------------------------------------------------------------------------------

static void add_block(struct mg_store *st) {
    struct mg_segment_pool *p = &st->pool;
    struct mg_segment_block *b = mg_zalloc(sizeof(*b));
    b->store = st;
    b->next = p->blocks;
    p->blocks = b;
    for (uint8_t i = MG_SEGMENT_BLOCK; i-- > 0;) {
        b->refs[i].place = i;
        b->refs[i].next_free = p->free;
        p->free = &b->refs[i];
    }
}

struct mg_segment_ref *mg_segment_pool_take(struct mg_store *st) {
    struct mg_segment_pool *p = &st->pool;
    mg_mutex_lock(&p->lock);
    if (p->free == NULL) add_block(st);
    struct mg_segment_ref *g = p->free;
    p->free = g->next_free;
    mg_mutex_unlock(&p->lock);
    uint8_t place = g->place;
    memset(g, 0, sizeof(*g));
    g->place = place;
    return g;
}

void mg_segment_pool_give_back(struct mg_segment_ref *g) {
    struct mg_segment_pool *p = &mg_segment_store(g)->pool;
    mg_mutex_lock(&p->lock);
    g->next_free = p->free;
    p->free = g;
    mg_mutex_unlock(&p->lock);
}

// ---- under the lock -------------------------------------------------------------------------------------------------

// The place of the pointer to it, or of the one at the end of its chain.
static struct opened_segment **place_of(struct mg_segment_pool *p, const struct mg_segment_ref *g) {
    struct opened_segment **at = &p->buckets[g->id & (MG_SEGMENT_POOL_BUCKETS - 1)];
    while (*at && (*at)->of != g) at = &(*at)->chain;
    return at;
}

static struct opened_segment *take_out(struct mg_segment_pool *p, struct opened_segment *o) {
    struct opened_segment **at = place_of(p, o->of);
    mg_assert(*at == o && o->users == 0);
    *at = o->chain;
    mg_list_remove(&o->idle);
    p->open--;
    return o;
}

static struct opened_segment *one_too_many(struct mg_segment_pool *p) {
    if (p->open <= MG_SEGMENT_POOL_MAX || mg_list_empty(&p->idle)) return NULL;
    return take_out(p, mg_container_of(p->idle.next, struct opened_segment, idle));
}

// ---- without --------------------------------------------------------------------------------------------------------

static void close_segment(struct opened_segment *o) {
    if (o == NULL) return;
    mg_segment_close(o->segment);
    mg_file_close(o->file);
    mg_free(o);
}

static int open_segment(struct mg_segment_ref *g, struct opened_segment **out) {
    struct mg_store *st = mg_segment_store(g);
    char name[MG_FILE_NAME_MAX];
    struct mg_disk_why why;
    struct mg_file *file;
    if (atomic_load(&g->footless)) return MG_ECORRUPT;
    mg_table_file_name(name, MG_FILE_SEGMENT, g->id);
    if (mg_file_open(st->disk, &file, name, MG_FILE_READ | MG_FILE_EXACT, &why) != 0) {
        mg_store_say(st, MG_LOG_ERR, "cannot open %s: %s", name, why.text);
        return MG_EIO; // not "there is none"
    }
    struct opened_segment *o = mg_zalloc(sizeof(*o));
    o->of = g;
    o->file = file;
    int err = mg_segment_open(&o->segment, &st->env, mg_blob_of_file(file), g->id, g->size, g->foot_sum);
    if (err) {
        bool first = err == MG_EIO || !atomic_exchange(&g->footless, true);
        if (first) mg_store_say(st, MG_LOG_ERR, "%s is damaged: its foot cannot be read", name);
        close_segment(o);
        return err == MG_EIO ? MG_EIO : MG_ECORRUPT;
    }
    *out = o;
    return 0;
}

static struct opened_segment *use_open(struct mg_segment_pool *p, const struct mg_segment_ref *g) {
    struct opened_segment *o = *place_of(p, g);
    if (o && o->users++ == 0) mg_list_remove(&o->idle);
    return o;
}

int mg_segment_use(struct mg_segment_ref *g, const struct mg_segment **out) {
    struct mg_segment_pool *p = &mg_segment_store(g)->pool;
    struct opened_segment *mine = NULL, *other = NULL;
    mg_mutex_lock(&p->lock);
    struct opened_segment *o = use_open(p, g);
    mg_mutex_unlock(&p->lock);
    if (o == NULL) {
        int err = open_segment(g, &mine);
        if (err) return err;
        mg_mutex_lock(&p->lock);
        o = use_open(p, g);
        if (o) { // another thread was faster
            other = mine;
        } else {
            o = mine;
            o->users = 1;
            *place_of(p, g) = o;
            p->open++;
            other = one_too_many(p);
        }
        mg_mutex_unlock(&p->lock);
        close_segment(other);
    }
    *out = o->segment;
    return 0;
}

void mg_segment_unuse(struct mg_segment_ref *g) {
    struct mg_segment_pool *p = &mg_segment_store(g)->pool;
    struct opened_segment *other = NULL;
    mg_mutex_lock(&p->lock);
    struct opened_segment *o = *place_of(p, g);
    mg_assert(o && o->users > 0);
    if (--o->users == 0) {
        mg_list_push_back(&p->idle, &o->idle);
        other = one_too_many(p);
    }
    mg_mutex_unlock(&p->lock);
    close_segment(other);
}

void mg_segment_pool_close(struct mg_segment_ref *g) {
    struct mg_segment_pool *p = &mg_segment_store(g)->pool;
    mg_mutex_lock(&p->lock);
    struct opened_segment *o = *place_of(p, g);
    if (o) take_out(p, o);
    mg_mutex_unlock(&p->lock);
    close_segment(o);
}
