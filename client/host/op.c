// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The life of an operation.
//
//      mgc_op_begin --> mgc_api --> (the engine) --> answered --> the step --> mgc_api ... --> mgc_op_end --> fn
//
// The answer is copied into the arena before the step sees it, so that everything a step reads from it lives as long as
// the results. One request is open at a time (steps that need more, as a put with its window of chunks, keep their own
// account and end it in `stop`). How it fails: an error in the function that starts comes back from there and the op is
// as if never started; later ones go to the step, which as a rule hands them to mgc_op_end.
// Always: internal is NULL or the op has begun; request is 0 while a step runs.
#include "client/host/op.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/host/reader.h"

enum { MAX_LIST = 1 << 20 }; // elements of one list

// ---- life -----------------------------------------------------------------------------------------------------------

// What the caller set stays, and `internal`.
static void forget(midge_op *op) {
    midge_op fresh = {.fn = op->fn, .user = op->user, .domain = op->domain, .prefix = op->prefix,
                      .timeout = op->timeout, .internal = op->internal};
    *op = fresh;
}

int mgc_op_begin(midge *m, midge_op *op) {
    mgc_op *before = op->internal;
    if (before && !op->done) return MIDGE_EINVAL;
    mgc_op *in = calloc(1, sizeof *in);
    if (!in) return MIDGE_ENOMEM;
    in->m = m;
    if (before) {
        in->earlier = before->arena;
        mgc_arena_free(&before->scratch);
        free(before);
    }
    op->internal = in;
    op->done = false;
    op->err = 0;
    op->count = 0;
    op->len = 0;
    return 0;
}

int mgc_op_started(midge_op *op, int err) {
    if (err) {
        midge_op_free(op);
        return err;
    }
    mgc_arena_free(&op->internal->earlier);
    forget(op);
    return 0;
}

static void release(midge_op *op) {
    mgc_op *in = op->internal;
    if (in->request) midge_request_cancel(in->m, in->request);
    in->request = 0;
    if (in->reader) mgc_reader_stop(in->reader);
    in->reader = NULL;
    if (in->stop) in->stop(op);
    in->stop = NULL;
}

void mgc_op_scratch(midge_op *op) {
    mgc_arena_free(&op->internal->scratch);
    op->internal->scratching = true;
    op->error = (midge_api_error){0};
    op->json = MIDGE_NONE;
}

void mgc_op_end(midge_op *op, int err) {
    release(op);
    if (op->internal->scratching) {
        op->error.description = mgc_arena_dup(mgc_op_results(op), op->error.description);
        op->json = mgc_arena_dup(mgc_op_results(op), op->json);
    }
    op->err = err;
    op->done = true;
    if (op->fn) op->fn(op->internal->m, op);
}

void mgc_op_last(midge_op *op, int err) {
    mgc_op_end(op, err);
}

void midge_op_cancel(midge_op *op) {
    if (!op->internal || op->done) return;
    midge_op_free(op);
}

void midge_op_free(midge_op *op) {
    if (op->internal) {
        if (!op->done) release(op);
        mgc_arena_free(&op->internal->arena);
        mgc_arena_free(&op->internal->scratch);
        mgc_arena_free(&op->internal->earlier);
        free(op->internal);
        op->internal = NULL;
    }
    forget(op);
}

// ---- requests -------------------------------------------------------------------------------------------------------

static const mgc_field error_fields[] = {
    {.name = "code", .kind = MGC_INT, .at = offsetof(midge_api_error, code)},
    {.name = "err_code", .kind = MGC_INT, .at = offsetof(midge_api_error, err_code)},
    {.name = "description", .kind = MGC_STR, .at = offsetof(midge_api_error, description)},
    {0},
};

// spec/jetstream-streams.md 11.
static int code_of(int err_code) {
    switch (err_code) {
    case 10014: // consumer not found
    case 10037: // no message found
    case 10059: // stream not found
        return MIDGE_ENOTFOUND;
    case 10058: // stream name in use
    case 10071: // wrong last sequence
    case 10148: // consumer exists
    case 10164: // the same, in a cluster
        return MIDGE_EEXISTS;
    default: return MIDGE_EJETSTREAM;
    }
}

