// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the consumers of a stream have in common. A hundred thousand of them are seldom a hundred thousand different
// ones: they differ in name and filters. So these are each consumer's own, and the rest of the configuration is kept
// once for all that have the same, together with the rules that follow from it.
#ifndef MG_JETSTREAM_STREAM_TERMS_H
#define MG_JETSTREAM_STREAM_TERMS_H

#include "jetstream/api/consumer_config.h"
#include "jetstream/consumer/rules.h"
#include "server/base/list.h"
#include "server/router/sublist.h"
#include "server/router/table.h"

// Shared: never changed, counted. The table's, which has each once.
struct mg_js_terms {
    struct mg_js_consumer_config config; // without what is the consumers' own; owns what rules borrow
    struct mg_js_consumer_rules rules;
    uint64_t hash;
    size_t refs;
};

// config is moved, without what mg_js_own_take has taken. durable: what that said. burst: of a rate limit, in bytes.
struct mg_js_terms *mg_js_terms_take(struct mg_table *t, struct mg_js_consumer_config *config, bool durable,
                                     uint64_t burst);
void mg_js_terms_drop(struct mg_table *t, struct mg_js_terms *terms);

// A consumer's own part. Its filters are entries of the stream's index (each owned; chained by `next` in the order of
// the configuration); where a filter is `>`, all of them stay in the terms: it is as if there were none.
struct mg_js_own {
    struct mg_sub *first; // NULL: no filters
    union {
        mg_slice one;     // the text of `first`
        mg_slice *all;    // owned; of several
        struct mg_list unfiltered; // without filters: where it is entered instead
    };
    uint32_t n;           // filters
    bool list;            // they stand in filter_subjects
    bool named, durable;  // the configuration has the consumer's name as name, as durable_name
};

// Moves it out of the configuration. owner: of the entries.
void mg_js_own_take(struct mg_js_own *own, struct mg_js_consumer_config *config, mg_slice name, void *owner);
void mg_js_own_fini(struct mg_js_own *own); // the entries are in no index
// The whole configuration again, all of it borrowed.
struct mg_js_consumer_config mg_js_own_config(const struct mg_js_own *own, const struct mg_js_terms *terms,
                                              mg_slice name);
void mg_js_own_enter(struct mg_js_own *own, struct mg_sublist *index, struct mg_list *unfiltered);
void mg_js_own_leave(struct mg_js_own *own, struct mg_sublist *index);
bool mg_js_own_matches(const struct mg_js_own *own, mg_slice subject); // without filters: all
bool mg_js_own_same_filters(const struct mg_js_own *a, const struct mg_js_own *b);
static inline const mg_slice *mg_js_own_filters(const struct mg_js_own *own) {
    return own->n > 1 ? own->all : &own->one;
}

#endif
