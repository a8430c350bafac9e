// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What buckets of keys and of objects share: both are streams with a prefix to their name.
#ifndef MGC_HOST_BUCKET_H
#define MGC_HOST_BUCKET_H

#include "client/host/op.h"

// "KV_" or "OBJ_" and the bucket; MIDGE_NONE: the name is not allowed.
midge_str mgc_bucket_stream(midge_op *op, const char *prefix, midge_str bucket);
// A whole operation of one request about the bucket's stream.
int mgc_bucket_request(midge *m, midge_op *op, const char *verb, const char *prefix, midge_str bucket, mgc_step then);

#endif
