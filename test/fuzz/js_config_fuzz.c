// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Bodies of requests to create a stream or a consumer. The first byte says which, and whether it is read strictly. What
// is accepted must come back from its stored form as it was, and pass the same checks unchanged; what is refused must
// say why.
#include <stdlib.h>

#include "jetstream/api/consumer_config.h"
#include "server/base/assert.h"

static const struct mg_js_limits limits = {.duplicate_window = 60000000000, .max_ack_pending = 500};

static const struct mg_js_stream_config *find(void *arg, mg_slice name) {
    (void)name;
    return arg; // every origin is the stream itself
}

static void check_error(int rc, const struct mg_js_error *e) {
    mg_assert((rc == 0) == (e->row == NULL));
    mg_assert(rc == 0 || e->text.len > 0);
}

static void stream(mg_slice body, bool strict) {
    struct mg_js_stream_request r;
    memset(&r, 0, sizeof r);
    struct mg_js_error e = {NULL, MG_BUF_INIT};
    struct mg_js_stream_env env = {&limits, find, &r.config};
    int rc = mg_js_stream_read(&r, body, strict, &e);
    if (rc == 0) rc = mg_js_stream_check(&r.config, &env, r.pedantic, &e);
    check_error(rc, &e);
    if (rc == 0) {
        mg_js_stream_stamp(&r.config);
        struct mg_js_stream_config again;
        struct mg_buf json = MG_BUF_INIT;
        struct mg_jw w;
        mg_jw_init(&w, &json, 0);
        mg_js_stream_write(&r.config, &w);
        mg_assert(mg_js_stream_load(&again, mg_buf_slice(&json)) == 0);
        mg_assert(mg_js_stream_same(&again, &r.config));
        mg_assert(mg_js_stream_check(&again, &env, false, &e) == 0 && mg_js_stream_same(&again, &r.config));
        mg_js_stream_fini(&again);
        mg_buf_fini(&json);
    }
    mg_js_error_fini(&e);
    mg_js_stream_request_fini(&r);
}

static void consumer(mg_slice body, bool strict) {
    const struct mg_js_stream_config s = {.num_replicas = 1, .consumer_limits = {.max_ack_pending = 100}};
    struct mg_js_consumer_request r;
    memset(&r, 0, sizeof r);
    struct mg_js_error e = {NULL, MG_BUF_INIT};
    mg_slice name;
    int rc = mg_js_consumer_read(&r, body, strict, &e);
    if (rc == 0) rc = mg_js_consumer_admit(&r, MG_S("$JS.API.CONSUMER.CREATE.S"), &name, &e);
    if (rc == 0) rc = mg_js_consumer_check(&r.config, &s, &limits, r.pedantic, &e);
    check_error(rc, &e);
    if (rc == 0) {
        mg_js_consumer_stamp(&r.config);
        struct mg_js_consumer_config again;
        struct mg_buf json = MG_BUF_INIT;
        struct mg_jw w;
        mg_jw_init(&w, &json, 0);
        mg_js_consumer_write(&r.config, &w);
        mg_assert(mg_js_consumer_load(&again, mg_buf_slice(&json), true) == 0);
        mg_assert(mg_js_consumer_same(&again, &r.config));
        mg_assert(mg_js_consumer_check(&again, &s, &limits, false, &e) == 0);
        mg_assert(mg_js_consumer_revise(&r.config, &again, true, &e) == 0);
        mg_js_consumer_fini(&again);
        mg_buf_fini(&json);
    }
    mg_js_error_fini(&e);
    mg_js_consumer_request_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || size > 16384) return 0;
    // An exact copy, so that a read behind the body is seen.
    char *body = malloc(size);
    if (body == NULL) return 0;
    memcpy(body, data + 1, size - 1);
    mg_slice text = mg_slice_of(body, size - 1);
    bool strict = (data[0] & 2) != 0;
    if ((data[0] & 1) != 0) stream(text, strict);
    else consumer(text, strict);
    free(body);
    return 0;
}
