// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Looking rows up that are on disk. A part gathers the keys that were wanted in a turn and sends them to a reader, who
// asks the table runs; the answer completes what waits for it (rows.h).
//
// A row of a subject that cannot be read is not "no row": it is computed from the messages (cold.h, MG_COLD_SUBJECT),
// with the tables and segments of the moment when that is asked. The row stays unresolved until then, so no checkpoint
// comes between. From the next checkpoint on the tables have it again.
#include "jetstream/store/cold.h"
#include "jetstream/store/correct.h"
#include "jetstream/store/heal.h"
#include "jetstream/store/part.h"
#include "jetstream/store/store_impl.h"
#include "jetstream/store/stream.h"
#include "jetstream/store/worker.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

// Keys of one question: a reader answers it in a quarter of a millisecond. What comes back takes the shard a tenth of
// that, or as long when nothing of it is in the CPU's caches.
#define LOOK_UP_KEYS 64u

struct look_up {
    struct mg_parcel parcel;
    struct mg_store_part *part;
    struct mg_worker *reader; // NULL: a store that is only looked at has no threads
    struct mg_runset *runs;
    struct mg_buf keys;     // u32 length, key
    uint32_t count;
    struct found_rows {     // the reader's, who frees it: see struct mg_cold_answer
        struct mg_parcel parcel;
        struct mg_buf values;
        struct look_up_answer {
            uint32_t at, len;
            int err;
        } answers[];
    } *rows;
};

static bool next_key(const struct mg_buf *keys, size_t *at, mg_slice *key) {
    uint32_t n;
    if (*at >= keys->len) return false;
    memcpy(&n, keys->p + *at, sizeof(n));
    *key = mg_slice_of(keys->p + *at + sizeof(n), n);
    *at += sizeof(n) + n;
    return true;
}

static void merged(void *arg, mg_slice before, struct mg_cell *after, bool frozen) {
    struct mg_store_part *p = arg;
    if (after->key[0] != MG_ROW_SUBJECT) return;
    struct mg_stream *s = mg_part_stream(p, mg_get_be64(after->key + 1));
    // Rows of an older epoch, or of a stream that is gone, count nowhere.
    if (s && mg_get_be32(after->key + MG_ROW_KEY_HEAD) == s->epoch)
        mg_stream_subject_merged(s, before, after, frozen);
}

static void free_rows(struct mg_parcel *parcel) {
    struct found_rows *rows = mg_container_of(parcel, struct found_rows, parcel);
    mg_buf_fini(&rows->values);
    mg_free(rows);
}

// A row of a subject that cannot be read is computed from the messages; until then it is unresolved.
struct lost_row {
    struct mg_store_part *part;
    struct mg_buf key;
};

static uint64_t left_out(const struct mg_cold_read *r) {
    uint64_t missing = mg_stream_last_missing(r->stream);
    if (r->err) return mg_stream_cold_end(r->stream); // all of them
    return r->left_out > missing ? r->left_out : missing;
}

static void computed(struct mg_cold_read *r) {
    struct lost_row *lost = r->user;
    struct mg_store_part *p = lost->part;
    bool found = r->stream && r->err == 0 && r->answer->bytes.len > 0;
    if (r->stream && r->err) mg_store_row_lost(p->store, mg_buf_slice(&lost->key), r->err);
    mg_slice value = found ? mg_buf_slice(&r->answer->bytes) : (mg_slice){NULL, 0};
    mg_rows_resolve(&p->rows, mg_buf_slice(&lost->key), value, merged, p);
    if (r->stream && (r->err || r->doubt || r->stream->unreadable)) mg_correct_doubt(r->stream, left_out(r));
    mg_buf_fini(&lost->key);
    mg_free(lost);
    mg_part_pump_all(p);
}

