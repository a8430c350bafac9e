// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "jetstream/api/info.h"

#define LOST_TOLD 4096u // numbers of lost messages in an answer

// ---- streams ------------------------------------------------------------------------------------------------------

static void leave_out(struct mg_jw *w, const char *key, size_t *at) {
    if (at == NULL) return;
    mg_jw_key(w, key);
    mg_jw_raw(w, mg_slice_of(NULL, 0));
    *at = w->out->len;
}

// How many bytes they had nobody knows. A range may name some that are not lost, where there are many ranges.
static void write_lost(struct mg_jw *w, const struct mg_js_stream_state *s) {
    uint64_t first, last, told = 0;
    if (s->lost == 0) return;
    mg_jw_key(w, "lost");
    mg_jw_obj(w);
    mg_jw_key(w, "msgs");
    mg_jw_arr(w);
    for (unsigned i = 0; told < LOST_TOLD && s->lost_range(s->lost_arg, i, &first, &last); i++)
        for (; told < LOST_TOLD && first <= last; first++, told++) mg_jw_uint(w, first);
    mg_jw_end_arr(w);
    mg_jw_kuint(w, "bytes", 0);
    mg_jw_end_obj(w);
}

// spec/jetstream-streams.md 7
void mg_js_write_stream_state(struct mg_jw *w, const struct mg_js_stream_state *s) {
    mg_jw_key(w, "state");
    mg_jw_obj(w);
    mg_jw_kuint(w, "messages", s->messages);
    mg_jw_kuint(w, "bytes", s->bytes);
    mg_jw_kuint(w, "first_seq", s->first_seq);
    mg_js_write_time(w, "first_ts", s->first_time);
    mg_jw_kuint(w, "last_seq", s->last_seq);
    mg_js_write_time(w, "last_ts", s->last_time);
    if (s->num_subjects > 0) mg_jw_kuint(w, "num_subjects", s->num_subjects);
    leave_out(w, "subjects", s->subjects_at);
    if (s->num_deleted > 0) mg_jw_kuint(w, "num_deleted", s->num_deleted);
    leave_out(w, "deleted", s->deleted_at);
    write_lost(w, s);
    mg_jw_kuint(w, "consumer_count", s->consumers);
    mg_jw_end_obj(w);
}

static void write_transforms(struct mg_jw *w, const struct mg_js_source *s) {
    if (s->subject_transforms.n == 0) return;
    mg_jw_key(w, "subject_transforms");
    mg_jw_arr(w);
    for (size_t i = 0; i < s->subject_transforms.n; i++)
        mg_shape_write(&mg_js_transform_shape, &s->subject_transforms.v[i], w);
    mg_jw_end_arr(w);
}

static void write_source(struct mg_jw *w, const struct mg_js_source_info *info) {
    const struct mg_js_source *s = info->source;
    mg_jw_obj(w);
    mg_js_write_slice(w, "name", s->name);
    if (s->external != NULL) {
        mg_jw_key(w, "external");
        mg_shape_write(&mg_js_external_shape, s->external, w);
    }
    mg_jw_kuint(w, "lag", info->lag);
    mg_jw_kint(w, "active", info->active);
    if (info->error != NULL) {
        mg_jw_key(w, "error");
        mg_js_error_write(info->error, w);
    }
    if (s->filter_subject.n > 0) mg_js_write_slice(w, "filter_subject", s->filter_subject);
    write_transforms(w, s);
    mg_jw_end_obj(w);
}

static void write_origins(struct mg_jw *w, const struct mg_js_stream_info *info) {
    if (info->mirror != NULL) {
        mg_jw_key(w, "mirror");
        write_source(w, info->mirror);
    }
    if (info->nsources == 0) return;
    mg_jw_key(w, "sources");
    mg_jw_arr(w);
    for (size_t i = 0; i < info->nsources; i++) write_source(w, &info->sources[i]);
    mg_jw_end_arr(w);
}

void mg_js_write_stream_info(struct mg_jw *w, const struct mg_js_stream_info *info) {
    mg_jw_key(w, "config");
    if (info->version != NULL) mg_js_stream_write_answer(info->config, info->version, w);
    else mg_js_stream_write(info->config, w);
    mg_js_write_time(w, "created", info->created);
    mg_js_write_stream_state(w, &info->state);
    if (info->domain.n > 0) mg_js_write_slice(w, "domain", info->domain);
    if (info->leader.n > 0) {
        mg_jw_key(w, "cluster");
        mg_jw_obj(w);
        mg_js_write_slice(w, "leader", info->leader);
        mg_jw_end_obj(w);
    }
    write_origins(w, info);
    mg_js_write_time(w, "ts", info->now);
}

// ---- consumers ----------------------------------------------------------------------------------------------------

static void write_sequence(struct mg_jw *w, const char *key, const struct mg_js_sequence_info *s) {
    mg_jw_key(w, key);
    mg_jw_obj(w);
    mg_jw_kuint(w, "consumer_seq", s->consumer_seq);
    mg_jw_kuint(w, "stream_seq", s->stream_seq);
    if (s->last_active != INT64_MIN) mg_js_write_time(w, "last_active", s->last_active);
    mg_jw_end_obj(w);
}

