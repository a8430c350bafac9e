// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Streams as such: created, configured, deleted, found. A stream is a row (its number, name, limits, the owner's
// configuration), changed by STREAM records and removed by a DROP record. Memory streams have neither.
#include <string.h>

#include "jetstream/store/cold.h"
#include "jetstream/store/correct.h"
#include "jetstream/store/seal.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

#define FLAG_NEW_PER_SUBJECT 1u
#define FLAG_TRIM 2u
#define FLAG_PACKED 4u

static uint64_t name_hash(const struct mg_store_part *p, mg_slice name) { return mg_row_hash(p->rows.seed, name); }

static void forget_name(struct mg_stream *s) {
    if (s->name.n) mg_table_del(&s->part->names, name_hash(s->part, s->name), s);
}

struct mg_stream *mg_stream_new(struct mg_store_part *p, uint64_t id) {
    struct mg_stream *s = mg_zalloc(sizeof(*s));
    s->part = p;
    s->id = id;
    s->first = 1;
    s->first_exact = true;
    s->rows = &p->rows;
    mg_list_init(&s->told);
    mg_list_init(&s->wants);
    mg_list_init(&s->holds);
    mg_list_init(&s->aging);
    mg_list_init(&s->waiting);
    s->ahead = &s->waiting;
    mg_list_init(&s->reads);
    mg_list_init(&s->slow);
    mg_list_init(&s->held);
    mg_list_init(&s->counts);
    mg_list_init(&s->gathering);
    mg_list_init(&s->listings);
    mg_list_init(&s->row_reads);
    mg_list_init(&s->listings_wait);
    mg_memtable_init(&s->mem);
    mg_timer_init(&s->age_timer, mg_stream_age_due);
    mg_list_push_back(&p->streams, &s->link);
    s->sealed_in = p->generation;
    mg_part_index(p, s);
    return s;
}

void mg_stream_give_up(struct mg_stream *s) {
    mg_head_reset(s);
    mg_assist_reset(s);
    mg_subjects_fail(s);
    mg_reads_fail(s);
    mg_rows_give_up(s);
    mg_cold_cancel_all(s);
}

void mg_stream_free(struct mg_stream *s) {
    if (s->dropped && s->sealed_in != s->part->generation) mg_seal_stream(s, true);
    mg_seal_unlink(s);
    mg_list_remove(&s->link);
    forget_name(s);
    mg_list_remove(&s->told);
    mg_list_remove(&s->wants);
    mg_list_remove(&s->holds);
    mg_list_remove(&s->aging);
    mg_part_unindex(s->part, s);
    if (mg_timer_active(&s->age_timer)) mg_timer_stop(s->part->wheel, &s->age_timer);
    mg_stream_give_up(s);
    while (!mg_list_empty(&s->waiting)) {
        struct mg_list *l = s->waiting.next;
        mg_list_remove(l);
        mg_change_free(mg_container_of(l, struct mg_change, link));
    }
    if (s->storage == MG_STORAGE_MEMORY) mg_rows_fini_later(&s->own_rows, &s->part->rows);
    mg_part_garbage_table(s->part, &s->mem);
    mg_trim_reset(s);
    mg_buf_fini(&s->last_id);
    mg_buf_fini(&s->wild.subject);
    mg_part_garbage_stretches(s->part, &s->cold);
    mg_free(s->unreadable_ranges);
    mg_free((char *)(uintptr_t)s->name.p);
    mg_free((char *)(uintptr_t)s->config.p);
    mg_free(s);
}

// ---- the row --------------------------------------------------------------------------------------------------------

static void encode_row(const struct mg_stream *s, struct mg_buf *out) {
    const struct mg_stream_limits *l = &s->limits;
    struct mg_stream_row row = {
        .id = s->id,
        .created = s->created,
        .first_seq = s->first,
        .max_msgs = l->max_msgs,
        .max_bytes = l->max_bytes,
        .max_msgs_per_subject = l->max_msgs_per_subject,
        .max_age = l->max_age,
        .dedupe_window = l->dedupe_window,
        .discard = (uint8_t)l->discard,
        .flags = (uint8_t)((l->discard_new_per_subject ? FLAG_NEW_PER_SUBJECT : 0) |
                           (s->trim_subjects ? FLAG_TRIM : 0) | (l->packed ? FLAG_PACKED : 0)),
        .name_len = (uint16_t)s->name.n,
        .config_len = (uint32_t)s->config.n,
    };
    uint8_t head[MG_STREAM_ROW_SIZE];
    mg_stream_row_pack(head, &row);
    mg_buf_add(out, head, sizeof(head));
    mg_buf_add_slice(out, s->name);
    mg_buf_add_slice(out, s->config);
}

