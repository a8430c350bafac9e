// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A service (ADR-32, spec/monitoring-and-tools.md E): endpoints are subscriptions in a queue group, discovery is nine
// plain ones (service_monitor.c). The service owns copies of all texts it was given.
//
// Stop: the endpoints drain; behind them goes a PING, whose PONG says that all they got has been handled; then
// discovery ends and on_stopped is called. The PING's op outlives a service that is freed meanwhile, so it is memory of
// its own.
// Always: a subscription that is alive has its subject in the arena.
#include "client/host/service.h"

#include <stdlib.h>
#include <string.h>

#include "client/host/encode.h"

typedef struct mgc_service_stop {
    midge_flush_op flush;
    midge_service *service; // NULL: freed
} mgc_service_stop;

static int64_t now(const midge_service *s) {
    return s->config.now ? s->config.now() : mgc_wall_now();
}

// ---- checks ---------------------------------------------------------------------------------------------------------

// One or more digits without a leading zero; moves behind them.
static bool number(midge_str *s) {
    size_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') n++;
    if (!n || (n > 1 && *s->p == '0')) return false;
    *s = (midge_str){s->p + n, s->n - n};
    return true;
}

static bool take(midge_str *s, char c) {
    if (!s->n || *s->p != c) return false;
    *s = (midge_str){s->p + 1, s->n - 1};
    return true;
}

// Identifiers between dots; moves behind them. strict: digits alone have no leading zero.
static bool identifiers(midge_str *s, bool strict) {
    do {
        size_t n = 0;
        bool digits = true;
        for (; n < s->n && s->p[n] != '.' && s->p[n] != '+'; n++) {
            if (s->p[n] == '_' || !mgc_restricted_ok((midge_str){s->p + n, 1})) return false;
            digits = digits && s->p[n] >= '0' && s->p[n] <= '9';
        }
        if (!n || (strict && digits && n > 1 && *s->p == '0')) return false;
        *s = (midge_str){s->p + n, s->n - n};
    } while (take(s, '.'));
    return true;
}

bool mgc_semver_ok(midge_str v) {
    if (!number(&v) || !take(&v, '.') || !number(&v) || !take(&v, '.') || !number(&v)) return false;
    if (take(&v, '-') && !identifiers(&v, true)) return false;
    if (take(&v, '+') && !identifiers(&v, false)) return false;
    return v.n == 0;
}

const midge_pair *mgc_pairs_dup(mgc_arena *a, const midge_pair *pairs, size_t len) {
    midge_pair *own = len ? mgc_arena_alloc(a, len * sizeof *own) : NULL;
    for (size_t i = 0; own && i < len; i++)
        own[i] = (midge_pair){mgc_arena_dup(a, pairs[i].name), mgc_arena_dup(a, pairs[i].value)};
    return own;
}

// ---- life -----------------------------------------------------------------------------------------------------------

midge_service *midge_service_new(midge *m, const midge_service_config *config, int *err) {
    *err = MIDGE_EINVAL;
    if (!mgc_restricted_ok(config->name) || !mgc_semver_ok(config->version)) return NULL;
    midge_service *s = calloc(1, sizeof *s);
    *err = MIDGE_ENOMEM;
    if (!s) return NULL;
    s->m = m;
    s->last = &s->endpoints;
    s->config = *config;
    s->config.name = mgc_arena_dup(&s->arena, config->name);
    s->config.version = mgc_arena_dup(&s->arena, config->version);
    s->config.description = mgc_arena_dup(&s->arena, config->description);
    s->config.queue_group = mgc_arena_dup(&s->arena, config->queue_group);
    s->config.metadata = mgc_pairs_dup(&s->arena, config->metadata, config->metadata_len);
    mgc_nuid(m, s->id);
    s->started = now(s);
    *err = mgc_service_monitor(s);
    if (!*err && s->arena.failed) *err = MIDGE_ENOMEM;
    if (!*err) return s;
    midge_service_free(s);
    return NULL;
}

