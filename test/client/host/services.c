// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/client/host/live.h"

#include <stdlib.h>

static void on_echo(midge_service_request *request, void *user) {
    (void)user;
    midge_service_respond(request, request->msg->headers, request->msg->data.p, request->msg->data.n);
}

static void on_fail(midge_service_request *request, void *user) {
    (void)user;
    midge_service_fail(request, 404, MIDGE_STR("no such thing"), "body", 4);
}

static void on_later(midge_service_request *request, void *user) {
    *(midge_service_request **)user = midge_service_defer(request);
}

static midge_str echo_data(midge_endpoint *endpoint, void *user) {
    (void)endpoint;
    (void)user;
    return MIDGE_STR("{\"total\":1}");
}

static const midge_pair metadata[] = {{{"zone", 4}, {"eu\"1", 4}}};

static midge_service *start(midge *m, midge_service_request **later, void (*stopped)(midge_service *, void *),
                            void *user) {
    int err;
    const midge_service_config config = {.name = MIDGE_STR("shop"), .version = MIDGE_STR("1.2.3"),
                                         .description = MIDGE_STR("Sells > things"), .metadata = metadata,
                                         .metadata_len = 1, .on_stopped = stopped, .user = user};
    const midge_endpoint_config echo = {.name = MIDGE_STR("echo"), .fn = on_echo, .data = echo_data,
                                        .metadata = metadata, .metadata_len = 1};
    const midge_endpoint_config fail = {.name = MIDGE_STR("fail"), .group = MIDGE_STR("v1.admin"), .fn = on_fail,
                                        .no_queue_group = true};
    const midge_endpoint_config wait = {.name = MIDGE_STR("later"), .subject = MIDGE_STR("wait.*"),
                                        .queue_group = MIDGE_STR("workers"), .fn = on_later, .user = later};
    midge_service *s = midge_service_new(m, &config, &err);
    if (!s) return NULL;
    if (midge_service_add(s, &echo, &err) && midge_service_add(s, &fail, &err) && midge_service_add(s, &wait, &err))
        return s;
    midge_service_free(s);
    return NULL;
}

// ---- requests -------------------------------------------------------------------------------------------------------

typedef struct answer {
    bool done;
    int err, code;
    char data[64], text[64];
} answer;

static void on_answer(midge *m, int err, const midge_msg *msg, void *user) {
    answer *a = user;
    midge_str text;
    (void)m;
    a->err = err;
    a->done = true;
    if (!msg) return;
    snprintf(a->data, sizeof a->data, "%.*s", (int)msg->data.n, msg->data.p);
    midge_service_failed(msg, &a->code, &text);
    snprintf(a->text, sizeof a->text, "%.*s", (int)text.n, text.p);
}

// Both connections have to run: the service is on the first, the client on the other.
static bool both(live *t, const bool *done) {
    for (int i = 0; i < 5000 && !*done; i++) {
        midge_poll(t->c, 1);
        midge_poll(t->other, 1);
    }
    return *done;
}

static bool ask(live *t, midge_str subject, answer *a) {
    *a = (answer){0};
    return midge_request(t->n, subject, MIDGE_NONE, "hello", 5, NULL, on_answer, a) > 0 && both(t, &a->done);
}

static const char *requests(live *t) {
    midge_service_request *later = NULL;
    midge_service *s = start(t->m, &later, NULL, NULL);
    CHECK(s);
    CHECK(midge_flush_wait(t->c, 5000) == 0);
    answer a;
    CHECK(ask(t, MIDGE_STR("echo"), &a));
    CHECK(a.err == 0 && strcmp(a.data, "hello") == 0 && !a.code);
    CHECK(ask(t, MIDGE_STR("v1.admin.fail"), &a));
    CHECK(a.err == 0 && strcmp(a.data, "body") == 0 && a.code == 404 && strcmp(a.text, "no such thing") == 0);
    midge_service_free(s);
    CHECK(midge_flush_wait(t->c, 5000) == 0);
    CHECK(ask(t, MIDGE_STR("echo"), &a));
    CHECK(a.err == MIDGE_ENORESPONDERS);
    return NULL;
}

