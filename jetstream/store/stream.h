// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Inside of a stored stream: shared by the stream_*.c files.
//
//   change.c   what callers ask for: queue, order, results          apply.c    what a record does to the state
//   append.c   the checks of a publish and what it evicts           head.c     the oldest messages, read ahead
//   purge.c    removing many, in slices                             read.c     reads
//   limits.c   limits that became lower, age                         correct.c  counters that became wrong
//                                                                   held.c     answers of reads that have to wait
//
// A change is *decided* once (append.c, purge.c: limits, clock, conditions) and becomes a record; apply.c turns a
// record into state, the same way when it was just written and when it is replayed. So replay decides nothing.
#ifndef MG_JETSTREAM_STORE_STREAM_H
#define MG_JETSTREAM_STORE_STREAM_H

#include "jetstream/store/extent.h"
#include "jetstream/store/lost.h"
#include "jetstream/store/memtable.h"
#include "jetstream/store/part.h"
#include "jetstream/store/record.h"
#include "jetstream/store/removal.h"
#include "jetstream/store/row_kinds.h"
#include "jetstream/store/stretches.h"
#include "jetstream/store/store.h"
#include "server/base/assert.h"
#include "server/base/list.h"
#include "server/base/planted.h"

struct mg_cold_read;
struct mg_cold_entry;

enum mg_change_kind {
    MG_CHANGE_APPEND,
    MG_CHANGE_REMOVE,
    MG_CHANGE_PURGE,
    MG_CHANGE_BARRIER,
    MG_CHANGE_ROW,
    MG_CHANGE_CONFIGURE,
    MG_CHANGE_CORRECT,
};

// A change that waits its turn because something before it, or it itself, needs a row or a message from disk.
struct mg_change {
    struct mg_list link;
    struct mg_stream *stream;
    enum mg_change_kind kind;
    struct mg_append append;      // slices point into bytes[], or into the extent
    bool large;                   // append: headers and payload go into an extent
    struct mg_extent *extent;     // owned; until there is a record
    uint64_t seq, up_to, keep;
    uint64_t done;                // purge: messages removed so far
    uint64_t cursor;              // purge: where the next slice begins
    mg_slice filter, key, value;
    struct mg_stream_limits limits;
    bool erase, delete_row;
    bool started;                 // half done; append: conditions hold, it makes room
    bool last, exact;             // correction: its last piece; with it counters are exact as of operation `seq`
    bool quiet;                   // nobody waits for its result
    bool note;                    // of a row: its result may take a while
    uint64_t rolled_up;           // purge: it is the second half of this message's rollup; 0: it is not
    void *ctx;
    size_t size;
    size_t weight;                // what it counts in waiting_bytes
    char bytes[];
};

// A message at the head that is in a segment: what removing it needs to know.
struct mg_head_entry {
    uint64_t seq;
    int64_t time;
    uint32_t size;
    uint32_t subject_at, subject_len; // in head.subjects
    bool gone;
};
struct mg_head {
    struct mg_head_entry *entries;
    uint32_t count, next;   // entries[next..count) are still there or gone
    struct mg_buf subjects;
    uint64_t covered;       // entries tell of every message below this number
    struct mg_cold_read *refill;
};

// What the change at the head of the queue has asked segments for.
struct mg_assist {
    struct mg_cold_read *asked; // under way; NULL: answered, or nothing was asked
    struct mg_read read;        // LAST, COUNT
    struct mg_buf filter;       // its filter
    mg_slice filters[1];
    bool reading;
    uint64_t walked;            // OLDEST: numbers below were looked at in memory
    enum mg_assist_kind { MG_ASSIST_NONE, MG_ASSIST_META, MG_ASSIST_SLICE, MG_ASSIST_LAST, MG_ASSIST_OLDEST,
                          MG_ASSIST_OLDEST_HERE, MG_ASSIST_COUNT } kind;
    uint64_t seq;             // with which it was asked
    struct mg_cold_answer *answer; // owned
    struct mg_cold_entry *entries; // in it
    uint32_t count;
    uint64_t covered;
    uint32_t installs;        // of the part, when it was answered
    int err;
    uint64_t meta_at;         // META: the last message that was asked for
};

