// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The committer's thread. All batches that wait become one commit: their records, back to back, are cut into pages; the
// pages are written and synced; the batches go home. Meanwhile the next ones gather: that is the group commit, and it
// needs no timer. One commit is in flight at a time, so everything below the last one is durable.
//
// After a commit with records and a short idleness one empty commit follows, the seal: damage to the last commit cannot
// be told from one that was never finished, so the last acknowledged one should not stay the last.
//
// A write or sync that fails poisons the journal for good. Batches of that commit have an unknown outcome, those behind
// it were not written. Nothing is tried again: after a failed sync the system may have dropped the bytes, and a second
// sync that succeeds would be a lie.
//
// The thread never waits for free pages: mg_journal_submit charges a batch for the pages that it will need at most, and
// what the commit did not need is given back. What it may wait for, during the first lap, is a file (journal_grow.c).
#include <stdio.h>

#include "jetstream/store/journal_impl.h"
#include "server/base/assert.h"
#include "server/base/errors.h"

#define LINGER 64                      // looks; each is a system call
#define SMALL_PAGES 4u
#define LINGER_IF_NS UINT64_C(60000)   // the last sleep was that short

// ---- pages --------------------------------------------------------------------------------------------------------

static struct mg_batch *batch_of(struct mg_mail *m) { return (struct mg_batch *)(void *)m; }
static struct mg_batch *next_of(const struct mg_batch *b) { return batch_of(b->parcel.mail.next); }

// Where filling is in the records of a commit.
struct cursor {
    const struct mg_batch *batch; // NULL: at the end
    size_t span, at;              // in it
    size_t to_next;               // from here to where the next record begins, at most to the end of the span
};

static void enter_span(struct cursor *c) {
    while (c->batch && c->at == c->batch->spans[c->span].n) {
        mg_assert(c->to_next == 0); // a span ends with a record
        c->at = 0;
        if (++c->span < c->batch->nspans) continue;
        c->batch = next_of(c->batch);
        c->span = 0;
    }
}

// Copies what fits from one span.
static size_t copy(struct cursor *c, uint8_t *to, size_t room) {
    const struct mg_span *s = &c->batch->spans[c->span];
    const uint8_t *p = (const uint8_t *)s->p + c->at;
    size_t left = s->n - c->at, n = left < room ? left : room;
    memcpy(to, p, n);
    while (c->to_next < n) {
        uint32_t length = mg_record_length(p + c->to_next);
        mg_assert(length >= MG_RECORD_SIZE && length % MG_RECORD_ALIGN == 0 && length <= left - c->to_next);
        c->to_next += length;
    }
    c->to_next -= n;
    c->at += n;
    return n;
}

// Fills a page's body and says in `head` what is in it.
static void fill(struct mg_journal *j, struct cursor *c, uint8_t *page, struct mg_page *head) {
    size_t used = 0, first = 0, head_bytes = j->o.page_bytes - j->body;
    enter_span(c);
    while (c->batch && used < j->body) {
        if (first == 0 && used + c->to_next < j->body) first = head_bytes + used + c->to_next;
        used += copy(c, page + head_bytes + used, j->body - used);
        enter_span(c);
    }
    head->used = (uint16_t)used;
    head->first = (uint16_t)(first < head_bytes + used ? first : 0);
}

// A fence: what its recovery could not read, or as much of it as there is room for.
static void fill_fence(struct mg_journal *j, uint8_t *page, struct mg_page *head) {
    uint8_t *p = page + mg_page_head_bytes(j->o.page_bytes), *begin = p;
    for (uint32_t n = 0; n < j->bad_max && j->bad_told < j->bad_len; n++, p += MG_BAD_PAGES_SIZE)
        mg_bad_pages_pack(p, &j->bad[j->bad_told++]);
    head->used = (uint16_t)(p - begin);
    head->first = 0;
}

// ---- commits ------------------------------------------------------------------------------------------------------

