// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The second pass of recovery: pages in order, records out of them. A record that lies in one page is delivered where
// it is; one that runs on into the next is put together in `part`.
//
// A page that is not there costs the records that lie in it or run through it. Behind it, `first` of the next page
// tells where records begin again. Damage is reported in order, runs of pages of the same cause together, and says
// whose record was cut if the beginning with its header is known.
#include <stdio.h>

#include "jetstream/store/journal_impl.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

#define WINDOW_BYTES (1u << 20)

// ---- reading ------------------------------------------------------------------------------------------------------

void reader_init(struct ring_reader *r, struct mg_journal *j) {
    *r = (struct ring_reader){.j = j, .file_no = UINT32_MAX};
    r->window = mg_disk_alloc(WINDOW_BYTES);
    r->plain = mg_alloc(j->o.page_bytes);
}

static void leave_file(struct ring_reader *r) {
    if (r->file && r->last_pass) mg_file_forget(r->file, 0, r->file_size);
    mg_file_close(r->file);
    r->file = NULL;
    r->count = r->singly_to = 0;
}

void reader_fini(struct ring_reader *r) {
    leave_file(r);
    mg_disk_free(r->window);
    mg_free(r->plain);
}

static void enter_file(struct ring_reader *r, uint32_t no) {
    char name[32];
    leave_file(r);
    r->file_no = no;
    r->file_size = 0;
    ring_file_name(name, no);
    if (mg_file_open(r->j->o.disk, &r->file, name, MG_FILE_READ, NULL) != 0) {
        r->file = NULL;
        return;
    }
    if (mg_file_size(r->file, &r->file_size, NULL) != 0) r->file_size = 0;
    if (r->file_size >= ring_file_bytes(r->j)) atomic_store(&r->j->file[no].ready, true);
}

// Reads pages [at, at + n) of the file into the window. False: an error.
static bool read_window(struct ring_reader *r, uint32_t at, uint32_t n) {
    size_t size = r->j->o.page_bytes, got;
    r->count = 0;
    if (mg_file_read(r->file, r->window, n * size, at * (uint64_t)size, &got, NULL) != 0) return false;
    r->from = at;
    r->count = (uint32_t)(got / size);
    return true;
}

const uint8_t *reader_page(struct ring_reader *r, uint64_t slot, enum mg_damage_cause *cause) {
    size_t size = r->j->o.page_bytes;
    uint32_t no = (uint32_t)(slot / r->j->o.file_pages), at = (uint32_t)(slot % r->j->o.file_pages);
    if (no != r->file_no) enter_file(r, no);
    *cause = r->file ? MG_DAMAGE_SHORT : r->j->file[no].gone ? MG_DAMAGE_GONE : MG_DAMAGE_MISSING;
    if (r->file == NULL || (at + 1) * (uint64_t)size > r->file_size) return NULL;
    if (at < r->from || at >= r->from + r->count) {
        uint32_t n = (uint32_t)(WINDOW_BYTES / size), left = r->j->o.file_pages - at;
        if (n > left) n = left;
        // One sector that cannot be read must not take the pages around it along; and a device may think about it for
        // seconds, so it is asked twice only.
        bool ok = at >= r->singly_to && read_window(r, at, n);
        if (!ok && at >= r->singly_to) r->singly_to = at + n;
        if (!ok && !read_window(r, at, 1)) {
            *cause = MG_DAMAGE_UNREADABLE;
            return NULL;
        }
        if (r->count == 0) return NULL;
    }
    return r->window + (at - r->from) * size;
}

// ---- records ------------------------------------------------------------------------------------------------------

struct replay {
    struct mg_journal *j;
    const struct ring_map *map;
    int result; // of the callback

    bool in_step;         // the next byte continues `part` or begins a record
    uint64_t commit;      // of the page before
    uint32_t next_index;  // in it
    uint8_t *part;        // the beginning of a record that runs on
    size_t have, cap;
    uint64_t part_page;   // where it begins

    struct mg_journal_damage damage; // not yet reported; empty: page == pages_end
};

