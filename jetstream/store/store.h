// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The storage engine's face: streams of messages and rows that survive.
//
// One store is one directory. Every stream lives on one shard, and everything here is called on that shard; nothing
// blocks. Nothing on disk names a shard: their number may change between two starts.
//
// How an answer leaves. A change is decided against the stream's newest state, written as one record into the shard's
// open batch, and applied at once. What the caller hears goes through `result`, which is called when that record, and
// everything of the stream before it, is durable. Errors and answers that only read the state (a duplicate, a wrong
// sequence, stream info) queue behind it too: they speak of changes that a power cut could still take back. So:
//
//     err = mg_stream_append(s, &a, ctx)  -> 0: result(ctx) will be called, with seq or an error; order is that of
// calls
//
// `visible` is the last sequence number that readers may see: messages up to it are durable.
//
// When the device fails a write or a sync, the store is *poisoned*: what was in flight is never answered (nobody knows
// its outcome), every later change gets MG_EIO, reads go on.
#ifndef MG_JETSTREAM_STORE_STORE_H
#define MG_JETSTREAM_STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jetstream/store/message.h"
#include "server/base/buf.h"
#include "server/base/list.h"
#include "server/base/slice.h"

struct mg_loop;
struct mg_wheel;
struct mg_mbuf;
struct mg_store;
struct mg_store_part; // of one shard
struct mg_stream;

// ---- the store ------------------------------------------------------------------------------------------------------

#define MG_NO_BALLAST UINT64_MAX

struct mg_store_options {
    const char *dir;
    unsigned parts;          // shards, at least 1
    // These follow from a limit by mg_store_size (size.h).
    uint64_t ring_bytes;     // of the journal; 0: 64 MB. Bounds the memtables, too. Fixed for the life of the store
    uint64_t cache_bytes;    // for cold reads, and as much for filters of tables; 0: 64 MB
    uint64_t rows_bytes;     // of generations of rows kept as a cache, all parts together; 0: 64 MB
    uint64_t sync_interval;  // ns; 0: always, an acknowledgement means on disk. Else acknowledged first, synced later
    unsigned readers;        // threads for cold reads; 0: 2
    uint32_t queue_messages; // changes of one stream that may wait; 0: 100,000
    uint64_t queue_bytes;    // and their bytes; 0: 128 MB
    // Sizes that tests make small; 0: as in a server.
    uint32_t ring_file_bytes;  // of one file of the journal's ring; 0: 8 MB. Fixed for the life of the store
    uint32_t section_messages; // in a section of a segment; 0: a million
    uint32_t big_stream_bytes; // a stream with so much in a checkpoint gets a segment of its own; 0: 8 MB
    uint32_t dict_bytes;     // of the dictionary for a packed section; 0: 16 KB
    uint32_t extent_bytes;   // headers and payload of so many bytes do not go through the journal; 0: 256 KB
    uint64_t extent_room;    // bytes of them that wait for a checkpoint; 0: as many as the ring's
    uint32_t steps;          // of each kind of work in a turn; 0: by the clock (mg_part_spent)
    uint32_t removals;       // of messages, that one record names if there are many; 0: by the number of tables
    uint32_t walk;           // messages in memory, or rows, that one read looks at in one go, or reads ahead; 0: 1024
    bool eager;                // background jobs let others in whenever they can, not only when they are long
    uint64_t ballast_bytes;  // kept free for a checkpoint when the disk is full; 0: by the ring; or MG_NO_BALLAST
    uint8_t secret[24];      // random bytes; a new store takes its id and salt from them
    // One sentence for the operator. Any thread.
    void (*log)(void *arg, int level, const char *text);
    void *log_arg;
    struct mg_store_progress *progress; // may be NULL
};

// Readable from any thread while mg_store_open runs on another. The log tells the same when it takes long.
struct mg_store_progress {
    atomic_uint_fast64_t bytes, bytes_total; // of the journal, done and to be done: first it is read, then replayed
    atomic_uint_fast64_t records;            // replayed
};

// What the journal did since the start. Buckets: [i] counts values v with 2^i <= v < 2^(i+1), [0] also 0.
#define MG_STORE_BUCKETS 40u
struct mg_store_counters {
    uint64_t commits, syncs, seals;
    uint64_t record_bytes, page_bytes;
    uint64_t commit_ns[MG_STORE_BUCKETS], commit_bytes[MG_STORE_BUCKETS];
    uint64_t free_pages, pages; // of the ring
    uint64_t checkpoint_ns;     // all of them together
    uint64_t extents, extent_bytes; // written beside it
};

