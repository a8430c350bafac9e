// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Error codes of the server. A function that can fail returns int: 0 is ok, a negative value is one of these.
// JetStream API errors (code, err_code, description) are another table and live with the API.
#ifndef MG_BASE_ERRORS_H
#define MG_BASE_ERRORS_H

// X(name, value, text)
#define MG_ERRORS(X)                                                                                                   \
    X(NOMEM, -1, "out of memory")                                                                                      \
    X(INVAL, -2, "invalid argument")                                                                                   \
    X(AGAIN, -3, "would block")                                                                                        \
    X(EOF, -4, "end of file")                                                                                          \
    X(IO, -5, "input/output error")                                                                                    \
    X(RESET, -6, "connection reset")                                                                                   \
    X(RANGE, -7, "value out of range")                                                                                 \
    X(FULL, -8, "limit reached")                                                                                       \
    X(NOTFOUND, -9, "not found")                                                                                       \
    X(EXISTS, -10, "already exists")                                                                                   \
    X(SYNTAX, -11, "syntax error")                                                                                     \
    X(UNSUPPORTED, -12, "not supported")                                                                               \
    X(DENIED, -13, "permission denied")                                                                                \
    X(TIMEOUT, -14, "timed out")                                                                                       \
    X(CLOSED, -15, "closed")                                                                                           \
    X(TLS, -16, "TLS error")                                                                                           \
    X(CORRUPT, -17, "stored bytes are damaged")                                                                        \
    X(NOSPC, -18, "no space left on device")                                                                           \
    X(BUSY, -19, "in use by another")                                                                                  \
    X(UNKNOWN, -20, "outcome unknown")                                                                                 \
    X(POISONED, -21, "storage has failed, nothing is accepted") \
    X(WRONGSEQ, -22, "wrong last sequence") \
    X(MAXMSGS, -23, "maximum messages exceeded") \
    X(MAXBYTES, -24, "maximum bytes exceeded") \
    X(MAXPERSUBJECT, -25, "maximum messages per subject exceeded") \
    X(WRONGID, -26, "wrong last message id")

enum mg_error {
    MG_OK = 0,
#define X(name, value, text) MG_E##name = (value),
    MG_ERRORS(X)
#undef X
};

// The text of an error code; never NULL. The string is static.
const char *mg_strerror(int err);

#endif
