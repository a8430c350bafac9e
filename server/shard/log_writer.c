// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The log's writer thread: it sleeps on an eventfd, takes lines out of the ring and runs commands.
//
// Commands (flush, reopen, another sink, stop) come on a lock-free stack, because they must not fail when the ring is
// full. Before they run, every line that was written before they were taken is out: so a flush means what it says, and a
// change of the sink happens between the lines written before and after it.
#include "server/shard/log_writer.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/shard/log_out.h"
#include "server/shard/loop.h"

// Runs on the writer's thread. The command is not touched by the writer after run.
struct command {
    struct command *next;
    void (*run)(struct mg_log_writer *w, struct command *c);
};

struct mg_log_writer {
    struct mg_log *log;
    struct mg_thread *thread;
    char *tag;
    int event;
    _Atomic(struct command *) commands;
    struct mg_log_out *out; // the thread's
    bool stopping;          // the thread's
};

static void wake(void *arg) {
    struct mg_log_writer *w = arg;
    uint64_t one = 1;
    while (write(w->event, &one, sizeof(one)) < 0 && errno == EINTR) continue;
}

static void submit(struct mg_log_writer *w, struct command *c) {
    c->next = atomic_load_explicit(&w->commands, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&w->commands, &c->next, c)) continue;
    wake(w);
}

// ---- the thread ------------------------------------------------------------------------------------------------------

static void put_line(void *arg, enum mg_log_level level, int64_t wall_ns, mg_slice text) {
    struct mg_log_writer *w = arg;
    mg_log_out_write(w->out, level, wall_ns, text);
}

static void put_dropped(struct mg_log_writer *w) {
    uint64_t n = mg_log_take_dropped(w->log);
    if (n == 0) return;
    char text[64];
    int len = snprintf(text, sizeof(text), "%llu lines dropped", (unsigned long long)n);
    mg_log_out_write(w->out, MG_LOG_WRN, mg_log_wall(w->log), mg_slice_of(text, (size_t)len));
}

// Runs what is on the stack, oldest first. False: nothing was.
static bool run_commands(struct mg_log_writer *w) {
    struct command *c = atomic_exchange(&w->commands, NULL), *first = NULL;
    if (c == NULL) return false;
    mg_log_drain(w->log, put_line, w);
    put_dropped(w);
    while (c != NULL) {
        struct command *next = c->next;
        c->next = first;
        first = c;
        c = next;
    }
    while (first != NULL) {
        struct command *next = first->next;
        first->run(w, first);
        first = next;
    }
    return true;
}

static void writer_main(void *arg) {
    struct mg_log_writer *w = arg;
    while (!w->stopping) {
        for (int i = 0; i < 256 && mg_log_pop(w->log, put_line, w); i++) continue;
        put_dropped(w);
        if (run_commands(w) || !mg_log_sleep(w->log)) continue;
        mg_log_out_flush(w->out);
        uint64_t count;
        // A command that came since run_commands has rung already, so this does not miss it.
        while (read(w->event, &count, sizeof(count)) < 0 && errno == EINTR) continue;
    }
    mg_log_out_flush(w->out);
}

// ---- commands --------------------------------------------------------------------------------------------------------

struct flush_command {
    struct command c;
    sem_t done;
};

static void run_flush(struct mg_log_writer *w, struct command *c) {
    struct flush_command *f = (struct flush_command *)c;
    mg_log_out_flush(w->out);
    sem_post(&f->done);
}

static void run_stop(struct mg_log_writer *w, struct command *c) {
    w->stopping = true;
    run_flush(w, c);
}

static void submit_and_wait(struct mg_log_writer *w, void (*run)(struct mg_log_writer *w, struct command *c)) {
    struct flush_command f = {.c.run = run};
    sem_init(&f.done, 0, 0);
    submit(w, &f.c);
    while (sem_wait(&f.done) != 0) continue;
    sem_destroy(&f.done);
}

static void run_reopen(struct mg_log_writer *w, struct command *c) {
    char err[512], text[600];
    int rc = mg_log_out_reopen(w->out, err, sizeof(err));
    const char *say = rc == MG_OK                ? "File log re-opened"
                      : rc == MG_EUNSUPPORTED ? "File log re-open ignored, not a file logger"
                                              : text;
    snprintf(text, sizeof(text), "Unable to re-open the logfile: %s", rc == MG_EIO ? err : "");
    mg_log_out_write(w->out, rc == MG_EIO ? MG_LOG_ERR : MG_LOG_INF, mg_log_wall(w->log), mg_cstr(say));
    mg_free(c);
}

struct swap_command {
    struct command c;
    struct mg_log_out *out;
};

static void run_swap(struct mg_log_writer *w, struct command *c) {
    struct swap_command *s = (struct swap_command *)c;
    mg_log_out_close(w->out);
    w->out = s->out;
    mg_free(s);
}

// ---- the owner's side ------------------------------------------------------------------------------------------------

static void set_flags(struct mg_log *log, const struct mg_options *o) {
    mg_log_set_flags(log, o->debug, o->trace, o->trace_verbose, o->trace_headers, o->max_traced_msg_len);
}

static void flush_hook(void *arg) { mg_log_writer_flush(arg); }

static void writer_free(struct mg_log_writer *w) {
    if (w->out != NULL) mg_log_out_close(w->out);
    if (w->event >= 0) close(w->event);
    mg_free(w->tag);
    mg_free(w);
}

int mg_log_writer_start(struct mg_log_writer **out, struct mg_log *log, const struct mg_options *o, const char *tag,
                        char *err, size_t errlen) {
    mg_assert(log->ring != NULL);
    struct mg_log_writer *w = mg_zalloc(sizeof(*w));
    w->log = log;
    w->tag = mg_strdup(tag);
    w->event = eventfd(0, EFD_CLOEXEC);
    if (w->event < 0) {
        snprintf(err, errlen, "cannot create an eventfd");
        writer_free(w);
        return MG_EIO;
    }
    int rc = mg_log_out_open(&w->out, o, tag, err, errlen);
    if (rc != MG_OK) {
        writer_free(w);
        return rc;
    }
    set_flags(log, o);
    log->hook_arg = w;
    log->wake = wake;
    log->flush = flush_hook;
    rc = mg_thread_start(&w->thread, "log", writer_main, w);
    if (rc != MG_OK) {
        snprintf(err, errlen, "cannot start the log's thread");
        log->wake = log->flush = NULL;
        writer_free(w);
        return rc;
    }
    *out = w;
    return MG_OK;
}

int mg_log_writer_reload(struct mg_log_writer *w, const struct mg_options *o, char *err, size_t errlen) {
    struct mg_log_out *out;
    int rc = mg_log_out_open(&out, o, w->tag, err, errlen);
    if (rc != MG_OK) return rc;
    struct swap_command *s = mg_alloc(sizeof(*s));
    *s = (struct swap_command){.c.run = run_swap, .out = out};
    submit(w, &s->c);
    set_flags(w->log, o);
    return MG_OK;
}

void mg_log_writer_reopen(struct mg_log_writer *w) {
    struct command *c = mg_alloc(sizeof(*c));
    *c = (struct command){.run = run_reopen};
    submit(w, c);
}

void mg_log_writer_flush(struct mg_log_writer *w) { submit_and_wait(w, run_flush); }

void mg_log_writer_stop(struct mg_log_writer *w) {
    submit_and_wait(w, run_stop);
    mg_thread_join(w->thread);
    w->log->wake = w->log->flush = NULL;
    w->log->hook_arg = NULL;
    writer_free(w);
}