static bool compute_row(struct mg_store_part *p, mg_slice key) {
    const size_t head = MG_ROW_KEY_HEAD + 4;
    struct mg_stream *s = key.p[0] == MG_ROW_SUBJECT ? mg_part_stream(p, mg_get_be64(key.p + 1)) : NULL;
    if (s == NULL || s->deleted || key.n <= head || mg_get_be32(key.p + MG_ROW_KEY_HEAD) != s->epoch) return false;
    if (p->loop == NULL || p->closed) return false;
    struct lost_row *lost = mg_zalloc(sizeof(*lost));
    lost->part = p;
    mg_buf_add_slice(&lost->key, key);
    int64_t max = s->limits.max_msgs_per_subject;
    mg_slice subject = mg_slice_of(key.p + head, key.n - head);
    struct mg_cold_question q = {.kind = MG_COLD_SUBJECT, .filters = &subject, .filters_len = 1,
                                 .max = max > 0 && max < MG_SUBJECT_RECENT_MAX ? MG_SUBJECT_RECENT_MAX : 0};
    mg_cold_ask(s, &q, computed, lost);
    return true;
}

static void looked_up(struct mg_parcel *parcel) {
    struct look_up *l = mg_container_of(parcel, struct look_up, parcel);
    struct mg_store_part *p = l->part;
    mg_slice key;
    size_t at = 0;
    for (uint32_t i = 0; next_key(&l->keys, &at, &key); i++) {
        const struct look_up_answer *a = &l->rows->answers[i];
        bool unreadable = a->err && a->err != MG_ENOTFOUND;
        if (unreadable) mg_store_row_lost(p->store, key, a->err);
        if (unreadable && key.p[0] == MG_ROW_SUBJECT) mg_heal_want(p->store);
        if (unreadable && compute_row(p, key)) continue;
        mg_slice value = a->err ? (mg_slice){NULL, 0} : mg_slice_of(l->rows->values.p + a->at, a->len);
        mg_rows_resolve(&p->rows, key, value, merged, p);
    }
    p->jobs_out--;
    mg_runset_unref(l->runs);
    mg_buf_fini(&l->keys);
    l->rows->parcel.arrived = free_rows;
    if (l->reader) {
        mg_worker_post(l->reader, &l->rows->parcel);
    } else {
        free_rows(&l->rows->parcel);
    }
    mg_free(l);
    mg_part_pump_all(p);
}

static void look_up(struct mg_parcel *parcel) {
    struct look_up *l = mg_container_of(parcel, struct look_up, parcel);
    mg_slice key;
    size_t at = 0;
    struct found_rows *rows = mg_zalloc(sizeof(*rows) + l->count * sizeof(rows->answers[0]));
    l->rows = rows;
    for (uint32_t i = 0; next_key(&l->keys, &at, &key); i++) {
        size_t from = rows->values.len;
        int err = mg_runset_get(l->runs, key, &rows->values);
        rows->answers[i] = (struct look_up_answer){(uint32_t)from, (uint32_t)(rows->values.len - from), err};
    }
    mg_buf_reserve(&rows->values, 1);
    l->parcel.arrived = looked_up;
    mg_inbox_post(&l->part->inbox, &l->parcel);
}

static struct look_up *new_look_up(struct mg_store_part *p, struct mg_worker *reader) {
    struct look_up *l = mg_zalloc(sizeof(*l));
    l->parcel.arrived = look_up;
    l->part = p;
    l->reader = reader;
    l->runs = mg_runset_ref(p->rows.runs);
    p->jobs_out++;
    return l;
}

void mg_part_look_up(struct mg_store_part *p) {
    struct mg_rows *rows = &p->rows;
    mg_slice key;
    size_t at = 0, from = 0;
    if (rows->wanted_len == 0) return;
    for (uint32_t left = rows->wanted_len; left > 0; from = at) {
        struct look_up *l = new_look_up(p, mg_store_reader(p->store, p->look_ups++));
        while (l->count < LOOK_UP_KEYS && next_key(&rows->wanted, &at, &key)) l->count++;
        mg_buf_add(&l->keys, rows->wanted.p + from, at - from);
        left -= l->count;
        mg_worker_post(l->reader, &l->parcel);
    }
    rows->wanted.len = 0;
    rows->wanted_len = 0;
}

void mg_part_look_up_now(struct mg_store_part *p) {
    while (p->rows.wanted_len) {
        struct look_up *l = new_look_up(p, NULL);
        l->keys = p->rows.wanted;
        l->count = p->rows.wanted_len;
        p->rows.wanted = (struct mg_buf)MG_BUF_INIT;
        p->rows.wanted_len = 0;
        look_up(&l->parcel);
        mg_part_open_all(p);
    }
}
