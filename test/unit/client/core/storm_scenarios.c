// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Storms: the same conversation is cut at each byte, in either direction, and goes on over a second connection. A small
// model of a server reads what the engine writes and holds it to the promises: only whole and valid commands but for
// the one that the cut halves, each subscription once a connection and before any message, each message received
// exactly once and in order.
#include "test/unit/client/core/scenario.h"

#include <string.h>

enum { MESSAGES = 12, SUBS = 3 };

struct model {
    size_t subs, unsubs, pings, connects;
    bool got[MESSAGES];
    int last; // message that came last, of all connections
};

// One whole command at p, or 0. Everything else is a breach.
static size_t command(struct model *s, const char *p, size_t n) {
    const char *end = memchr(p, '\n', n);
    if (!end) return 0;
    size_t line = (size_t)(end - p) + 1;
    CHECK(end[-1] == '\r');
    if (strncmp(p, "CONNECT {", 9) == 0) {
        CHECK(s->connects++ == 0 && s->subs == 0);
    } else if (strncmp(p, "PING\r\n", 6) == 0) {
        s->pings++;
    } else if (strncmp(p, "PONG\r\n", 6) == 0) {
    } else if (strncmp(p, "SUB s.", 6) == 0) {
        s->subs++;
    } else if (strncmp(p, "UNSUB ", 6) == 0) {
        s->unsubs++;
    } else {
        // PUB m.<letter> 9\r\n<letter>\r\nPING\r\n\r\n : what looks like a command inside of a payload
        CHECK(strncmp(p, "PUB m.", 6) == 0 && s->subs == SUBS);
        if (n < line + 11) return 0;
        int i = p[6] - 'a';
        CHECK(i >= 0 && i < MESSAGES && !s->got[i] && i > s->last);
        CHECK(p[line] == p[6] && memcmp(p + line + 1, "\r\nPING\r\n\r\n", 10) == 0);
        s->got[i] = true;
        s->last = i;
        return line + 11;
    }
    return line;
}

// All that was written must be commands, the last of which may be cut.
static void hear(struct model *s, struct rig *r, bool fresh) {
    const char *p = r->out;
    size_t n = r->out_n;
    if (fresh) s->connects = s->subs = s->pings = s->unsubs = 0;
    for (size_t used; n && (used = command(s, p, n)) > 0; n -= used) p += used;
    r->out_n = 0;
}

static void publish(struct rig *r, int from, int to) {
    for (int i = from; i < to; i++) {
        char subject[3] = {'m', '.', (char)('a' + i)}, data[9] = "?\r\nPING\r\n";
        data[0] = subject[2];
        CHECK(midge_publish(&r->m, (midge_str){subject, 3}, data, 9) == 0);
    }
}

static const char traffic[] = "MSG s.a 1 3\r\nabc\r\nPING\r\nMSG s.b 2 r 0\r\n\r\n"
                              "INFO {\"headers\":true,\"max_payload\":500}\r\n+OK\r\n";

// Says it all but for what is behind the cut, then cuts. INFO and PONG are kept apart: the server waits for CONNECT.
static void say_until(struct rig *r, size_t cut) {
    char part[400];
    const char *const parts[] = {RIG_INFO, "PONG\r\n", traffic};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(parts[i]);
        if (n > cut) n = cut;
        memcpy(part, parts[i], n);
        part[n] = '\0';
        rig_say(r, part);
        cut -= n;
    }
}

static void finish(struct rig *r, struct model *s) {
    rig_later(r, 200);
    CHECK(r->open);
    say_until(r, SIZE_MAX);
    hear(s, r, true);
    CHECK(s->connects == 1 && s->subs == SUBS && s->pings == 1);
    publish(r, MESSAGES - 2, MESSAGES);
    rig_run(r);
    hear(s, r, false);
    for (int i = 0; i < MESSAGES; i++) CHECK(s->got[i]);
    r->log_n = 0;
}

static void begin(struct rig *r, struct model *s) {
    rig_fill(r);
    r->config.retry_first = true;
    memset(s, 0, sizeof(*s));
    s->last = -1;
    CHECK(midge_init(&r->m, &r->config) == 0);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("s.a"), MIDGE_NONE, rig_on_msg, r) > 0);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("s.b"), MIDGE_NONE, rig_on_msg, r) > 0);
    CHECK(midge_subscribe(&r->m, MIDGE_STR("s.*"), MIDGE_STR("q"), rig_on_msg, r) > 0);
    publish(r, 0, 4);
    rig_run(r);
}

// The server's bytes are cut.
static void scenario_cut_in(struct rig *r) {
    struct model s;
    for (size_t cut = 0; cut < sizeof(RIG_INFO "PONG\r\n") + sizeof(traffic) - 2; cut++) {
        begin(r, &s);
        say_until(r, cut);
        CHECK(r->open);
        publish(r, 4, 7);
        rig_run(r);
        hear(&s, r, true);
        bool up = midge_state_of(&r->m) == MIDGE_STATE_CONNECTED;
        CHECK(up == (cut >= sizeof(RIG_INFO "PONG\r\n") - 1) && s.got[6] == up);
        CHECK(s.connects == (cut >= sizeof(RIG_INFO) - 1));
        rig_cut(r);
        publish(r, 7, MESSAGES - 2);
        finish(r, &s);
    }
}

// The engine's bytes are cut: only so many reach the server.
static void scenario_cut_out(struct rig *r) {
    struct model s;
    size_t total = 1;
    for (size_t cut = 0; cut < total; cut++) {
        begin(r, &s);
        r->quota = cut;
        r->limited = true;
        say_until(r, SIZE_MAX);
        publish(r, 4, 7);
        int32_t extra = midge_subscribe(&r->m, MIDGE_STR("s.x"), MIDGE_NONE, rig_on_msg, r);
        rig_run(r);
        CHECK(midge_unsubscribe(&r->m, extra, 0) == 0);
        rig_run(r);
        if (cut == total - 1 && r->quota == 0) total++; // something is left to write: once more, with a byte more
        hear(&s, r, true);
        r->limited = false;
        rig_cut(r);
        publish(r, 7, MESSAGES - 2);
        finish(r, &s);
    }
    CHECK(total > 250);
}

const struct scenario scenarios_storm[] = {
    {"cut of what comes in", scenario_cut_in},
    {"cut of what goes out", scenario_cut_out},
    {NULL, NULL},
};
