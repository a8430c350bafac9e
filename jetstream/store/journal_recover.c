// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Recovery: reads the whole ring once and makes a map of what is in each slot; decides from the map where the journal
// ends; delivers (journal_replay.c); writes the fence.
//
// Where it ends. A page is live if its checksum matches, it is in its slot, and no later incarnation began at or below
// it (then a crash has cut it off before). H is the commit with the highest live page. Commits are serial, so what is
// below H was durable: what is missing there is damage. (With a sync interval H says how many pages before it were
// perhaps not durable.)
//
//            from                      sure            end       reach
//   ---------+-------------------------+---------------+---------+-------
//    recycled|  missing: damage        | whole commits | torn    | free
//                                      | of unsure     | commit
//
// In the unsure part the journal ends before the first commit that has a page with zeros, an older page, or sectors of
// one in its place: that commit was never finished, nobody was told about it. Only bad pages in it are reported, as
// what they are. A *bad* page without such sectors (page.h), there or right behind H, may be torn or rotten: it is
// reported, and the records around it are delivered, because they may have been acknowledged.
//
// The fence is the first commit of a new incarnation and begins where the journal ends. It voids what is left of the
// torn commit, so that a later recovery cannot take it for damage, or for data. For the same reason it names the pages
// below that were damaged: what they held is lost to all who came later, and its numbers were given again, so it must
// not come back should they read well some day (a cable, a file that was put back).
#include <stdio.h>
#include <stdlib.h>

#include "jetstream/store/journal_impl.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

// ---- the map ------------------------------------------------------------------------------------------------------

static void judge(struct mg_journal *j, uint64_t at, const uint8_t *page, struct slot *s) {
    struct mg_page h;
    switch (mg_page_check(&h, page, j->o.page_bytes, j->o.salt)) {
    case MG_PAGE_ZERO: s->state = SLOT_ZERO; return;
    case MG_PAGE_BAD:
        s->state = SLOT_DAMAGED;
        s->cause = MG_DAMAGE_BAD;
        return;
    case MG_PAGE_VALID: break;
    }
    bool stray = h.page % j->pages != at;
    if (h.count > j->pages) {
        s->state = SLOT_DAMAGED;
        s->cause = MG_DAMAGE_FOREIGN;
        return;
    }
    *s = (struct slot){
        .page = h.page,
        .commit = h.commit,
        .first_page = h.first_page,
        .incarnation = h.incarnation,
        .unsynced = h.unsynced,
        .index = h.index,
        .count = h.count,
        .state = stray ? SLOT_DAMAGED : SLOT_LIVE,
        .cause = stray ? MG_DAMAGE_FOREIGN : 0,
        .fence = h.kind == MG_PAGE_FENCE,
        .stray = stray,
    };
}

// Keeps what a fence says.
static void hear(struct mg_journal *j, struct ring_map *map, const uint8_t *page, uint8_t *plain) {
    struct mg_page h;
    mg_page_unpack(&h, page);
    uint32_t n = h.kind == MG_PAGE_FENCE ? h.used / MG_BAD_PAGES_SIZE : 0;
    if (n == 0) return;
    const uint8_t *body = mg_page_open(plain, page, j->o.page_bytes, &h);
    map->told = mg_realloc(map->told, (map->told_len + n) * sizeof(map->told[0]));
    for (uint32_t i = 0; i < n; i++) {
        struct told *t = &map->told[map->told_len];
        t->fence = h.page;
        mg_bad_pages_unpack(&t->pages, body + i * (size_t)MG_BAD_PAGES_SIZE);
        const struct mg_bad_pages *b = &t->pages;
        map->told_len += b->page < h.page && b->count <= h.page - b->page && b->count <= j->pages;
    }
}

// What could not be read by a recovery that was served from is not read any more. Pages to be replayed were not written
// again, unless the manifest is an older one.
static void believe(const struct mg_journal *j, struct ring_map *map) {
    for (size_t i = 0; i < map->told_len && !MG_PLANTED(damage_forgotten); i++) {
        const struct mg_bad_pages *b = &map->told[i].pages;
        enum mg_damage_cause cause;
        if (map_at(map, j, map->told[i].fence, &cause) != SLOT_LIVE) continue;
        for (uint64_t p = b->page; p < b->page + b->count; p++) {
            struct slot *s = &map->slots[p % j->pages];
            bool written = (s->state == SLOT_LIVE || s->state == SLOT_VOID) && s->page > p;
            if (p < j->o.replay_from || written) continue;
            *s = (struct slot){.state = SLOT_DAMAGED, .cause = b->cause, .torn = b->torn != 0};
        }
    }
}

