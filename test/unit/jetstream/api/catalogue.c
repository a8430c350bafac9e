// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A catalogue without a broker: each request runs through the checks as the API will run them, and what passes is kept
// for the requests that follow. Whatever is kept has been written as JSON and read back first.
#include "test/unit/jetstream/api/catalogue.h"

#include "test/unit/cmocka_inc.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/base/assert.h"

void catalogue_fini(struct catalogue *c) {
    for (size_t i = 0; i < c->nconsumers; i++) mg_js_consumer_fini(&c->consumers[i].config);
    for (size_t i = 0; i < c->nstreams; i++) mg_js_stream_fini(&c->streams[i]);
}

static struct mg_js_stream_config *find_stream(struct catalogue *c, mg_slice name) {
    for (size_t i = 0; i < c->nstreams; i++)
        if (mg_slice_eq(c->streams[i].name, name)) return &c->streams[i];
    return NULL;
}

static const struct mg_js_stream_config *find_origin(void *arg, mg_slice name) { return find_stream(arg, name); }

// Through its stored form.
static void keep_stream(struct mg_js_stream_config *to, const struct mg_js_stream_config *from) {
    struct mg_buf json = MG_BUF_INIT;
    struct mg_jw w;
    mg_jw_init(&w, &json, 0);
    mg_js_stream_write(from, &w);
    assert_int_equal(mg_js_stream_load(to, mg_buf_slice(&json)), 0);
    assert_true(mg_js_stream_same(to, from));
    mg_buf_fini(&json);
}

static void keep_consumer(struct mg_js_consumer_config *to, const struct mg_js_consumer_config *from) {
    struct mg_buf json = MG_BUF_INIT;
    struct mg_jw w;
    mg_jw_init(&w, &json, 0);
    mg_js_consumer_store(from, &w);
    assert_int_equal(mg_js_consumer_load(to, mg_buf_slice(&json), false), 0);
    assert_true(mg_js_consumer_same(to, from));
    mg_buf_fini(&json);
}

// ---- streams ------------------------------------------------------------------------------------------------------

static int create_stream(struct catalogue *c, mg_slice token, struct mg_js_stream_request *r, struct mg_js_error *e) {
    const struct mg_js_stream_env env = {&c->limits, find_origin, c};
    mg_js_stream_stamp(&r->config);
    int rc = mg_js_stream_admit(&r->config, token, e);
    if (rc == 0) rc = mg_js_stream_check(&r->config, &env, r->pedantic, e);
    if (rc == 0) rc = mg_js_stream_check_replicas(&r->config, e);
    if (rc != 0) return rc;
    const struct mg_js_stream_config *old = find_stream(c, token);
    if (old != NULL) return mg_js_stream_same(&r->config, old) ? 0 : mg_js_fail(e, MG_JSE_STREAM_NAME_EXIST);
    for (size_t i = 0; i < c->nstreams; i++)
        if (mg_js_subjects_collide(&c->streams[i].subjects, &r->config.subjects))
            return mg_js_fail(e, MG_JSE_STREAM_SUBJECT_OVERLAP);
    assert_in_range(c->nstreams, 0, CATALOGUE_ROOM - 1);
    keep_stream(&c->streams[c->nstreams++], &r->config);
    return 0;
}

static int update_stream(struct catalogue *c, mg_slice token, struct mg_js_stream_request *r, struct mg_js_error *e) {
    const struct mg_js_stream_env env = {&c->limits, find_origin, c};
    int rc = mg_js_stream_check(&r->config, &env, r->pedantic, e);
    if (rc != 0) return rc;
    if (!mg_slice_eq(r->config.name, token)) return mg_js_fail(e, MG_JSE_STREAM_MISMATCH);
    struct mg_js_stream_config *old = find_stream(c, token);
    if (old == NULL) return mg_js_fail(e, MG_JSE_STREAM_NOT_FOUND);
    mg_js_stream_stamp(&r->config);
    rc = mg_js_stream_update(old, &r->config, e);
    if (rc != 0) return rc;
    mg_js_stream_fini(old);
    keep_stream(old, &r->config);
    return 0;
}