// What the recovery has found, and how the store is.
#define MG_STORE_SENTENCE 320u
struct mg_store_status {
    uint64_t streams, messages, bytes;
    uint64_t lost_messages, damaged_pages, damaged_files;
    uint64_t unknown_streams; // of which the journal has messages or rows that nobody can be given
    uint64_t journal_pages_read, records_replayed;
    uint32_t recovery_ms;
    // What the background work did since the start.
    uint64_t checkpoints, compactions, merges;
    uint64_t scrubs, scrub_damaged, scrub_healed; // passes; files found damaged, and written again
    uint64_t faults;                              // damaged pieces of files that were met
    bool resting;                                 // nothing to do in the background
    bool poisoned, full;
    uint64_t disk_free;   // bytes that this process could still write; 0: unknown
    char sync_method[MG_STORE_SENTENCE]; // what the journal is, and how it writes
};

// Opens or creates the directory and recovers, blocking: before the shards run. err gets one sentence (text of 256).
// MG_EBUSY: another process holds it. MG_ECORRUPT: neither manifest can be read; nothing was changed.
int mg_store_open(struct mg_store **out, const struct mg_store_options *o, char *err, size_t err_size);
// When the parts have stopped: what only the journal has is written to files, so that the next start has nothing to
// replay. True: it is done, or not worth it, or cannot be done now; else call again in each turn.
bool mg_store_settle(struct mg_store *st);
// All parts must have stopped. What was acknowledged is on disk already.
void mg_store_close(struct mg_store *st);
struct mg_store_status mg_store_status(const struct mg_store *st); // any thread
struct mg_store_counters mg_store_counters(const struct mg_store *st); // any thread
// Asks for a checkpoint, or for a pass of verifying all files at full speed. Both happen by themselves in time; this is
// for tools and tests. Any thread; see `checkpoints`, `scrubs` and `resting` of the status for when it is done.
void mg_store_press(struct mg_store *st);
void mg_store_scrub(struct mg_store *st);

// The part of shard `index`. Its loop is woken when there is work for mg_store_part_turn; timers are in the shard's
// wheel.
struct mg_store_part *mg_store_part(struct mg_store *st, unsigned index);
void mg_store_part_start(struct mg_store_part *p, struct mg_loop *loop, struct mg_wheel *wheel);
// Takes in what the store's threads have finished and hands the open batch over: once in each turn of the shard, before
// it flushes and before it blocks. True: there is more to do at once.
bool mg_store_part_turn(struct mg_store_part *p);
// The time that messages get now, and the one that their age is measured at (clock.h). ns since the epoch.
int64_t mg_store_part_time(struct mg_store_part *p);
int64_t mg_store_part_aging(struct mg_store_part *p);
// Of all streams of the part but deleted ones, newest state; bytes as mg_stream_state tells them.
struct mg_store_sums {
    uint64_t messages;
    uint64_t bytes[2]; // by enum mg_stream_storage
};
const struct mg_store_sums *mg_store_part_sums(const struct mg_store_part *p);
// Stops taking changes; true when nothing of this part is under way (or, on a full disk, when what is cannot end). Its
// loop must live until the store is closed.
bool mg_store_part_stop(struct mg_store_part *p);

// ---- streams --------------------------------------------------------------------------------------------------------

enum mg_stream_storage { MG_STORAGE_FILE, MG_STORAGE_MEMORY };
enum mg_stream_discard { MG_DISCARD_OLD, MG_DISCARD_NEW };

struct mg_stream_limits {
    int64_t max_msgs, max_bytes, max_msgs_per_subject; // <= 0: no limit
    uint64_t max_age;                                  // ns; 0: no limit
    uint64_t dedupe_window;                            // ns; 0: off
    enum mg_stream_discard discard;
    bool discard_new_per_subject;
    bool packed; // file storage: compressed, from the next checkpoint on. What is told and limited is not
};

struct mg_result {
    void *ctx;
    uint64_t seq;    // of the message; of the original, when duplicate; of the state, in MG_EWRONGSEQ
    int err;         // 0 or MG_E...
    bool duplicate;
};