static void scan(struct mg_journal *j, struct ring_map *map, struct ring_reader *r) {
    uint64_t bytes = j->pages * j->o.page_bytes;
    for (uint64_t at = 0; at < j->pages; at++) {
        struct slot *s = &map->slots[at];
        enum mg_damage_cause cause = MG_DAMAGE_MISSING;
        const uint8_t *page = reader_page(r, at, &cause);
        if (page) {
            judge(j, at, page, s);
            if (s->state == SLOT_LIVE) hear(j, map, page, r->plain);
        } else {
            s->state = SLOT_DAMAGED;
            s->cause = (uint8_t)cause;
        }
        if (j->o.progress && at % MG_PROGRESS_PAGES == 0)
            j->o.progress(j->o.arg, false, at * j->o.page_bytes, bytes);
    }
    if (j->o.progress) j->o.progress(j->o.arg, false, bytes, bytes);
}

struct beginning {
    uint32_t incarnation;
    uint64_t first_page;
};

static int by_incarnation(const void *a, const void *b) {
    const struct beginning *x = a, *y = b;
    if (x->incarnation != y->incarnation) return x->incarnation < y->incarnation ? -1 : 1;
    return x->first_page < y->first_page ? -1 : x->first_page > y->first_page;
}

// Collects where incarnations began, sorted, once each. Returns how many.
static size_t beginnings(const struct mg_journal *j, const struct ring_map *map, struct beginning *out) {
    size_t n = 0, unique = 0;
    for (uint64_t at = 0; at < j->pages; at++) {
        const struct slot *s = &map->slots[at];
        if (s->state != SLOT_LIVE && !s->stray) continue;
        if (n > 0 && out[n - 1].incarnation == s->incarnation && out[n - 1].first_page == s->first_page) continue;
        out[n++] = (struct beginning){s->incarnation, s->first_page};
    }
    qsort(out, n, sizeof(out[0]), by_incarnation);
    for (size_t i = 0; i < n; i++)
        if (unique == 0 || out[unique - 1].incarnation != out[i].incarnation) out[unique++] = out[i];
    return unique;
}

// Voids pages that a later incarnation has cut off.
static void void_cut_off(struct mg_journal *j, struct ring_map *map) {
    if (MG_PLANTED(no_void)) return;
    struct beginning *b = mg_alloc(j->pages * sizeof(*b));
    size_t n = beginnings(j, map, b);
    for (size_t i = n; i-- > 1;) // from here on: where this incarnation or any later one began
        if (b[i].first_page < b[i - 1].first_page) b[i - 1].first_page = b[i].first_page;
    for (uint64_t at = 0; at < j->pages; at++) {
        struct slot *s = &map->slots[at];
        if (s->state != SLOT_LIVE && !s->stray) continue;
        size_t low = 0, high = n; // the first later incarnation
        while (low < high) {
            size_t mid = low + (high - low) / 2;
            if (b[mid].incarnation > s->incarnation) high = mid;
            else low = mid + 1;
        }
        if (low == n || b[low].first_page > s->page) continue;
        if (s->state == SLOT_LIVE) s->state = SLOT_VOID;
        s->stray = false;
    }
    if (n > 0 && b[n - 1].incarnation > j->incarnation) j->incarnation = b[n - 1].incarnation;
    mg_free(b);
}

enum slot_state map_at(const struct ring_map *map, const struct mg_journal *j, uint64_t page,
                       enum mg_damage_cause *cause) {
    const struct slot *s = &map->slots[page % j->pages];
    if (s->state == SLOT_LIVE && s->page == page) return SLOT_LIVE;
    if (s->state == SLOT_DAMAGED || s->state == SLOT_TORN) *cause = s->cause;
    else *cause = s->state == SLOT_ZERO ? MG_DAMAGE_ZERO : MG_DAMAGE_STALE;
    return s->state == SLOT_LIVE ? SLOT_VOID : s->state;
}

// ---- the end ------------------------------------------------------------------------------------------------------

