// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A whole broker with JetStream: its shards and connections, and its store on the simulated disk. A world has one disk
// and several lives. In each the broker starts, an auditor looks at what is there, and workers publish, pull, listen,
// acknowledge and change things from whatever shard they are on; then the life ends in peace, by a kill, or by a power
// cut, perhaps while the broker is still starting. js_model.h holds what clients were told against what they see:
//
//   - a message that was acknowledged is there, at its number, until something removed it
//   - numbers are never used again, those of a publisher ascend, and so do those of what came later
//   - an id is stored once within its window, also across restarts
//   - nothing is delivered whose end was confirmed; floors never go back; max_deliver holds
//   - a work queue loses a message exactly when it is acknowledged; with retention by interest, when all are done
//   - configurations that were confirmed survive; counts in answers are those of a recount
//   - at the end each consumer still gets all that it has not acknowledged
//
// Workloads: `lives` crashes after some operations of the disk, `starts` mostly while recovering, `calm` restarts,
// `long` lives long with few consumers, `extras` has one of the features (js_world.h).
#include <stdio.h>
#include <string.h>

#include "jetstream/store/store.h"
#include "server/base/mem.h"
#include "test/sim/js_world.h"
#include "test/sim/options.h"

#define DIR "/js"

// ---- the broker ----------------------------------------------------------------------------------------------------

static struct mg_options *options(void) {
    return sim_options("listen: \"127.0.0.1:4222\"\nserver_name: midge\nping_interval: \"1h\"\n"
                       "jetstream { store_dir: \"" DIR "\", max_mem: 64MB, max_file: 1GB }\n");
}

// Nothing is damaged here, so nobody may complain. What a crash tears in the middle of a write is told, though; so is
// what is missing of a stream in front of what came through, which is not called lost.
static void log_line(void *arg, enum mg_log_level level, int64_t wall_ns, mg_slice text) {
    static const char *const excused[] = {"perhaps the torn end", "perhaps they are of a commit that was torn",
                                          "the other one is used", "belongs to nothing and was left"};
    const struct js_world *w = arg;
    char line[400];
    (void)wall_ns;
    snprintf(line, sizeof(line), "%.*s", (int)text.n, text.p);
    sim_trace("log: %s", line);
    bool fine = sim_disk_crashed(w->disk) || (level != MG_LOG_ERR && level != MG_LOG_WRN);
    for (size_t i = 0; i < sizeof(excused) / sizeof(excused[0]); i++) fine = fine || strstr(line, excused[i]);
    sim_check(fine, "the broker complains: %s", line);
}

static void tune_store(void *arg, struct mg_store_options *o) {
    const struct js_world *w = arg;
    o->ring_file_bytes = w->ring_file;
    o->ring_bytes = (uint64_t)w->ring_file * w->ring_files;
    o->section_messages = w->sections;
    o->dict_bytes = 300;
    o->eager = w->eager;
    o->cache_bytes = w->cache;
    o->walk = w->walk;
}

static void broker_main(void *arg) {
    struct js_world *w = arg;
    char err[256] = "";
    struct mg_server *server;
    const struct mg_server_params params = {.opts = options(), .log = &w->log, .shards = w->shards,
                                            .credit = w->credit, .tune_store = tune_store, .arg = w};
    int rc = mg_server_new(&server, &params, err, sizeof(err));
    if (rc != 0) {
        sim_check(sim_disk_crashed(w->disk), "the broker does not start: %s", err);
        mg_options_free(params.opts);
    } else {
        w->server = server;
        mg_server_run(server);
        w->server = NULL;
        mg_server_free(server);
    }
    w->ended = true;
}

static void nothing(struct mg_work *work) { (void)work; }

static void shut_down(struct mg_work *work) {
    struct js_world *w = mg_container_of(work, struct js_world, stop);
    mg_server_shutdown(w->server);
}

// ---- workers -------------------------------------------------------------------------------------------------------

static void do_something(struct js_client *cl) {
    const struct js_feature *f = cl->w->feature;
    if (f && js_chance(cl, 200)) {
        f->act(cl, cl->w->own);
    } else {
        switch (js_below(cl, 10)) {
        case 0:
        case 1:
        case 2: js_do_admin(cl); break;
        case 3:
        case 4:
        case 5: js_do_publish(cl); break;
        case 6: js_do_listen(cl); break;
        default: js_do_pull(cl);
        }
    }
}

static void work(struct js_client *cl) {
    while (cl->actions > 0 && !cl->lost) {
        cl->actions--;
        do_something(cl);
        js_pause(cl, js_below(cl, js_chance(cl, 16) ? 100 * cl->w->think : cl->w->think));
    }
}

static void audit(struct js_client *cl) {
    js_audit(cl);
    if (cl->w->feature && !cl->lost) cl->w->feature->audit(cl, cl->w->own, false);
}

static void last_audit(struct js_client *cl) {
    js_last_audit(cl);
    if (cl->w->feature && !cl->lost) cl->w->feature->audit(cl, cl->w->own, true);
}

// ---- a life --------------------------------------------------------------------------------------------------------