// What a stream tells its owner. Called between two records, never from inside of a call into the store.
struct mg_stream_ops {
    void (*result)(void *app, const struct mg_result *r);
    // Messages up to `last` may be read now.
    void (*visible)(void *app, uint64_t last);
    // A message is gone, whatever the reason (limits, age, mg_stream_remove, a purge), and that is durable. The subject
    // is valid during the call.
    void (*removed)(void *app, uint64_t seq, mg_slice subject);
    // All messages up to `last` are gone in one stroke, by a purge of everything; `removed` does not tell of them.
    void (*cleared)(void *app, uint64_t last);
};

// Creates a stream: durable when result(ctx) comes. name is unique in the store; config is the owner's, kept as it is.
// first_seq: number of the first message, 0 means 1.
int mg_stream_create(struct mg_store_part *p, mg_slice name, mg_slice config, enum mg_stream_storage storage,
                     const struct mg_stream_limits *limits, uint64_t first_seq, struct mg_stream **out, void *ctx);
// Lower limits hold for what is there, too (max_msgs and max_bytes under MG_DISCARD_OLD only, as in the reference): the
// result comes when what is too much has been removed, and changes wait behind it. A higher age is due in its time.
int mg_stream_configure(struct mg_stream *s, mg_slice config, const struct mg_stream_limits *limits, void *ctx);
// Deletes it with all messages and rows, at once: changes that still wait for something get MG_ECLOSED. The struct is
// freed after result(ctx).
int mg_stream_delete(struct mg_stream *s, void *ctx);
void mg_stream_set_ops(struct mg_stream *s, const struct mg_stream_ops *ops, void *app);

// Streams of this part, as found by the recovery or created since: NULL at the end.
struct mg_stream *mg_stream_next(struct mg_store_part *p, struct mg_stream *after);
struct mg_stream *mg_stream_find(struct mg_store_part *p, mg_slice name);
mg_slice mg_stream_name(const struct mg_stream *s);
uint64_t mg_stream_bytes(const struct mg_stream *s); // as mg_stream_state tells them; always known
uint64_t mg_stream_messages(const struct mg_stream *s);
mg_slice mg_stream_config(const struct mg_stream *s);
int64_t mg_stream_created(const struct mg_stream *s); // ns since the epoch

struct mg_stream_state {
    uint64_t msgs, bytes; // bytes as spec/jetstream-streams.md 7 counts them
    uint64_t first, last, subjects, deleted, lost;
    uint64_t lost_operations; // that the journal lost: messages (these are in `lost` too), but also removals and rows
    int64_t first_time, last_time;
};
// The newest state. Who tells it to somebody sends the answer behind mg_stream_barrier. MG_EAGAIN: a number that comes
// from disk (subjects, first_time) is being looked up; call again after the next turn that says so through barrier.
int mg_stream_state(struct mg_stream *s, struct mg_stream_state *out);
// The same at once, for whoever watches: what is not known is 0 (subjects, first_time), or a lower bound (first).
void mg_stream_glance(struct mg_stream *s, struct mg_stream_state *out);
// result(ctx) when everything so far is durable and numbers are looked up.
void mg_stream_barrier(struct mg_stream *s, void *ctx);
uint64_t mg_stream_visible(const struct mg_stream *s);
// The highest number of those that reads pass over already though `removed` has not told of them; 0: there are none.
uint64_t mg_stream_untold(const struct mg_stream *s);
// Which messages `lost` counts: the i-th range of numbers and how many in it. False: there are not so many.
bool mg_stream_lost(const struct mg_stream *s, unsigned i, uint64_t *first, uint64_t *last, uint64_t *count);

// ---- changes --------------------------------------------------------------------------------------------------------

#define MG_ANY_SEQ UINT64_MAX