static void replace(mg_slice *old, mg_slice with) {
    char *copy = mg_slice_dup(with);
    mg_free((char *)(uintptr_t)old->p);
    *old = mg_slice_of(copy, with.n);
}

static void set_name(struct mg_stream *s, mg_slice name) {
    forget_name(s);
    replace(&s->name, name);
    if (name.n) mg_table_add(&s->part->names, name_hash(s->part, s->name), s);
}

int mg_stream_decode_row(struct mg_stream *s, mg_slice value) {
    struct mg_stream_row row;
    if (value.n < MG_STREAM_ROW_SIZE) return MG_ECORRUPT;
    mg_stream_row_unpack(&row, value.p);
    if (row.id != s->id || row.discard > MG_DISCARD_NEW ||
        value.n != (size_t)MG_STREAM_ROW_SIZE + row.name_len + row.config_len)
        return MG_ECORRUPT;
    s->created = row.created;
    s->limits = (struct mg_stream_limits){
        .max_msgs = row.max_msgs,
        .max_bytes = row.max_bytes,
        .max_msgs_per_subject = row.max_msgs_per_subject,
        .max_age = row.max_age,
        .dedupe_window = row.dedupe_window,
        .discard = row.discard ? MG_DISCARD_NEW : MG_DISCARD_OLD,
        .discard_new_per_subject = (row.flags & FLAG_NEW_PER_SUBJECT) != 0,
        .packed = (row.flags & FLAG_PACKED) != 0,
    };
    s->trim_subjects = (row.flags & FLAG_TRIM) != 0;
    if (s->last == 0 && s->op <= 1) {
        s->first = row.first_seq;
        s->last = row.first_seq - 1;
    }
    set_name(s, mg_slice_of(value.p + MG_STREAM_ROW_SIZE, row.name_len));
    replace(&s->config, mg_slice_of(value.p + MG_STREAM_ROW_SIZE + row.name_len, row.config_len));
    return 0;
}

static void put_row(struct mg_stream *s, mg_slice value) {
    char key[MG_ROW_KEY_HEAD];
    mg_row_key_head(key, MG_ROW_STREAM, s->id);
    mg_rows_put(s->rows, mg_slice_of(key, sizeof(key)), value);
}

void mg_stream_apply_self(struct mg_stream *s, const struct mg_record_view *rec, bool live) {
    if (!live && mg_stream_decode_row(s, rec->payload) != 0) return;
    put_row(s, rec->payload);
}

// Its rows are worthless without the stream's own: tables drop them when they are merged.
void mg_stream_apply_drop(struct mg_stream *s) {
    char key[MG_ROW_KEY_HEAD];
    static const enum mg_row_kind kinds[] = {MG_ROW_STREAM, MG_ROW_STATE};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        mg_row_key_head(key, kinds[i], s->id);
        if (!MG_PLANTED(risen_stream)) mg_rows_delete(s->rows, mg_slice_of(key, sizeof(key)));
    }
    s->deleted = s->dropped = true;
    mg_stream_freed_all(s);
}

void mg_stream_write_self(struct mg_stream *s) {
    struct mg_buf value = MG_BUF_INIT;
    encode_row(s, &value);
    struct mg_record_view rec = {.head = {.type = MG_RECORD_STREAM, .time = s->created},
                                 .payload = mg_buf_slice(&value)};
    mg_stream_write(s, &rec);
    mg_buf_fini(&value);
}

static inline bool is_going(const void *val, const void *name) {
    const struct mg_stream *s = val;
    return s->deleted && !s->dropped && mg_slice_eq(s->name, *(const mg_slice *)name);
}

// ---- what callers ask for -------------------------------------------------------------------------------------------

static void write_drop(struct mg_stream *s) {
    struct mg_record_view rec = {.head = {.type = MG_RECORD_DROP}};
    s->dropped = true;
    if (s->storage == MG_STORAGE_FILE) mg_stream_write(s, &rec);
}