int mgc_api_error_of(midge_str json, midge_api_error *error, mgc_arena *a) {
    mgc_json j;
    *error = (midge_api_error){0};
    if (!mgc_json_find(json, "error", &j)) return mgc_json_valid(json) ? 0 : MIDGE_EPROTO;
    if (j.type != MGC_JSON_OBJECT) return j.type == MGC_JSON_NULL ? 0 : MIDGE_EPROTO;
    int err = mgc_bind_read(&j, error_fields, error, a);
    return err ? err : code_of(error->err_code);
}

static void answered(midge *m, int err, const midge_msg *msg, void *user) {
    midge_op *op = user;
    mgc_op *in = op->internal;
    (void)m;
    in->request = 0;
    op->error = (midge_api_error){0};
    if (!err) {
        mgc_arena *a = mgc_op_arena(op);
        op->json = mgc_arena_dup(a, msg->data);
        err = a->failed ? MIDGE_ENOMEM : mgc_api_error_of(op->json, &op->error, a);
    }
    in->then(op, err);
}

// api: a request to the JetStream API, which has filters in its subjects.
static int request(midge_op *op, bool api, midge_str subject, midge_str headers, midge_str body, mgc_step then) {
    mgc_op *in = op->internal;
    const midge_request_opts opts = {.timeout = op->timeout, .wildcards = api};
    if (mgc_op_arena(op)->failed) return MIDGE_ENOMEM;
    int32_t handle = midge_request(in->m, subject, headers, body.n ? body.p : "", body.n, &opts, answered, op);
    if (handle < 0) return handle;
    in->request = handle;
    in->then = then;
    return 0;
}

midge_str mgc_api_prefix(midge_op *op) {
    if (op->prefix.n) return op->prefix;
    if (!op->domain.n) return MIDGE_STR("$JS.API");
    return mgc_arena_format(mgc_op_arena(op), "$JS.%.*s.API", (int)op->domain.n, op->domain.p);
}

static midge_str tail(mgc_arena *a, midge_str subject, midge_str token) {
    if (!token.n) return subject;
    return mgc_arena_format(a, "%.*s.%.*s", (int)subject.n, subject.p, (int)token.n, token.p);
}

int mgc_api(midge_op *op, const char *verb, midge_str first, midge_str second, midge_str body, mgc_step then) {
    mgc_arena *a = mgc_op_arena(op);
    midge_str subject = tail(a, mgc_api_prefix(op), (midge_str){verb, strlen(verb)});
    return request(op, true, tail(a, tail(a, subject, first), second), MIDGE_NONE, body, then);
}

int mgc_api_json(midge_op *op, const char *verb, midge_str first, midge_str second, mgc_json_out *body, mgc_step then) {
    midge_str text;
    int err = mgc_json_out_end(body, &text);
    if (!err) err = mgc_api(op, verb, first, second, text, then);
    mgc_json_out_fini(body);
    return err;
}

int mgc_op_read(midge_op *op, const mgc_field *table, void *to) {
    return mgc_bind_parse(op->json, table, to, mgc_op_arena(op));
}

static void acknowledged(midge_op *op, int err) {
    mgc_step then = op->internal->then_acked;
    mgc_json j;
    if (!err && !(mgc_json_find(op->json, "seq", &j) && mgc_json_uint(&j, &op->count))) err = MIDGE_EPROTO;
    then(op, err);
}

int mgc_publish(midge_op *op, midge_str subject, midge_str headers, midge_str data, mgc_step then) {
    op->internal->then_acked = then;
    return request(op, false, subject, headers, data, acknowledged);
}

int midge_api_request(midge *m, midge_op *op, midge_str verb, midge_str body) {
    int err = mgc_op_begin(m, op);
    if (err) return err;
    midge_str name = mgc_arena_dup(mgc_op_arena(op), verb);
    return mgc_op_started(op, name.n ? mgc_api(op, name.p, MIDGE_NONE, MIDGE_NONE, body, mgc_op_last) : MIDGE_EINVAL);
}