// The next pages need their files: during the first lap these are still made.
static int wait_for_files(struct mg_journal *j, uint32_t count) {
    uint64_t first = atomic_load_explicit(&j->head, memory_order_relaxed);
    for (uint32_t i = 0; i < count;) {
        uint32_t no = ring_file_of(j, first + i);
        while (!atomic_load(&j->file[no].ready)) {
            // A full disk may get room again; anything else is a device that fails.
            int rc = atomic_load(&j->grow_error);
            if (rc != 0 && (rc != MG_ENOSPC || atomic_load(&j->stopping))) return rc;
            grow_ask(j, no + 1);
            mg_bell_wait(&j->bell, MG_NEVER);
        }
        i += j->o.file_pages - (uint32_t)((first + i) % j->pages % j->o.file_pages);
    }
    // Not while the ways of writing are compared: making a file would be in their way.
    if (j->calibrated) grow_ask(j, ring_file_of(j, first + count - 1) + 2);
    return 0;
}

// The same for all pages of a commit.
static struct mg_page common_head(struct mg_journal *j, enum mg_page_kind kind, uint32_t count) {
    uint64_t first = atomic_load_explicit(&j->head, memory_order_relaxed);
    return (struct mg_page){
        .page = first,
        .commit = j->commit,
        .first_page = j->incarnation_page,
        .incarnation = j->incarnation,
        .unsynced = MG_PLANTED(sure_of_unsynced) ? 0 : (uint32_t)(first - atomic_load(&j->durable)),
        .count = count,
        .kind = (uint8_t)kind,
    };
}

// Writes a commit of `count` pages with the records from the cursor on.
static int write_commit(struct mg_journal *j, enum mg_page_kind kind, struct cursor *c, uint32_t count,
                        struct mg_disk_why *why) {
    struct mg_page head = common_head(j, kind, count);
    for (uint32_t done = 0; done < count;) {
        uint32_t n = count - done < j->buffer_pages ? count - done : j->buffer_pages;
        uint64_t first = head.page;
        for (uint32_t i = 0; i < n; i++, head.page++, head.index++) {
            uint8_t *page = j->buffer + (size_t)i * j->o.page_bytes;
            if (kind == MG_PAGE_FENCE) fill_fence(j, page, &head);
            else fill(j, c, page, &head);
            mg_page_seal(page, j->o.page_bytes, &head, j->o.salt);
        }
        int rc = ring_write(j, j->buffer, first, n, why);
        if (rc != 0) return rc;
        done += n;
    }
    j->commit++;
    atomic_store_explicit(&j->head, head.page, memory_order_release);
    atomic_fetch_add_explicit(&j->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&j->page_bytes, (uint64_t)count * j->o.page_bytes, memory_order_relaxed);
    if (j->o.sync_ns == 0) return ring_sync(j, why);
    if (j->sync_at == MG_NEVER) j->sync_at = mg_bell_clock() + j->o.sync_ns;
    return 0;
}

static void poison(struct mg_journal *j, const struct mg_disk_why *why) {
    if (MG_PLANTED(not_poisoned)) return;
    if (atomic_exchange(&j->poisoned, true)) return;
    j->seal_due = false;
    j->sync_at = MG_NEVER;
    if (j->o.poisoned) j->o.poisoned(j->o.arg, why);
}

int commit_empty(struct mg_journal *j, enum mg_page_kind kind, struct mg_disk_why *why) {
    struct cursor none = {.batch = NULL};
    atomic_fetch_sub(&j->free, 1);
    int rc = write_commit(j, kind, &none, 1, why);
    if (rc != 0) poison(j, why);
    return rc;
}

// ---- batches ------------------------------------------------------------------------------------------------------

// Moves what has come to the end of `waiting`.
static void drain(struct mg_journal *j) {
    *j->waiting_end = mg_mailbox_drain(&j->in.box);
    while (*j->waiting_end) j->waiting_end = &(*j->waiting_end)->next;
}