// Subjects with more messages than they may have, while those are being removed (limits.c).
struct mg_trim {
    struct mg_subjects_read listing;
    bool asked, more, failed;
    uint32_t count;
    struct mg_buf subjects; // u32 length, subject
    struct mg_buf last;     // the last one of them
    size_t at;              // of the first that is not done
    uint64_t cursor;        // its messages below are
};

struct mg_stream {
    struct mg_list link;      // of the part's streams
    struct mg_list told;      // of the part's list of those whose `visible` has moved
    struct mg_list wants;     // of the part's list of those that want to be pumped
    struct mg_list holds;     // of the part's list of those that hold answers back
    struct mg_list aging;     // of the part's list of those that may have messages which are too old
    struct mg_store_part *part;
    uint64_t id;
    mg_slice name, config;    // owned
    enum mg_stream_storage storage;
    struct mg_stream_limits limits;
    int64_t created;

    // The newest state: everything that was applied, durable or not.
    uint64_t op;              // of the last record
    uint64_t first, last;     // first is a lower bound unless first_exact
    uint64_t msgs, bytes, subjects, lost;
    uint64_t summed_msgs, summed_bytes; // what the part's sums have of it
    uint64_t lost_operations; // that the journal lost: messages, but also removals and rows
    struct mg_lost lost_ranges;
    uint64_t unreadable;      // messages in segments that could not be opened at the start; lost for as long
    struct mg_lost *unreadable_ranges; // NULL: none
    int64_t last_time;
    uint64_t found_last;      // of the checkpoint that the recovery began with: what is behind came from the journal
    uint32_t epoch;           // of subject rows; a purge of everything begins a new one
    uint32_t unresolved;      // subject rows whose older value is being looked up: `subjects` is not exact
    bool first_exact;
    bool inexact;             // bytes and subjects may be too high: a message was removed that cannot be read
    bool unsure;              // and msgs may be wrong: if it is 0 the stream need not be empty
    uint64_t inexact_op;      // the last operation that made them so
    uint64_t overlooked;      // rows of subjects may leave out messages up to this one: they were computed while these
                              // could not be read; 0: none
    struct {                  // at most so much of the counters are messages that have gone: limits let it be
        uint64_t msgs, bytes;
    } slack;
    enum mg_recount_state {   // see correct.h
        MG_RECOUNT_IDLE,
        MG_RECOUNT_WANTED,
        MG_RECOUNT_ASKED,
        MG_RECOUNT_STALE,     // asked, but the rows of subjects have become others
    } recount;
    uint64_t recount_from;    // not before `first` is there: something in front of it cannot be read
    bool rebuilt;             // replay: of the messages in segments only those count that can be read
    bool dirty;               // changed since the last seal
    bool deleted;             // no more changes; freed when its last result has gone
    bool dropped;             // and there is a record that says so
    bool delete_waits;        // for that, and for the refusal of changes that wait; counts in results_out
    void *delete_ctx;
    bool in_seal;             // a checkpoint holds it
    uint32_t sealed_in;       // the part's generation when it was sealed last (seal.h)
    struct mg_cell *sealed_state; // its row of counters, as long as it is with a seal; NULL
    uint64_t visible;         // last number readers may see
    uint64_t batch;           // the part's batch that holds its last record
    uint64_t gone_batch;      // that holds the last one that removed messages
    uint64_t untold_len, untold_highest; // removals that the owner has not been told of, and the highest number of them
    uint64_t rows_batch;      // that holds the last one that changed a row of the owner
    uint32_t installs;        // grows when what is behind its memtable changes: see mg_stream_installs
    uint64_t removals;        // grows with each message that is removed from a segment

    struct mg_memtable mem;
    struct mg_stretches cold; // of one below `first` nothing lives, whatever it says
    struct mg_head head;

    struct mg_rows *rows;     // the part's; a memory stream has its own
    struct mg_rows own_rows;
    struct mg_cell *last_row;  // memo: the subject row of the last append, in `last_rows`
    struct mg_rowmap *last_rows;

