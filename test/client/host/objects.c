// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "test/client/host/live.h"

#include <stdlib.h>

#define BUCKET MIDGE_STR("FILES")

static int make(live *t, midge_op *op) {
    return RUN(op, midge_objects_create(t->m, op, &(midge_objects_config){.bucket = BUCKET}));
}

static int drop(live *t, midge_op *op) {
    int err = RUN(op, midge_objects_delete(t->m, op, BUCKET));
    midge_op_free(op);
    return err;
}

static int put(live *t, midge_op *op, midge_str name, const void *data, size_t len, uint64_t chunk) {
    const midge_object meta = {.name = name, .max_chunk_size = chunk};
    const midge_object_source source = {.data = data, .len = len};
    return RUN(op, midge_object_put(t->m, op, BUCKET, &meta, &source));
}

static int get(live *t, midge_op *op, midge_str name) {
    return RUN(op, midge_object_get(t->m, op, BUCKET, name, 0, NULL, NULL));
}

static uint8_t *pattern(size_t n) {
    uint8_t *p = malloc(n);
    uint32_t v = 12345;
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)((v = v * 1664525 + 1013904223) >> 24);
    return p;
}

static const char *round_trip(live *t) {
    enum { SIZE = 5 * 1000 * 1000 + 17 };
    midge_op op = {0};
    uint8_t *data = pattern(SIZE);
    CHECK(make(t, &op) == 0 && make(t, &op) == 0);
    CHECK(put(t, &op, MIDGE_STR("big file, with ü"), data, SIZE, 0) == 0);
    CHECK(op.object.size == SIZE && op.object.chunks == (SIZE + 131071) / 131072 && op.object.revision > 0);
    CHECK(get(t, &op, MIDGE_STR("big file, with ü")) == 0);
    CHECK(op.data.n == SIZE && memcmp(op.data.p, data, SIZE) == 0);
    CHECK(op.object.time > 1700000000 * MIDGE_SECOND && op.object.nuid.n == 22);
    CHECK(put(t, &op, MIDGE_STR("empty"), NULL, 0, 0) == 0 && op.object.chunks == 0);
    CHECK(get(t, &op, MIDGE_STR("empty")) == 0 && op.data.n == 0);
    CHECK(RUN(&op, midge_object_get(t->m, &op, BUCKET, MIDGE_STR("big file, with ü"), 1000, NULL, NULL)) ==
          MIDGE_ETOOLARGE);
    // Replaced: the old chunks are gone.
    CHECK(put(t, &op, MIDGE_STR("big file, with ü"), "small", 5, 2) == 0 && op.object.chunks == 3);
    CHECK(RUN(&op, midge_objects_info(t->m, &op, BUCKET)) == 0 && op.stream.state.messages == 2 + 3);
    CHECK(get(t, &op, MIDGE_STR("big file, with ü")) == 0 && live_is(op.data, "small"));
    CHECK(get(t, &op, MIDGE_STR("nothing")) == MIDGE_ENOTFOUND);
    CHECK(RUN(&op, midge_objects_list(t->m, &op)) == 0 && op.len == 1 && live_is(op.names[0], "FILES"));
    CHECK(RUN(&op, midge_consumer_names(t->m, &op, MIDGE_STR("OBJ_FILES"))) == 0 && op.len == 0);
    free(data);
    CHECK(drop(t, &op) == 0);
    return NULL;
}

// ---- callbacks ------------------------------------------------------------------------------------------------------

typedef struct file {
    const uint8_t *data;
    size_t n, at, piece;
    int64_t fails_at;
    int refuses;
} file;

static int64_t read_file(void *user, void *buf, size_t size) {
    file *f = user;
    size_t n = f->n - f->at;
    if (f->fails_at && (int64_t)f->at >= f->fails_at) return MIDGE_EPERMISSION;
    if (n > f->piece) n = f->piece;
    if (n > size) n = size;
    memcpy(buf, f->data + f->at, n);
    f->at += n;
    return (int64_t)n;
}

static int compare_file(void *user, const void *data, size_t len) {
    file *f = user;
    if (f->refuses) return f->refuses;
    if (len > f->n - f->at || memcmp(f->data + f->at, data, len) != 0) return MIDGE_EPROTO;
    f->at += len;
    return 0;
}

