// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The journal on a real file system, in a directory of its own. Crashes are the simulator's (test/sim/sim_journal.c).
#include "jetstream/store/journal.h"
#include "jetstream/store/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/bell.h"
#include "test/unit/cmocka_inc.h"

#define PAGE 4096u
#define FILE_PAGES 16u
#define FILES 4u

struct fixture {
    char dir[64];
    struct mg_disk *disk;
    struct mg_journal *j;
    struct mg_journal_options o;
    struct mg_inbox home;
    struct mg_bell bell;
    unsigned back; // batches that came home
    uint64_t page; // of the last of them

    // What recovery delivered.
    uint64_t next_op, records, first_op;
    struct mg_journal_damage damage[8];
    unsigned damages;
    unsigned pressed;
};

struct one {
    struct mg_batch batch;
    struct mg_span span;
    struct fixture *f;
    uint8_t bytes[];
};

static void ring(void *arg) { mg_bell_ring(arg); }

static int on_record(void *arg, const struct mg_record_view *v, const void *bytes, uint64_t page) {
    struct fixture *f = arg;
    (void)page;
    assert_int_equal(mg_record_length(bytes), v->head.length);
    assert_int_equal(v->head.type, MG_RECORD_MSG);
    assert_int_equal(v->head.stream, 5);
    if (f->records++ == 0) f->first_op = v->head.op;
    else if (f->damages == 0) assert_int_equal(v->head.op, f->next_op);
    for (size_t i = 0; i < v->payload.n; i++) assert_int_equal((uint8_t)v->payload.p[i], (uint8_t)(v->head.op + i));
    f->next_op = v->head.op + 1;
    return 0;
}

static void on_damage(void *arg, const struct mg_journal_damage *d) {
    struct fixture *f = arg;
    if (f->damages < 8) f->damage[f->damages] = *d;
    f->damages++;
}

static void on_pressure(void *arg) { ((struct fixture *)arg)->pressed++; }

static int setup(void **state) {
    struct fixture *f = mg_zalloc(sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "./midge-journal-XXXXXX"); // beside the build: /tmp may be in memory
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(mg_disk_open(&f->disk, f->dir, "test", 0, NULL), 0);
    f->o = (struct mg_journal_options){
        .disk = f->disk, .salt = 99, .page_bytes = PAGE, .file_pages = FILE_PAGES, .files = FILES,
        .arg = f, .record = on_record, .damage = on_damage, .pressure = on_pressure};
    mg_bell_init(&f->bell);
    f->home.ring = ring;
    f->home.arg = &f->bell;
    *state = f;
    return 0;
}

static void remove_one(void *arg, const char *entry, uint64_t size, bool dir) {
    (void)size;
    char name[128];
    struct { struct mg_disk *d; const char *in; } *a = arg;
    snprintf(name, sizeof(name), "%s%s%.60s", a->in, a->in[0] ? "/" : "", entry);
    if (!dir) mg_disk_unlink(a->d, name, NULL);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    struct { struct mg_disk *d; const char *in; } a = {f->disk, "journal"};
    mg_journal_close(f->j);
    mg_disk_list(f->disk, "journal", remove_one, &a, NULL);
    mg_disk_unlink(f->disk, "journal", NULL);
    a.in = "";
    mg_disk_list(f->disk, "", remove_one, &a, NULL);
    mg_disk_close(f->disk);
    assert_int_equal(rmdir(f->dir), 0);
    mg_bell_fini(&f->bell);
    mg_free(f);
    return 0;
}

static void reopen(struct fixture *f) {
    struct mg_disk_why why = {""};
    mg_journal_close(f->j);
    f->j = NULL;
    f->records = f->first_op = f->next_op = 0;
    f->damages = 0;
    int rc = mg_journal_open(&f->j, &f->o, &why);
    if (rc != 0) fail_msg("%s: %s", mg_strerror(rc), why.text);
}

static void arrived(struct mg_parcel *p) {
    struct one *one = (struct one *)(void *)p;
    one->f->back++;
    one->f->page = one->batch.page;
    assert_int_equal(one->batch.result, 0);
    mg_free(one);
}

static size_t payload_of(uint64_t op) { return (size_t)(op * 37 % 300); }

