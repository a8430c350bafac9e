// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A whole broker under the simulator: clients connect, subscribe, publish, request, answer, stop reading, reset and
// leave as the seed says, the configuration is reloaded, and ledger.h checks what comes of it. Then all is quiet: every
// client must get a last PONG. At last the broker is told to shut down, at times in the middle of everything, and must.
#include <stdio.h>
#include <string.h>

#include "server/base/assert.h"
#include "server/base/mem.h"
#include "server/server.h"
#include "test/sim/client.h"
#include "test/sim/ledger.h"
#include "test/sim/options.h"

#define CLIENTS 8
#define SUBS 6
#define INBOX 999 // sid of a client's replies

enum { PUBLISH, SUBSCRIBE, UNSUBSCRIBE, REQUEST, PING, STALL, LEAVE, ACTIONS };

struct broker;

struct slot {
    struct broker *b;
    struct sim_client client;
    bool used;
    unsigned id; // in the ledger
    unsigned actions; // left, for all clients that come and go here
    unsigned sids[SUBS], nsubs, next_sid;
    bool finished;
};

struct broker {
    struct sim *sim;
    struct ledger *ledger;
    struct mg_server *server;
    struct mg_log log;
    struct sim_actor driver;
    struct mg_work work; // brings reloads and the shutdown to shard 0
    bool work_out, shutdown_asked, draining;
    bool hard; // slow clients are thrown out
    size_t body;
    const struct scene *scene;
    unsigned queued, second_queue; // of 256: a subscription is in a queue group; in another one
    unsigned weights[ACTIONS];
    uint64_t think; // ns between two actions of a client, at most
    unsigned nslots, reloads;
    struct slot slots[CLIENTS];
};

// Few subjects make many meetings, many subjects many kinds of them.
static const struct scene {
    unsigned nsubjects, npatterns;
    const char *subjects[5], *patterns[7];
} scenes[] = {
    {1, 1, {"a"}, {"a"}},
    {1, 2, {"a"}, {"a", "*"}},
    {2, 3, {"c.x", "c.y"}, {"c.x", "c.*", "c.>"}},
    {5, 7, {"a", "b", "c.x", "c.y", "d"}, {"a", "b", "c.x", "c.*", "c.>", "*", "d"}},
};

// ---- options ------------------------------------------------------------------------------------------------------

static struct mg_options *options(const struct broker *b) {
    char text[256];
    snprintf(text, sizeof(text), "listen: \"127.0.0.1:4222\"\nping_interval: \"%us\"\nmax_payload: %u\n%s",
             20 + b->reloads, 100000 + b->reloads, b->hard ? "max_pending: 20000\nwrite_deadline: \"1s\"\n" : "");
    return sim_options(text);
}

static void log_line(void *arg, enum mg_log_level level, int64_t wall_ns, mg_slice text) {
    (void)arg;
    (void)level;
    (void)wall_ns;
    sim_trace("log: %.*s", (int)text.n, text.p);
}

// ---- what clients do ----------------------------------------------------------------------------------------------

static void publish(struct slot *sl, const char *subject, const char *reply) {
    struct sim *s = sl->b->sim;
    unsigned n = ledger_publish(sl->b->ledger, sl->id, subject, reply != NULL);
    char head[96], inbox[48] = "";
    if (reply) snprintf(inbox, sizeof(inbox), "_R.%u.%u ", sl->id, n);
    int len = snprintf(head, sizeof(head), "%u ", n);
    size_t body = sim_below(s, sim_chance(s, 16) ? sl->b->body : 60);
    sim_client_send(&sl->client, "PUB %s %s%zu\r\n%s", subject, inbox, (size_t)len + body, head);
    struct mg_buf *out = &sl->client.out;
    mg_buf_reserve(out, body + 2);
    for (size_t i = 0; i < body; i++) mg_buf_addc(out, (char)('a' + (n + i) % 26));
    mg_buf_adds(out, "\r\n");
}

static void subscribe(struct slot *sl) {
    struct sim *s = sl->b->sim;
    if (sl->nsubs == SUBS) return;
    const struct scene *scene = sl->b->scene;
    const char *pattern = scene->patterns[sim_below(s, scene->npatterns)];
    const char *queue = !sim_chance(s, sl->b->queued) ? "" : sim_chance(s, sl->b->second_queue) ? "r" : "q";
    unsigned sid = ++sl->next_sid;
    sl->sids[sl->nsubs++] = sid;
    ledger_subscribe(sl->b->ledger, sl->id, sid, pattern, queue);
    sim_client_send(&sl->client, "SUB %s %s%s%u\r\n", pattern, queue, queue[0] ? " " : "", sid);
}

