// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What an account uses and may use (spec/jetstream-streams.md 3).
#include "client/host/op.h"

#define C(type, field, kind_) {.name = #field, .kind = kind_, .at = offsetof(type, field)}
#define LIMIT(field, kind_) C(midge_account_limits, field, kind_)
static const mgc_field limit_fields[] = {
    LIMIT(max_memory, MGC_I64),
    LIMIT(max_storage, MGC_I64),
    LIMIT(max_streams, MGC_I64),
    LIMIT(max_consumers, MGC_I64),
    LIMIT(max_ack_pending, MGC_I64),
    LIMIT(memory_max_stream_bytes, MGC_I64),
    LIMIT(storage_max_stream_bytes, MGC_I64),
    LIMIT(max_bytes_required, MGC_BOOL),
    {0},
};

#define ACCOUNT(field, kind_) C(midge_account_result, field, kind_)
static const mgc_field api_fields[] = {
    {.name = "level", .kind = MGC_U64, .at = offsetof(midge_account_result, api_level)},
    {.name = "total", .kind = MGC_U64, .at = offsetof(midge_account_result, api_total)},
    {.name = "errors", .kind = MGC_U64, .at = offsetof(midge_account_result, api_errors)},
    {0},
};
static const mgc_field account_fields[] = {
    ACCOUNT(memory, MGC_U64),
    ACCOUNT(storage, MGC_U64),
    ACCOUNT(reserved_memory, MGC_U64),
    ACCOUNT(reserved_storage, MGC_U64),
    ACCOUNT(streams, MGC_U64),
    ACCOUNT(consumers, MGC_U64),
    {.name = "limits", .kind = MGC_OBJECT, .at = offsetof(midge_account_result, limits), .more = limit_fields},
    ACCOUNT(domain, MGC_STR),
    {.name = "api", .kind = MGC_OBJECT, .at = 0, .more = api_fields},
    ACCOUNT(tiers, MGC_RAW),
    {0},
};

static void account_end(midge_op *op, int err) {
    mgc_op_end(op, err ? err : mgc_op_read(op, account_fields, &op->account));
}

int midge_account_info(midge *m, midge_op *op) {
    int err = mgc_op_begin(m, op);
    return err ? err : mgc_op_started(op, mgc_api(op, "INFO", MIDGE_NONE, MIDGE_NONE, MIDGE_NONE, account_end));
}