// Submits `count` records from `op` on, in one batch.
static int submit(struct fixture *f, uint64_t op, unsigned count, enum mg_batch_class class) {
    char payload[300];
    struct one *one = mg_alloc(sizeof(*one) + count * 400);
    size_t n = 0;
    for (uint64_t end = op + count; op < end; op++) {
        for (size_t i = 0; i < sizeof(payload); i++) payload[i] = (char)(op + i);
        struct mg_record_view v = {.head = {.type = MG_RECORD_MSG, .stream = 5, .op = op},
                                   .subject = MG_S("a.b"),
                                   .payload = mg_slice_of(payload, payload_of(op))};
        n += mg_record_encode(one->bytes + n, &v);
    }
    one->f = f;
    one->span = (struct mg_span){one->bytes, n};
    one->batch = (struct mg_batch){
        .parcel.arrived = arrived, .home = &f->home, .spans = &one->span, .nspans = 1, .bytes = n, .class = class};
    int rc = mg_journal_submit(f->j, &one->batch);
    if (rc != 0) mg_free(one);
    return rc;
}

static void wait_for(struct fixture *f, unsigned back) {
    while (f->back < back) {
        if (mg_inbox_open(&f->home)) continue;
        if (mg_mailbox_sleep(&f->home.box, MG_ASLEEP)) mg_bell_wait(&f->bell, MG_NEVER);
        mg_mailbox_awake(&f->home.box);
    }
    f->back = 0;
}

static struct mg_journal_state state_of(struct fixture *f) {
    struct mg_journal_state s;
    mg_journal_state(f->j, &s);
    return s;
}

static void what_is_written_comes_back(void **state) {
    struct fixture *f = *state;
    char text[300];
    struct stat st;
    reopen(f);
    assert_int_equal(f->records, 0);
    assert_int_equal(state_of(f).head, 0); // nothing on disk before something is to be kept
    uint64_t op = 1;
    for (unsigned i = 1; i <= 20; i++, op += i - 1) assert_int_equal(submit(f, op, i, MG_BATCH_NORMAL), 0);
    wait_for(f, 20);
    mg_journal_describe(f->j, text, sizeof(text));
    assert_true(strstr(text, "commits by ") != NULL);
    assert_true(state_of(f).durable == state_of(f).head && !state_of(f).poisoned);
    snprintf(text, sizeof(text), "%s/journal/ring-00003", f->dir);
    assert_int_equal(stat(text, &st), -1); // files come as they are needed
    for (int i = 0; i < 3; i++) {
        reopen(f);
        assert_int_equal(f->damages, 0);
        assert_int_equal(f->records, 210);
        assert_int_equal(f->first_op, 1);
    }
    assert_int_equal(state_of(f).incarnation, 4);
}

// A header without a body, half of it in the next page, with nothing behind it.
static void a_bare_record_that_two_pages_share(void **state) {
    struct fixture *f = *state;
    const size_t body = f->o.page_bytes - mg_page_head_bytes(f->o.page_bytes);
    reopen(f);
    struct one *one = mg_zalloc(sizeof(*one) + 2 * body);
    struct mg_record_view v = {.head = {.type = MG_RECORD_MSG, .stream = 5, .op = 1}};
    char *payload = mg_alloc(body);
    for (size_t i = 0; i < body; i++) payload[i] = (char)(1 + i);
    v.payload = mg_slice_of(payload, body - MG_RECORD_SIZE - MG_RECORD_SIZE / 2);
    size_t n = mg_record_encode(one->bytes, &v);
    v = (struct mg_record_view){.head = {.type = MG_RECORD_MSG, .stream = 5, .op = 2}};
    n += mg_record_encode(one->bytes + n, &v);
    assert_int_equal(n, body + MG_RECORD_SIZE / 2);
    one->f = f;
    one->span = (struct mg_span){one->bytes, n};
    one->batch = (struct mg_batch){
        .parcel.arrived = arrived, .home = &f->home, .spans = &one->span, .nspans = 1, .bytes = n};
    assert_int_equal(mg_journal_submit(f->j, &one->batch), 0);
    wait_for(f, 1);
    mg_free(payload);
    reopen(f);
    assert_int_equal(f->damages, 0);
    assert_int_equal(f->records, 2);
}

