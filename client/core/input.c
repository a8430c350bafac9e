// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Bytes in: lines and messages, parsed where they lie.
//
//      recv_buf  |  used up  |  line, scanned  |  not scanned  |   free  |  aside, if any (output.c)  |
//                            ^ recv_at         ^ recv_scan     ^ recv_end
//
// A byte is looked at once: recv_scan remembers how far there is no line end, and a message's line is taken apart when
// it is complete and then waits in numbers for its payload. INFO, which may be longer than the buffer, goes to info.c
// piece by piece. A message that does not fit is announced, then skipped if the caller does not bring a larger buffer;
// so is one whose line alone is too long. Anything else that does not fit or is not the protocol ends the connection.
#include "client/core/internal.h"

enum { LINE_TAIL = 12 }; // bytes of a line that is too long that are kept: blank, nine digits, line end

void mgc_input_reset(midge *m) {
    m->recv_at = m->recv_end = m->recv_scan = m->skip = m->line = 0;
    m->in_info = m->cut_line = false;
}

size_t mgc_input_free(midge *m) {
    uint8_t *buf = m->config.recv_buf;
    size_t at = m->recv_at, n = m->recv_end - at, size = m->aside_n ? m->aside_at : m->config.recv_size;
    // Moving what is smaller than what was used up costs at most one copy a byte.
    if (at && (n <= at || m->recv_end == size)) {
        mgc_down(buf, buf + at, n);
        m->recv_scan -= at;
        m->recv_at = 0;
        m->recv_end = n;
    }
    return size - m->recv_end;
}

void *midge_recv_buf(midge *m, size_t *n) {
    bool listening = m->phase == MGC_INFO || m->phase == MGC_HELLO || m->phase == MGC_UP;
    *n = listening ? mgc_input_free(m) : 0;
    return m->config.recv_buf + m->recv_end;
}

int midge_replace_recv_buf(midge *m, void *buf, size_t size) {
    if (!buf || size <= m->config.recv_size) return MIDGE_EINVAL;
    memcpy(buf, m->config.recv_buf, m->recv_end);
    memcpy((uint8_t *)buf + size - m->aside_n, m->config.recv_buf + m->aside_at, m->aside_n);
    m->aside_at = size - m->aside_n;
    m->config.recv_buf = buf;
    m->config.recv_size = size;
    return 0;
}

static bool broken(midge *m) {
    mgc_lost(m, MIDGE_EPROTO);
    return false;
}

static void too_large(midge *m, size_t size, midge_str subject) {
    midge_event event = {.type = MIDGE_EVENT_TOO_LARGE, .err = MIDGE_ETOOLARGE, .subject = subject, .size = size};
    mgc_event(m, &event);
}

static bool skip(midge *m) {
    size_t n = m->recv_end - m->recv_at;
    if (n > m->skip) n = m->skip;
    m->skip -= n;
    m->recv_at += n;
    m->recv_scan = m->recv_at;
    return m->skip == 0;
}

// The message at recv_at whose line is known, once it is there.
static bool message(midge *m) {
    size_t need = m->line + m->total + 2;
    const uint8_t *at = m->config.recv_buf + m->recv_at;
    if (need > m->config.recv_size) {
        too_large(m, need, (midge_str){(const char *)at + m->subject_at, m->subject_n});
        if (m->phase != MGC_UP) return false;
        if (need > m->config.recv_size) {
            m->stats.dropped_msgs++;
            m->line = 0;
            m->skip = need;
            return skip(m);
        }
    }
    if (m->recv_end - m->recv_at < need) return false;
    at = m->config.recv_buf + m->recv_at; // it may have been replaced
    const char *text = (const char *)at, *payload = text + m->line;
    if (payload[m->total] != '\r' || payload[m->total + 1] != '\n') return broken(m);
    midge_msg msg = {.subject = {text + m->subject_at, m->subject_n},
                     .reply = {text + m->reply_at, m->reply_n},
                     .headers = {payload, m->header_n},
                     .data = {payload + m->header_n, m->total - m->header_n},
                     .sub = m->sid};
    if (m->header_n >= 12) { // "NATS/1.0 503"
        int32_t status = mgc_get_u31((const uint8_t *)payload + 9, 3);
        if (payload[8] == ' ' && status > 0) msg.status = (uint16_t)status;
    }
    m->line = 0;
    m->recv_at += need;
    m->recv_scan = m->recv_at;
    m->stats.in_msgs++;
    m->stats.in_bytes += m->total;
    mgc_deliver(m, &msg);
    return true;
}