void midge_service_free(midge_service *s) {
    if (!s) return;
    for (midge_endpoint *e = s->endpoints; e; e = e->next) midge_unsubscribe(s->m, e->sub, 0);
    mgc_service_unmonitor(s);
    if (s->stop) s->stop->service = NULL;
    mgc_arena_free(&s->arena);
    free(s);
}

midge_str midge_service_id(const midge_service *s) {
    return (midge_str){s->id, strlen(s->id)};
}

void midge_service_reset(midge_service *s) {
    s->started = now(s);
    for (midge_endpoint *e = s->endpoints; e; e = e->next) {
        e->requests = e->errors = 0;
        e->processing_time = 0;
        e->last_error_n = 0;
    }
}

static void drained(midge *m, int err, uint32_t rtt_ms, void *user) {
    mgc_service_stop *stop = user;
    midge_service *s = stop->service;
    (void)m, (void)err, (void)rtt_ms; // also when the connection is gone: nothing more can come
    free(stop);
    if (!s) return;
    s->stop = NULL;
    mgc_service_unmonitor(s);
    if (s->config.on_stopped) s->config.on_stopped(s, s->config.user);
}

int midge_service_stop(midge_service *s) {
    if (s->stop) return 0;
    mgc_service_stop *stop = calloc(1, sizeof *stop);
    if (!stop) return MIDGE_ENOMEM;
    stop->service = s;
    for (midge_endpoint *e = s->endpoints; e; e = e->next) midge_drain_sub(s->m, e->sub);
    int err = midge_flush(s->m, &stop->flush, 0, drained, stop);
    if (err) free(stop);
    else s->stop = stop;
    return err;
}

// ---- endpoints ------------------------------------------------------------------------------------------------------

static void on_request(midge *m, const midge_msg *msg, void *user) {
    midge_endpoint *e = user;
    midge_service_request request = {.m = m, .service = e->service, .endpoint = e, .msg = msg};
    request.started = now(e->service);
    e->requests++;
    e->config.fn(&request, e->config.user);
    if (request.started) e->processing_time += now(e->service) - request.started; // 0: deferred
}

// spec/monitoring-and-tools.md E: no blanks, '>' only at the end.
static bool subject_ok(midge_str subject) {
    for (size_t i = 0; i < subject.n; i++)
        if ((unsigned char)subject.p[i] <= ' ' || (subject.p[i] == '>' && i + 1 < subject.n)) return false;
    return subject.n > 0;
}

static midge_endpoint *endpoint_of(midge_service *s, const midge_endpoint_config *config) {
    mgc_arena *a = &s->arena;
    midge_endpoint *e = mgc_arena_alloc(a, sizeof *e);
    if (!e) return NULL;
    midge_str subject = config->subject.n ? config->subject : config->name, group = config->group;
    e->service = s;
    e->config = *config;
    e->config.name = mgc_arena_dup(a, config->name);
    e->config.subject = mgc_arena_format(a, "%.*s%s%.*s", (int)group.n, group.n ? group.p : "", group.n ? "." : "",
                                         (int)subject.n, subject.p);
    e->config.metadata = mgc_pairs_dup(a, config->metadata, config->metadata_len);
    if (config->queue_group.n) e->queue = mgc_arena_dup(a, config->queue_group);
    else if (s->config.queue_group.n) e->queue = s->config.queue_group;
    else e->queue = MIDGE_STR("q");
    if (config->no_queue_group || (s->config.no_queue_group && !config->queue_group.n)) e->queue = MIDGE_NONE;
    return a->failed ? NULL : e;
}

midge_endpoint *midge_service_add(midge_service *s, const midge_endpoint_config *config, int *err) {
    *err = MIDGE_EINVAL;
    if (!config->fn || !mgc_restricted_ok(config->name) || s->stop) return NULL;
    if (config->subject.n && !subject_ok(config->subject)) return NULL;
    if (config->group.n && (!subject_ok(config->group) || memchr(config->group.p, '>', config->group.n))) return NULL;
    midge_endpoint *e = endpoint_of(s, config);
    *err = MIDGE_ENOMEM;
    if (!e) return NULL;
    e->sub = midge_subscribe(s->m, e->config.subject, e->queue, on_request, e);
    *err = e->sub < 0 ? e->sub : 0;
    if (*err) return NULL;
    *s->last = e;
    s->last = &e->next;
    return e;
}