static const char *deferred(live *t) {
    midge_service_request *later = NULL;
    midge_service *s = start(t->m, &later, NULL, NULL);
    CHECK(s && midge_flush_wait(t->c, 5000) == 0);
    answer a = {0};
    CHECK(midge_request(t->n, MIDGE_STR("wait.x"), MIDGE_NONE, "", 0, NULL, on_answer, &a) > 0);
    for (int i = 0; i < 5000 && !later; i++) {
        midge_poll(t->other, 0);
        midge_poll(t->c, 1);
    }
    CHECK(later && !a.done);
    CHECK(later->msg->subject.n == 6 && memcmp(later->msg->subject.p, "wait.x", 6) == 0);
    CHECK(midge_service_respond(later, MIDGE_NONE, "at last", 7) == 0);
    midge_service_finish(later);
    CHECK(both(t, &a.done) && strcmp(a.data, "at last") == 0);
    midge_service_free(s);
    return NULL;
}

// ---- discovery ------------------------------------------------------------------------------------------------------

static int find_for(live *t, midge_op *op, enum midge_service_verb verb, midge_str name, midge_str id,
                    uint32_t ms) {
    int err = midge_service_discover(t->n, op, verb, name, id, ms);
    if (err) return err;
    return both(t, &op->done) ? op->err : MIDGE_ETIMEOUT;
}

// Answers are waited for as long as this says.
static int find(live *t, midge_op *op, enum midge_service_verb verb, midge_str name, midge_str id) {
    return find_for(t, op, verb, name, id, 300);
}

// The server says at once that there is nobody, on a busy machine a little later.
static bool nobody(live *t, midge_op *op, enum midge_service_verb verb, midge_str name) {
    return find_for(t, op, verb, name, MIDGE_NONE, 5000) == MIDGE_ENORESPONDERS;
}

static const char *discovery(live *t) {
    midge_service_request *later = NULL;
    midge_op op = {0};
    CHECK(nobody(t, &op, MIDGE_SERVICE_PING, MIDGE_NONE));
    midge_service *s = start(t->m, &later, NULL, NULL), *second = start(t->m, &later, NULL, NULL);
    CHECK(s && second && midge_flush_wait(t->c, 5000) == 0);
    CHECK(find(t, &op, MIDGE_SERVICE_PING, MIDGE_NONE, MIDGE_NONE) == 0);
    CHECK(op.len == 2 && op.services[0].endpoints_len == 0 && op.services[0].rtt > 0);
    CHECK(find(t, &op, MIDGE_SERVICE_PING, MIDGE_STR("shop"), midge_service_id(second)) == 0);
    CHECK(op.len == 1 && op.services[0].id.n == 22);
    CHECK(memcmp(op.services[0].id.p, midge_service_id(second).p, 22) == 0);
    CHECK(find(t, &op, MIDGE_SERVICE_INFO, MIDGE_STR("shop"), midge_service_id(s)) == 0);
    const midge_service_result *r = &op.services[0];
    CHECK(live_is(r->name, "shop") && live_is(r->version, "1.2.3") && live_is(r->description, "Sells > things"));
    CHECK(r->metadata_len == 1 && live_is(r->metadata[0].value, "eu\"1"));
    CHECK(r->endpoints_len == 3 && live_is(r->endpoints[0].queue_group, "q"));
    CHECK(live_is(r->endpoints[1].subject, "v1.admin.fail") && live_is(r->endpoints[1].queue_group, ""));
    CHECK(live_is(r->endpoints[2].subject, "wait.*") && live_is(r->endpoints[2].queue_group, "workers"));
    CHECK(nobody(t, &op, MIDGE_SERVICE_INFO, MIDGE_STR("other")));
    midge_op_free(&op);
    midge_service_free(s);
    midge_service_free(second);
    return NULL;
}