static const char *streaming(live *t) {
    enum { SIZE = 1000 * 1000 };
    midge_op op = {0};
    uint8_t *data = pattern(SIZE);
    file in = {.data = data, .n = SIZE, .piece = 777}, out = {.data = data, .n = SIZE};
    const midge_object meta = {.name = MIDGE_STR("s"), .description = MIDGE_STR("d"), .max_chunk_size = 10000,
                               .headers = MIDGE_STR("{\"Content-Type\":[\"text/plain\"]}"),
                               .metadata = (const midge_pair[]){{MIDGE_STR("k"), MIDGE_STR("v")}}, .metadata_len = 1};
    midge_object_source source = {.read = read_file, .user = &in};
    CHECK(make(t, &op) == 0);
    CHECK(RUN(&op, midge_object_put(t->m, &op, BUCKET, &meta, &source)) == 0 && op.object.chunks == 100);
    CHECK(RUN(&op, midge_object_get(t->m, &op, BUCKET, MIDGE_STR("s"), 0, compare_file, &out)) == 0);
    CHECK(out.at == SIZE && op.data.n == 0);
    CHECK(live_is(op.object.description, "d") && op.object.metadata_len == 1);
    CHECK(live_is(op.object.metadata[0].value, "v"));
    CHECK(live_is(op.object.headers, "{\"Content-Type\":[\"text/plain\"]}") && op.object.max_chunk_size == 10000);
    out = (file){.refuses = MIDGE_ENOMEM};
    CHECK(RUN(&op, midge_object_get(t->m, &op, BUCKET, MIDGE_STR("s"), 0, compare_file, &out)) == MIDGE_ENOMEM);
    // A source that fails leaves the old object, and no chunks.
    in = (file){.data = data, .n = SIZE, .piece = 5000, .fails_at = 500000};
    CHECK(RUN(&op, midge_object_put(t->m, &op, BUCKET, &meta, &source)) == MIDGE_EPERMISSION);
    CHECK(RUN(&op, midge_objects_info(t->m, &op, BUCKET)) == 0 && op.stream.state.messages == 101);
    out = (file){.data = data, .n = SIZE};
    CHECK(RUN(&op, midge_object_get(t->m, &op, BUCKET, MIDGE_STR("s"), 0, compare_file, &out)) == 0 && out.at == SIZE);
    free(data);
    CHECK(drop(t, &op) == 0);
    return NULL;
}

// A chunk that was changed behind the store's back is found.
static const char *corrupted(live *t) {
    midge_op op = {0}, info = {0};
    const midge_msg *reply;
    char subject[64];
    CHECK(make(t, &op) == 0 && put(t, &op, MIDGE_STR("x"), "0123456789", 10, 5) == 0);
    snprintf(subject, sizeof subject, "$O.FILES.C.%.*s", (int)op.object.nuid.n, op.object.nuid.p);
    CHECK(RUN(&info, midge_stream_msg_delete(t->m, &info, MIDGE_STR("OBJ_FILES"), 2, false)) == 0);
    CHECK(get(t, &op, MIDGE_STR("x")) == MIDGE_EPROTO); // a piece is missing
    CHECK(midge_request_wait(t->c, midge_cstr(subject), MIDGE_NONE, "56x89", 5, 5000, &reply) == 0);
    CHECK(get(t, &op, MIDGE_STR("x")) == MIDGE_EPROTO); // the digest is another
    CHECK(midge_request_wait(t->c, midge_cstr(subject), MIDGE_NONE, "more", 4, 5000, &reply) == 0);
    CHECK(get(t, &op, MIDGE_STR("x")) == MIDGE_EPROTO); // too much
    midge_op_free(&info);
    CHECK(drop(t, &op) == 0);
    return NULL;
}

// ---- descriptions ---------------------------------------------------------------------------------------------------

