// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The tree that a config file parses to: scalars, arrays and maps in document order, each with the place it came from.
// A value is owned by the array or map it sits in, the root by its tree. Single-threaded.
#ifndef MG_CONFIG_VALUE_H
#define MG_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/buf.h"
#include "server/config/options.h"

#define MG_CONF_MAX_BYTES ((size_t)16 << 20) // all files and environment values of one parse together
#define MG_CONF_MAX_DEPTH 64                 // nesting of arrays and maps
#define MG_CONF_MAX_INCLUDES 16              // include files in include files

enum mg_conf_type {
    MG_CONF_STRING,
    MG_CONF_INT,
    MG_CONF_FLOAT,
    MG_CONF_BOOL,
    MG_CONF_DATETIME, // its text, YYYY-MM-DDThh:mm:ssZ, valid
    MG_CONF_ARRAY,
    MG_CONF_MAP,
};

struct mg_conf_value {
    enum mg_conf_type type;
    bool used;        // a map member that a $variable named: never an unknown field
    int line, col;    // from 1; of the key for map members
    const char *file; // owned by the tree; "" for text without a file
    char *key;        // map members: the key as written; NULL for array items and the root
    union {
        char *str; // STRING and DATETIME; holds no NUL
        int64_t i;
        double f;
        bool b;
        struct {
            struct mg_conf_value *v;
            size_t n, cap;
        } list; // ARRAY: items; MAP: members, keys unique
    };
};

struct mg_conf_tree {
    struct mg_conf_value root; // always a map
    struct mg_strlist files;   // every file read, the main one first
};

// Frees what v owns (its key too) and leaves an empty array.
void mg_conf_value_fini(struct mg_conf_value *v);
void mg_conf_tree_fini(struct mg_conf_tree *t);
// Appends *item to a list; the list owns it from now on.
void mg_conf_list_push(struct mg_conf_value *list, struct mg_conf_value *item);
// The last member with exactly this key, or NULL.
struct mg_conf_value *mg_conf_map_find(const struct mg_conf_value *map, const char *key);
// Drops members that a later one with the same key replaces (spec/client-protocol.md B5: last wins).
void mg_conf_map_dedupe(struct mg_conf_value *map);
// Deep copy of src into *dst (without its key). depth is where dst will sit. False if it would nest deeper than
// MG_CONF_MAX_DEPTH or cost more than *budget, from which its size is taken; *dst is then empty.
bool mg_conf_value_copy(struct mg_conf_value *dst, const struct mg_conf_value *src, int depth, size_t *budget);

// The Go name of a value's type, as error texts show it: "string", "int64", "map[string]interface {}", ...
const char *mg_conf_type_name(const struct mg_conf_value *v);
// Appends the value as Go's %v shows it, shortened to a few dozen bytes for lists.
void mg_conf_value_show(struct mg_buf *out, const struct mg_conf_value *v);

// Appends the value as compact JSON with sorted keys.
void mg_conf_value_json(struct mg_buf *out, const struct mg_conf_value *v);
// "sha256:<64 hex digits>" over the tree as JSON with sorted keys and a final newline (spec/client-protocol.md B5).
void mg_conf_digest(const struct mg_conf_tree *t, char out[72]);

#endif