static void the_ring_laps(void **state) {
    struct fixture *f = *state;
    uint64_t op = 1, from_op = 1;
    reopen(f);
    for (unsigned lap = 0; lap < 400; lap++) {
        from_op = op;
        uint64_t page = state_of(f).head;
        for (unsigned i = 0; i < 5; i++, op += 7) assert_int_equal(submit(f, op, 7, MG_BATCH_NORMAL), 0);
        wait_for(f, 5);
        f->o.replay_from = page;
        mg_journal_recycle(f->j, page);
        if (lap % 40 != 0) continue;
        reopen(f);
        assert_int_equal(f->damages, 0);
        assert_int_equal(f->first_op, from_op);
        assert_int_equal(f->next_op, op);
    }
    assert_true(state_of(f).head > 8 * FILES * FILE_PAGES);
}

static void a_full_ring_refuses(void **state) {
    struct fixture *f = *state;
    uint64_t op = 1;
    unsigned n = 0, reserved = 0;
    reopen(f);
    for (; submit(f, op, 10, MG_BATCH_NORMAL) == 0; op += 10, n++) wait_for(f, 1);
    assert_true(n > 30 && f->pressed > 0);
    assert_int_equal(mg_journal_room(f->j, MG_BATCH_NORMAL), 0);
    assert_true(mg_journal_room(f->j, MG_BATCH_RESERVED) > 0);
    for (; submit(f, op, 1, MG_BATCH_RESERVED) == 0; op++, reserved++) wait_for(f, 1);
    assert_true(reserved > 0);
    // Pages are left for fences. When they are used up, too, the last fence serves for all starts to come.
    uint32_t incarnation = state_of(f).incarnation;
    for (unsigned i = 0; i < 80; i++) {
        reopen(f);
        assert_int_equal(f->damages, 0);
        assert_int_equal(f->next_op, op);
    }
    assert_int_equal(state_of(f).head - state_of(f).tail, state_of(f).pages);
    assert_true(state_of(f).incarnation > incarnation && state_of(f).incarnation < incarnation + 80);
    reopen(f);
    assert_int_equal(f->damages, 0);
    assert_int_equal(f->next_op, op);
    mg_journal_recycle(f->j, state_of(f).durable);
    assert_int_equal(submit(f, op, 10, MG_BATCH_NORMAL), 0);
    wait_for(f, 1);
    f->o.replay_from = state_of(f).tail;
    reopen(f);
    assert_int_equal(f->first_op, op);
    assert_int_equal(f->records, 10);
    assert_int_equal(submit(f, 1, 3000, MG_BATCH_NORMAL), MG_EINVAL); // more than a quarter of the ring
}

static void spoil(struct fixture *f, uint64_t page) {
    char name[32];
    struct mg_file *file;
    uint8_t byte;
    size_t got;
    uint64_t at = page % f->o.file_pages * PAGE + 1000;
    snprintf(name, sizeof(name), "journal/ring-%05u", (unsigned)(page / f->o.file_pages % f->o.files));
    assert_int_equal(mg_file_open(f->disk, &file, name, MG_FILE_WRITE, NULL), 0);
    assert_int_equal(mg_file_read(file, &byte, 1, at, &got, NULL), 0);
    byte ^= 4;
    assert_int_equal(mg_file_write(file, &byte, 1, at, NULL), 0);
    mg_file_close(file);
}

static void a_bad_page_costs_its_records_only(void **state) {
    struct fixture *f = *state;
    reopen(f);
    assert_int_equal(submit(f, 1, 100, MG_BATCH_NORMAL), 0); // several pages
    wait_for(f, 1);
    uint64_t end = state_of(f).head;
    assert_int_equal(submit(f, 101, 1, MG_BATCH_NORMAL), 0);
    wait_for(f, 1);
    mg_journal_close(f->j);
    f->j = NULL;
    spoil(f, end - 3);
    reopen(f);
    assert_int_equal(f->damages, 1);
    assert_int_equal(f->damage[0].cause, MG_DAMAGE_BAD);
    assert_int_equal(f->damage[0].page, end - 3);
    assert_int_equal(f->damage[0].pages_end, end - 2);
    assert_false(f->damage[0].perhaps_torn);
    assert_true(f->records < 101 && f->records > 70);
    assert_int_equal(f->next_op, 102);
}