// Only the first group has a state; when nobody is pinned its time is the zero time.
static void write_groups(struct mg_jw *w, const struct mg_js_consumer_info *info) {
    if (info->config->priority_groups.n == 0) return;
    mg_jw_key(w, "priority_groups");
    mg_jw_arr(w);
    mg_jw_obj(w);
    mg_js_write_slice(w, "group", info->config->priority_groups.v[0]);
    if (info->pinned_client.n > 0) mg_js_write_slice(w, "pinned_client_id", info->pinned_client);
    mg_js_write_time(w, "pinned_ts", info->pinned_client.n > 0 ? info->pinned_time : INT64_MIN);
    mg_jw_end_obj(w);
    mg_jw_end_arr(w);
}

static void write_config(struct mg_jw *w, const struct mg_js_consumer_info *info) {
    mg_jw_key(w, "config");
    if (info->version != NULL) mg_js_consumer_write_answer(info->config, info->version, w);
    else mg_js_consumer_write(info->config, w);
}

// spec/jetstream-consumers.md 13
void mg_js_write_consumer_info(struct mg_jw *w, const struct mg_js_consumer_info *info) {
    mg_js_write_slice(w, "stream_name", info->stream);
    mg_js_write_slice(w, "name", info->name);
    mg_js_write_time(w, "created", info->created);
    if (!info->hide_config) write_config(w, info);
    write_sequence(w, "delivered", &info->delivered);
    write_sequence(w, "ack_floor", &info->ack_floor);
    mg_jw_kuint(w, "num_ack_pending", info->num_ack_pending);
    mg_jw_kuint(w, "num_redelivered", info->num_redelivered);
    mg_jw_kuint(w, "num_waiting", info->num_waiting);
    mg_jw_kuint(w, "num_pending", info->num_pending);
    if (info->push_bound) mg_jw_kbool(w, "push_bound", true);
    if (info->paused) mg_jw_kbool(w, "paused", true);
    if (info->pause_remaining != 0) mg_jw_kint(w, "pause_remaining", info->pause_remaining);
    mg_js_write_time(w, "ts", info->now);
    write_groups(w, info);
}

void mg_js_reply_pause(struct mg_buf *out, const struct mg_js_pause *p) {
    struct mg_buf until = MG_BUF_INIT;
    mg_js_time_print(&until, p->until.set ? p->until : mg_js_time_of_ns(INT64_MIN));
    struct mg_jw w;
    mg_js_reply_begin(&w, out, MG_JS_REPLY_CONSUMER_PAUSE);
    mg_jw_kbool(&w, "paused", p->paused);
    mg_js_write_slice(&w, "pause_until", mg_buf_slice(&until));
    if (p->remaining != 0) mg_jw_kint(&w, "pause_remaining", p->remaining);
    mg_js_reply_end(&w);
    mg_buf_fini(&until);
}

// ---- the account --------------------------------------------------------------------------------------------------

static void write_limits(struct mg_jw *w, const struct mg_js_account_info *a) {
    mg_jw_key(w, "limits");
    mg_jw_obj(w);
    mg_jw_kint(w, "max_memory", a->max_memory);
    mg_jw_kint(w, "max_storage", a->max_storage);
    mg_jw_kint(w, "max_streams", a->max_streams);
    mg_jw_kint(w, "max_consumers", a->max_consumers);
    mg_jw_kint(w, "max_ack_pending", a->max_ack_pending);
    mg_jw_kint(w, "memory_max_stream_bytes", a->memory_max_stream_bytes);
    mg_jw_kint(w, "storage_max_stream_bytes", a->storage_max_stream_bytes);
    mg_jw_kbool(w, "max_bytes_required", a->max_bytes_required);
    mg_jw_end_obj(w);
}

// spec/jetstream-streams.md 3
void mg_js_reply_account(struct mg_buf *out, const struct mg_js_account_info *a) {
    struct mg_jw w;
    mg_js_reply_begin(&w, out, MG_JS_REPLY_ACCOUNT_INFO);
    mg_jw_kuint(&w, "memory", a->memory);
    mg_jw_kuint(&w, "storage", a->storage);
    mg_jw_kuint(&w, "reserved_memory", a->reserved_memory);
    mg_jw_kuint(&w, "reserved_storage", a->reserved_storage);
    mg_jw_kuint(&w, "streams", a->streams);
    mg_jw_kuint(&w, "consumers", a->consumers);
    write_limits(&w, a);
    if (a->domain.n > 0) mg_js_write_slice(&w, "domain", a->domain);
    mg_jw_key(&w, "api");
    mg_jw_obj(&w);
    mg_jw_kint(&w, "level", MG_JS_API_LEVEL);
    mg_jw_kuint(&w, "total", a->api_total);
    mg_jw_kuint(&w, "errors", a->api_errors);
    if (a->api_inflight > 0) mg_jw_kuint(&w, "inflight", a->api_inflight);
    mg_jw_end_obj(&w);
    mg_js_reply_end(&w);
}
