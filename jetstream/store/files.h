// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Which files the store consists of: the manifest, from the store's point of view.
#ifndef MG_JETSTREAM_STORE_FILES_H
#define MG_JETSTREAM_STORE_FILES_H

#include "jetstream/store/store_impl.h"

// Reads or makes the manifest, opens what it names. Blocks.
int mg_files_open(struct mg_store *st, struct mg_disk_why *why);
// The folders of each store that are not there are made, durably. missed: the log is told.
int mg_files_make_folders(struct mg_store *st, bool missed, struct mg_disk_why *why);
// What the manifest says is in one slot only if a crash came between the two or the other one is damaged: it is written
// there, too, before anything is done that cannot be undone. At the start. An error: the other slot can be neither read
// nor written. Blocks.
int mg_files_mirror(struct mg_store *st, struct mg_disk_why *why);
// Cleans up behind a crash: files that nothing names are deleted, or put aside. At the start, behind the journal's
// replay, which says whether they have to be overwritten. Blocks.
int mg_files_clear(struct mg_store *st, struct mg_disk_why *why);
// Gives back the references.
void mg_files_close(struct mg_store *st);

#endif
