// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What scripts/client-size links: a device that publishes, subscribes, requests and answers, over a transport that is
// not there. The library's part of this program is what a firmware pays.
#include "client/core/midge.h"

int transport_open(const midge_server *server);
int transport_read(void *p, size_t n);
int transport_write(const void *p, size_t n);
uint32_t clock_ms(void);
void work(midge *m);

static midge engine;
static uint8_t recv_buf[1024], send_buf[1024];
static midge_sub subs[4];
static midge_request_slot requests[2];

static void on_message(midge *m, const midge_msg *msg, void *user) {
    (void)user;
    midge_respond(m, msg, msg->data.p, msg->data.n);
}

static void on_reply(midge *m, int err, const midge_msg *msg, void *user) {
    (void)user;
    if (err == 0) midge_publish(m, MIDGE_STR("log"), msg->data.p, msg->data.n);
}

static void on_event(midge *m, const midge_event *event, void *user) {
    (void)user;
    if (event->type == MIDGE_EVENT_CONNECTED) work(m);
}

static void begin(void) {
    static const midge_server server = {.host = {"broker", 6}, .port = 4222};
    midge_config config = {
        .recv_buf = recv_buf, .recv_size = sizeof(recv_buf), .send_buf = send_buf, .send_size = sizeof(send_buf),
        .subs = subs, .subs_len = 4, .requests = requests, .requests_len = 2,
        .servers = &server, .servers_len = 1, .user = MIDGE_STR("device"), .password = MIDGE_STR("secret"),
        .on_event = on_event,
    };
    midge_init(&engine, &config);
    midge_subscribe(&engine, MIDGE_STR("device.1.set"), MIDGE_NONE, on_message, NULL);
    midge_request(&engine, MIDGE_STR("time"), MIDGE_NONE, NULL, 0, NULL, on_reply, NULL);
}

static void move_bytes(void) {
    size_t n;
    const void *out = midge_send_buf(&engine, &n);
    int done = n > 0 ? transport_write(out, n) : 0;
    if (done > 0) midge_send_ack(&engine, (size_t)done);
    void *in = midge_recv_buf(&engine, &n);
    done = n > 0 ? transport_read(in, n) : 0;
    if (done > 0) midge_recv_ack(&engine, (size_t)done);
    if (done < 0) midge_disconnected(&engine, MIDGE_EDISCONNECTED);
}

int main(void) {
    begin();
    for (;;) {
        midge_tick(&engine, clock_ms());
        midge_server server = midge_server_now(&engine);
        switch (midge_want(&engine)) {
        case MIDGE_WANT_CONNECT:
            if (transport_open(&server) == 0) {
                midge_connected(&engine);
            } else {
                midge_disconnected(&engine, MIDGE_ECONNECT);
            }
            break;
        case MIDGE_WANT_CLOSE: midge_disconnected(&engine, 0); break;
        case MIDGE_WANT_TLS: midge_disconnected(&engine, MIDGE_ETLS); break;
        case MIDGE_WANT_NONE: move_bytes(); break;
        }
    }
}