static void damage_to_the_last_commit_is_reported(void **state) {
    struct fixture *f = *state;
    for (int sealed = 0; sealed < 2; sealed++) {
        f->o.idle_ns = sealed ? 1 : 0;
        reopen(f);
        assert_int_equal(submit(f, 1 + (unsigned)sealed, 1, MG_BATCH_NORMAL), 0);
        wait_for(f, 1);
        uint64_t page = f->page; // the seal may have come already
        while (sealed && state_of(f).seals == 0) continue;
        mg_journal_close(f->j);
        f->j = NULL;
        spoil(f, page);
        reopen(f);
        assert_int_equal(f->damages, 1);
        assert_int_equal(f->damage[0].page, page);
        assert_int_equal(f->damage[0].perhaps_torn, !sealed);
        f->o.replay_from = state_of(f).head;
    }
}

// What one start could not read is lost for all that follow: its numbers were given again.
static void what_a_start_could_not_read_does_not_come_back(void **state) {
    struct fixture *f = *state;
    f->o.idle_ns = 1;
    reopen(f);
    for (unsigned op = 1; op <= 2; op++) {
        assert_int_equal(submit(f, op, 1, MG_BATCH_NORMAL), 0);
        wait_for(f, 1);
        while (state_of(f).seals < op) continue;
    }
    uint64_t lost = f->page;
    mg_journal_close(f->j);
    f->j = NULL;
    spoil(f, lost);
    reopen(f);
    assert_int_equal(f->records, 1);
    assert_int_equal(f->damages, 1);
    assert_int_equal(submit(f, 2, 1, MG_BATCH_NORMAL), 0);
    wait_for(f, 1);
    mg_journal_close(f->j);
    f->j = NULL;
    spoil(f, lost); // the same bits: it reads well again
    for (int again = 0; again < 2; again++) {
        reopen(f);
        assert_int_equal(f->records, 2);
        assert_int_equal(f->next_op, 3);
        assert_int_equal(f->damages, 1);
        assert_int_equal(f->damage[0].page, lost);
        assert_int_equal(f->damage[0].pages_end, lost + 1);
        assert_int_equal(f->damage[0].cause, MG_DAMAGE_BAD);
        assert_false(f->damage[0].perhaps_torn);
    }
    f->o.replay_from = lost + 1; // in other files now
    reopen(f);
    assert_int_equal(f->damages, 0);
}

// More of them, apart from each other, than one fence can name.
static void many_that_could_not_be_read_stay_so(void **state) {
    struct fixture *f = *state;
    enum { RUNS = 600 };
    f->o.file_pages = 1024;
    reopen(f);
    uint64_t first = 0;
    for (unsigned op = 1; op <= 2 * RUNS; op++) {
        assert_int_equal(submit(f, op, 1, MG_BATCH_NORMAL), 0);
        wait_for(f, 1);
        if (op == 1) first = f->page;
    }
    assert_int_equal(f->page, first + 2 * RUNS - 1);
    mg_journal_close(f->j);
    f->j = NULL;
    for (unsigned i = 0; i < RUNS; i++) spoil(f, first + 2 * i);
    reopen(f);
    assert_int_equal(f->records, RUNS);
    assert_int_equal(f->damages, RUNS);
    mg_journal_close(f->j);
    f->j = NULL;
    for (unsigned i = 0; i < RUNS; i++) spoil(f, first + 2 * i); // the same bits
    for (int again = 0; again < 2; again++) {
        reopen(f);
        assert_int_equal(f->records, RUNS);
        assert_int_equal(f->damages, RUNS);
    }
}

// What was perhaps torn is so at the next start as well, though the fence stands behind it then.
static void a_torn_end_does_not_become_damage(void **state) {
    struct fixture *f = *state;
    f->o.idle_ns = 0;
    reopen(f);
    assert_int_equal(submit(f, 1, 60, MG_BATCH_NORMAL), 0); // some pages
    wait_for(f, 1);
    uint64_t torn = f->page, end = state_of(f).head;
    assert_true(end > torn + 2);
    mg_journal_close(f->j);
    f->j = NULL;
    spoil(f, torn);
    for (int again = 0; again < 3; again++) {
        reopen(f);
        assert_int_equal(f->damages, 1);
        assert_int_equal(f->damage[0].page, torn);
        assert_true(f->damage[0].perhaps_torn);
        assert_true(f->records > 0 && f->first_op > 1);
        assert_int_equal(f->next_op, 61);
    }
}

