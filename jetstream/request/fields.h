// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Shapes for the bodies of requests: one line a member.
#ifndef MG_JETSTREAM_REQUEST_FIELDS_H
#define MG_JETSTREAM_REQUEST_FIELDS_H

#include "jetstream/api/shape.h"

// MG_FIELD(struct page, offset, INT)
#define MG_FIELD(type, member, kind_) {.key = #member, .kind = MG_KIND_##kind_, .at = offsetof(type, member)}
// The shape of struct `type`, which Go calls `go`, from its array of fields.
#define MG_SHAPE(go, type, fields_)                                                                                    \
    {.name = (go), .size = sizeof(type), .fields = (fields_), .n = sizeof(fields_) / sizeof((fields_)[0])}

#endif
