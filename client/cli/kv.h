// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The parts of `midge kv`.
#ifndef CLI_KV_H
#define CLI_KV_H

#include "client/cli/js.h"

// Loads the bucket of the argument into js->op.stream; its name, or NULL: it has been said why not.
const char *cli_kv_load(cli_js *js);
void cli_kv_show(cli_js *js);
// "PUT", "DELETE", "PURGE" of MIDGE_ENTRY_* or MIDGE_KV_*, which have the same numbers.
const char *cli_kv_operation(int kind);
// A value for people: what is not printable is base64; cut in the middle if it is longer than `most` (0: not).
const char *cli_kv_value(cli *app, midge_str value, size_t most);
// The table of all revisions of a key.
int cli_kv_print_history(cli_js *js, const char *bucket, const char *key);

// Reading one key, waiting. The slices are the app's.
typedef struct cli_kv_read {
    bool done;
    int err;
    midge_kv_entry entry;
    cli *app;
} cli_kv_read;
// revision 0: the last one. 0 or a MIDGE_E code.
int cli_kv_get(cli_js *js, const char *bucket, const char *key, uint64_t revision, cli_kv_read *out);
// Says why a key could not be read or written.
int cli_kv_failed(cli_js *js, int err, const char *what, const char *bucket, const char *key);

extern const cli_arg cli_kv_bucket_arg[], cli_kv_key_args[];
extern const cli_command cli_command_kv_add, cli_command_kv_edit, cli_command_kv_info, cli_command_kv_del;
extern const cli_command cli_command_kv_compact, cli_command_kv_ls, cli_command_kv_history, cli_command_kv_watch;
extern const cli_command cli_command_kv_put, cli_command_kv_get, cli_command_kv_create, cli_command_kv_update;
extern const cli_command cli_command_kv_purge, cli_command_kv_revert;

#endif
