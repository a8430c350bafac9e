// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/monitor/render.h"

void mg_put_sub(struct mg_jw *w, const struct mg_sub_row *s) {
    mg_jw_obj(w);
    mg_opt_slice(w, "account", s->account);
    mg_opt_slice(w, "account_tag", s->account_tag);
    mg_put_slice(w, "subject", s->subject);
    mg_opt_slice(w, "qgroup", s->queue);
    mg_put_slice(w, "sid", s->sid);
    mg_jw_kuint(w, "msgs", s->msgs);
    mg_opt_uint(w, "max", s->max);
    mg_jw_kuint(w, "cid", s->cid);
    mg_jw_end_obj(w);
}

static double ratio(uint64_t a, uint64_t b) { return b != 0 ? (double)a / (double)b : 0; }

void mg_put_sublist(struct mg_jw *w, const struct mg_sublist_counts *c) {
    mg_jw_kuint(w, "num_subscriptions", c->num_subs);
    mg_jw_kuint(w, "num_cache", c->num_cache);
    mg_jw_kuint(w, "num_inserts", c->num_inserts);
    mg_jw_kuint(w, "num_removes", c->num_removes);
    mg_jw_kuint(w, "num_matches", c->num_matches);
    mg_put_float(w, "cache_hit_rate", ratio(c->cache_hits, c->num_matches));
    mg_jw_kuint(w, "max_fanout", c->max_fanout);
    mg_put_float(w, "avg_fanout", ratio(c->fanout_total, c->num_cache));
}