static void unsubscribe(struct slot *sl) {
    struct sim *s = sl->b->sim;
    if (sl->nsubs == 0) return;
    unsigned at = (unsigned)sim_below(s, sl->nsubs), sid = sl->sids[at];
    sl->sids[at] = sl->sids[--sl->nsubs];
    unsigned max = sim_chance(s, 64) ? 1 + (unsigned)sim_below(s, 5) : 0;
    ledger_unsubscribe(sl->b->ledger, sl->id, sid, max);
    if (max) sim_client_send(&sl->client, "UNSUB %u %u\r\n", sid, max);
    else sim_client_send(&sl->client, "UNSUB %u\r\n", sid);
}

static void ping(struct slot *sl) {
    ledger_ping(sl->b->ledger, sl->id);
    sim_client_ping(&sl->client);
}

static void leave(struct slot *sl) {
    struct sim *s = sl->b->sim;
    ledger_closed(sl->b->ledger, sl->id);
    sim_client_close(&sl->client, sim_chance(s, 128));
}

static void stall(struct slot *sl) {
    struct sim *s = sl->b->sim;
    sim_client_stall(&sl->client, sim_below(s, sl->b->hard ? 3000000000 : 30000000));
}

static const char *any_subject(const struct slot *sl) {
    return sl->b->scene->subjects[sim_below(sl->b->sim, sl->b->scene->nsubjects)];
}

static void action(struct slot *sl) {
    struct sim *s = sl->b->sim;
    unsigned sum = 0, what = 0;
    for (unsigned i = 0; i < ACTIONS; i++) sum += sl->b->weights[i];
    for (uint64_t roll = sim_below(s, sum); roll >= sl->b->weights[what]; what++) roll -= sl->b->weights[what];
    switch (what) {
    case PUBLISH:
        for (uint64_t n = 1 + sim_below(s, 6); n > 0; n--) publish(sl, any_subject(sl), NULL);
        break;
    case SUBSCRIBE: subscribe(sl); break;
    case UNSUBSCRIBE: unsubscribe(sl); break;
    case REQUEST: publish(sl, any_subject(sl), ""); break;
    case PING: ping(sl); break;
    case STALL: stall(sl); break;
    default: leave(sl);
    }
}

static void on_turn(struct sim_client *c) {
    struct slot *sl = c->owner;
    struct sim *s = sl->b->sim;
    if (sl->actions == 0) {
        if (!sl->finished) ping(sl); // the last one
        sl->finished = true;
        return;
    }
    sl->actions--;
    action(sl);
    sim_client_at(c, sim_now(s) + sim_below(s, sim_chance(s, 16) ? 100 * sl->b->think : sl->b->think));
}

// ---- what clients get ---------------------------------------------------------------------------------------------

static void on_ready(struct sim_client *c) {
    struct slot *sl = c->owner;
    char pattern[32];
    snprintf(pattern, sizeof(pattern), "_R.%u.*", sl->id);
    ledger_subscribe(sl->b->ledger, sl->id, INBOX, pattern, "");
    sim_client_send(c, "SUB %s %u\r\n", pattern, INBOX);
    sim_client_at(c, sim_now(c->sim));
}

static void on_pong(struct sim_client *c) {
    struct slot *sl = c->owner;
    ledger_pong(sl->b->ledger, sl->id);
}

static unsigned number(mg_slice s) {
    unsigned v = 0;
    sim_check(s.n > 0 && s.p[0] >= '0' && s.p[0] <= '9', "a payload without a number");
    for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) v = v * 10 + (unsigned)(s.p[i] - '0');
    return v;
}

