// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Why a connection was closed: the text is what connz, events and the log show (spec/monitoring-and-tools.md A4).
#ifndef MG_MONITOR_CLOSE_REASON_H
#define MG_MONITOR_CLOSE_REASON_H

// X(name, text)
#define MG_CLOSE_REASONS(X)                                                                                            \
    X(UNKNOWN, "Unknown State")                                                                                        \
    X(CLIENT_CLOSED, "Client Closed")                                                                                  \
    X(AUTH_TIMEOUT, "Authentication Timeout")                                                                          \
    X(AUTH_FAILURE, "Authentication Failure")                                                                          \
    X(TLS_HANDSHAKE, "TLS Handshake Failure")                                                                          \
    X(SLOW_PENDING, "Slow Consumer (Pending Bytes)")                                                                   \
    X(SLOW_DEADLINE, "Slow Consumer (Write Deadline)")                                                                 \
    X(WRITE_ERROR, "Write Error")                                                                                      \
    X(READ_ERROR, "Read Error")                                                                                        \
    X(PARSE_ERROR, "Parse Error")                                                                                      \
    X(STALE, "Stale Connection")                                                                                       \
    X(PROTOCOL_VIOLATION, "Protocol Violation")                                                                        \
    X(BAD_PROTOCOL_VERSION, "Bad Client Protocol Version")                                                             \
    X(WRONG_PORT, "Incorrect Port")                                                                                    \
    X(MAX_CONNECTIONS, "Maximum Connections Exceeded")                                                                 \
    X(MAX_ACCOUNT_CONNECTIONS, "Maximum Account Connections Exceeded")                                                 \
    X(MAX_PAYLOAD, "Maximum Message Payload Exceeded")                                                                 \
    X(MAX_CONTROL_LINE, "Maximum Control Line Exceeded")                                                               \
    X(MAX_SUBSCRIPTIONS, "Maximum Subscriptions Exceeded")                                                             \
    X(DUPLICATE_ROUTE, "Duplicate Route")                                                                              \
    X(ROUTE_REMOVED, "Route Removed")                                                                                  \
    X(SERVER_SHUTDOWN, "Server Shutdown")                                                                              \
    X(AUTH_EXPIRED, "Authentication Expired")                                                                          \
    X(WRONG_GATEWAY, "Wrong Gateway")                                                                                  \
    X(MISSING_ACCOUNT, "Missing Account")                                                                              \
    X(REVOKED, "Credentials Revoked")                                                                                  \
    X(INTERNAL_CLIENT, "Internal Client")                                                                              \
    X(HEADER_VIOLATION, "Message Header Violation")                                                                    \
    X(NO_RESPONDERS_HEADERS, "No Responders Requires Headers")                                                         \
    X(CLUSTER_NAME_CONFLICT, "Cluster Name Conflict")                                                                  \
    X(DUPLICATE_LEAFNODE, "Duplicate Remote LeafNode Connection")                                                      \
    X(DUPLICATE_CLIENT_ID, "Duplicate Client ID")                                                                      \
    X(DUPLICATE_SERVER_NAME, "Duplicate Server Name")                                                                  \
    X(MINIMUM_VERSION, "Minimum Version Required")                                                                     \
    X(CLUSTER_NAMES_IDENTICAL, "Cluster Names Identical")                                                              \
    X(KICKED, "Kicked")                                                                                                \
    X(PROXY_NOT_TRUSTED, "Proxy Not Trusted")                                                                          \
    X(PROXY_REQUIRED, "Proxy Required")

enum mg_close_reason {
#define X(name, text) MG_CLOSE_##name,
    MG_CLOSE_REASONS(X)
#undef X
        MG_CLOSE_REASON_COUNT
};

// The text; never NULL. Static.
const char *mg_close_reason_text(enum mg_close_reason r);

#endif
