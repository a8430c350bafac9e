// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/errtext.h"

static void add(struct mg_buf *b, const char *text, mg_slice quoted) {
    mg_buf_adds(b, text);
    mg_buf_add_quoted(b, quoted);
}

static void add_sid(struct mg_buf *b, mg_slice sid) {
    mg_buf_adds(b, ", SID ");
    mg_buf_add_slice(b, sid);
}

void mg_err_pub(struct mg_buf *b, mg_slice subject) { add(b, "Permissions Violation for Publish to ", subject); }

void mg_err_pub_reply(struct mg_buf *b, mg_slice reply) {
    add(b, "Permissions Violation for Publish with Reply of ", reply);
}

void mg_err_sub(struct mg_buf *b, mg_slice subject, mg_slice queue) {
    add(b, "Permissions Violation for Subscription to ", subject);
    if (queue.n > 0) add(b, " using queue ", queue);
}

void mg_err_sub_tokens(struct mg_buf *b, mg_slice subject) {
    mg_err_sub(b, subject, (mg_slice){NULL, 0});
    mg_buf_adds(b, ", too many tokens");
}

void mg_err_sub_removed(struct mg_buf *b, mg_slice subject, mg_slice queue, mg_slice sid) {
    mg_err_sub(b, subject, queue);
    add(b, " (sid ", sid);
    mg_buf_addc(b, ')');
}

static void add_who(struct mg_buf *b, const struct mg_auth_who *who) {
    switch (who->id) {
    case MG_AUTH_ID_NONE: add(b, "User ", MG_S("N/A")); break;
    case MG_AUTH_ID_USER: add(b, "User ", who->name); break;
    case MG_AUTH_ID_NKEY: add(b, "Nkey ", who->name); break;
    case MG_AUTH_ID_TOKEN: add(b, "Token ", MG_S("[REDACTED]")); break;
    }
}

void mg_log_auth(struct mg_buf *b, const struct mg_auth_who *who) {
    mg_buf_adds(b, "authentication error");
    if (who->id == MG_AUTH_ID_NONE) return;
    mg_buf_adds(b, " - ");
    add_who(b, who);
}

void mg_log_sub_removed(struct mg_buf *b, mg_slice subject, mg_slice queue, mg_slice sid,
                        const struct mg_auth_who *who) {
    add(b, "Removed sub ", subject);
    if (queue.n > 0) add(b, " using queue ", queue);
    add(b, " (sid ", sid);
    mg_buf_adds(b, ") for ");
    add_who(b, who);
    mg_buf_adds(b, " - not authorized");
}

void mg_log_pub(struct mg_buf *b, mg_slice subject) { add(b, "Publish Violation - Subject ", subject); }

void mg_log_pub_reply(struct mg_buf *b, mg_slice reply) { add(b, "Publish Violation - Reply ", reply); }

void mg_log_sub(struct mg_buf *b, mg_slice subject, mg_slice queue, mg_slice sid) {
    add(b, "Subscription Violation - Subject ", subject);
    if (queue.n > 0) add(b, ", Queue: ", queue);
    add_sid(b, sid);
}

void mg_log_sub_tokens(struct mg_buf *b, mg_slice subject, mg_slice sid) {
    add(b, "Subscription Violation Too Many Tokens - Subject ", subject);
    add_sid(b, sid);
}