bool mg_stream_drop(struct mg_stream *s) {
    if (s->dropped || s->part->poisoned) return true;
    if (!mg_seal_first(s)) return false;
    write_drop(s);
    return true;
}

// One of this name is being deleted: the record that says so is in front of what begins the next one.
static void drop_before(struct mg_store_part *p, mg_slice name) {
    struct mg_stream *s;
    while ((s = mg_table_find(&p->names, name_hash(p, name), is_going, &name))) {
        if (s->sealed_in != p->generation) mg_seal_stream(s, true);
        write_drop(s);
    }
}

int mg_stream_create(struct mg_store_part *p, mg_slice name, mg_slice config, enum mg_stream_storage storage,
                     const struct mg_stream_limits *limits, uint64_t first_seq, struct mg_stream **out, void *ctx) {
    if (p->stopping) return MG_ECLOSED;
    if (p->poisoned) return MG_EIO;
    if (name.n == 0 || name.n > UINT16_MAX || config.n > (1u << 20)) return MG_EINVAL;
    if (mg_stream_find(p, name)) return MG_EEXISTS;
    drop_before(p, name);
    struct mg_stream *s = mg_stream_new(p, mg_store_new_id(p));
    set_name(s, name);
    replace(&s->config, config);
    s->storage = storage;
    s->limits = *limits;
    s->created = mg_part_time(p);
    s->first = first_seq ? first_seq : 1;
    s->last = s->first - 1;
    if (storage == MG_STORAGE_MEMORY) {
        mg_rows_init(&s->own_rows, p->rows.seed);
        s->rows = &s->own_rows;
        s->mem.owner = true;
    } else {
        mg_stream_write_self(s);
    }
    s->visible = s->last;
    s->last_id_known = true;
    mg_stream_answer(s, ctx, 0, 0, MG_ANSWER_PLAIN);
    *out = s;
    return 0;
}

int mg_stream_configure(struct mg_stream *s, mg_slice config, const struct mg_stream_limits *limits, void *ctx) {
    if (config.n > (1u << 20)) return MG_EINVAL;
    struct mg_change c = {.kind = MG_CHANGE_CONFIGURE, .value = config, .limits = *limits, .ctx = ctx};
    return mg_change_submit(s, &c);
}

static bool lower(int64_t now, int64_t before) { return now > 0 && (before <= 0 || now < before); }

static void set_limits(struct mg_stream *s, const struct mg_stream_limits *limits) {
    bool less = lower(limits->max_msgs_per_subject, s->limits.max_msgs_per_subject);
    if (less && !MG_PLANTED(subjects_left)) s->trim_subjects = true;
    s->limits = *limits;
    mg_trim_reset(s);
    // The timer may wait for an age that was higher.
    if (mg_timer_active(&s->age_timer)) mg_timer_stop(s->part->wheel, &s->age_timer);
    mg_stream_arm_age(s);
}

int mg_configure_execute(struct mg_stream *s, struct mg_change *c) {
    if (!c->started) {
        replace(&s->config, c->value);
        set_limits(s, &c->limits);
        if (s->storage == MG_STORAGE_FILE) mg_stream_write_self(s);
        c->started = true;
        // What limits remove is removed in slices: the change has to be one that waits.
        if (!mg_limits_hold(s) && mg_list_empty(&s->waiting)) {
            mg_part_pump_later(s);
            return MG_EAGAIN;
        }
    }
    int err = mg_limits_apply(s);
    if (err == 0 && !c->quiet) mg_stream_answer(s, c->ctx, 0, 0, MG_ANSWER_PLAIN);
    return err;
}

int mg_stream_delete(struct mg_stream *s, void *ctx) {
    if (s->deleted || s->part->stopping) return MG_ECLOSED;
    if (s->part->poisoned) return MG_EIO;
    mg_assist_reset(s);
    s->deleted = true;
    mg_stream_sum(s);
    s->delete_waits = true;
    s->delete_ctx = ctx;
    s->results_out++;
    if (mg_stream_drop(s) && mg_list_empty(&s->waiting)) mg_changes_refuse(s);
    else mg_part_pump_later(s);
    return 0;
}

void mg_stream_set_ops(struct mg_stream *s, const struct mg_stream_ops *ops, void *app) {
    s->ops = ops;
    s->app = app;
}

