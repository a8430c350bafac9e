// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Why there is no connection, as a sentence that says what to do. The port knows what the system said and the engine
// what the server said; whoever speaks first about one disconnection is right, because the other only sees the
// consequence. `said` is set when there is a sentence, and taken back when the next connection is tried.
#include <stdio.h>
#include <string.h>

#include "client/port/conn.h"

static void say(midge_conn *c, int err, const char *form, const char *phrase) {
    snprintf(c->text, sizeof c->text, form, c->server, phrase);
    c->err = err;
}

void mgc_reason_connect(midge_conn *c, int err, const char *phrase) {
    say(c, err, "cannot connect to %s: %s", phrase);
    c->said = true;
}

void mgc_reason_lost(midge_conn *c, int err, const char *phrase) {
    say(c, err, c->established ? "the connection to %s is lost: %s" : "cannot connect to %s: %s", phrase);
    c->said = true;
}

static const char *advice(int err) {
    switch (err) {
    case MIDGE_EAUTH: return "; check user, password, token or credentials";
    case MIDGE_EAUTHEXPIRED: return "; get new credentials";
    case MIDGE_ESTALE: return "; it does not answer pings";
    case MIDGE_ESIGN: return "; it wants an nkey or credentials, give a seed or a credentials file";
    case MIDGE_EPROTO: return "; is it a NATS server?";
    case MIDGE_ETIMEOUT: return "; it does not speak: is it a NATS server, does it want TLS first?";
    default: return "";
    }
}

void mgc_reason_engine(midge_conn *c) {
    char phrase[240];
    int err = midge_error(&c->engine);
    if (c->said || err == 0) return;
    if (err == MIDGE_ETLS) { // in the handshake the port would have spoken
        mgc_reason_lost(c, err, "one side requires TLS and the other does not offer it");
        return;
    }
    const char *words = err == MIDGE_ESERVER && c->words[0] != '\0' ? c->words : midge_strerror(err);
    snprintf(phrase, sizeof phrase, "%s%s", words, advice(err));
    mgc_reason_lost(c, err, phrase);
}

void mgc_reason_begin(midge_conn *c) {
    c->established = c->said = false;
    c->words[0] = '\0';
}

void mgc_reason_event(midge_conn *c, const midge_event *event) {
    switch (event->type) {
    case MIDGE_EVENT_CONNECTED:
    case MIDGE_EVENT_RECONNECTED: c->established = true; break;
    case MIDGE_EVENT_ERROR:
    case MIDGE_EVENT_SLOW_CONSUMER:
        snprintf(c->words, sizeof c->words, "%.*s", (int)event->text.n, event->text.p);
        break;
    case MIDGE_EVENT_DISCONNECTED: mgc_reason_engine(c); break;
    case MIDGE_EVENT_CLOSED:
        mgc_reason_engine(c);
        c->err = event->err != 0 ? event->err : MIDGE_ECLOSED;
        if (event->err == 0) snprintf(c->text, sizeof c->text, "%s", midge_strerror(MIDGE_ECLOSED));
        break;
    default: break;
    }
}
