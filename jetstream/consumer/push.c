// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Push: when it may send, flow control, idle heartbeats, the rate limit (spec/jetstream-consumers.md 12, 7.4).
#include "jetstream/consumer/consumer_impl.h"

#include "server/base/assert.h"
#include "server/base/encode.h"

bool push_may_send(const struct mg_js_consumer *c) {
    const struct mg_js_push *p = c->push;
    return p->active && (!c->rules->flow_control || p->out <= p->window);
}

void mg_js_consumer_active(struct mg_js_consumer *c, int64_t now, bool active) {
    struct mg_js_push *p = c->push;
    if (p == NULL || p->active == active) return;
    p->active = active;
    p->next_heartbeat = active && c->rules->idle_heartbeat > 0 ? consumer_later(now, c->rules->idle_heartbeat)
                                                               : MG_JS_NEVER;
    c->used = now;
    consumer_arm_inactive(c, now);
}

// ---- flow control ---------------------------------------------------------------------------------------------------

void push_flow_subject(const struct mg_js_consumer *c, struct mg_buf *out) {
    const struct mg_js_consumer_env *env = c->env;
    mg_buf_adds(out, "$JS.FC.");
    if (env->account.n > 0) {
        mg_buf_add_slice(out, env->domain.n > 0 ? env->domain : MG_S("_"));
        mg_buf_addc(out, '.');
        mg_buf_add_slice(out, env->account);
        mg_buf_addc(out, '.');
    }
    mg_buf_add_slice(out, env->stream);
    mg_buf_addc(out, '.');
    mg_buf_add_slice(out, consumer_name(c));
    mg_buf_add(out, c->push->flow_id, MG_JS_FLOW_ID_MAX);
}

static void new_flow_id(struct mg_js_consumer *c) {
    c->push->flow_id[0] = '.';
    mg_base62_digits(c->push->flow_id + 1, MG_JS_FLOW_ID_MAX - 1, c->env->ops->random(c->app));
}

static void ask(struct mg_js_consumer *c) {
    c->push->asked = c->push->out;
    new_flow_id(c);
    c->env->reply.len = 0;
    push_flow_subject(c, &c->env->reply);
    c->env->ops->send(c->app, c->rules->deliver_subject, mg_buf_slice(&c->env->reply),
                      MG_S("NATS/1.0 100 FlowControl Request\r\n\r\n"));
}

void push_sent(struct mg_js_consumer *c, int64_t now, size_t size) {
    struct mg_js_push *p = c->push;
    if (c->rules->idle_heartbeat > 0) p->next_heartbeat = consumer_later(now, c->rules->idle_heartbeat);
    if (!c->rules->flow_control) return;
    p->out += (int64_t)size;
    if (p->flow_id[0] == 0) {
        if (p->out > p->window / 2) ask(c);
    } else if (p->out - p->asked >= p->window) {
        p->asked += (int64_t)size;
    }
}

void mg_js_consumer_flow(struct mg_js_consumer *c, int64_t now, mg_slice subject) {
    struct mg_js_push *p = c->push;
    (void)now;
    if (p == NULL || p->flow_id[0] == 0) return;
    c->env->reply.len = 0;
    push_flow_subject(c, &c->env->reply);
    if (!mg_slice_eq(subject, mg_buf_slice(&c->env->reply))) return; // not the latest
    p->window = p->window * 2 < MG_JS_FLOW_WINDOW_MAX ? p->window * 2 : MG_JS_FLOW_WINDOW_MAX;
    p->out = p->out > p->asked ? p->out - p->asked : 0;
    p->asked = 0;
    p->flow_id[0] = 0;
    c->no_taker = false;
}

// ---- time -----------------------------------------------------------------------------------------------------------

int64_t push_rate(struct mg_js_consumer *c, int64_t now, size_t size) {
    struct mg_js_push *p = c->push;
    if (c->rules->rate_limit == 0) return 0;
    // Fractions of bytes count, exactness beyond 2^53 does not.
    double rate = (double)c->rules->rate_limit / 8 / (double)MG_JS_SECOND, burst = (double)c->rules->rate_burst;
    p->bucket += (double)(now - p->bucket_time) * rate;
    if (p->bucket > burst) p->bucket = burst;
    p->bucket_time = now;
    double need = (double)size < burst ? (double)size : burst; // what is larger than the bucket takes a full one
    if (p->bucket >= need) {
        p->bucket -= (double)size;
        return 0;
    }
    double wait = (need - p->bucket) / rate;
    return wait < 1e18 ? consumer_later(now, (int64_t)wait + 1) : MG_JS_NEVER;
}

void push_tick(struct mg_js_consumer *c, int64_t now) {
    struct mg_js_push *p = c->push;
    if (p == NULL || p->next_heartbeat > now) return;
    mg_assert(p->active);
    consumer_heartbeat(c, c->rules->deliver_subject);
    p->next_heartbeat = consumer_later(now, c->rules->idle_heartbeat);
}