static bool up_or_dead(void *arg) {
    const struct js_world *w = arg;
    return w->server || w->ended || sim_disk_crashed(w->disk);
}

// Before each step of anybody.
static bool done_or_dead(void *arg) {
    struct js_world *w = arg;
    if (w->steps > 0 && --w->steps == 0) {
        if (w->told) return true;
        sim_disk_crash(w->disk, w->how);
    }
    return w->running == 0 || sim_disk_crashed(w->disk);
}

static bool up_or_ended(void *arg) {
    const struct js_world *w = arg;
    return w->server || w->ended;
}

static bool all_ended(void *arg) { return sim_all_ended(arg); }

static void run_until(struct js_world *w, bool (*done)(void *), void *arg, const char *what) {
    sim_set_step_limit(w->sim, 20000000);
    enum sim_end end = sim_run(w->sim, done, arg, MG_NEVER);
    sim_check(end == SIM_DONE, "%s: %s", what, end == SIM_STEPS ? "somebody spins" : "somebody waits for ever");
}

static bool dead(const struct js_world *w) { return sim_disk_crashed(w->disk); }

static void run_script(struct js_world *w, void (*script)(struct js_client *cl)) {
    if (dead(w)) return;
    js_client_start(w, &w->clients[JS_CLIENTS], script, "auditor");
    run_until(w, done_or_dead, w, "the auditor");
}

static void run_workers(struct js_world *w, unsigned actions) {
    static const char *const names[] = {"worker-0", "worker-1", "worker-2", "worker-3", "worker-4"};
    unsigned n = 1 + (unsigned)sim_below(w->sim, JS_CLIENTS);
    for (unsigned i = 0; i < n && !dead(w); i++) {
        w->clients[i].actions = 1 + (unsigned)sim_below(w->sim, actions);
        js_client_start(w, &w->clients[i], work, names[i]);
    }
    if (!dead(w)) run_until(w, done_or_dead, w, "the workers");
}

static void stop(struct js_world *w) {
    w->stopping = true;
    for (unsigned i = 0; i <= JS_CLIENTS && !w->told; i++) js_client_lose(&w->clients[i]);
    run_until(w, up_or_ended, w, "the start");
    if (!w->ended) {
        w->stop = (struct mg_work){.run = nothing, .done = shut_down};
        mg_loop_work(mg_server_loop(w->server), &w->stop);
    }
    run_until(w, all_ended, w->sim, "the end");
    w->stopping = w->ended = w->told = false;
    w->running = 0;
    for (unsigned i = 0; i <= JS_CLIENTS; i++) w->clients[i] = (struct js_client){.w = w};
}

static enum sim_crash some_crash(struct js_world *w) { return sim_chance(w->sim, 128) ? SIM_KILL : SIM_POWER_CUT; }

// crash_at: operations of the disk; 0: it works until everybody is done. early: the crash may come while it starts.
static void live(struct js_world *w, unsigned actions, uint64_t crash_at, bool early, bool last) {
    enum sim_crash how = w->how = some_crash(w);
    bool any = crash_at && !early && sim_chance(w->sim, 128); // not only in the middle of an operation
    w->told = any && !last && sim_chance(w->sim, 64); // no crash: it ends while clients are at work
    js_model_new_life(&w->model);
    if (w->feature) w->feature->new_life(w->own);
    w->shards = 1 + (unsigned)sim_below(w->sim, 3);
    sim_trace("life %u with %u shards", w->model.life, w->shards);
    if (early) sim_disk_crash_at(w->disk, crash_at, how);
    sim_spawn(w->sim, "midge-0", broker_main, w);
    run_until(w, up_or_dead, w, "the start");
    if (!dead(w)) run_script(w, last ? last_audit : audit);
    if (any) w->steps = 1 + sim_below(w->sim, UINT64_C(1) << (8 + sim_below(w->sim, 9)));
    else if (!early) sim_disk_crash_at(w->disk, crash_at, how);
    if (!dead(w) && !last) run_workers(w, actions);
    w->told = w->told && w->running > 0;
    w->steps = 0;
    sim_disk_crash_at(w->disk, 0, how);
    if (!dead(w) && !last && !w->told) run_script(w, audit);
    // In peace, or killed while nobody has anything open: that must be no difference.
    if (!dead(w) && !w->told && sim_chance(w->sim, 128)) sim_disk_crash(w->disk, how);
    stop(w);
}