// Cuts off the batches of the next commit, oldest first: what one write can take, or one batch that is larger.
static struct mg_batch *take(struct mg_journal *j, uint64_t *bytes, uint32_t *charged) {
    struct mg_batch *first = batch_of(j->waiting), *last = first;
    uint64_t most = j->buffer_pages * (uint64_t)j->body;
    *bytes = 0;
    *charged = 0;
    for (struct mg_batch *b = first; b && (b == first || *bytes + b->bytes <= most); b = next_of(b)) {
        *bytes += b->bytes;
        *charged += b->charged;
        last = b;
    }
    j->waiting = last->parcel.mail.next;
    if (j->waiting == NULL) j->waiting_end = &j->waiting;
    last->parcel.mail.next = NULL;
    return first;
}

// Sends batches home. The first page of the commit is `page`; pages of each batch follow from its place in it.
static void send_home(struct mg_journal *j, struct mg_batch *b, int result, uint64_t page) {
    uint64_t at = 0;
    for (struct mg_batch *next; b; b = next) {
        next = next_of(b);
        b->result = result;
        b->commit = j->commit - 1;
        b->page = page + at / j->body;
        at += b->bytes;
        b->pages_end = page + (at + j->body - 1) / j->body;
        mg_inbox_post(b->home, &b->parcel);
    }
}

static void tell_measured(struct mg_journal *j) {
    char sentence[MG_JOURNAL_SENTENCE];
    bool measured = atomic_load_explicit(&j->way_ns[RING_DIRECT], memory_order_relaxed) > 0;
    if (!measured || j->o.measured == NULL) return;
    mg_journal_describe(j, sentence, sizeof(sentence));
    j->o.measured(j->o.arg, sentence);
}

// Makes sure that a commit of `count` pages can be written at the head. If not, the journal is poisoned and its batches
// are not written.
static int prepare(struct mg_journal *j, uint32_t count) {
    struct mg_disk_why why = {""};
    if (atomic_load(&j->poisoned)) return MG_EPOISONED;
    int rc = wait_for_files(j, 1);
    if (rc == 0 && !j->calibrated) {
        ring_calibrate(j, &why);
        if (atomic_load(&j->poisoned)) return MG_EPOISONED;
        tell_measured(j);
    }
    if (rc == 0) rc = wait_for_files(j, count);
    if (rc == 0) return 0;
    snprintf(why.text, sizeof(why.text), "cannot make a file of the journal: %s", mg_strerror(rc));
    poison(j, &why);
    return MG_EPOISONED;
}

// One thread writes.
static void add_to(_Atomic uint64_t buckets[MG_JOURNAL_BUCKETS], uint64_t v) {
    int i = v ? 63 - __builtin_clzll(v) : 0;
    if (i >= MG_JOURNAL_BUCKETS) i = MG_JOURNAL_BUCKETS - 1;
    uint64_t n = atomic_load_explicit(&buckets[i], memory_order_relaxed);
    atomic_store_explicit(&buckets[i], n + 1, memory_order_relaxed);
}

static void commit_waiting(struct mg_journal *j) {
    uint64_t bytes, began = mg_bell_clock();
    uint32_t charged;
    struct mg_disk_why why = {""};
    struct mg_batch *list = take(j, &bytes, &charged);
    uint32_t count = (uint32_t)((bytes + j->body - 1) / j->body);
    mg_assert(count <= charged);
    int rc = prepare(j, count);
    uint64_t page = atomic_load_explicit(&j->head, memory_order_relaxed);
    struct cursor c = {.batch = list};
    if (rc == 0 && write_commit(j, MG_PAGE_RECORDS, &c, count, &why) != 0) {
        poison(j, &why);
        rc = MG_EUNKNOWN;
    }
    if (rc == 0) {
        j->written_at = mg_bell_clock();
        j->seal_due = j->o.idle_ns != 0;
        j->small = count <= SMALL_PAGES;
        atomic_store_explicit(&j->commit_ns, j->written_at - began, memory_order_relaxed);
        add_to(j->ns_buckets, j->written_at - began);
        add_to(j->bytes_buckets, bytes);
        atomic_fetch_add_explicit(&j->record_bytes, bytes, memory_order_relaxed);
        atomic_fetch_add(&j->free, (int64_t)charged - count);
    }
    send_home(j, list, rc, page);
}