// Where the commit begins that page p, which is not there, belongs to: its other live pages tell. If it has none:
// behind the commit before.
static uint64_t torn_from(const struct mg_journal *j, const struct ring_map *map, uint64_t p) {
    enum mg_damage_cause cause;
    uint64_t after = p, before = p;
    while (after < map->reach && map_at(map, j, after, &cause) != SLOT_LIVE) after++;
    if (after < map->reach) {
        uint64_t first = after - map->slots[after % j->pages].index;
        if (first <= p) return first > map->sure ? first : map->sure;
    }
    while (before > map->sure && map_at(map, j, before - 1, &cause) != SLOT_LIVE) before--;
    if (before == map->sure) return map->sure;
    const struct slot *s = &map->slots[(before - 1) % j->pages];
    uint64_t first = s->page - s->index, end = first + s->count;
    return end <= p ? end : first > map->sure ? first : map->sure;
}

// Which of the bad pages at the end, and right behind it, are of a commit that was never finished?
static void find_torn(const struct mg_journal *j, struct ring_map *map, const struct slot *last,
                      struct ring_reader *r) {
    uint64_t stop = map->from + j->pages;
    bool behind = false; // a commit behind the end was begun, and not finished: nothing follows it
    for (uint64_t p = map->sure > map->from ? map->sure : map->from; p < stop; p++) {
        enum mg_damage_cause cause;
        struct slot *s = &map->slots[p % j->pages];
        bool bad = map_at(map, j, p, &cause) == SLOT_DAMAGED && cause != MG_DAMAGE_MISSING;
        if (!bad && p >= map->reach) break;
        const uint8_t *page = bad && cause == MG_DAMAGE_BAD ? reader_page(r, p % j->pages, &cause) : NULL;
        uint32_t incarnation = last && p >= last->first_page ? last->incarnation : 0;
        bool torn = page && mg_page_torn(page, j->o.page_bytes, j->o.salt, p, j->pages, incarnation);
        if (torn) cause = MG_DAMAGE_TORN;
        behind |= torn && p >= map->reach;
        if (torn || (bad && behind)) *s = (struct slot){.state = SLOT_TORN, .cause = (uint8_t)cause};
    }
}

static uint64_t end_of(const struct slot *s) { return s ? s->page - s->index + s->count : 0; }

// A stray page that is newer than all that are in their places was the end, or not even that: what should be there is
// not torn, it is lost.
static void find_end(struct mg_journal *j, struct ring_map *map, struct ring_reader *r) {
    const struct slot *last = NULL, *stray = NULL;
    for (uint64_t at = 0; at < j->pages; at++) {
        const struct slot *s = &map->slots[at];
        if (s->state != SLOT_LIVE && s->state != SLOT_VOID && !s->stray) continue;
        if (s->commit >= j->commit) j->commit = s->commit + 1;
        const struct slot **best = s->stray ? &stray : &last;
        if (s->state != SLOT_VOID && (*best == NULL || s->page > (*best)->page)) *best = s;
    }
    map->from = j->o.replay_from;
    map->sure = map->end = map->reach = end_of(last);
    if (last) map->sure = last->page - last->index - last->unsynced;
    if (end_of(stray) > map->end && !MG_PLANTED(stray_is_nothing)) {
        map->sure = map->end = map->reach = end_of(stray);
        last = NULL;
    }
    find_torn(j, map, last, r);
    if (last == NULL) return;
    if (last->fence) map->fence = last->incarnation;
    map->fence_from = last->first_page;
    for (uint64_t p = map->sure; p < map->reach; p++) {
        enum mg_damage_cause cause;
        enum slot_state state = map_at(map, j, p, &cause);
        if (state == SLOT_LIVE || state == SLOT_DAMAGED || MG_PLANTED(torn_is_whole)) continue;
        map->end = torn_from(j, map, p);
        return;
    }
}

// The ring cannot hold more pages than it has: what is asked for below was overwritten, or the manifest is wrong.
static void bound_start(struct mg_journal *j, struct ring_map *map) {
    if (map->end <= j->pages || map->from >= map->end - j->pages) return;
    struct mg_journal_damage d = {.cause = MG_DAMAGE_STALE, .page = map->from, .pages_end = map->end - j->pages};
    if (j->o.damage) j->o.damage(j->o.arg, &d);
    map->from = map->end - j->pages;
}

// ---- the fence ----------------------------------------------------------------------------------------------------

static int refuse_full(struct mg_disk_why *why) {
    if (why) snprintf(why->text, sizeof(why->text), "the journal has no free page: nothing can be started on it");
    return MG_EFULL;
}

