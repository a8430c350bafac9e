// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What sublist.c (changes, listing) and sublist_match.c (matches, their lifetime) share. Nobody else includes it.
#ifndef MG_ROUTER_SUBLIST_IMPL_H
#define MG_ROUTER_SUBLIST_IMPL_H

#include "server/router/index.h"
#include "server/router/sublist.h"

// One pattern: the index's entry, and at the same time the finished result for a subject that matches it alone.
// Owner: the index. Lives while it has a subscription.
struct mg_snode {
    struct mg_ixentry e;
    struct mg_match m;
    struct mg_sub *one; // m.plain while it has room for one only
    uint32_t plain_cap; // 1: m.plain is &one
    uint32_t group_cap; // room in m.groups
};

// A result that is not simply a node: one block with its arrays behind it. Owner: the cache, or the retired list.
struct mg_sresult {
    struct mg_rcached c;
    const struct mg_match *match; // of a node, or `own`, or the list's `none`
    struct mg_match own;
    uint64_t retired; // value of `matches` when it was last good for new uses
    struct mg_sresult *next;
};

struct mg_sublist {
    struct mg_index ix;
    struct mg_table groups; // (node, queue name) -> struct group (sublist.c)
    struct mg_match none;
    struct mg_sresult *uncached;               // the last result that was built and not cached; NULL: none
    struct mg_sresult *retired, **retired_end; // oldest first
    struct mg_qmatch *refs;                    // scratch of the merge
    size_t refs_cap;
    uint64_t generation; // from 1, so that 0 can mean none
    uint64_t count, inserts, removes, matches, slow, max_fanout, fanout_sum;
};

void mg_sublist_match_init(struct mg_sublist *sl);
void mg_sublist_match_fini(struct mg_sublist *sl);

#endif