static const char *descriptions(live *t) {
    midge_op op = {0};
    CHECK(make(t, &op) == 0 && put(t, &op, MIDGE_STR("a"), "A", 1, 0) == 0);
    CHECK(put(t, &op, MIDGE_STR("b"), "B", 1, 0) == 0);
    CHECK(RUN(&op, midge_object_info(t->m, &op, BUCKET, MIDGE_STR("a"))) == 0 && op.object.size == 1);
    midge_object meta = {.name = MIDGE_STR("b"), .description = MIDGE_STR("new")};
    CHECK(RUN(&op, midge_object_update(t->m, &op, BUCKET, MIDGE_STR("a"), &meta)) == MIDGE_EEXISTS);
    meta.name = MIDGE_STR("c");
    CHECK(RUN(&op, midge_object_update(t->m, &op, BUCKET, MIDGE_STR("a"), &meta)) == 0);
    CHECK(RUN(&op, midge_object_info(t->m, &op, BUCKET, MIDGE_STR("a"))) == MIDGE_ENOTFOUND);
    CHECK(get(t, &op, MIDGE_STR("c")) == 0 && live_is(op.data, "A") && live_is(op.object.description, "new"));
    CHECK(RUN(&op, midge_object_delete(t->m, &op, BUCKET, MIDGE_STR("c"))) == 0);
    CHECK(RUN(&op, midge_object_info(t->m, &op, BUCKET, MIDGE_STR("c"))) == MIDGE_ENOTFOUND && op.object.deleted);
    CHECK(RUN(&op, midge_object_delete(t->m, &op, BUCKET, MIDGE_STR("c"))) == MIDGE_ENOTFOUND);
    CHECK(get(t, &op, MIDGE_STR("c")) == MIDGE_ENOTFOUND);
    CHECK(RUN(&op, midge_object_list(t->m, &op, BUCKET, false)) == 0 && op.len == 1);
    CHECK(live_is(op.objects[0].name, "b"));
    CHECK(RUN(&op, midge_object_list(t->m, &op, BUCKET, true)) == 0 && op.len == 2 && op.objects[1].deleted);
    CHECK(RUN(&op, midge_objects_info(t->m, &op, BUCKET)) == 0 && op.stream.state.messages == 3); // no chunks of c
    CHECK(drop(t, &op) == 0);
    return NULL;
}

static const char *links(live *t) {
    midge_op op = {0};
    const midge_str file_name = MIDGE_STR("file");
    CHECK(make(t, &op) == 0 && put(t, &op, file_name, "bytes", 5, 0) == 0);
    CHECK(RUN(&op, midge_object_link(t->m, &op, BUCKET, MIDGE_STR("link"), BUCKET, file_name)) == 0);
    CHECK(get(t, &op, MIDGE_STR("link")) == 0 && live_is(op.data, "bytes") && live_is(op.object.name, "file"));
    CHECK(RUN(&op, midge_object_link(t->m, &op, BUCKET, MIDGE_STR("l2"), BUCKET, MIDGE_STR("link"))) == MIDGE_EINVAL);
    CHECK(RUN(&op, midge_object_link(t->m, &op, BUCKET, file_name, BUCKET, file_name)) == MIDGE_EEXISTS);
    CHECK(RUN(&op, midge_object_link(t->m, &op, BUCKET, MIDGE_STR("l2"), BUCKET, MIDGE_STR("no"))) == MIDGE_ENOTFOUND);
    CHECK(RUN(&op, midge_object_link(t->m, &op, BUCKET, MIDGE_STR("link"), MIDGE_STR("OTHER"), MIDGE_NONE)) == 0);
    CHECK(RUN(&op, midge_object_info(t->m, &op, BUCKET, MIDGE_STR("link"))) == 0);
    CHECK(live_is(op.object.link_bucket, "OTHER") && !op.object.link_name.n);
    CHECK(get(t, &op, MIDGE_STR("link")) == MIDGE_EINVAL);
    CHECK(RUN(&op, midge_object_delete(t->m, &op, BUCKET, MIDGE_STR("link"))) == 0);
    CHECK(drop(t, &op) == 0);
    return NULL;
}

typedef struct watched {
    int n, markers;
    char names[8][8];
    bool deleted[8], done, stop;
} watched;

static bool on_object(midge *m, midge_op *op, const midge_object *object) {
    watched *w = op->user;
    (void)m;
    if (!object) w->markers++;
    if (object && w->n < 8) {
        snprintf(w->names[w->n], sizeof *w->names, "%.*s", (int)object->name.n, object->name.p);
        w->deleted[w->n++] = object->deleted;
    }
    w->done = true;
    return !w->stop;
}