// What was found may not be durable, if a process was killed between write and sync; and so may be the names of files.
// It becomes so before anybody is told about it, and before the fence says that it is.
static int sync_found(struct mg_journal *j, const struct ring_map *map, struct mg_disk_why *why) {
    int rc = mg_disk_sync_dir(j->o.disk, MG_JOURNAL_DIR, why);
    for (uint64_t p = map->sure; rc == 0 && p < map->end && !MG_PLANTED(found_not_synced); p++) {
        uint32_t no = ring_file_of(j, p);
        if (!j->file[no].dirty && atomic_load(&j->file[no].ready)) rc = ring_mark_dirty(j, no, why);
    }
    return rc == 0 ? ring_sync(j, why) : rc;
}

// No page is free: each of many starts on a full disk has taken one. Then the last page is a fence and nothing can have
// been written behind it, so its incarnation goes on.
static int keep_fence(struct mg_journal *j, const struct ring_map *map, struct mg_disk_why *why) {
    if (map->fence == 0 || map->end != map->reach) return refuse_full(why);
    j->incarnation = map->fence;
    j->incarnation_page = map->fence_from;
    return sync_found(j, map, why);
}

static int write_one(struct mg_journal *j, struct mg_disk_why *why) {
    uint32_t no = ring_file_of(j, atomic_load(&j->head));
    int rc = atomic_load(&j->file[no].ready) ? 0 : grow_now(j, no, why);
    return rc == 0 ? commit_empty(j, MG_PAGE_FENCE, why) : rc;
}

// One, as a rule. After a crash between them the next start finds anew what has not been named: nothing was served.
static int write_fence(struct mg_journal *j, const struct ring_map *map, struct mg_disk_why *why) {
    if (atomic_load(&j->free) < 1) return keep_fence(j, map, why);
    int rc = sync_found(j, map, why);
    if (rc != 0) return rc;
    atomic_store(&j->way, RING_SYNC);
    do rc = write_one(j, why);
    while (rc == 0 && j->bad_told < j->bad_len && atomic_load(&j->free) > j->floor[MG_BATCH_RESERVED]);
    return rc == 0 ? ring_sync(j, why) : rc;
}

static void take_over(struct mg_journal *j, const struct ring_map *map) {
    uint64_t head = map->end > map->from ? map->end : map->from;
    atomic_store(&j->head, head);
    atomic_store(&j->durable, head);
    atomic_store(&j->tail, map->from);
    atomic_store(&j->free, (int64_t)(j->pages - (head - map->from)));
    if (j->incarnation < j->o.incarnation) j->incarnation = j->o.incarnation;
    j->incarnation++;
    j->incarnation_page = head;
}

static void on_name(void *arg, const char *entry, uint64_t size, bool dir) {
    uint32_t *top = arg;
    unsigned no;
    (void)size;
    if (!dir && sscanf(entry, "ring-%5u", &no) == 1 && no > *top) *top = no;
}

// Files come one after the other, and a name is there before the file before it is used (journal_grow.c).
static int find_gone(struct mg_journal *j, struct mg_disk_why *why) {
    uint32_t top = 0;
    int rc = mg_disk_list(j->o.disk, MG_JOURNAL_DIR, on_name, &top, why);
    for (uint32_t no = 0; rc == 0 && no < top && no < j->files; no++) j->file[no].gone = true;
    return rc == MG_ENOTFOUND ? 0 : rc;
}

int recover(struct mg_journal *j, struct mg_disk_why *why) {
    int rc = find_gone(j, why);
    if (rc != 0) return rc;
    struct ring_map map = {.slots = mg_zalloc(j->pages * sizeof(struct slot))};
    struct ring_reader r;
    reader_init(&r, j);
    scan(j, &map, &r);
    void_cut_off(j, &map);
    believe(j, &map);
    find_end(j, &map, &r);
    bound_start(j, &map);
    r.last_pass = true;
    rc = replay(j, &map, &r);
    reader_fini(&r);
    bool any = false;
    for (uint32_t no = 0; no < j->files; no++) any |= atomic_load(&j->file[no].ready);
    take_over(j, &map);
    // Without any file there is nothing that a fence could void: the first is made when something is written.
    if (rc == 0 && any && !j->o.look_only && !MG_PLANTED(no_fence)) rc = write_fence(j, &map, why);
    mg_free(map.slots);
    mg_free(map.told);
    return rc;
}
