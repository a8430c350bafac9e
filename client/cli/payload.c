// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What is sent. A text without "{{" is used as it is, without a copy, so that a plain pub in a loop costs nothing here.
#include "client/cli/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/template.h"

void cli_filler_init(cli_filler *f, bool templates) {
    *f = (cli_filler){.templates = templates};
    if (getrandom(&f->random, sizeof f->random, 0) != sizeof f->random) f->random = cli_mono_ns();
}

static int64_t unix_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// text with its templates filled in; *owned is to be freed. False: err says why, and out is the text as it is.
static bool fill(cli_filler *f, uint64_t count, midge_str text, midge_str request, midge_str *out, char **owned,
                 char *err, size_t err_size) {
    *out = text;
    if (text.n == 0 || memmem(text.p, text.n, "{{", 2) == NULL) return true;
    cli_template t = {
        .count = count, .request = request, .random = f->random, .unix_ns = unix_now(), .counts = true};
    size_t n;
    *owned = cli_template_fill(&t, text, &n, err, err_size);
    f->random = t.random;
    if (*owned == NULL) return false;
    *out = (midge_str){*owned, n};
    return true;
}

static midge_str trim(midge_str s) {
    while (s.n > 0 && (*s.p == ' ' || *s.p == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

static int add_header(cli *app, cli_filler *f, uint64_t count, const char *header, midge_headers *h) {
    const char *colon = strchr(header, ':');
    char err[256];
    char *owned = NULL;
    if (colon == NULL) {
        cli_fail(app, "invalid header \"%s\": it has to be Name:value", header);
        return -1;
    }
    midge_str name = trim((midge_str){header, (size_t)(colon - header)}), value = trim(midge_cstr(colon + 1)), filled;
    if (!fill(f, count, value, MIDGE_NONE, &filled, &owned, err, sizeof err)) {
        cli_fail(app, "failed to parse the template of the header %.*s: %s", (int)name.n, name.p, err);
        return -1;
    }
    midge_headers_add(h, name, filled);
    free(owned);
    return 0;
}

// Values that templates make longer need more room; the builder says so, and we try again.
static int make_headers(cli *app, cli_filler *f, uint64_t count, const char *const *headers, size_t n,
                        cli_payload *out) {
    for (size_t room = 1024; n > 0; room *= 4) {
        midge_headers h;
        char *buf = malloc(room);
        if (buf == NULL) abort();
        midge_headers_begin(&h, buf, room);
        for (size_t i = 0; i < n; i++)
            if (add_header(app, f, count, headers[i], &h) != 0) {
                free(buf);
                return -1;
            }
        int err = midge_headers_end(&h, &out->headers);
        if (err == 0) {
            out->owned[2] = buf;
            return 0;
        }
        free(buf);
        if (err == MIDGE_EBADHEADER || room > CLI_STDIN_MAX) {
            cli_fail(app, "the headers cannot be sent: %s", midge_strerror(err));
            return -1;
        }
    }
    return 0;
}

int cli_payload_make(cli *app, cli_filler *f, uint64_t count, const char *subject, midge_str body, midge_str request,
                     const char *const *headers, size_t headers_len, cli_payload *out) {
    char err[256];
    *out = (cli_payload){.subject = midge_cstr(subject), .body = body};
    if (f->templates) {
        if (!fill(f, count, body, request, &out->body, &out->owned[0], err, sizeof err))
            cli_log(app, "Could not parse body template: %s", err);
        if (!fill(f, count, midge_cstr(subject), request, &out->subject, &out->owned[1], err, sizeof err))
            cli_log(app, "Could not parse subject template: %s", err);
    }
    if (make_headers(app, f, count, headers, headers_len, out) == 0) return 0;
    cli_payload_drop(out);
    return -1;
}

void cli_payload_drop(cli_payload *p) {
    for (size_t i = 0; i < 3; i++)
        free(p->owned[i]);
    *p = (cli_payload){0};
}

// ---- stdin ----------------------------------------------------------------------------------------------------------

bool cli_stdin_wanted(const cli *app, bool body_given, bool forced) {
    bool terminal = isatty(STDIN_FILENO) == 1;
    return !body_given && (forced || !terminal || cli_out_is_terminal(app));
}

// Room for more at the end of what is there.
static bool make_room(cli_stdin *s) {
    if (s->from > 0) memmove(s->buf, s->buf + s->from, s->to - s->from);
    s->to -= s->from;
    s->from = 0;
    if (s->to < s->room) return true;
    if (s->room >= CLI_STDIN_MAX) return false;
    size_t room = s->room == 0 ? 65536 : s->room * 2;
    char *buf = realloc(s->buf, room);
    if (buf == NULL) return false;
    s->buf = buf;
    s->room = room;
    return true;
}

// Waits until stdin has something, running the connection meanwhile.
static int wait_for_input(cli *app, midge_conn *conn) {
    for (;;) {
        struct pollfd fds[3] = {{.fd = STDIN_FILENO, .events = POLLIN}};
        midge_conn_pollfds(conn, fds + 1);
        uint32_t ms = midge_conn_timeout(conn);
        int n = poll(fds, 3, ms > INT32_MAX ? -1 : (int)ms);
        if (n < 0 && errno != EINTR) return cli_fail(app, "cannot wait for stdin: %s", strerror(errno)), -1;
        int err = midge_poll(conn, 0);
        if (cli_interrupted(app)) return -1;
        if (err < 0) return cli_fail(app, "the connection is lost: %s", midge_strerror(err)), -1;
        if (n > 0 && fds[0].revents != 0) return 0;
    }
}

static int read_more(cli *app, midge_conn *conn, cli_stdin *s) {
    if (!make_room(s)) return cli_fail(app, "a body of stdin is larger than %u bytes", CLI_STDIN_MAX), -1;
    if (wait_for_input(app, conn) != 0) return -1;
    ssize_t n = read(STDIN_FILENO, s->buf + s->to, s->room - s->to);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
    if (n < 0) return cli_fail(app, "cannot read stdin: %s", strerror(errno)), -1;
    s->eof = n == 0;
    s->to += (size_t)n;
    return 0;
}

int cli_stdin_line(cli *app, midge_conn *conn, cli_stdin *s, midge_str *body) {
    for (size_t searched = 0;;) {
        const char *begin = s->buf + s->from;
        size_t n = s->to - s->from;
        const char *end = n > searched ? memchr(begin + searched, '\n', n - searched) : NULL;
        if (end != NULL || (s->eof && n > 0)) {
            size_t len = end != NULL ? (size_t)(end - begin) : n;
            s->from += len + (end != NULL);
            if (len > 0 && begin[len - 1] == '\r') len--;
            *body = (midge_str){begin, len};
            return 1;
        }
        if (s->eof) return 0;
        searched = n;
        if (read_more(app, conn, s) != 0) return -1;
    }
}

int cli_stdin_all(cli *app, midge_conn *conn, cli_stdin *s, midge_str *body) {
    if (s->eof) return 0;
    while (!s->eof)
        if (read_more(app, conn, s) != 0) return -1;
    *body = (midge_str){s->buf, s->to};
    return 1;
}

void cli_stdin_fini(cli_stdin *s) { free(s->buf); }