midge_endpoint_stats midge_endpoint_stats_of(const midge_endpoint *e) {
    return (midge_endpoint_stats){e->requests, e->errors, e->processing_time, {e->last_error, e->last_error_n}};
}

// ---- answers --------------------------------------------------------------------------------------------------------

int midge_service_respond(midge_service_request *request, midge_str headers, const void *data, size_t len) {
    if (!request->msg->reply.n) return MIDGE_EINVAL;
    return midge_publish_full(request->m, request->msg->reply, MIDGE_NONE, headers, data, len);
}

static void remember(midge_endpoint *e, const char *code, midge_str text) {
    size_t n = strlen(code);
    e->errors++;
    memcpy(e->last_error, code, n);
    e->last_error[n++] = ':';
    size_t room = sizeof e->last_error - n;
    if (text.n > room) text.n = room;
    memcpy(e->last_error + n, text.p, text.n);
    e->last_error_n = n + text.n;
}

int midge_service_fail(midge_service_request *request, int code, midge_str text, const void *data, size_t len) {
    char number_text[16];
    mgc_json_out o;
    midge_str code_text, block;
    mgc_json_out_init(&o, number_text, sizeof number_text);
    mgc_json_put_i64(&o, NULL, code);
    int err = mgc_json_out_end(&o, &code_text);
    if (err) return err;
    if (!text.n || text.n > 4096) return MIDGE_EINVAL;
    size_t size = text.n + 128;
    void *buf = malloc(size);
    if (!buf) return MIDGE_ENOMEM;
    midge_headers h;
    midge_headers_begin(&h, buf, size);
    midge_headers_add(&h, MIDGE_STR("Nats-Service-Error"), text);
    midge_headers_add(&h, MIDGE_STR("Nats-Service-Error-Code"), code_text);
    err = midge_headers_end(&h, &block);
    if (!err) {
        remember(request->endpoint, number_text, text);
        err = midge_service_respond(request, block, data, len);
    }
    free(buf);
    return err;
}

bool midge_service_failed(const midge_msg *reply, int *code, midge_str *text) {
    *text = midge_headers_get(reply->headers, MIDGE_STR("Nats-Service-Error"));
    midge_str number_text = midge_headers_get(reply->headers, MIDGE_STR("Nats-Service-Error-Code"));
    *code = 0;
    for (size_t i = 0; i < number_text.n && i < 9 && number_text.p[i] >= '0' && number_text.p[i] <= '9'; i++)
        *code = *code * 10 + (number_text.p[i] - '0');
    return text->n || number_text.n;
}

typedef struct deferred {
    midge_service_request request;
    midge_msg msg;
    char bytes[];
} deferred;

midge_service_request *midge_service_defer(midge_service_request *request) {
    const midge_msg *msg = request->msg;
    deferred *d = malloc(sizeof *d + msg->subject.n + msg->reply.n);
    if (!d) return NULL;
    d->request = *request;
    d->msg = (midge_msg){.subject = {d->bytes, msg->subject.n}, .reply = {d->bytes + msg->subject.n, msg->reply.n}};
    memcpy(d->bytes, msg->subject.p, msg->subject.n);
    if (msg->reply.n) memcpy(d->bytes + msg->subject.n, msg->reply.p, msg->reply.n);
    d->request.msg = &d->msg;
    request->started = 0; // its time is counted by midge_service_finish
    return &d->request;
}

void midge_service_finish(midge_service_request *request) {
    if (!request) return;
    request->endpoint->processing_time += now(request->service) - request->started;
    free((char *)request - offsetof(deferred, request));
}