    struct mg_list waiting;   // of struct mg_change
    struct mg_list *ahead;    // the first of these whose rows were not asked for; the list's head: there is none
    size_t waiting_bytes;
    uint32_t waiting_len;
    struct mg_list reads;     // of struct mg_cold_read that wait
    struct mg_list slow;      // of struct mg_read that wait for a row or have more of the memtable to look at
    struct mg_list held;      // of struct mg_read that are answered when what they speak of is durable
    struct mg_list counts;    // of struct mg_read that are counting
    struct mg_list gathering; // of struct mg_cold_read that are not with a reader yet
    struct mg_list listings, listings_wait; // of subjects (subjects.c)
    struct mg_list row_reads; // of the owner's rows (owner_rows.c)
    struct mg_assist assist;
    struct mg_buf last_id;    // of the last message; empty: it had none
    bool last_id_known;
    struct {                  // what was found for a condition on subjects with wildcards
        struct mg_buf subject;
        uint64_t op, seq;     // op: of the stream when it was found
    } wild;
    struct mg_trim trim;
    bool trim_subjects;       // some subjects may have more messages than they may; also in the stream's row
    struct mg_timer age_timer;
    unsigned results_out;     // results that were not given yet

    const struct mg_stream_ops *ops;
    void *app;
};

// Has changed: messages or rows of the stream may have left memory for files, or are in others now.
static inline uint32_t mg_stream_installs(const struct mg_stream *s) { return s->part->installs + s->installs; }

// change.c
int mg_change_submit(struct mg_stream *s, struct mg_change *proto);
void mg_change_first(struct mg_stream *s, const struct mg_change *proto); // before all that wait
void mg_stream_pump(struct mg_stream *s); // tries the waiting changes again
// Of a deleted stream: its record is written, those that wait get MG_ECLOSED, a slice at a time, then its deletion is
// answered. True: done.
bool mg_changes_refuse(struct mg_stream *s);
void mg_change_free(struct mg_change *c);
// part.c: queues an answer behind everything of the stream so far.
void mg_stream_answer(struct mg_stream *s, void *ctx, int err, uint64_t seq, enum mg_answer kind);
void mg_stream_tell_removed(struct mg_stream *s, uint64_t seq, mg_slice subject);

// append.c: 0 decided (record written, result queued), MG_EAGAIN: needs something from disk, or makes room, try again.
// c->extent: of headers and payload, or NULL; becomes NULL when there is a record, which has it now.
int mg_append_execute(struct mg_stream *s, struct mg_change *c);
// As things are now it would be refused, or is a duplicate: then the answer is queued. False: it would not, or that
// cannot be known without the disk.
bool mg_append_refused(struct mg_stream *s, const struct mg_change *c);
// Asks for the rows that its decision will want, while it stands in the queue: so those of many come at once.
void mg_append_look_ahead(struct mg_stream *s, const struct mg_append *a);
int mg_stream_subject_row(struct mg_stream *s, mg_slice subject, const struct mg_subject_row **out); // or MG_EAGAIN
// purge.c
int mg_remove_execute(struct mg_stream *s, uint64_t seq, bool erase, void *ctx);
int mg_purge_execute(struct mg_stream *s, struct mg_change *c);
// The second half of a rollup, which is answered then: removes all below the new message.
void mg_purge_older(struct mg_stream *s, mg_slice filter, uint64_t below, void *ctx);

// limits.c
bool mg_limits_hold(const struct mg_stream *s);
int mg_limits_apply(struct mg_stream *s);     // of the change at the head of the queue: 0, MG_EAGAIN
void mg_limits_resume(struct mg_stream *s);   // after a start
void mg_trim_reset(struct mg_stream *s);
void mg_stream_appended(struct mg_stream *s); // arms the timer of age
void mg_stream_arm_age(struct mg_stream *s);
void mg_stream_age_due(struct mg_timer *t);
bool mg_limits_age(struct mg_store_part *p);  // in each turn: what is too old, the next slices. True: there is more

