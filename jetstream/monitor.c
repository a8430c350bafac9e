// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/monitor.h"

#include "jetstream/request/request.h"
#include "jetstream/stream/member.h"

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

void mg_js_write_stream_detail(struct mg_jw *w, struct mg_js_stream *s, bool config) {
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
}

void mg_js_write_consumer_detail(struct mg_jw *w, struct mg_js_member *m, bool config) {
    struct mg_js_consumer_config whole;
    struct mg_js_consumer_info info = mg_js_member_tell(m, &whole);
    info.version = NULL;
    info.hide_config = !config;
    mg_jw_obj(w);
    mg_js_write_consumer_info(w, &info);
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
