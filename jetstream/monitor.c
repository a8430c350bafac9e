// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/monitor.h"

#include <stdlib.h>

#include "jetstream/request/request.h"
#include "jetstream/stream/member.h"
#include "server/base/mem.h"

struct mg_js_sums mg_js_sums(struct mg_js *js) {
    struct mg_js_sums sum = {.streams = js->nstreams};
    mg_js_account(js);
    for (size_t i = 0; i < js->nstreams; i++) {
        sum.consumers += mg_js_stream_consumers(js->streams[i]);
        sum.messages += mg_stream_messages(js->streams[i]->store);
        sum.bytes += mg_stream_bytes(js->streams[i]->store);
    }
    return sum;
}

size_t mg_js_streams_behind(const struct mg_js *js, mg_slice after, struct mg_js_stream **out, size_t max) {
    size_t lo = 0, hi = js->nstreams, n = 0;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (mg_slice_cmp(mg_js_stream_name(js->streams[mid]), after) <= 0) lo = mid + 1;
        else hi = mid;
    }
    while (lo < js->nstreams && n < max) out[n++] = js->streams[lo++];
    return n;
}

struct gathering {
    struct mg_js_member **v;
    size_t n;
};

static void gather(void *arg, struct mg_js_member *m) {
    struct gathering *g = arg;
    if (m->c) g->v[g->n++] = m;
}

static int by_name(const void *a, const void *b) {
    struct mg_js_member *const *x = a, *const *y = b;
    return mg_slice_cmp(mg_js_member_name(*x), mg_js_member_name(*y));
}

// Those that are asleep are not woken to be looked at.
static void write_consumers(struct mg_jw *w, struct mg_js_stream *s, bool config) {
    struct gathering g = {mg_alloc((mg_js_stream_consumers(s) + 1) * sizeof(struct mg_js_member *)), 0};
    if (s->members) mg_js_members_each(s->members, gather, &g);
    qsort(g.v, g.n, sizeof(g.v[0]), by_name);
    if (g.n > 0) {
        mg_jw_key(w, "consumer_detail");
        mg_jw_arr(w);
        for (size_t i = 0; i < g.n; i++) {
            struct mg_js_consumer_config whole;
            struct mg_js_consumer_info info = mg_js_member_tell(g.v[i], &whole);
            info.version = NULL;
            info.hide_config = !config;
            mg_jw_obj(w);
            mg_js_write_consumer_info(w, &info);
            mg_jw_end_obj(w);
        }
        mg_jw_end_arr(w);
    }
    mg_free(g.v);
}

void mg_js_write_stream_detail(struct mg_jw *w, struct mg_js_stream *s, bool config, bool consumers) {
    struct mg_js_stream_state st = mg_js_stream_glance(s);
    mg_jw_obj(w);
    mg_js_write_slice(w, "name", mg_js_stream_name(s));
    mg_js_write_time(w, "created", mg_stream_created(s->store));
    mg_jw_key(w, "cluster");
    mg_jw_obj(w);
    mg_js_write_slice(w, "leader", s->js->server_name);
    mg_jw_end_obj(w);
    if (config) {
        mg_jw_key(w, "config");
        mg_js_stream_write(&s->config, w);
    }
    mg_js_write_stream_state(w, &st);
    if (consumers) write_consumers(w, s, config);
    mg_jw_end_obj(w);
}

struct mg_js_stream_figures mg_js_stream_figures(struct mg_js_stream *s) {
    struct mg_js_stream_state st = mg_js_stream_glance(s);
    return (struct mg_js_stream_figures){mg_js_stream_name(s), st.messages,     st.bytes, st.first_seq,
                                         st.last_seq,          st.num_subjects, st.consumers};
}

bool mg_js_has(const struct mg_js *js, mg_slice stream, mg_slice consumer) {
    struct mg_js_stream *s = mg_js_find(js, stream);
    if (s == NULL || s->deleting) return false;
    return consumer.n == 0 || mg_js_member_find(s, consumer) || mg_js_sleeper_find(s, consumer);
}