static void on_msg(struct sim_client *c, const struct sim_msg *m) {
    struct slot *sl = c->owner;
    unsigned sid = number(m->sid);
    if (m->header.n) {
        const char *dot = memchr(m->subject.p + 3, '.', m->subject.n - 3);
        sim_check(sid == INBOX && dot && m->payload.n == 0 && m->header.n > 12 &&
                  memcmp(m->header.p, "NATS/1.0 503", 12) == 0, "client %u got a strange HMSG", c->id);
        size_t at = (size_t)(dot + 1 - m->subject.p);
        ledger_nobody(sl->b->ledger, sl->id, number((mg_slice){dot + 1, m->subject.n - at}));
        return;
    }
    unsigned n = number(m->payload);
    const char *blank = memchr(m->payload.p, ' ', m->payload.n);
    sim_check(blank != NULL, "message %u is torn", n);
    size_t body = m->payload.n - (size_t)(blank + 1 - m->payload.p);
    for (size_t i = 0; i < body; i++)
        sim_check(blank[1 + i] == (char)('a' + (n + i) % 26), "message %u is damaged at byte %zu", n, i);
    ledger_got(sl->b->ledger, sl->id, sid, m->subject, n);
    if (m->reply.n == 0 || sl->actions == 0 || sim_chance(c->sim, 128)) return;
    char reply[64];
    snprintf(reply, sizeof(reply), "%.*s", (int)m->reply.n, m->reply.p);
    publish(sl, reply, NULL);
}

static void on_err(struct sim_client *c, mg_slice text) {
    sim_fail("client %u got %.*s", c->id, (int)text.n, text.p);
}

static void on_closed(struct sim_client *c) {
    struct slot *sl = c->owner;
    sim_check(sl->b->hard || sl->b->shutdown_asked, "the broker closed client %u", c->id);
    ledger_closed(sl->b->ledger, sl->id);
}

static const struct sim_client_ops client_ops = {
    .ready = on_ready, .pong = on_pong, .msg = on_msg, .err = on_err, .closed = on_closed, .turn = on_turn};

// ---- the driver ---------------------------------------------------------------------------------------------------

static void connect_slot(struct slot *sl) {
    struct broker *b = sl->b;
    if (sl->used) sim_client_free(&sl->client);
    sl->used = false;
    unsigned id = ledger_client(b->ledger);
    if (!sim_client_open(&sl->client, b->sim, (uint16_t)mg_server_port(b->server), &client_ops, sl, id)) {
        sim_check(b->shutdown_asked, "nobody listens");
        ledger_closed(b->ledger, id);
        return;
    }
    sl->used = true;
    sl->id = id;
    sl->nsubs = 0;
    sl->next_sid = 0;
    sl->finished = false;
}

static void work_nothing(struct mg_work *w) { (void)w; }

// On shard 0.
static void reload(struct mg_work *w) {
    struct broker *b = mg_container_of(w, struct broker, work);
    char err[256];
    b->work_out = false;
    b->reloads++;
    int rc = mg_server_reload(b->server, options(b), err, sizeof(err));
    sim_check(rc == 0, "reload: %s", err);
}

static void shut_down(struct mg_work *w) {
    struct broker *b = mg_container_of(w, struct broker, work);
    b->work_out = false;
    mg_server_shutdown(b->server);
}

static void on_shard0(struct broker *b, void (*done)(struct mg_work *w)) {
    if (b->work_out) return;
    b->work_out = true;
    b->work = (struct mg_work){.run = work_nothing, .done = done};
    mg_loop_work(mg_server_loop(b->server), &b->work);
}

static bool never(struct sim_actor *a) {
    (void)a;
    return false;
}

static void drive(struct sim_actor *a) {
    struct broker *b = mg_container_of(a, struct broker, driver);
    a->at = b->draining ? MG_NEVER : sim_now(b->sim) + sim_below(b->sim, 2000000);
    for (unsigned i = 0; i < b->nslots; i++) {
        struct slot *sl = &b->slots[i];
        if (sl->actions > 0 && sl->client.conn == NULL && !b->draining) connect_slot(sl);
    }
    if (sim_chance(b->sim, 4) && !b->draining) on_shard0(b, reload);
}

// ---- a run --------------------------------------------------------------------------------------------------------

static bool all_quiet(void *arg) {
    const struct broker *b = arg;
    for (unsigned i = 0; i < b->nslots; i++) {
        const struct slot *sl = &b->slots[i];
        if (sl->actions > 0) return false;
        if (sl->client.conn && (!sl->finished || sl->client.pings > 0 || sl->client.state != SIM_CLIENT_OPEN))
            return false;
    }
    return true;
}

static bool all_ended(void *arg) {
    const struct broker *b = arg;
    return sim_all_ended(b->sim) && !b->work_out;
}