// write.c
void mg_stream_write(struct mg_stream *s, struct mg_record_view *rec); // completes, encodes, applies
// The same for a message whose headers and payload are in an extent already.
void mg_stream_write_large(struct mg_stream *s, struct mg_record_view *rec, struct mg_extent *e);
void mg_removals_write(struct mg_stream *s, const struct mg_removals *list, bool erase);
// Where many are removed, a record names so many of them: what it takes to apply it is not to be noticed in a turn.
uint32_t mg_removals_most(const struct mg_stream *s);
int mg_row_execute(struct mg_stream *s, const struct mg_change *c);

void mg_stream_sum(struct mg_stream *s); // brings the part's sums up to date
// apply.c: `rec` is verified and stays where it is (`bytes`). live: not a replay.
void mg_stream_apply(struct mg_stream *s, const struct mg_record_view *rec, const uint8_t *bytes, bool live);
// The message of this record cannot be read any more: its number is used up, and what it evicts is gone.
void mg_stream_apply_unread(struct mg_stream *s, const struct mg_record_view *rec);
void mg_stream_freed(struct mg_stream *s, uint64_t bytes); // so many bytes of segments hold nothing any more
void mg_stream_freed_all(struct mg_stream *s);             // nothing that it has in segments is there any more
// What the reference's file store would use for a message (spec/jetstream-streams.md 7).
static inline uint32_t mg_stored_size(size_t subject, size_t headers, size_t payload) {
    return (uint32_t)((headers ? 34u : 30u) + subject + headers + payload);
}
uint32_t mg_stream_size_of(const struct mg_stream *s, size_t subject, size_t headers, size_t payload);
// The row of a subject is this, whatever it was.
void mg_stream_subject_is(struct mg_stream *s, mg_slice subject, const struct mg_corrected_subject *x);
void mg_stream_forget_counters(struct mg_stream *s); // it is empty
// It was found out which message of a subject is the last one.
void mg_stream_subject_last_is(struct mg_stream *s, mg_slice subject, uint64_t seq);
// Removed, as far as memory knows? Rows on disk are not asked.
bool mg_stream_known_removed(const struct mg_stream *s, uint64_t seq);
bool mg_stream_has_lost(const struct mg_stream *s, uint64_t seq); // nobody has removed it, and it is not there
// The same for numbers that ascend: *clean is the last chunk of which memory knows nothing; begin with UINT64_MAX.
bool mg_stream_known_removed_in_turn(const struct mg_stream *s, uint64_t seq, uint64_t *clean);
// The bitmaps of removed messages of a stretch that memory knows of, from *from on: {u64 chunk, bitmap}, ascending. At
// most *left chunks; what they tell of is below *from then.
void mg_stream_removed_bits(const struct mg_stream *s, uint64_t *from, const struct mg_stretch *c, uint32_t *left,
                            struct mg_buf *out);
// Where messages are in memory only: the first number that no segment can hold.
uint64_t mg_stream_cold_end(const struct mg_stream *s);
// The key of a subject's row in out (MG_CELL_KEY_MAX); its length.
size_t mg_subject_key(const struct mg_stream *s, mg_slice subject, char *out);
// After a look-up: the older value of an unresolved row has come.
// The row is among sealed ones (frozen) or not.
void mg_stream_subject_merged(struct mg_stream *s, mg_slice before, struct mg_cell *after, bool frozen);

// assist.c: what a change needs from segments, or from a long walk. MG_EAGAIN: asked for, the queue is pumped when it
// has come.
int mg_assist_meta(struct mg_stream *s, uint64_t seq, struct mg_removal *out); // MG_ENOTFOUND
// Adds up to `max` messages from *cursor on, below `end`, that match; moves *cursor behind what was looked at.
int mg_assist_slice(struct mg_stream *s, uint64_t *cursor, uint64_t end, mg_slice filter, uint32_t max,
                    struct mg_removals *list);
// The last message that matches at or below seq, wherever it is; 0: none.
int mg_assist_last(struct mg_stream *s, mg_slice subject, uint64_t seq, uint64_t *out);
// The oldest n messages of a subject, from `from` on; perhaps fewer, but some if there are any that can be read.
int mg_assist_oldest(struct mg_stream *s, mg_slice subject, uint64_t from, uint64_t n, struct mg_removals *list,
                     uint64_t *bytes);
int mg_assist_count(struct mg_stream *s, mg_slice filter, uint64_t from, uint64_t *out);
void mg_assist_reset(struct mg_stream *s);
void mg_assist_stale(struct mg_stream *s); // something was removed that was not this change

