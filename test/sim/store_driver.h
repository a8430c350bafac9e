// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Who uses a store in the simulator: for each part of it a thread with a loop that asks for random things, watches the
// answers, and holds each against the model of its stream (store_model.h). sim_store.c makes the world: disk, lives,
// crashes.
#ifndef MG_TEST_SIM_STORE_DRIVER_H
#define MG_TEST_SIM_STORE_DRIVER_H

#include "server/base/timer.h"
#include "test/sim/sim_disk.h"
#include "test/sim/store_model.h"

#define SLOTS 6u

enum slot_phase { SLOT_ABSENT, SLOT_PRESENT, SLOT_DELETING };

struct world;

// A name, under which there is a stream or not.
struct slot {
    struct world *w;
    unsigned no;
    enum slot_phase phase;
    bool memory;         // or on disk
    bool aging;          // nothing but appends, and age takes them
    uint64_t limit;      // in decay: nothing but appends, and the limit takes them; the model does not know of it
    uint64_t went;       // and has rightly taken all below
    bool sure;           // that it exists, or does not
    unsigned mood;       // what it is mostly asked
    struct model model;
    uint64_t since;      // the number in its configuration at creation: those of earlier streams of the name are lower
    uint64_t visible;    // as told
    bool told;           // damage was found and reported: the stream is now what told_digest says
    uint64_t told_digest;
    uint64_t lost, lost_operations; // where the journal's end was torn
    // Of this life.
    struct mg_stream *stream;
    struct shard *shard; // whose stream it is
    struct mg_list reads; // of struct reading
    bool checked;         // what was found fits the model
};

struct shard {
    struct world *w;
    unsigned no;
    struct mg_loop *loop;
    struct mg_wheel wheel;
    struct mg_store_part *part;
    bool polled; // in step()
    unsigned in_flight;
    uint64_t until; // of a pause
};

// A clock that jumps (store_clock.c).
#define CLOCK_JUMPS 64u
struct clock {
    uint64_t max_age, window; // ns, of the stream
    bool back;       // it is also set back
    bool went_back;  // and has been
    bool made;       // the stream is there
    bool waits;      // for an answer
    unsigned id;     // that it was published with
    unsigned jumps_len;
    struct clock_jump {
        uint64_t at;
        int64_t by;
        bool behind;    // the clock was set back before
        bool forgotten; // the process ended before it could be kept
    } jumps[CLOCK_JUMPS];
    struct clock_id {
        uint64_t seq, asked, answered; // seq 0: not known
        bool unsure;                   // its last publish was not answered
    } ids[8];
    struct clock_message {
        uint64_t asked;
        bool gone, unsure; // unsure: its publish was not answered, so it is older than `asked` says
    } *messages;           // owned; number 1 comes first
    uint64_t count, asked, started;
    int64_t time;          // of the newest message
    struct mg_append_facts facts;
};

struct world {
    struct sim *sim;
    struct sim_disk *disk;
    struct mg_store *store;
    struct mg_store_options o;
    struct slot slots[SLOTS];
    struct shard shards[3];
    uint64_t uids, quota;
    uint64_t room_at;    // when a full disk gets room again
    uint64_t patience;   // when somebody has waited for ever
    unsigned working;
    unsigned reports;    // lines of warnings and errors in this life
    bool ever_faulty;
    bool damaged;        // the disk was spoiled: what is missing must be reported
    bool faulty;         // writes fail: the store may refuse
    bool tight;          // the disk may be full: publishes may be refused
    bool torn;           // the journal says that its end is perhaps torn: in this life, or before streams were checked
    bool files_left;     // beside a damaged manifest nothing is deleted in this life
    unsigned checked;    // parts that have checked their streams in this life
    bool checked_all;    // all had, in the last one
    bool interval;       // acknowledged before it is synced
    bool opened;         // the store, in this life
    bool failed;         // the store did refuse in this life
    bool look_only;      // a life that changes nothing
    bool decay;          // segments and single copies of tables rot while they are used (see decay_spoil)
    bool scrub;          // with `decay`: files rot only at the end of a life, one after the other (store_scrub.c)
    struct slot_wound {
        char name[16]; // a slot of the manifest
        enum { SLOT_FLIPPED, SLOT_UNREADABLE, SLOT_STUCK } how;
        uint64_t at, size;
        uint8_t *bytes; // as it is then, owned; NULL: neither is spoiled
    } wound;
    bool wounded;
    struct files *files; // owned; NULL: whole files stay where they are (store_files.c)
    bool whole;          // and in this life they are all where they were
    struct erasures *erasures; // owned; NULL: nobody looks whether bytes of erased messages are left
    struct clock *clock; // owned; NULL: the usual things are asked, of all streams
};