static int play_stream(struct catalogue *c, mg_slice token, mg_slice body, bool create, struct mg_js_error *e,
                       struct mg_jw *w) {
    struct mg_js_stream_request r;
    memset(&r, 0, sizeof r);
    int rc = mg_js_stream_read(&r, body, true, e);
    if (rc == 0) rc = create ? create_stream(c, token, &r, e) : update_stream(c, token, &r, e);
    if (rc == 0) mg_js_stream_write_answer(&r.config, "V", w);
    mg_js_stream_request_fini(&r);
    return rc;
}

// ---- consumers ----------------------------------------------------------------------------------------------------

struct others {
    size_t n;
    bool unique;
};

static struct others look_at_others(const struct catalogue *c, const struct mg_js_stream_config *s,
                                    const struct mg_js_consumer_config *config,
                                    const struct mg_js_consumer_config *self) {
    struct others o = {0, true};
    for (size_t i = 0; i < c->nconsumers; i++) {
        const struct mg_js_consumer_config *other = &c->consumers[i].config;
        if (other == self || !mg_slice_eq(c->consumers[i].stream, s->name)) continue;
        o.n++;
        if (mg_js_consumer_collide(config, other)) o.unique = false;
    }
    return o;
}

static struct mg_js_consumer_config *find_consumer(struct catalogue *c, mg_slice stream, mg_slice name) {
    for (size_t i = 0; i < c->nconsumers; i++)
        if (mg_slice_eq(c->consumers[i].stream, stream) && mg_slice_eq(mg_cstr(c->consumers[i].name), name))
            return &c->consumers[i].config;
    return NULL;
}

static int change_consumer(struct mg_js_consumer_request *r, const struct mg_js_stream_config *s, struct others o,
                           struct mg_js_consumer_config *old, struct mg_js_error *e) {
    if (r->action == MG_JS_CREATE && !mg_js_consumer_same(&r->config, old))
        return mg_js_fail(e, MG_JSE_CONSUMER_ALREADY_EXISTS);
    if (s->retention == MG_JS_WORKQUEUE && !o.unique) return mg_js_fail(e, MG_JSE_CONSUMER_WQ_CONSUMER_NOT_UNIQUE);
    int rc = mg_js_consumer_update(old, &r->config, false, e);
    if (rc != 0) return rc;
    mg_js_consumer_settle(&r->config, old);
    mg_js_consumer_fini(old);
    keep_consumer(old, &r->config);
    return 0;
}

static int add_consumer(struct catalogue *c, struct mg_js_consumer_request *r, const struct mg_js_stream_config *s,
                        struct others o, mg_slice name, struct mg_js_error *e) {
    if (r->action == MG_JS_UPDATE) return mg_js_fail(e, MG_JSE_CONSUMER_DOES_NOT_EXIST);
    int64_t max = mg_js_consumer_maximum(s, &c->limits);
    if (max > 0 && (int64_t)o.n >= max) return mg_js_fail(e, MG_JSE_MAXIMUM_CONSUMERS_LIMIT);
    int rc = s->retention == MG_JS_WORKQUEUE ? mg_js_consumer_check_workqueue(&r->config, o.n, o.unique, e) : 0;
    if (rc == 0) rc = mg_js_consumer_check_name(&r->config, e);
    if (rc != 0) return rc;
    mg_js_consumer_settle(&r->config, NULL);
    assert_in_range(c->nconsumers, 0, CATALOGUE_ROOM - 1);
    snprintf(c->consumers[c->nconsumers].name, sizeof c->consumers[0].name, "%.*s", (int)name.n, name.n ? name.p : "");
    c->consumers[c->nconsumers].stream = s->name;
    keep_consumer(&c->consumers[c->nconsumers++].config, &r->config);
    return 0;
}

