// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Where a new consumer begins (spec/jetstream-consumers.md 5): what has to be asked of the stream, and what follows
// from the answer. Pure; the choice is made once, and the state remembers it.
#ifndef MG_JETSTREAM_CONSUMER_START_H
#define MG_JETSTREAM_CONSUMER_START_H

#include <stdint.h>

#include "jetstream/consumer/rules.h"

enum mg_js_start_ask {
    MG_JS_START_KNOWN,        // nothing to ask
    MG_JS_START_LAST_MATCH,   // the highest number of a message that matches a filter; 0: none
    MG_JS_START_FIRST_AT,     // the number of the first message stored at `time` or later; 0: none
    MG_JS_START_LAST_SUBJECTS // for each subject that matches: the number of its last message, ascending. They become
                              // the skip list (mg_js_state_skip_list), last + 1 is where it goes on
};

struct mg_js_start {
    enum mg_js_start_ask ask;
    int64_t time;  // FIRST_AT
};

// filtered: it has filters. per_subject: the stream's max_msgs_per_subject.
struct mg_js_start mg_js_start_plan(const struct mg_js_consumer_rules *r, bool filtered, int64_t per_subject);
// The number to begin with. found: the answer; of LAST_SUBJECTS the lowest number, 0: none.
uint64_t mg_js_start_at(const struct mg_js_consumer_rules *r, struct mg_js_start plan, uint64_t stream_first,
                        uint64_t stream_last, uint64_t found);

#endif