static void world_init(struct js_world *w, uint64_t seed) {
    static const uint64_t credits[] = {500, 5000, 100000, 0}, thinks[] = {1000, 1000000, 200 * MG_MS, 2 * MG_SEC};
    static const uint32_t sections[] = {0, 7, 40};
    *w = (struct js_world){.sim = sim_new(seed)};
    struct sim *s = w->sim;
    struct sim_knobs *k = sim_knobs(s);
    if (k->chunk) k->chunk = 300; // smaller ones are sim_broker's
    if (k->pipe < 4096) k->pipe = 4096;
    w->disk = sim_disk_new(s, DIR "/midge");
    w->credit = credits[sim_below(s, 4)];
    w->think = thinks[sim_below(s, 4)];
    w->ring_file = 16 * 4096u << sim_below(s, 3);
    w->ring_files = 8 + (uint32_t)sim_below(s, 4);
    w->packs = seed / 7 % 3 == 2;
    w->sections = sections[sim_below(s, 3)];
    w->eager = sim_chance(s, 128);
    w->cache = sim_chance(s, 128) ? 1 << 16 : 0;
    w->walk = seed % 7 == 3 ? 1 + (uint32_t)(seed / 7 % 5) : 0;
    w->hasty = sim_chance(s, 64);
    w->kind = sim_chance(s, 128) ? (enum js_kind)sim_below(s, JS_KINDS) : JS_KINDS;
    w->streams = 1 + (unsigned)sim_below(s, JS_STREAMS);
    w->consumers = 1 + (unsigned)sim_below(s, JS_CONSUMERS);
    struct sim_disk_faults *f = sim_disk_faults(w->disk);
    f->garbage = sim_chance(s, 128) ? 64 : 0;
    f->slow = sim_chance(s, 160) ? 30000 : 0; // much happens while a commit is under way
    f->slow_ns = 3 * MG_MS;
    mg_log_init(&w->log, 0);
    w->log.sink = log_line;
    w->log.sink_arg = w;
    mg_log_set_flags(&w->log, true, false, false, false, 0);
    js_model_init(&w->model, s);
    for (unsigned i = 0; i <= JS_CLIENTS; i++) w->clients[i].w = w;
}

static void world_fini(struct js_world *w) {
    if (w->feature) w->feature->free(w->own);
    js_model_fini(&w->model);
    mg_log_fini(&w->log);
    sim_disk_free(w->disk);
    sim_free(w->sim);
}

// ---- workloads -----------------------------------------------------------------------------------------------------

static void run_calm(struct js_world *w) {
    for (uint64_t n = 1 + sim_below(w->sim, 3); n > 0; n--) live(w, 30, 0, false, false);
}

static void run_lives(struct js_world *w) {
    for (uint64_t n = 2 + sim_below(w->sim, 4); n > 0; n--)
        live(w, 30, 1 + sim_below(w->sim, sim_chance(w->sim, 128) ? 60 : 600), false, false);
}

// Consumers that are changed often enough for what they keep to come round.
static void run_long(struct js_world *w) {
    w->streams = 1;
    w->consumers = 1 + (unsigned)sim_below(w->sim, 2);
    live(w, 200, 0, false, false);
    live(w, 150, 1 + sim_below(w->sim, 2000), false, false);
}

static void run_starts(struct js_world *w) {
    live(w, 30, 0, false, false);
    for (uint64_t n = 2 + sim_below(w->sim, 4); n > 0; n--) live(w, 15, 1 + sim_below(w->sim, 120), true, false);
}

// Something that the model does not know of, beside a little of what it does.
static void run_feature(struct js_world *w, const struct js_feature *f) {
    w->feature = f;
    w->own = f->make(w);
    w->streams = 1;
    for (uint64_t n = 2 + sim_below(w->sim, 3); n > 0; n--)
        live(w, 25, sim_chance(w->sim, 60) ? 0 : 1 + sim_below(w->sim, 600), sim_chance(w->sim, 30), false);
}

static void run_ordered(struct js_world *w) { run_feature(w, &js_ordered); }
static void run_ephemeral(struct js_world *w) { run_feature(w, &js_ephemeral); }
static void run_groups(struct js_world *w) { run_feature(w, &js_groups); }
static void run_reset(struct js_world *w) { run_feature(w, &js_reset); }
static void run_ttl(struct js_world *w) { run_feature(w, &js_ttl); }

static void run_extras(struct js_world *w) {
    static void (*const all[])(struct js_world *) = {run_ordered, run_ephemeral, run_groups, run_reset, run_ttl};
    all[sim_below(w->sim, sizeof(all) / sizeof(all[0]))](w);
}

static const struct workload {
    const char *name;
    void (*run)(struct js_world *w);
} workloads[] = {{"lives", run_lives},         {"calm", run_calm},     {"lives", run_lives}, {"starts", run_starts},
                 {"long", run_long},           {"extras", run_extras},
                 // Only by their names.
                 {"ordered", run_ordered},     {"ephemeral", run_ephemeral},
                 {"groups", run_groups},       {"reset", run_reset},   {"ttl", run_ttl}};
#define IN_TURN 6u

static const struct workload *workload(uint64_t seed, const char *name) {
    for (size_t i = 0; name && i < sizeof(workloads) / sizeof(workloads[0]); i++)
        if (strcmp(name, workloads[i].name) == 0) return &workloads[i];
    sim_check(name == NULL, "there is no workload %s", name);
    return &workloads[seed % IN_TURN];
}

static void run(uint64_t seed, const struct sim_args *args) {
    struct js_world *w = mg_zalloc(sizeof(*w));
    world_init(w, seed);
    workload(seed, args->workload)->run(w);
    live(w, 0, 0, false, true);
    world_fini(w);
    mg_free(w);
}

int main(int argc, char **argv) { return sim_main(argc, argv, 200, run); }