// ---- lists ----------------------------------------------------------------------------------------------------------

static int next_page(midge_op *op);

static int read_page(midge_op *op, mgc_list *list) {
    mgc_json j;
    if (!mgc_json_find(op->json, list->member, &j)) return MIDGE_EPROTO;
    if (j.type == MGC_JSON_NULL) return 0; // spec/jetstream-streams.md 6: "streams":null when empty
    if (j.type != MGC_JSON_ARRAY) return MIDGE_EPROTO;
    while (mgc_json_next(&j) != MGC_JSON_ARRAY_END) {
        if (j.type != (list->table ? MGC_JSON_OBJECT : MGC_JSON_STRING)) return MIDGE_EPROTO;
        if (op->len == MAX_LIST) return MIDGE_ETOOLARGE;
        list->items = mgc_arena_push(mgc_op_arena(op), list->items, &op->len, list->size);
        if (!list->items) return MIDGE_ENOMEM;
        void *item = (char *)list->items + (op->len - 1) * list->size;
        if (!list->table) *(midge_str *)item = mgc_bind_text(&j, mgc_op_arena(op));
        int err = list->table ? mgc_bind_read(&j, list->table, item, mgc_op_arena(op)) : 0;
        if (err) return err;
    }
    return 0;
}

// spec/jetstream-streams.md 6: clients page until offset + limit >= total. A page without anything new ends it, too.
static void page_came(midge_op *op, int err) {
    mgc_list *list = op->internal->plan;
    size_t before = op->len;
    uint64_t total = 0;
    mgc_json j;
    if (!err) err = read_page(op, list);
    if (!err && mgc_json_find(op->json, "total", &j)) mgc_json_uint(&j, &total);
    if (!err && op->len > before && op->len < total) {
        err = next_page(op);
        if (!err) return;
    }
    list->done(op, list->items);
    mgc_op_end(op, err);
}

static int next_page(midge_op *op) {
    mgc_list *list = op->internal->plan;
    mgc_json_out body;
    mgc_json_out_init(&body, NULL, 0);
    mgc_json_open(&body, NULL, '{');
    mgc_json_put_u64(&body, "offset", op->len);
    if (list->filter.n) mgc_json_put_str(&body, "subject", list->filter);
    mgc_json_close(&body);
    return mgc_api_json(op, list->verb, list->about, MIDGE_NONE, &body, page_came);
}

int mgc_list_all(midge *m, midge_op *op, const mgc_list *list) {
    int err = mgc_op_begin(m, op);
    if (err) return err;
    mgc_arena *a = mgc_op_arena(op);
    mgc_list *plan = mgc_arena_alloc(a, sizeof *plan);
    if (!plan) return mgc_op_started(op, MIDGE_ENOMEM);
    *plan = *list;
    plan->about = mgc_arena_dup(a, list->about);
    plan->filter = mgc_arena_dup(a, list->filter);
    op->internal->plan = plan;
    return mgc_op_started(op, next_page(op));
}

// ---- small things ---------------------------------------------------------------------------------------------------

// spec/jetstream-streams.md 4.
bool mgc_name_ok(midge_str name) {
    if (!name.n || name.n > 255) return false;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f || strchr(".*>/\\", name.p[i])) return false;
    return true;
}

bool mgc_restricted_ok(midge_str name) {
    if (!name.n || name.n > 250) return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') return false;
    }
    return true;
}

bool mgc_text_eq(midge_str a, midge_str b) {
    return a.n == b.n && (!a.n || memcmp(a.p, b.p, a.n) == 0);
}

bool mgc_text_is(midge_str s, const char *text) {
    return mgc_text_eq(s, (midge_str){text, strlen(text)});
}

bool mgc_text_starts(midge_str s, const char *prefix) {
    size_t n = strlen(prefix);
    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

int64_t mgc_wall_now(void) {
    struct timespec now;
    if (!timespec_get(&now, TIME_UTC)) return 0;
    return (int64_t)now.tv_sec * MIDGE_SECOND + now.tv_nsec;
}