// spec/client-protocol.md A4: MSG <subject> <sid> [reply] <#bytes>, HMSG <subject> <sid> [reply] <#hdr> <#total>
static bool message_line(midge *m, size_t at, size_t end, size_t line, bool headers) {
    const uint8_t *p = m->config.recv_buf + m->recv_at;
    struct {
        size_t at, n;
    } word[6];
    size_t words = 0, least = headers ? 4 : 3;
    while (at < end && words < 6) {
        while (at < end && (p[at] == ' ' || p[at] == '\t')) at++;
        if (at == end) break;
        word[words].at = at;
        while (at < end && p[at] != ' ' && p[at] != '\t') at++;
        word[words].n = at - word[words].at;
        words++;
    }
    if (words != least && words != least + 1) return broken(m);
    int32_t total = mgc_get_u31(p + word[words - 1].at, word[words - 1].n);
    int32_t header = headers ? mgc_get_u31(p + word[words - 2].at, word[words - 2].n) : 0;
    if (total < 0 || total > MGC_SIZE_MAX || header < 0 || header > total) return broken(m);
    int32_t sid = mgc_get_u31(p + word[1].at, word[1].n);
    if (sid < 0) return broken(m);
    m->sid = sid;
    m->subject_at = word[0].at;
    m->subject_n = word[0].n;
    m->reply_n = 0;
    m->reply_at = 0;
    if (words > least) {
        m->reply_at = word[2].at;
        m->reply_n = word[2].n;
    }
    m->header_n = (size_t)header;
    m->total = (size_t)total;
    m->line = line;
    return true;
}

static bool pong(midge *m) {
    if (m->phase == MGC_HELLO) {
        if (!m->said_hello) return broken(m);
        mgc_up(m);
        return true;
    }
    if (m->pongs == m->pings) return true; // nobody asked
    m->pongs++;
    mgc_subs_pong(m);
    mgc_flush_pong(m);
    mgc_drain_step(m);
    return true;
}

// A whole line [recv_at, recv_at + n), its line end at n.
static bool line(midge *m, size_t n, size_t size) {
    const char *p = (const char *)m->config.recv_buf + m->recv_at;
    midge_str text = {p, n};
    bool speaks = m->phase == MGC_UP || (m->phase == MGC_HELLO && m->said_hello);
    if (mgc_begins(text, "msg ") && m->phase == MGC_UP) return message_line(m, 4, n, size, false);
    if (mgc_begins(text, "hmsg ") && m->phase == MGC_UP) return message_line(m, 5, n, size, true);
    m->recv_at += size;
    m->recv_scan = m->recv_at;
    if (mgc_begins(text, "-err")) {
        mgc_server_error(m, (midge_str){p + 4, n - 4});
        return true;
    }
    if (!speaks) return broken(m);
    if (mgc_begins(text, "ping")) {
        m->owe_pong = true;
        return true;
    }
    if (mgc_begins(text, "pong")) return pong(m);
    if (mgc_begins(text, "+ok")) return true;
    return broken(m);
}

// No line end in a full buffer. Of a message's line only the size at its end matters, then it can be skipped.
static bool long_line(midge *m) {
    uint8_t *p = m->config.recv_buf;
    midge_str text = {(const char *)p, m->recv_end};
    if (m->phase != MGC_UP || (!m->cut_line && !mgc_begins(text, "msg ") && !mgc_begins(text, "hmsg ")))
        return broken(m);
    m->cut_line = true;
    mgc_down(p, p + m->recv_end - LINE_TAIL, LINE_TAIL);
    m->recv_end = m->recv_scan = LINE_TAIL;
    return false;
}

static bool cut_line(midge *m, size_t n, size_t size) {
    const uint8_t *p = m->config.recv_buf + m->recv_at;
    size_t digits = 0;
    while (digits < n && p[n - 1 - digits] != ' ') digits++;
    int32_t total = mgc_get_u31(p + n - digits, digits);
    if (total < 0) return broken(m);
    m->cut_line = false;
    m->recv_at += size;
    m->recv_scan = m->recv_at;
    m->skip = (size_t)total + 2;
    m->stats.dropped_msgs++;
    too_large(m, m->config.recv_size + m->skip, MIDGE_NONE);
    return true;
}

// Uses up one line, message or piece of INFO; false when there is none.
static bool step(midge *m) {
    if (m->phase < MGC_INFO || m->phase > MGC_UP) return false;
    if (m->skip) return skip(m);
    if (m->line) return message(m);
    if (m->in_info) return mgc_info_step(m);
    const uint8_t *p = m->config.recv_buf;
    midge_str rest = {(const char *)p + m->recv_at, m->recv_end - m->recv_at};
    if (!m->cut_line && rest.n > 5 && mgc_begins(rest, "info ")) {
        if (m->phase == MGC_TLS) return broken(m);
        m->recv_at += 5;
        m->recv_scan = m->recv_at;
        mgc_info_begin(m);
        return true;
    }
    const uint8_t *end = rest.n ? mgc_find(p + m->recv_scan, '\n', m->recv_end - m->recv_scan) : NULL;
    if (!end) {
        m->recv_scan = m->recv_end;
        return rest.n == m->config.recv_size ? long_line(m) : false;
    }
    size_t n = (size_t)(end - p) - m->recv_at, size = n + 1;
    if (n && end[-1] == '\r') n--;
    return m->cut_line ? cut_line(m, n, size) : line(m, n, size);
}

void midge_recv_ack(midge *m, size_t n) {
    size_t room = (m->aside_n ? m->aside_at : m->config.recv_size) - m->recv_end;
    if (n > room) n = room;
    m->recv_end += n;
    if (n) m->unanswered = 0;
    while (step(m)) {
    }
    if (m->phase == MGC_HELLO && !m->said_hello && m->recv_at == m->recv_end) mgc_hello(m);
}
