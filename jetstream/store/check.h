// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The operator's tools for a store that no server has open: what is wrong with it, in sentences, and the way out.
#ifndef MG_JETSTREAM_STORE_CHECK_H
#define MG_JETSTREAM_STORE_CHECK_H

enum mg_check_verdict {
    MG_CHECK_HEALTHY = 0, // nothing is wrong
    MG_CHECK_DAMAGED = 1, // something is, but nothing is lost: there is another copy, or it can be computed again
    MG_CHECK_LOST = 2,    // data is lost, or a server cannot start on it
};

// Is told sentences one by one, without a newline, with what each one means alone.
typedef void (*mg_check_fn)(void *arg, enum mg_check_verdict meaning, const char *text);

// Reads every byte of the store; takes no lock and changes nothing. Blocks for as long as
// reading takes. Memory: what a server needs to start.
enum mg_check_verdict mg_store_check(const char *dir, mg_check_fn report, void *arg);

// Writes the tables and the manifest anew from what can be read: rows, segments. Nothing is deleted: what the new
// manifest does not name goes to lost+found. Says what was lost; HEALTHY: nothing was. Takes the lock.
enum mg_check_verdict mg_store_rebuild(const char *dir, mg_check_fn report, void *arg);

#endif