// read.c
void mg_reads_pump(struct mg_stream *s);
void mg_reads_fail(struct mg_stream *s); // the stream goes: all that wait get MG_ECLOSED
// held.c: the answer is in r. 0: it may leave; MG_EAGAIN: it will, when what it speaks of is durable.
int mg_read_settle(struct mg_stream *s, struct mg_read *r);
void mg_reads_release(struct mg_store_part *p, uint64_t durable);
// A message is being removed; all are: whoever counts has to know.
void mg_reads_removed(struct mg_stream *s, uint64_t seq, mg_slice subject);
void mg_reads_cleared(struct mg_stream *s);

// head.c
// Makes `first` exact or asks for what is needed. True: exact.
bool mg_head_advance(struct mg_stream *s);
// Rows of subjects may not know of messages from `seq` on.
static inline bool mg_stream_overlooks(const struct mg_stream *s, uint64_t seq) {
    return MG_UNLIKELY(s->overlooked > 0) && s->overlooked >= seq && s->overlooked >= s->first &&
           !MG_PLANTED(rows_trusted);
}
// By its counters there is nothing in it, and they can be trusted.
static inline bool mg_stream_is_empty(const struct mg_stream *s) { return s->msgs == 0 && !s->unsure; }
// The i-th message from the head that is there: 0 ok, MG_EAGAIN: being read, MG_ENOTFOUND: there are not so many.
struct mg_head_message {
    uint64_t seq;
    int64_t time;
    uint32_t size;
    mg_slice subject;
};
// A range that cannot be read: nobody knows how many messages it is, and of what size. What lies behind it is not
// removed in its stead.
static inline bool mg_head_message_unknown(const struct mg_head_message *m) {
    return m->subject.n == 0 && m->size == 0;
}
struct mg_head_walk {
    uint64_t seq;      // next number to look at; start with s->first
    uint32_t entry;    // next entry of the head
};
struct mg_head_walk mg_head_walk_of(const struct mg_stream *s);
int mg_head_next(struct mg_stream *s, struct mg_head_walk *w, struct mg_head_message *out);
void mg_head_removed(struct mg_stream *s, uint64_t seq);
void mg_head_reset(struct mg_stream *s);

// owner_rows.c
bool mg_rows_pump(struct mg_stream *s); // true: there is more to do
void mg_rows_give_up(struct mg_stream *s);

// subjects.c
void mg_subjects_pump(struct mg_stream *s);
void mg_subjects_fail(struct mg_stream *s);

// Of the messages first..last `count` cannot be read: counted and said once.
void mg_stream_found_lost(struct mg_stream *s, uint64_t first, uint64_t last, uint64_t count);
// The same, but the caller says it. Returns how many are news.
uint64_t mg_stream_count_lost(struct mg_stream *s, uint64_t first, uint64_t last, uint64_t count);

// streams.c
int mg_configure_execute(struct mg_stream *s, struct mg_change *c);
void mg_stream_write_self(struct mg_stream *s); // its row, as a record
void mg_stream_apply_self(struct mg_stream *s, const struct mg_record_view *rec, bool live);
void mg_stream_apply_drop(struct mg_stream *s);
// Writes the record of a deletion. False: a checkpoint that is being made has to know more of the stream first.
bool mg_stream_drop(struct mg_stream *s);
#define MG_STATE_FIRST_EXACT 1u // flags of a row of counters
#define MG_STATE_REBUILT 2u
#define MG_STATE_INEXACT 4u
#define MG_STATE_IN_DOUBT (MG_STATE_REBUILT | MG_STATE_INEXACT) // rows of subjects may say what no message does
int mg_stream_decode_row(struct mg_stream *s, mg_slice value); // MG_ECORRUPT
struct mg_stream *mg_stream_new(struct mg_store_part *p, uint64_t id);
void mg_stream_give_up(struct mg_stream *s); // whatever was asked of readers for it
void mg_stream_free(struct mg_stream *s);
struct mg_stream *mg_stream_find_other(const struct mg_stream *s); // of the same name in its part; NULL

#endif