struct mg_stream *mg_stream_next(struct mg_store_part *p, struct mg_stream *after) {
    struct mg_list *l = after ? after->link.next : p->streams.next;
    for (; l != &p->streams; l = l->next) {
        struct mg_stream *s = mg_container_of(l, struct mg_stream, link);
        if (!s->deleted) return s;
    }
    return NULL;
}

struct named {
    mg_slice name;
    const struct mg_stream *but;
};

static inline bool is_named(const void *val, const void *key) {
    const struct mg_stream *s = val;
    const struct named *n = key;
    return s != n->but && !s->deleted && mg_slice_eq(s->name, n->name);
}

struct mg_stream *mg_stream_find(struct mg_store_part *p, mg_slice name) {
    return mg_table_find(&p->names, name_hash(p, name), is_named, &(struct named){name, NULL});
}

struct mg_stream *mg_stream_find_other(const struct mg_stream *s) {
    return mg_table_find(&s->part->names, name_hash(s->part, s->name), is_named, &(struct named){s->name, s});
}

mg_slice mg_stream_name(const struct mg_stream *s) { return s->name; }
uint64_t mg_stream_bytes(const struct mg_stream *s) { return s->bytes; }
uint64_t mg_stream_messages(const struct mg_stream *s) { return s->msgs; }
mg_slice mg_stream_config(const struct mg_stream *s) { return s->config; }
int64_t mg_stream_created(const struct mg_stream *s) { return s->created; }
uint64_t mg_stream_visible(const struct mg_stream *s) { return s->visible; }
uint64_t mg_stream_untold(const struct mg_stream *s) { return s->untold_len ? s->untold_highest : 0; }

bool mg_stream_lost(const struct mg_stream *s, unsigned i, uint64_t *first, uint64_t *last, uint64_t *count) {
    const struct mg_lost *l = &s->lost_ranges;
    if (i >= l->len && s->unreadable_ranges) {
        i -= l->len;
        l = s->unreadable_ranges;
    }
    if (i >= l->len) return false;
    *first = l->at[i].first;
    *last = l->at[i].last;
    *count = l->at[i].count;
    return true;
}

uint64_t mg_stream_count_lost(struct mg_stream *s, uint64_t first, uint64_t last, uint64_t count) {
    bool missing = s->unreadable_ranges && mg_lost_has(s->unreadable_ranges, first); // counted there, for as long
    uint64_t news = missing ? 0 : mg_lost_add(&s->lost_ranges, first, last, count);
    if (news == 0) return 0;
    s->lost += news;
    s->dirty = true;
    if (s->storage == MG_STORAGE_FILE && s->part->loop) mg_store_press_soon(s->part->store);
    atomic_fetch_add(&s->part->store->lost_messages, news);
    return news;
}

void mg_stream_found_lost(struct mg_stream *s, uint64_t first, uint64_t last, uint64_t count) {
    uint64_t news = mg_stream_count_lost(s, first, last, count);
    if (news == 0) return;
    mg_store_say(s->part->store, MG_LOG_ERR, "stream %.*s: %llu messages from %llu to %llu are damaged", (int)s->name.n,
                 s->name.p, (unsigned long long)news, (unsigned long long)first, (unsigned long long)last);
}

void mg_stream_glance(struct mg_stream *s, struct mg_stream_state *out) {
    struct mg_head_walk w = mg_head_walk_of(s);
    struct mg_head_message m;
    *out = (struct mg_stream_state){
        .msgs = s->msgs,
        .bytes = s->bytes,
        .first = s->first,
        .last = s->last,
        .subjects = s->unresolved ? 0 : s->subjects,
        .lost = s->lost + s->unreadable,
        .lost_operations = s->lost_operations,
        .deleted = mg_sure_of(s->last + 1 - s->first, s->msgs),
        .last_time = s->last_time,
    };
    if (mg_head_next(s, &w, &m) == 0) out->first_time = m.time;
}

int mg_stream_state(struct mg_stream *s, struct mg_stream_state *out) {
    if (!mg_head_advance(s) || s->unresolved) return MG_EAGAIN;
    mg_stream_glance(s, out);
    struct mg_head_walk w = mg_head_walk_of(s);
    struct mg_head_message m;
    int err = mg_head_next(s, &w, &m);
    if (err == 0) out->first_time = m.time;
    return err == MG_EAGAIN ? err : 0;
}