static int play_consumer(struct catalogue *c, mg_slice subject, mg_slice body, struct mg_js_error *e, struct mg_jw *w) {
    struct mg_js_consumer_request r;
    memset(&r, 0, sizeof r);
    mg_slice name;
    const struct mg_js_stream_config *s = NULL;
    int rc = mg_js_consumer_read(&r, body, true, e);
    if (rc == 0) rc = mg_js_consumer_admit(&r, subject, &name, e);
    if (rc == 0 && (s = find_stream(c, r.stream_name)) == NULL) rc = mg_js_fail(e, MG_JSE_STREAM_NOT_FOUND);
    if (rc == 0) {
        struct mg_js_consumer_config *old = find_consumer(c, s->name, name);
        if (old != NULL) r.config.pause_until = old->pause_until;
        mg_js_consumer_stamp(&r.config);
        rc = mg_js_consumer_check(&r.config, s, &c->limits, r.pedantic, e);
        struct others o = look_at_others(c, s, &r.config, old);
        if (rc == 0) rc = old != NULL ? change_consumer(&r, s, o, old, e) : add_consumer(c, &r, s, o, name, e);
    }
    if (rc == 0) mg_js_consumer_write_answer(&r.config, "V", w);
    mg_js_consumer_request_fini(&r);
    return rc;
}

// ---- playing ------------------------------------------------------------------------------------------------------

void catalogue_play(struct catalogue *c, mg_slice subject, mg_slice body, struct mg_buf *out) {
    const mg_slice create = MG_S("STREAM.CREATE."), update = MG_S("STREAM.UPDATE.");
    struct mg_js_error e = {NULL, MG_BUF_INIT};
    struct mg_jw w;
    mg_jw_init(&w, out, 0);
    int rc;
    if (mg_slice_starts(subject, create) || mg_slice_starts(subject, update)) {
        mg_slice token = mg_slice_of(subject.p + create.n, subject.n - create.n);
        rc = play_stream(c, token, body, mg_slice_starts(subject, create), &e, &w);
    } else {
        struct mg_buf full = MG_BUF_INIT;
        mg_buf_adds(&full, "$JS.API.");
        mg_buf_add_slice(&full, subject);
        rc = play_consumer(c, mg_buf_slice(&full), body, &e, &w);
        mg_buf_fini(&full);
    }
    if (rc != 0) mg_js_error_write(&e, &w);
    mg_js_error_fini(&e);
}

static void expect_answer(struct catalogue *c, const char *subject, const char *body, const char *want) {
    struct mg_buf out = MG_BUF_INIT;
    catalogue_play(c, mg_cstr(subject), mg_cstr(body), &out);
    mg_buf_addc(&out, '\0');
    if (strcmp(out.p, want) != 0) fail_msg("%s %s\n  answers %s\n  not     %s", subject, body, out.p, want);
    mg_buf_fini(&out);
}

static bool read_line(FILE *f, char **line, size_t *cap) {
    ssize_t n = getline(line, cap, f);
    if (n > 0 && (*line)[n - 1] == '\n') (*line)[n - 1] = '\0';
    return n >= 0;
}

size_t catalogue_play_file(struct catalogue *c, const char *path) {
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *subject = NULL, *body = NULL, *want = NULL;
    size_t caps[3] = {0, 0, 0}, played = 0;
    while (read_line(f, &subject, &caps[0])) {
        if (subject[0] == '#') continue;
        assert_true(read_line(f, &body, &caps[1]) && read_line(f, &want, &caps[2]));
        assert_true(strncmp(subject, "> ", 2) == 0 && strncmp(body, "  ", 2) == 0 && strncmp(want, "< ", 2) == 0);
        expect_answer(c, subject + 2, body + 2, want + 2);
        played++;
    }
    free(subject);
    free(body);
    free(want);
    fclose(f);
    return played;
}