// For the fence.
static void remember(struct replay *r, const struct mg_journal_damage *d) {
    struct mg_journal *j = r->j;
    if (d->page >= r->map->end || d->cause == MG_DAMAGE_RECORD || d->cause == MG_DAMAGE_BEHIND) return;
    struct mg_bad_pages *last = j->bad_len ? &j->bad[j->bad_len - 1] : NULL;
    uint32_t count = (uint32_t)(d->pages_end - d->page);
    if (last && last->page + last->count == d->page && last->cause == d->cause && last->torn == d->perhaps_torn) {
        last->count += count;
        return;
    }
    if (j->bad_len == j->bad_cap) {
        j->bad_cap = j->bad_cap ? 2 * j->bad_cap : 64;
        j->bad = mg_realloc(j->bad, j->bad_cap * sizeof(j->bad[0]));
    }
    j->bad[j->bad_len++] =
        (struct mg_bad_pages){.page = d->page, .count = count, .cause = (uint8_t)d->cause, .torn = d->perhaps_torn};
}

static void report(struct replay *r) {
    bool silent = MG_PLANTED(silent_damage);
    if (r->damage.page < r->damage.pages_end) remember(r, &r->damage);
    if (r->damage.page < r->damage.pages_end && r->j->o.damage && !silent) r->j->o.damage(r->j->o.arg, &r->damage);
    r->damage = (struct mg_journal_damage){.page = 0};
}

static void name_victim(struct mg_journal_damage *d, const void *header) {
    struct mg_record h;
    mg_record_unpack(&h, header);
    d->stream = h.stream;
    d->op = h.op;
    d->seq = h.seq;
}

// A file is whole and durable before it is used: that is no torn end.
static bool of_file(enum mg_damage_cause cause) { return cause == MG_DAMAGE_GONE || cause == MG_DAMAGE_SHORT; }

// Page `page` is damaged, or something in it. `header` (may be NULL): of a record that is lost with it.
static void add_damage(struct replay *r, uint64_t page, enum mg_damage_cause cause, const void *header) {
    struct mg_journal_damage *d = &r->damage;
    const struct ring_map *map = r->map;
    enum mg_damage_cause why;
    bool cut_off = page >= map->end && (page < map->reach || map_at(map, r->j, page, &why) == SLOT_TORN);
    bool torn = page >= map->sure || map->slots[page % r->j->pages].torn;
    bool perhaps_torn = torn && !cut_off && cause != MG_DAMAGE_RECORD && !of_file(cause);
    bool same = d->pages_end == page && d->cause == cause && d->perhaps_torn == perhaps_torn &&
                d->unfinished == cut_off && header == NULL;
    if (same && d->page < d->pages_end && cause != MG_DAMAGE_RECORD) {
        d->pages_end++;
        return;
    }
    report(r);
    *d = (struct mg_journal_damage){
        .cause = cause, .page = page, .pages_end = page + 1, .perhaps_torn = perhaps_torn, .unfinished = cut_off};
    if (header) name_victim(d, header);
}

static void lose_step(struct replay *r, uint64_t page, enum mg_damage_cause cause) {
    add_damage(r, page, cause, r->have >= MG_RECORD_SIZE ? r->part : NULL);
    r->have = 0;
    r->in_step = false;
}

// One whole record of known length; `page` is where it begins.
static void deliver(struct replay *r, const uint8_t *p, size_t length, uint64_t page) {
    struct mg_record_view v;
    if (mg_record_decode(&v, p, length) != 0) {
        add_damage(r, page, MG_DAMAGE_RECORD, p);
        return;
    }
    report(r);
    if (r->result == 0 && r->j->o.record) r->result = r->j->o.record(r->j->o.arg, &v, p, page);
}

static size_t keep(struct replay *r, const uint8_t *p, size_t n, uint64_t page) {
    if (r->have == 0) r->part_page = page;
    if (r->have + n > r->cap) {
        r->cap = r->have + n < 2 * r->cap ? 2 * r->cap : r->have + n;
        r->part = mg_realloc(r->part, r->cap);
    }
    memcpy(r->part + r->have, p, n);
    r->have += n;
    return n;
}

