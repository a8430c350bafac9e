// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the files of the object store share (ADR-20): a bucket B is the stream OBJ_B; an object is one message
// $O.B.M.<base64 of its name>, whose payload describes it, and its bytes are messages $O.B.C.<nuid>.
#ifndef MGC_HOST_OBJECT_H
#define MGC_HOST_OBJECT_H

#include "client/host/bucket.h"
#include "client/host/encode.h"

// Texts for the results of the op; MIDGE_NONE: no memory.
midge_str mgc_object_meta_subject(midge_op *op, midge_str bucket, midge_str name);
midge_str mgc_object_chunk_subject(midge_op *op, midge_str bucket, midge_str nuid);

// Asks for the last description of an object. The step finds it in op->object; err 0 also if it is deleted.
int mgc_object_lookup(midge_op *op, midge_str stream, midge_str bucket, midge_str name, mgc_step then);
// Stores a description in place of all earlier ones of that name; the step finds its sequence in op->count.
int mgc_object_store(midge_op *op, const midge_object *object, mgc_step then);
// Reads a description; slices of the text or the arena.
int mgc_object_parse(midge_str json, midge_object *object, mgc_arena *a);
// A copy of what the caller describes.
midge_object mgc_object_dup(midge_op *op, const midge_object *meta);
bool mgc_object_name_ok(midge_str name);
// "SHA-256=" and the digest.
midge_str mgc_object_digest(midge_op *op, mgc_sha256 *hash);
bool mgc_object_digest_is(midge_str digest, mgc_sha256 *hash);

#endif