static void draw(struct broker *b) {
    static const uint64_t thinks[] = {100, 2000, 20000, 500000};
    static const unsigned queued[] = {0, 80, 256}, most[ACTIONS] = {50, 30, 30, 30, 30, 5, 5};
    struct sim *s = b->sim;
    b->scene = &scenes[sim_below(s, sizeof(scenes) / sizeof(scenes[0]))];
    b->queued = queued[sim_below(s, 3)];
    b->second_queue = sim_chance(s, 128) ? 0 : 100;
    b->think = thinks[sim_below(s, 4)];
    for (unsigned i = 0; i < ACTIONS; i++) b->weights[i] = (unsigned)sim_below(s, most[i] + 1);
    b->weights[PING] += 5;
    b->hard = sim_chance(s, 64);
}

static void run_server(void *arg) { mg_server_run(arg); }

static void start(struct broker *b, const struct sim_args *args) {
    static const uint64_t credits[] = {1, 500, 5000, 100000, 0};
    struct sim *s = b->sim;
    struct sim_knobs *k = sim_knobs(s);
    draw(b);
    b->body = k->chunk == 1 || k->pipe < 100 ? 200 : k->chunk == 7 ? 3000 : 90000;
    mg_log_init(&b->log, 0);
    b->log.sink = log_line;
    mg_log_set_flags(&b->log, true, false, false, false, 0);
    char err[256];
    const struct mg_server_params params = {
        .opts = options(b), .log = &b->log, .shards = args->shards ? args->shards : 1 + (unsigned)sim_below(s, 4),
        .credit = credits[sim_below(s, 5)]};
    int rc = mg_server_new(&b->server, &params, err, sizeof(err));
    sim_check(rc == 0, "the broker does not start: %s", err);
    sim_spawn(s, "midge-0", run_server, b->server);
    b->nslots = 2 + (unsigned)sim_below(s, CLIENTS - 1);
    for (unsigned i = 0; i < b->nslots; i++) {
        b->slots[i].b = b;
        b->slots[i].actions = 1 + (unsigned)sim_below(s, 60);
    }
    mg_list_init(&b->driver.link);
    b->driver.ready = never;
    b->driver.step = drive;
    b->driver.at = sim_now(s);
    sim_actor_add(s, &b->driver);
}

// Until every client has had its last PONG, and then until nothing is under way.
static void settle(struct broker *b) {
    struct sim *s = b->sim;
    enum sim_end end = sim_run(s, all_quiet, b, sim_now(s) + 300 * MG_SEC);
    sim_check(end != SIM_STEPS, "somebody spins");
    for (unsigned i = 0; i < b->nslots && end != SIM_DONE; i++) {
        const struct sim_client *c = &b->slots[i].client;
        sim_check(c->conn == NULL || (c->pings == 0 && c->state == SIM_CLIENT_OPEN),
                  "client %u in state %d waits for %u PONGs for ever", c->id, (int)c->state, c->pings);
    }
    sim_check(end == SIM_DONE, "the clients do not end");
    b->draining = true;
    end = sim_run(s, NULL, NULL, sim_now(s) + 2 * MG_SEC);
    sim_check(end != SIM_STEPS, "somebody spins");
    ledger_check_end(b->ledger);
}

static void run(uint64_t seed, const struct sim_args *args) {
    struct sim *s = sim_new(seed);
    struct broker *b = mg_zalloc(sizeof(*b));
    b->sim = s;
    b->ledger = ledger_new(s);
    start(b, args);
    sim_set_step_limit(s, 20000000);
    bool abrupt = sim_chance(s, 64);
    if (abrupt) sim_run(s, NULL, NULL, sim_now(s) + sim_below(s, 100000) + sim_below(s, 40 * b->think));
    else settle(b);
    b->draining = b->shutdown_asked = true;
    while (b->work_out) sim_run(s, NULL, NULL, sim_now(s) + 100 * MG_MS);
    on_shard0(b, shut_down);
    enum sim_end end = sim_run(s, all_ended, b, sim_now(s) + 60 * MG_SEC);
    sim_check(end == SIM_DONE, "the shutdown does not end");
    for (unsigned i = 0; i < b->nslots; i++)
        if (b->slots[i].used) sim_client_free(&b->slots[i].client);
    mg_server_free(b->server);
    mg_log_fini(&b->log);
    ledger_free(b->ledger);
    mg_free(b);
    sim_free(s);
}

int main(int argc, char **argv) { return sim_main(argc, argv, 300, run); }
