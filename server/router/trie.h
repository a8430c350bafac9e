// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A trie of subject tokens for the patterns that no flat table can answer: `*` before the last token, or a `>`.
// Maps patterns to pointers. Threading: one owner, no locks.
#ifndef MG_ROUTER_TRIE_H
#define MG_ROUTER_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/slice.h"
#include "server/router/table.h"

struct mg_tnode;

struct mg_trie_vec {
    void **v;
    size_t n, cap;
};

void mg_trie_vec_push(struct mg_trie_vec *vec, void *p);

struct mg_trie {
    uint64_t seed;
    struct mg_tnode *root;       // NULL while empty
    size_t count;                // patterns
    struct mg_table edges;       // (parent, token) -> child
    struct mg_trie_vec cur, nxt; // scratch of the match
    size_t memory;               // bytes of nodes
};

void mg_trie_init(struct mg_trie *t, uint64_t seed);
void mg_trie_fini(struct mg_trie *t); // frees the nodes, not what the patterns map to

// Maps a pattern that is not in the trie. Returns where it hangs; keep that for the removal. O(tokens).
struct mg_tnode *mg_trie_add(struct mg_trie *t, mg_slice pattern, void *val);
// Unmaps val, which hangs at n. O(tokens).
void mg_trie_del(struct mg_trie *t, struct mg_tnode *n, const void *val);

// Appends the values of all patterns that match the subject, each once. A subject with an empty token matches nothing.
// O(tokens x nodes of the trie that match so far).
void mg_trie_match(struct mg_trie *t, mg_slice subject, struct mg_trie_vec *out);

#endif