// What is appended, and under which conditions. Zeroed members mean "no condition", except that expect_* of 0 is a
// condition: use MG_ANY_SEQ. Slices are copied at once, or kept by reference to `mbuf`.
struct mg_append {
    mg_slice subject, headers, payload;
    struct mg_mbuf *mbuf;             // holds headers and payload; NULL: large ones cost a copy more
    mg_slice msg_id;                  // dedupe; empty: none
    uint64_t expect_last;             // last sequence of the stream, or MG_ANY_SEQ
    uint64_t expect_subject_last;     // last sequence of expect_subject (or subject), or MG_ANY_SEQ
    mg_slice expect_subject;          // may have wildcards
    bool expects_id;                  // the id of the last message, whether it was deduplicated or not, must be
    mg_slice expect_id;               // this one. Ids are known since mg_stream_last_id says so
    int64_t time;                     // ns; 0: now. Never goes back within a stream
    bool rollup_subject, rollup_all;  // removes what was there before, with it if that is not much
    bool no_limit_per_subject;        // rollup under discard_new_per_subject
    bool skip;                        // uses up a sequence number and stores nothing
    int refuse_early;                 // not 0: the error if the sequences are as expected; before duplicates are found
    int refuse;                       // not 0: if all conditions hold, this is the error (a check that comes last)
    mg_slice row;                     // not empty: with the message the owner's row of this key, and the message's
                                      // number behind it (8 bytes, big-endian), is written; its value is "1"
    struct mg_append_facts *facts;    // may be NULL
};

// What the decision about an append has seen. The caller's until the result has come, and filled then.
struct mg_append_facts {
    bool want_previous;
    uint64_t previous;       // the last message of the same subject before it; 0: none
    int64_t time;            // of the message
    struct mg_buf last_id;   // MG_EWRONGID: the id of the last message instead
};

// Errors that come in result: MG_EWRONGSEQ (last, or last of subject: see seq), MG_EWRONGID, MG_EMAXMSGS, MG_EMAXBYTES,
// MG_EMAXPERSUBJECT (discard new), MG_EFULL (too much waiting: 429), MG_ENOSPC (disk full), MG_EIO (poisoned).
// Returned at once: MG_EINVAL (subject), MG_ERANGE (headers and payload are more than 128 MB).
int mg_stream_append(struct mg_stream *s, const struct mg_append *a, void *ctx);

// Is the id of the last message known? Not after a start, until a message was appended or the owner has said it: it can
// be read from the last message.
bool mg_stream_last_id_known(const struct mg_stream *s);
void mg_stream_set_last_id(struct mg_stream *s, mg_slice id);

// Removes one message. MG_ENOTFOUND in result. erase: headers and payload are overwritten on disk, also after a crash
// in between. That begins with a checkpoint, within 5 s of the result or of the next start; then the segment that holds
// the message is rewritten (at most some 1 GB of one file) and the old one overwritten as soon as no read uses it; and
// the journal's ring goes round once (with its usual 64 MB: about 2 s on an idle device, less under load). See erase.c
// for what remains.
int mg_stream_remove(struct mg_stream *s, uint64_t seq, bool erase, void *ctx);
// Removes messages: all below up_to (0: no bound) and matching filter (empty: all), but the last `keep`. seq in the
// result is the number of messages removed. Without filter and keep, an up_to beyond the end moves the end: the next
// message gets that number.
int mg_stream_purge(struct mg_stream *s, mg_slice filter, uint64_t up_to, uint64_t keep, void *ctx);

// Rows of the owner (consumers and their state): key -> value, in the stream's order with everything else.
int mg_stream_row_put(struct mg_stream *s, mg_slice key, mg_slice value, void *ctx);
// The same for what nobody is told: it becomes durable with the next change or answer of any stream of the part, or
// within some milliseconds.
int mg_stream_row_note(struct mg_stream *s, mg_slice key, mg_slice value, void *ctx);
int mg_stream_row_delete(struct mg_stream *s, mg_slice key, void *ctx);
// Lists the rows, newest state, whose keys begin with `prefix`, in order of their bytes, from the key `from` on (empty:
// all), until each() says false: who wants it in parts goes on behind the last key. It may read from disk and blocks,
// so it is for the start, before the shard serves. MG_ECORRUPT, MG_EIO: some could not be read, the others were given.
int mg_stream_rows(struct mg_stream *s, mg_slice prefix, mg_slice from,
                   bool (*each)(void *arg, mg_slice key, mg_slice value), void *arg);