static inline bool world_over(const struct world *w) { return sim_disk_crashed(w->disk); }

void slots_init(struct world *w);
void slots_fini(struct world *w);
void slots_found(struct world *w);  // the store is open: which streams are there?
void slots_end(struct world *w, bool power_cut); // the process is gone: memory streams are
// The thread of a part; arg is the shard.
void shard_main(void *arg);

// store_reads.c
bool reads_begin(struct shard *sh, struct slot *sl); // a random one
bool reads_begin_row(struct slot *sl, unsigned row);
void reads_drop(struct slot *sl);                    // gives up what waits
// Reads all of the stream, and compares it with the model: after a restart (which goes back to what was found), or now.
void reads_check_all(struct shard *sh, struct slot *sl, bool restart);
mg_slice draw_filter(struct sim *s);

// store_decay.c
// Flips bits or loses sectors of files that may be damaged without a loss that is anybody's fault: of segments, and of
// one copy of tables. One thing is asked at a time then, so it is known of each message whether it should be there: it
// is read, or it is an error; never is it absent, unless it is older than the first one of a stream with a limit. What
// was removed is not back.
void decay_spoil(struct world *w);
void decay_rest(struct shard *sh); // until what limits have removed is in no counter any more
// What was found in a full scan against the stream's counters; both as of now.
void decay_check(struct slot *sl, const struct mg_stream_state *st, const struct mg_buf *found,
                 const struct mg_buf *unread);

// store_manifest.c: between two lives, when no process was killed. One of two good slots cannot be read; then it can
// again, as it was, if nobody has written it.
void manifest_spoil(struct world *w);
void manifest_heal(struct world *w);

// store_files.c: between two lives. Some files are away, cut short, or changed places with another of their kind; then
// some of what was done is undone, or all of it, but for what the store has replaced meanwhile.
struct files *files_new(bool away); // only segments, and they are away
void files_free(struct world *w);
void files_harm(struct world *w);
void files_heal(struct world *w, bool all);
void files_harm_journal(struct world *w); // the same of its files
bool files_lossy(const struct world *w);  // extents were among them: a checkpoint in between makes their loss final
uint64_t files_digest(struct world *w);   // of everything on the disk

// store_erase.c: messages that are erased are gone from the disk some time after that is known.
struct erasures *erasures_new(struct world *w);
void erasures_free(struct world *w);
void erasures_opened(struct world *w); // the store is open: what is not done yet has some time from now
// This message was removed with `erase`, and nobody can take that back; any number of times.
void erasures_add(struct world *w, const struct model_msg *g);
void erasures_check(struct world *w);
#define ERASURES_WITHIN UINT64_C(60000000000) // ns

// store_scrub.c: nobody else asks for anything. Files rot that nobody reads, and the scrub finds it.
void scrub_rounds(struct shard *sh);

// store_clock.c
struct clock *clock_new(struct sim *s);
void clock_free(struct clock *c);
void clock_jump(struct world *w);
void clock_started(struct world *w); // the store is open
void clock_ended(struct world *w);
void clock_main(struct shard *sh); // a life of a part

// One turn of the shard's loop, waiting if there is nothing to do.
void shard_step(struct shard *sh);
bool shard_stuck(const struct shard *sh); // the process has died, or the store refuses

#endif