static void journal_io(struct fixture *f, bool write, uint64_t page, uint8_t bytes[PAGE]) {
    char name[32];
    struct mg_file *file;
    size_t got;
    uint64_t at = page % FILE_PAGES * PAGE;
    snprintf(name, sizeof(name), "journal/ring-%05u", (unsigned)(page / FILE_PAGES % FILES));
    assert_int_equal(mg_file_open(f->disk, &file, name, MG_FILE_WRITE, NULL), 0);
    if (write) assert_int_equal(mg_file_write(file, bytes, PAGE, at, NULL), 0);
    else assert_int_equal(mg_file_read(file, bytes, PAGE, at, &got, NULL), 0);
    mg_file_close(file);
}

// Writes whole laps and then small commits up to some pages in front of the end of a lap. Returns the next operation.
static uint64_t write_laps(struct fixture *f, unsigned laps) {
    const uint64_t ring = (uint64_t)FILES * FILE_PAGES;
    uint64_t op = 1;
    while (state_of(f).head < ring * laps + 3) {
        assert_int_equal(submit(f, op++, 1, MG_BATCH_NORMAL), 0);
        wait_for(f, 1);
        if (laps == 0) continue;
        f->o.replay_from = f->page;
        mg_journal_recycle(f->j, f->page);
    }
    return op;
}

// The last commit has several pages. What was before stands in some sectors of the second one: nobody was told.
static void a_page_written_in_part_was_never_finished(void **state) {
    struct fixture *f = *state;
    static const uint8_t old_sectors[] = {0x80, 0x01, 0x3c, 0xfe, 0xff};
    for (size_t i = 0; i < sizeof(old_sectors) * 2; i++) {
        uint8_t before[PAGE], after[PAGE];
        if (i > 0) {
            teardown(state);
            setup(state);
            f = *state;
        }
        reopen(f);
        uint64_t op = write_laps(f, i % 2 ? 2 : 0), end = state_of(f).head;
        journal_io(f, false, end + 1, before);
        assert_int_equal(submit(f, op, 60, MG_BATCH_NORMAL), 0);
        wait_for(f, 1);
        mg_journal_close(f->j);
        f->j = NULL;
        journal_io(f, false, end + 1, after);
        for (size_t k = 0; k < PAGE / 512; k++)
            if (old_sectors[i / 2] >> k & 1) memcpy(after + k * 512, before + k * 512, 512);
        if (old_sectors[i / 2] == 0x3c) memset(after + 7 * 512, 0xaa, 512); // neither the old nor the new one
        journal_io(f, true, end + 1, after);
        for (int again = 0; again < 2; again++) {
            reopen(f);
            assert_int_equal(f->next_op, op); // all that was acknowledged, and no hole
            if (again == 0) assert_int_equal(f->damages, old_sectors[i / 2] == 0xff ? 0 : 1);
            for (unsigned k = 0; k < f->damages; k++) {
                assert_int_equal(f->damage[k].cause, MG_DAMAGE_TORN);
                assert_int_equal(f->damage[k].page, end + 1);
                assert_int_equal(f->damage[k].pages_end, end + 2);
                assert_true(f->damage[k].unfinished && !f->damage[k].perhaps_torn);
            }
        }
    }
}

// The same, of a commit of one page.
static void a_last_page_written_in_part(void **state) {
    struct fixture *f = *state;
    reopen(f);
    uint64_t op = write_laps(f, 1), end = state_of(f).head;
    uint8_t before[PAGE], after[PAGE];
    journal_io(f, false, end, before);
    assert_int_equal(submit(f, op, 3, MG_BATCH_NORMAL), 0);
    wait_for(f, 1);
    mg_journal_close(f->j);
    f->j = NULL;
    journal_io(f, false, end, after);
    memcpy(after + 4 * 512, before + 4 * 512, 512);
    journal_io(f, true, end, after);
    f->o.look_only = true;
    reopen(f);
    assert_int_equal(f->next_op, op);
    assert_int_equal(f->damages, 1);
    assert_true(f->damage[0].unfinished);
    // But a sector of another page is no proof, nor is one of zeros: this one may have been acknowledged.
    for (int zeros = 0; zeros < 2; zeros++) {
        memset(after + 4 * 512, zeros ? 0 : 0x5a, 512);
        journal_io(f, true, end, after);
        reopen(f);
        assert_int_equal(f->next_op, op);
        assert_int_equal(f->damages, 1);
        assert_int_equal(f->damage[0].page, end);
        assert_true(f->damage[0].perhaps_torn && !f->damage[0].unfinished);
    }
}

