// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The race of addresses. The name look-up is this file's own, so that a name has the addresses that a test wants: ports
// of 127.0.0.1 that listen, refuse, or are silent (a listener whose queue is full takes no more connections).
#include "client/port/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/port/sys.h"
#include "test/unit/cmocka_inc.h"

enum { LIMIT_MS = 20000 };

// ---- the look-up ----------------------------------------------------------------------------------------------------

static struct {
    uint16_t ports[4]; // 0: the end
    int code;          // instead
    sem_t *hold;       // the look-up waits for it
} names;

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list) {
    (void)host;
    (void)port;
    (void)hints;
    if (names.hold != NULL) sem_wait(names.hold);
    if (names.code != 0) return names.code;
    struct addrinfo **next = list;
    for (int i = 0; i < 4 && names.ports[i] != 0; i++) {
        struct addrinfo *a = calloc(1, sizeof *a + sizeof(struct sockaddr_in));
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)(a + 1);
        *in = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_port = htons(names.ports[i]),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        *a = (struct addrinfo){.ai_family = AF_INET, .ai_addr = (struct sockaddr *)in, .ai_addrlen = sizeof *in};
        *next = a;
        next = &a->ai_next;
    }
    return 0;
}

void freeaddrinfo(struct addrinfo *list) {
    for (struct addrinfo *next; list != NULL; list = next) {
        next = list->ai_next;
        free(list);
    }
}

// ---- ports ----------------------------------------------------------------------------------------------------------

struct port {
    int listener, filler[8];
    uint16_t number;
};

static struct port port_open(int backlog) {
    struct port p = {.listener = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof in;
    for (int i = 0; i < 8; i++) {
        p.filler[i] = -1;
    }
    assert_int_equal(bind(p.listener, (struct sockaddr *)&in, n), 0);
    if (backlog >= 0) assert_int_equal(listen(p.listener, backlog), 0);
    assert_int_equal(getsockname(p.listener, (struct sockaddr *)&in, &n), 0);
    p.number = ntohs(in.sin_port);
    return p;
}

static struct port port_listening(void) { return port_open(16); }
static struct port port_refusing(void) { return port_open(-1); } // bound, so that nobody else gets it

static struct port port_silent(void) {
    struct port p = port_open(0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(p.number),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < 8; i++) {
        p.filler[i] = mgc_socket(AF_INET);
        connect(p.filler[i], (struct sockaddr *)&in, sizeof in);
    }
    return p;
}

static void port_close(struct port *p) {
    close(p->listener);
    for (int i = 0; i < 8; i++) {
        if (p->filler[i] >= 0) close(p->filler[i]);
    }
}

// ---- dialing --------------------------------------------------------------------------------------------------------

// The port that a dial ends at; 0: it failed, reason says why.
static uint16_t dial(uint32_t timeout_ms, char *reason, size_t size) {
    int wake[2], fd = -1;
    assert_int_equal(mgc_pipe(wake), 0);
    struct mgc_dial *d = mgc_dial_start("name", 4222, timeout_ms, wake[1]);
    assert_non_null(d);
    struct pollfd p = {.fd = wake[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
    enum mgc_dial_state state = mgc_dial_take(d, &fd, reason, size);
    close(wake[0]);
    close(wake[1]);
    if (state == MGC_DIAL_FAILED) return 0;
    assert_int_equal(state, MGC_DIAL_CONNECTED);
    struct sockaddr_in in;
    socklen_t n = sizeof in;
    assert_int_equal(getpeername(fd, (struct sockaddr *)&in, &n), 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    return ntohs(in.sin_port);
}

static void set_ports(uint16_t a, uint16_t b, uint16_t c) {
    memset(&names, 0, sizeof names);
    names.ports[0] = a;
    names.ports[1] = b;
    names.ports[2] = c;
}

static void first_address_wins(void **state) {
    (void)state;
    char reason[200];
    struct port good = port_listening(), other = port_listening();
    set_ports(good.number, other.number, 0);
    assert_int_equal(dial(LIMIT_MS, reason, sizeof reason), good.number);
    port_close(&good);
    port_close(&other);
}

static void refused_address_is_passed_at_once(void **state) {
    (void)state;
    char reason[200];
    struct port bad = port_refusing(), good = port_listening();
    set_ports(bad.number, bad.number, good.number);
    assert_int_equal(dial(LIMIT_MS, reason, sizeof reason), good.number);
    port_close(&bad);
    port_close(&good);
}

static void silent_address_is_overtaken(void **state) {
    (void)state;
    char reason[200];
    struct port silent = port_silent(), good = port_listening();
    set_ports(silent.number, good.number, 0);
    uint32_t began = mgc_now_ms();
    assert_int_equal(dial(LIMIT_MS, reason, sizeof reason), good.number);
    assert_true(mgc_now_ms() - began >= 250); // it had its chance
    port_close(&silent);
    port_close(&good);
}

static void silence_ends_in_time(void **state) {
    (void)state;
    char reason[200];
    struct port silent = port_silent();
    set_ports(silent.number, 0, 0);
    assert_int_equal(dial(60, reason, sizeof reason), 0);
    assert_non_null(strstr(reason, "no answer within 60 ms"));
    port_close(&silent);
}

static void all_refuse(void **state) {
    (void)state;
    char reason[200];
    struct port bad = port_refusing();
    set_ports(bad.number, bad.number, 0);
    assert_int_equal(dial(LIMIT_MS, reason, sizeof reason), 0);
    assert_string_equal(reason, "connection refused");
    port_close(&bad);
}

static void failed_look_ups_are_explained(void **state) {
    (void)state;
    static const struct {
        int code;
        const char *words;
    } cases[] = {{EAI_NONAME, "no such host"}, {EAI_AGAIN, "name server does not answer"}, {EAI_MEMORY, "emory"}};
    char reason[200];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_ports(0, 0, 0);
        names.code = cases[i].code;
        assert_int_equal(dial(LIMIT_MS, reason, sizeof reason), 0);
        assert_non_null(strstr(reason, cases[i].words));
    }
}

// A dial that is forgotten while the look-up takes its time still wakes, closes what it gets and frees itself.
static void cancelled_while_it_looks_up(void **state) {
    (void)state;
    struct port good = port_listening();
    sem_t hold;
    int wake[2];
    sem_init(&hold, 0, 0);
    set_ports(good.number, 0, 0);
    names.hold = &hold;
    assert_int_equal(mgc_pipe(wake), 0);
    struct mgc_dial *d = mgc_dial_start("name", 4222, LIMIT_MS, wake[1]);
    assert_non_null(d);
    mgc_dial_cancel(d);
    sem_post(&hold);
    struct pollfd p = {.fd = wake[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
    close(wake[1]);
    // The thread's own copy of the writing end goes last.
    char byte;
    while (read(wake[0], &byte, 1) != 0) {
        poll(&p, 1, LIMIT_MS);
    }
    close(wake[0]);
    port_close(&good);
    sem_destroy(&hold);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_address_wins),
        cmocka_unit_test(refused_address_is_passed_at_once),
        cmocka_unit_test(silent_address_is_overtaken),
        cmocka_unit_test(silence_ends_in_time),
        cmocka_unit_test(all_refuse),
        cmocka_unit_test(failed_look_ups_are_explained),
        cmocka_unit_test(cancelled_while_it_looks_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
