// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What a consumer reads from outside. The first byte says what the rest is: a state and deltas from disk, the subject
// or payload of an acknowledgement, a pull request. A state that is accepted must come out the same when it is written
// again, and must take what it accepts of further deltas without breaking a promise.
#include <stdint.h>

#include "jetstream/consumer/ack.h"
#include "jetstream/consumer/request.h"
#include "jetstream/consumer/state.h"
#include "server/base/assert.h"
#include "server/base/errors.h"
#include "server/base/mem.h"

static void check_sound(struct mg_js_state *s) {
    const struct mg_js_entry *first = mg_js_pending_first(&s->pending);
    mg_assert(s->floor.seq <= s->delivered.seq && s->floor.dseq <= s->delivered.dseq);
    mg_assert(first == NULL || (first->seq > s->floor.seq && first->dseq > s->floor.dseq));
    mg_assert(mg_js_state_skip_head(s) == 0 || mg_js_state_skip_head(s) > s->delivered.seq);
    struct mg_buf a = MG_BUF_INIT, b = MG_BUF_INIT;
    struct mg_js_state t;
    mg_js_state_encode(s, &a);
    mg_assert(mg_js_state_decode(&t, mg_buf_slice(&a)) == 0);
    mg_js_state_encode(&t, &b);
    mg_assert(mg_slice_eq(mg_buf_slice(&a), mg_buf_slice(&b)));
    mg_js_state_fini(&t);
    mg_buf_fini(&a);
    mg_buf_fini(&b);
}

static void fuzz_state(mg_slice in) {
    struct mg_js_state s;
    if (in.n == 0) return;
    // The second byte divides the rest into a state and deltas.
    size_t n = (uint8_t)in.p[0] < in.n - 1 ? (uint8_t)in.p[0] : in.n - 1;
    if (mg_js_state_decode(&s, mg_slice_of(in.p + 1, n)) != 0) mg_js_state_init(&s, 1, n % 2 == 0);
    check_sound(&s);
    int rc = mg_js_state_replay(&s, mg_slice_of(in.p + 1 + n, in.n - 1 - n));
    mg_assert(rc == 0 || rc == MG_ECORRUPT);
    check_sound(&s);
    mg_js_pending_expire(&s.pending, INT64_MAX / 2);
    check_sound(&s);
    mg_js_state_fini(&s);
}

static void fuzz_subject(mg_slice in) {
    struct mg_js_ack_subject a, again;
    if (!mg_js_ack_parse(in, &a)) return;
    struct mg_buf b = MG_BUF_INIT;
    mg_js_ack_prefix(&b, a.domain, a.account, a.stream, a.consumer);
    mg_js_ack_numbers(&b, &a);
    mg_assert(mg_js_ack_parse(mg_buf_slice(&b), &again));
    mg_assert(again.seq == a.seq && again.dseq == a.dseq && again.pending == a.pending && again.time == a.time);
    mg_assert(mg_slice_eq(again.consumer, a.consumer) || a.account.n + a.domain.n == 0);
    mg_buf_fini(&b);
}

static void fuzz_request(mg_slice in) {
    struct mg_js_request r;
    struct mg_buf err = MG_BUF_INIT;
    int rc = mg_js_request_read(in, &r, &err);
    mg_assert(rc == 0 ? err.len == 0 : rc == MG_ESYNTAX && err.len > 0);
    mg_assert(r.group.n + r.id.n <= r.strings.len);
    mg_js_request_fini(&r);
    mg_buf_fini(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    mg_slice rest = mg_slice_of((const char *)data + 1, size - 1);
    switch (data[0]) {
    case 'a': fuzz_subject(rest); break;
    case 'p': mg_js_ack_read(rest); break;
    case 'r': fuzz_request(rest); break;
    default: fuzz_state(rest); break;
    }
    return 0;
}