static const char *statistics(live *t) {
    midge_service_request *later = NULL;
    midge_service *s = start(t->m, &later, NULL, NULL);
    CHECK(s && midge_flush_wait(t->c, 5000) == 0);
    answer a;
    midge_op op = {0};
    CHECK(ask(t, MIDGE_STR("echo"), &a) && ask(t, MIDGE_STR("echo"), &a) && ask(t, MIDGE_STR("v1.admin.fail"), &a));
    CHECK(find(t, &op, MIDGE_SERVICE_STATS, MIDGE_STR("shop"), MIDGE_NONE) == 0 && op.len == 1);
    const midge_endpoint_result *e = op.services[0].endpoints;
    CHECK(op.services[0].started > 1700000000 * MIDGE_SECOND && op.services[0].endpoints_len == 3);
    CHECK(e[0].num_requests == 2 && e[0].num_errors == 0 && e[0].processing_time > 0);
    CHECK(e[0].average_processing_time == e[0].processing_time / 2 && live_is(e[0].data, "{\"total\":1}"));
    CHECK(e[1].num_requests == 1 && e[1].num_errors == 1 && live_is(e[1].last_error, "404:no such thing"));
    midge_service_reset(s);
    CHECK(find(t, &op, MIDGE_SERVICE_STATS, MIDGE_STR("shop"), MIDGE_NONE) == 0 && op.len == 1);
    e = op.services[0].endpoints;
    CHECK(e[0].num_requests == 0 && e[1].num_errors == 0 && live_is(e[1].last_error, ""));
    midge_op_free(&op);
    midge_service_free(s);
    return NULL;
}

static void on_stopped(midge_service *s, void *user) {
    midge_service_free(s);
    *(bool *)user = true;
}

// What has reached the server before the stop is still answered.
static const char *stop(live *t) {
    midge_service_request *later = NULL;
    bool stopped = false;
    midge_service *s = start(t->m, &later, on_stopped, &stopped);
    CHECK(s && midge_flush_wait(t->c, 5000) == 0);
    answer a[20] = {0};
    for (int i = 0; i < 20; i++)
        CHECK(midge_request(t->n, MIDGE_STR("echo"), MIDGE_NONE, "x", 1, NULL, on_answer, &a[i]) > 0);
    CHECK(midge_flush_wait(t->other, 5000) == 0);
    CHECK(midge_service_stop(s) == 0);
    CHECK(both(t, &stopped));
    for (int i = 0; i < 20; i++) CHECK(both(t, &a[i].done) && a[i].err == 0);
    midge_op op = {0};
    CHECK(nobody(t, &op, MIDGE_SERVICE_PING, MIDGE_NONE));
    midge_op_free(&op);
    return NULL;
}

static const char *refused(live *t) {
    int err = 0;
    midge_service_config config = {.name = MIDGE_STR("a b"), .version = MIDGE_STR("1.0.0")};
    CHECK(!midge_service_new(t->m, &config, &err) && err == MIDGE_EINVAL);
    config.name = MIDGE_STR("a");
    config.version = MIDGE_STR("1.0");
    CHECK(!midge_service_new(t->m, &config, &err) && err == MIDGE_EINVAL);
    config.version = MIDGE_STR("1.0.0-rc.1+build.7");
    midge_service *s = midge_service_new(t->m, &config, &err);
    CHECK(s);
    midge_endpoint_config e = {.name = MIDGE_STR("e"), .subject = MIDGE_STR("a.>.b"), .fn = on_echo};
    CHECK(!midge_service_add(s, &e, &err) && err == MIDGE_EINVAL);
    midge_service_free(s);
    return NULL;
}

// A stop whose PONG comes after the service is gone must not touch it.
static const char *freed_while_stopping(live *t) {
    midge_service_request *later = NULL;
    bool stopped = false;
    midge_service *s = start(t->m, &later, on_stopped, &stopped);
    CHECK(s && midge_service_stop(s) == 0);
    midge_service_free(s);
    CHECK(midge_flush_wait(t->c, 5000) == 0);
    CHECK(!stopped);
    return NULL;
}

const live_test service_tests[] = {
    {"services", "requests and errors", requests},
    {"services", "deferred answers", deferred},
    {"services", "discovery", discovery},
    {"services", "statistics", statistics},
    {"services", "stop drains", stop},
    {"services", "bad names are refused", refused},
    {"services", "freed while stopping", freed_while_stopping},
    {0},
};

int live_serve(live *t) {
    midge_service_request *later = NULL;
    midge_service *s = start(t->m, &later, NULL, NULL);
    if (!s || midge_flush_wait(t->c, 5000)) return 1;
    printf("%.*s\n", (int)midge_service_id(s).n, midge_service_id(s).p);
    while (midge_poll(t->c, 1000) == 0) {}
    midge_service_free(s);
    midge_service_finish(later);
    return 0;
}