// The same in service: nothing blocks. At most `max` rows, then done() with 0, MG_ECORRUPT, MG_EIO (some could not be
// read) or MG_ECLOSED; never before the call has returned. What is changed meanwhile may be among them or not. The
// struct and its slices are the caller's until done or end.
struct mg_rows_read {
    mg_slice prefix, from;
    uint64_t max;
    void (*each)(struct mg_rows_read *r, mg_slice key, mg_slice value);
    void (*done)(struct mg_rows_read *r, int err);
    void *user;
};
void mg_stream_read_rows(struct mg_stream *s, struct mg_rows_read *r);
void mg_stream_read_rows_end(struct mg_stream *s, struct mg_rows_read *r); // gives it up: done is not called

// ---- reads ----------------------------------------------------------------------------------------------------------

enum mg_read_kind {
    MG_READ_SEQ,   // the message `seq`
    MG_READ_NEXT,  // the first with a number >= seq that matches a filter
    MG_READ_LAST,  // the last with a number <= seq that matches a filter, newest state; MG_ANY_SEQ: of all
    MG_READ_TIME,  // the first stored at `time` or later
    MG_READ_ROW,   // the owner's row `key`; msg.payload is the value
    MG_READ_COUNT, // how many messages with a number >= seq match a filter, invisible ones included; `seq` becomes the
                   // number of the last message that was looked at. The count is exact for those up to it, at the
                   // moment of the answer. With MG_ECORRUPT or MG_EIO it is what can be told
};

// A read. The struct and the slices it points to are the caller's until it is done.
//
// What is answered is durable. Messages are visible ones; LAST and ROW tell of the newest state, and wait until that is
// durable; "not found" waits when it may come from a removal that is not. Two kinds do not wait, since they are what
// deliveries are made of: NEXT passes over what is removed in the newest state, COUNT counts in the newest state. Who
// tells somebody that NEXT has found nothing, or a number from COUNT, sends it behind mg_stream_barrier.
struct mg_read {
    enum mg_read_kind kind;
    bool sequential; // NEXT: the same struct will be used for the one behind it, so read ahead
    uint64_t seq;
    int64_t time;
    const mg_slice *filters; // subjects with wildcards; a message matches if one of them does
    unsigned filters_len;    // 0: all
    mg_slice key;
    // The answer: slices are valid until done returns, or until the end of the turn when the read did not wait.
    struct mg_message msg;
    uint64_t count;
    int err; // MG_ENOTFOUND; MG_ECORRUPT, MG_EIO: it is there and cannot be read (msg.seq says which)
    void (*done)(struct mg_read *r);
    void *user;
    // The store's. Zeroed before the first use.
    struct mg_stream *stream;
    struct mg_cold_read *cold;
    struct mg_read_ahead *ahead;
    struct mg_list waits, counts;
    uint64_t partial, from, batch;
    char *copy;
    bool inside; // the store's own: of the newest state, durable or not
    bool last_of_subject;
};
// 0: answered at once, see r->err; done is not called. MG_EAGAIN: done will be called.
int mg_stream_read(struct mg_stream *s, struct mg_read *r);
// Gives up a read that waits (done is not called) and what was read ahead. A read that did neither needs none.
void mg_stream_read_end(struct mg_read *r);

// ---- what is stored, by subject
// ----------------------------------------------------------------------------------------

// How many messages are stored on a subject, newest state: 0, or MG_EAGAIN: it is looked up, ask again later.
int mg_stream_subject(struct mg_stream *s, mg_slice subject, uint64_t *count);

// Lists the subjects that match a filter (empty: all), newest state, in order of their bytes: each() for at most `max`
// of them behind the first `skip`, then done() with the number of all that match, or with an error. Never before the
// call has returned. The struct and the filter are the caller's until done.
struct mg_subjects_read {
    mg_slice filter;
    mg_slice after;  // only subjects behind this one; empty: all
    uint64_t above;  // only those with more messages than this
    uint64_t skip, max;
    bool brief;      // ends when there are `max`: the total is not asked for
    bool lasts;      // each() is told the number of the last message, for sure, and 0 where that cannot be read or has
                     // just been removed. Else it may be higher, if the last one was removed
    void (*each)(struct mg_subjects_read *r, mg_slice subject, uint64_t count, uint64_t last);
    void (*done)(struct mg_subjects_read *r, int err, uint64_t total);
    void *user;
    // The store's. Zeroed before the first use.
    struct mg_list waits;
    bool heals;              // some rows could not be read: it waits until they are written anew
    uint32_t installs;
    uint64_t heals_failed;
};
void mg_stream_subjects(struct mg_stream *s, struct mg_subjects_read *r);

#endif