// ---- the thread ---------------------------------------------------------------------------------------------------

// Half of the ring is in use: whoever recycles should begin. Said once until something was recycled.
static void press(struct mg_journal *j) {
    if (atomic_load(&j->free) >= (int64_t)j->pages / 2 || j->o.pressure == NULL) return;
    if (!atomic_exchange(&j->pressed, true)) j->o.pressure(j->o.arg);
}

// What is due without batches. Returns when the next such thing is due.
static uint64_t idle(struct mg_journal *j, bool last) {
    struct mg_disk_why why = {""};
    uint64_t now = mg_bell_clock(), seal_at = MG_NEVER;
    if (j->seal_due && (last || now >= j->written_at + j->o.idle_ns)) {
        j->seal_due = false;
        uint64_t head = atomic_load_explicit(&j->head, memory_order_relaxed);
        bool ready = atomic_load(&j->file[ring_file_of(j, head)].ready);
        if (ready && atomic_load(&j->free) > j->floor[MG_BATCH_RESERVED]) {
            if (commit_empty(j, MG_PAGE_SEAL, &why) == 0)
                atomic_fetch_add_explicit(&j->seals, 1, memory_order_relaxed);
        }
    }
    if (j->seal_due) seal_at = j->written_at + j->o.idle_ns;
    if (j->sync_at != MG_NEVER && (last || now >= j->sync_at) && ring_sync(j, &why) != 0) poison(j, &why);
    return seal_at < j->sync_at ? seal_at : j->sync_at;
}

// Erasing: one empty page over what a free one holds. A quarter of the ring stays free for batches; recycling goes on
// from there. False: nothing to do, or nothing that can be done now.
static bool wipe(struct mg_journal *j) {
    struct mg_disk_why why = {""};
    uint64_t head = atomic_load_explicit(&j->head, memory_order_relaxed);
    if (head >= atomic_load(&j->wipe_to) || atomic_load(&j->poisoned) || atomic_load(&j->stopping)) return false;
    press(j);
    if (atomic_load(&j->free) < (int64_t)j->pages / 4) return false;
    uint32_t file = ring_file_of(j, head);
    if (!atomic_load(&j->file[file].ready)) {
        grow_ask(j, file + 1); // rings when it is there
        return false;
    }
    return commit_empty(j, MG_PAGE_SEAL, &why) == 0;
}

// When small batches come right behind the answers (somebody publishes one at a time), the committer looks for the next
// one for a moment before it sleeps: to wake a thread on another CPU takes longer than most of what a commit takes but
// the device. It does not keep anybody from that CPU, and stops doing so when it was in vain.
static bool linger(struct mg_journal *j) {
    for (int i = 0; i < LINGER && j->lingers && j->small; i++) {
        if (!mg_mailbox_empty(&j->in.box)) return true;
        mg_thread_breathe();
    }
    j->lingers = false;
    return false;
}

static void sleep_until(struct mg_journal *j, uint64_t until) {
    uint64_t began = mg_bell_clock();
    if (mg_mailbox_sleep(&j->in.box, MG_ASLEEP)) mg_bell_wait(&j->bell, until);
    mg_mailbox_awake(&j->in.box);
    j->lingers = mg_bell_clock() - began < LINGER_IF_NS;
}

void commit_main(void *journal) {
    struct mg_journal *j = journal;
    mg_thread_prompt();
    press(j); // what was recovered may fill the ring
    for (;;) {
        bool stopping = atomic_load(&j->stopping); // before looking: what came during a sync is looked for once more
        drain(j);
        if (atomic_exchange(&j->sync_wanted, false) && j->sync_at != MG_NEVER) j->sync_at = 0;
        if (j->waiting) {
            commit_waiting(j);
            if (j->sync_at != MG_NEVER && mg_bell_clock() >= j->sync_at) idle(j, false);
            press(j);
            continue;
        }
        uint64_t until = idle(j, false);
        if (wipe(j)) continue;
        if (stopping) break;
        if (!linger(j)) sleep_until(j, until);
    }
    idle(j, true);
}
