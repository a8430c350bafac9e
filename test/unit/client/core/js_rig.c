// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors

#include "test/unit/client/core/js_rig.h"

struct js_rig js;

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

char *js_name(const char *s) {
    CHECK(s[0] == '{' && s[1] >= 'a' && s[1] <= 'z' && s[2] == '}');
    return js.names[s[1] - 'a'];
}

// True when `{x}` begins here, not JSON.
static bool is_name(const char *s) { return s[0] == '{' && s[1] >= 'a' && s[1] <= 'z' && s[2] == '}'; }

void js_start(struct rig *r) {
    memset(&js, 0, sizeof(js));
    rig_fill(r);
    js.js = (midge_js){.m = &r->m, .buf = js.text, .size = sizeof(js.text)};
    js.kv = (midge_kv){.js = &js.js, .bucket = MIDGE_STR("cfg")};
}

void js_connect(struct rig *r) {
    js_start(r);
    rig_connect(r);
}

void js_wrote_(struct rig *r, const char *want, int line) {
    const char *got = r->out;

    rig_run(r);
    r->out[r->out_n] = '\0';
    while (*want != '\0') {
        if (is_name(want)) {
            char *name = js_name(want);
            size_t n = strlen(name);
            if (n == 0) {
                while (is_letter(got[n]) && n + 1 < sizeof(js.names[0])) n++;
                memcpy(name, got, n);
                name[n] = '\0';
            }
            if (n == 0 || strncmp(got, name, n) != 0) scenario_failed(__FILE__, line, r->out);
            got += n;
            want += 3;
        } else if (*got++ != *want++) {
            scenario_failed(__FILE__, line, r->out);
        }
    }
    if (*got != '\0') scenario_failed(__FILE__, line, r->out);
    r->out_n = 0;
}

// The server says it, with names replaced.
static void say(struct rig *r, const char *s) {
    static char text[2048];
    size_t n = 0;

    while (*s != '\0') {
        if (is_name(s)) {
            const char *name = js_name(s);
            CHECK(name[0] != '\0');
            memcpy(text + n, name, strlen(name));
            n += strlen(name);
            s += 3;
        } else {
            text[n++] = *s++;
        }
        CHECK(n < sizeof(text) - 64);
    }
    text[n] = '\0';
    rig_say(r, text);
}

static char *put_size(char *at, size_t n) {
    char digits[8];
    size_t i = 0;

    do digits[i++] = (char)('0' + n % 10);
    while (n /= 10);
    while (i > 0) *at++ = digits[--i];
    *at = '\0';
    return at;
}

void js_say_msg(struct rig *r, const char *head, const char *headers, const char *data) {
    char line[1024] = "";
    size_t h = strlen(headers);

    strcat(line, h > 0 ? "HMSG " : "MSG ");
    strcat(line, head);
    strcat(line, " ");
    if (h > 0) {
        put_size(line + strlen(line), h);
        strcat(line, " ");
    }
    put_size(line + strlen(line), h + strlen(data));
    strcat(line, "\r\n");
    strcat(line, headers);
    strcat(line, data);
    strcat(line, "\r\n");
    say(r, line);
}

void js_note(struct rig *r, const char *what, int err) {
    rig_note(r, what);
    rig_note(r, " ");
    rig_note_int(r, err);
}