static void pages_of_another_store_are_not_ours(void **state) {
    struct fixture *f = *state;
    reopen(f);
    assert_int_equal(submit(f, 1, 3, MG_BATCH_NORMAL), 0);
    wait_for(f, 1);
    mg_journal_close(f->j);
    f->j = NULL;
    f->o.salt++;
    f->o.look_only = true;
    reopen(f);
    assert_int_equal(f->records, 0);
    assert_int_equal(f->damages, 1);
    f->o.salt--;
    reopen(f);
    assert_int_equal(f->records, 3);
    assert_int_equal(f->damages, 0);
}

static void with_an_interval_it_is_written_then_synced(void **state) {
    struct fixture *f = *state;
    f->o.sync_ns = 1000000;
    reopen(f);
    assert_int_equal(submit(f, 1, 3, MG_BATCH_NORMAL), 0);
    wait_for(f, 1);
    while (state_of(f).durable < state_of(f).head) continue;
    assert_true(state_of(f).syncs > 0);
    reopen(f);
    assert_int_equal(f->records, 3);
}

// Nothing is behind it but its successor's name.
static void the_only_file_is_missed(void **state) {
    struct fixture *f = *state;
    reopen(f);
    assert_int_equal(submit(f, 1, 10, MG_BATCH_NORMAL), 0);
    wait_for(f, 1);
    mg_journal_close(f->j);
    f->j = NULL;
    assert_int_equal(mg_disk_unlink(f->disk, "journal/ring-00000", NULL), 0);
    reopen(f);
    assert_int_equal(f->records, 0);
    assert_int_equal(f->damages, 1);
    assert_int_equal(f->damage[0].cause, MG_DAMAGE_GONE);
    assert_false(f->damage[0].perhaps_torn);
    reopen(f);
    assert_int_equal(submit(f, 1, 10, MG_BATCH_NORMAL), 0);
    wait_for(f, 1);
    reopen(f);
    assert_int_equal(f->records, 10);
    assert_int_equal(f->damages, 0);
}

static void a_missing_file_is_damage(void **state) {
    struct fixture *f = *state;
    reopen(f);
    uint64_t op = 1;
    while (state_of(f).head < 2 * FILE_PAGES + 2) {
        assert_int_equal(submit(f, op, 10, MG_BATCH_NORMAL), 0);
        wait_for(f, 1);
        op += 10;
    }
    mg_journal_close(f->j);
    f->j = NULL;
    assert_int_equal(mg_disk_unlink(f->disk, "journal/ring-00001", NULL), 0);
    reopen(f);
    assert_int_equal(f->damages, 1);
    assert_int_equal(f->damage[0].cause, MG_DAMAGE_GONE);
    assert_int_equal(f->damage[0].page, FILE_PAGES);
    assert_int_equal(f->damage[0].pages_end, 2 * FILE_PAGES);
    assert_int_equal(f->next_op, op);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_written_comes_back),
        T(a_bare_record_that_two_pages_share),
        T(the_ring_laps),
        T(a_full_ring_refuses),
        T(a_bad_page_costs_its_records_only),
        T(damage_to_the_last_commit_is_reported),
        T(what_a_start_could_not_read_does_not_come_back),
        T(many_that_could_not_be_read_stay_so),
        T(a_torn_end_does_not_become_damage),
        T(a_page_written_in_part_was_never_finished),
        T(a_last_page_written_in_part),
        T(pages_of_another_store_are_not_ours),
        T(with_an_interval_it_is_written_then_synced),
        T(the_only_file_is_missed),
        T(a_missing_file_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