static bool until(live *t, watched *w, int n, int markers) {
    for (int i = 0; i < 5000 && (w->n < n || w->markers < markers); i++) midge_poll(t->c, 1);
    return w->n == n && w->markers == markers;
}

static const char *watch(live *t) {
    watched w = {0}, u = {0};
    midge_op op = {0}, all = {.user = &w}, news = {.user = &u};
    CHECK(make(t, &op) == 0 && put(t, &op, MIDGE_STR("a"), "A", 1, 0) == 0);
    CHECK(put(t, &op, MIDGE_STR("b"), "B", 1, 0) == 0);
    CHECK(midge_object_watch(t->m, &all, BUCKET, false, on_object) == 0);
    CHECK(midge_object_watch(t->m, &news, BUCKET, true, on_object) == 0);
    CHECK(until(t, &w, 2, 1) && until(t, &u, 0, 1));
    CHECK(put(t, &op, MIDGE_STR("c"), "C", 1, 0) == 0);
    CHECK(RUN(&op, midge_object_delete(t->m, &op, BUCKET, MIDGE_STR("a"))) == 0);
    CHECK(until(t, &w, 4, 1) && until(t, &u, 2, 1));
    CHECK(strcmp(w.names[2], "c") == 0 && strcmp(u.names[1], "a") == 0 && u.deleted[1] && !u.deleted[0]);
    midge_op_cancel(&all);
    u.stop = true;
    CHECK(put(t, &op, MIDGE_STR("d"), "D", 1, 0) == 0);
    CHECK(live_wait(t, &news) == 0 && u.n == 3 && w.n == 4);
    midge_op_free(&news);
    CHECK(drop(t, &op) == 0);
    return NULL;
}

static const char *sealed(live *t) {
    midge_op op = {0};
    CHECK(make(t, &op) == 0 && put(t, &op, MIDGE_STR("a"), "A", 1, 0) == 0);
    CHECK(RUN(&op, midge_objects_seal(t->m, &op, BUCKET)) == 0 && op.stream.config.sealed);
    CHECK(put(t, &op, MIDGE_STR("b"), "B", 1, 0) == MIDGE_EJETSTREAM && op.error.err_code > 0);
    CHECK(get(t, &op, MIDGE_STR("a")) == 0 && live_is(op.data, "A"));
    CHECK(RUN(&op, midge_object_delete(t->m, &op, BUCKET, MIDGE_STR("a"))) == MIDGE_EJETSTREAM);
    CHECK(drop(t, &op) == 0);
    return NULL;
}

// With a send buffer that no chunk fits, chunks become smaller.
static const char *small_buffer(live *t) {
    enum { SIZE = 300000 };
    char err[256];
    const midge_options o = {.servers = t->url, .send_size = 4096, .send_max = 4096};
    midge_conn *c = midge_connect(&o, err, sizeof err);
    CHECK(c);
    midge_op op = {0}, slow = {0};
    uint8_t *data = pattern(SIZE);
    const midge_object meta = {.name = MIDGE_STR("f")};
    const midge_object_source source = {.data = data, .len = SIZE};
    CHECK(make(t, &op) == 0);
    CHECK(midge_object_put(midge_engine(c), &slow, BUCKET, &meta, &source) == 0);
    CHECK(midge_wait(c, &slow.done, 20000) == 0 && slow.err == 0 && slow.object.chunks > SIZE / 4096);
    CHECK(get(t, &op, MIDGE_STR("f")) == 0 && op.data.n == SIZE && memcmp(op.data.p, data, SIZE) == 0);
    midge_op_free(&slow);
    midge_conn_free(c);
    free(data);
    CHECK(drop(t, &op) == 0);
    return NULL;
}

const live_test object_tests[] = {
    {"jetstream", "objects there and back", round_trip}, {"jetstream", "objects by callbacks", streaming},
    {"jetstream", "corrupted objects", corrupted},       {"jetstream", "descriptions of objects", descriptions},
    {"jetstream", "links", links},                       {"jetstream", "watch of objects", watch},
    {"jetstream", "sealed bucket", sealed},              {"jetstream", "small send buffer", small_buffer},
    {0},
};