// Takes bytes of the record that begins at p, or that `part` is the beginning of. `rest`: bytes that the commit may
// still have, these included. Returns how many were taken; 0: no record can begin here.
static size_t take_bytes(struct replay *r, const uint8_t *p, size_t n, uint64_t rest, uint64_t page) {
    uint32_t length;
    if (r->have > 0 && r->have < MG_RECORD_SIZE) {
        size_t more = MG_RECORD_SIZE - r->have, taken = keep(r, p, more < n ? more : n, page);
        bool whole = r->have == MG_RECORD_SIZE && mg_record_measure(&length, r->part, MG_RECORD_SIZE) == 0 &&
                     length == MG_RECORD_SIZE;
        if (whole) { // one without a body: no further byte would tell
            r->have = 0;
            deliver(r, r->part, length, r->part_page);
        }
        return taken;
    }
    const uint8_t *header = r->have ? r->part : p;
    if (r->have == 0 && n < MG_RECORD_SIZE) return keep(r, p, n, page);
    if (mg_record_measure(&length, header, MG_RECORD_SIZE) != 0 || length - r->have > rest) return 0;
    if (r->have == 0 && length <= n) {
        deliver(r, p, length, page);
        return length;
    }
    size_t more = length - r->have;
    size_t taken = keep(r, p, more < n ? more : n, page);
    if (r->have == length) {
        r->have = 0;
        deliver(r, r->part, length, r->part_page);
    }
    return taken;
}

// `page`: without its marks, records begin at `p`.
static void take_page(struct replay *r, const uint8_t *page, const uint8_t *p, const struct mg_page *h) {
    if (h->commit != r->commit || h->index != r->next_index) {
        r->have = 0;
        r->in_step = h->index == 0;
    }
    r->commit = h->commit;
    r->next_index = h->index + 1;
    const uint8_t *end = p + (h->kind == MG_PAGE_RECORDS ? h->used : 0);
    if (!r->in_step) {
        if (h->first == 0) return;
        if (!MG_PLANTED(no_resync)) p = page + h->first;
        r->in_step = true;
    }
    uint64_t rest = (uint64_t)(h->count - h->index - 1) * r->j->o.page_bytes; // at most
    while (p < end && r->result == 0) {
        size_t n = take_bytes(r, p, (size_t)(end - p), rest + (size_t)(end - p), h->page);
        if (n == 0) {
            lose_step(r, h->page, MG_DAMAGE_RECORD);
            return;
        }
        p += n;
    }
    if (h->index + 1 == h->count && r->have > 0) lose_step(r, h->page, MG_DAMAGE_RECORD);
}

// Damage behind the end: bad pages of the commit that is cut off; and the page where the next commit would have begun,
// which might hide something acknowledged, and behind a bad page the next one.
static void look_behind(struct replay *r) {
    const struct ring_map *map = r->map;
    uint64_t reach = map->reach > map->end ? map->reach : map->end + 1;
    bool bad = false;
    for (uint64_t p = map->end > map->from ? map->end : map->from; p < map->from + r->j->pages && (p < reach || bad);
         p++) {
        enum mg_damage_cause cause;
        // A file that is not there and is not missed was never made.
        enum slot_state state = map_at(map, r->j, p, &cause);
        bad = state == SLOT_TORN || (state == SLOT_DAMAGED && cause != MG_DAMAGE_MISSING);
        if (bad) add_damage(r, p, cause, NULL);
    }
    report(r);
    if (map->end >= map->from) return;
    r->damage = (struct mg_journal_damage){.cause = MG_DAMAGE_BEHIND, .page = map->end, .pages_end = map->from};
    report(r);
}

int replay(struct mg_journal *j, const struct ring_map *map, struct ring_reader *reader) {
    struct replay r = {.j = j, .map = map, .commit = UINT64_MAX};
    const uint64_t size = j->o.page_bytes, total = map->end > map->from ? (map->end - map->from) * size : 0;
    for (uint64_t p = map->from; p < map->end && r.result == 0; p++) {
        struct mg_page head;
        if (j->o.progress && p % MG_PROGRESS_PAGES == 0) j->o.progress(j->o.arg, true, (p - map->from) * size, total);
        enum mg_damage_cause cause;
        bool live = map_at(map, j, p, &cause) == SLOT_LIVE;
        const uint8_t *page = live ? reader_page(reader, p % j->pages, &cause) : NULL;
        // What was fine a moment ago may not be: it is read again, so it is checked again.
        bool fine = page && mg_page_check(&head, page, j->o.page_bytes, j->o.salt) == MG_PAGE_VALID && head.page == p;
        if (page && !fine) cause = MG_DAMAGE_BAD;
        if (fine) take_page(&r, reader->plain, mg_page_open(reader->plain, page, j->o.page_bytes, &head), &head);
        else lose_step(&r, p, cause);
        if (!fine && MG_PLANTED(stop_at_bad_page)) break;
    }
    report(&r);
    if (r.result == 0) look_behind(&r);
    if (r.result == 0 && j->o.progress) j->o.progress(j->o.arg, true, total, total);
    mg_free(r.part);
    return r.result;
}
