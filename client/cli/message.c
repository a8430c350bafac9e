// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Messages as they are shown. Headers are walked in place; a name that comes several times is one member with all its
// values in JSON, which costs a second walk for each header but no memory.
#include "client/cli/message.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/cli/child.h"
#include "client/cli/template.h"

static unsigned status_of(midge_str headers) {
    unsigned status = 0;
    const char *at = headers.n > 12 ? headers.p + 8 : NULL; // "NATS/1.0 503"
    if (at == NULL || *at != ' ') return 0;
    for (at++; at < headers.p + headers.n && *at >= '0' && *at <= '9' && status < 1000; at++)
        status = status * 10 + (unsigned)(*at - '0');
    return status;
}

bool cli_print_headers(FILE *out, const char *prefix, midge_str headers) {
    size_t pos = 0;
    midge_str name, value, words = midge_headers_description(headers);
    unsigned status = status_of(headers);
    if (status > 0) fprintf(out, "%sStatus: %u\n", prefix, status);
    if (words.n > 0) fprintf(out, "%sDescription: %.*s\n", prefix, (int)words.n, words.p);
    bool any = status > 0;
    for (; midge_headers_next(headers, &pos, &name, &value); any = true)
        fprintf(out, "%s%.*s: %.*s\n", prefix, (int)name.n, name.p, (int)value.n, value.p);
    return any;
}

char *cli_translate(const char *command, midge_str data, const char *subject, size_t *len, char **output, char *err,
                    size_t err_size) {
    cli_template t = {.subject = subject, .stream = ""};
    size_t n;
    *output = NULL;
    char *line = cli_template_fill(&t, midge_cstr(command), &n, err, err_size);
    const char **words = line != NULL ? cli_words_split(line) : NULL;
    if (line != NULL && words == NULL) snprintf(err, err_size, "the command line could not be parsed");
    free(line);
    if (words == NULL) return NULL;
    int status = cli_spawn(words, NULL, data, true, output, len);
    if (status < 0) snprintf(err, err_size, "cannot run \"%s\"", words[0]);
    if (status > 0) snprintf(err, err_size, "exit status %d", status);
    cli_words_free(words);
    if (status != 0) return NULL;
    char *text = *output != NULL ? *output : calloc(1, 1);
    *output = NULL;
    return text;
}

void cli_print_body(cli *app, midge_str data, const char *translate, const char *subject, bool compact) {
    char *made = NULL, *output, err[256];
    (void)app;
    if (data.n == 0 && translate == NULL) {
        fputs("nil body\n", stdout);
        if (!compact) fputs("\n\n", stdout);
        return;
    }
    if (translate != NULL) {
        fflush(stdout);
        made = cli_translate(translate, data, subject, &data.n, &output, err, sizeof err);
        if (made == NULL) {
            cli_json_quote(stdout, midge_cstr(output));
            printf("\nError while translating msg body: %s\n\n", err);
            free(output);
            return;
        }
        data.p = made;
    }
    if (data.n > 0) fwrite(data.p, 1, data.n, stdout);
    bool ended = data.n > 0 && data.p[data.n - 1] == '\n';
    if (!ended) putchar('\n');
    if (!compact) fputs(ended ? "\n" : "\n\n", stdout);
    free(made);
}

// ---- JSON -----------------------------------------------------------------------------------------------------------

static bool same(midge_str a, midge_str b) { return a.n == b.n && memcmp(a.p, b.p, a.n) == 0; }

// Is this the first line of its name?
static bool is_first(midge_str headers, size_t before, midge_str name) {
    midge_str other, value;
    for (size_t pos = 0; midge_headers_next(headers, &pos, &other, &value) && pos < before;)
        if (same(other, name)) return false;
    return true;
}

void cli_json_headers(cli_json *j, const char *name, midge_str headers) {
    midge_str key, value, other;
    cli_json_begin(j, name, '{');
    for (size_t pos = 0; midge_headers_next(headers, &pos, &key, &value);) {
        if (!is_first(headers, pos, key)) continue;
        char *text = strndup(key.p, key.n);
        if (text == NULL) abort();
        cli_json_begin(j, text, '[');
        free(text);
        for (size_t at = 0; midge_headers_next(headers, &at, &other, &value);)
            if (same(other, key)) cli_json_bytes(j, NULL, value);
        cli_json_end(j, ']');
    }
    cli_json_end(j, '}');
}

static void base64_member(cli_json *j, const char *name, midge_str data) {
    char *text = NULL;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    if (out == NULL) return;
    cli_base64_write(out, data);
    if (fclose(out) == 0) cli_json_string(j, name, text);
    free(text);
}

void cli_json_message(cli_json *j, midge_str subject, midge_str reply, midge_str headers, midge_str data) {
    cli_json_bytes(j, "subject", subject);
    if (reply.n > 0) cli_json_bytes(j, "reply", reply);
    if (headers.n > 0) cli_json_headers(j, "headers", headers);
    if (status_of(headers) > 0) cli_json_uint(j, "status", status_of(headers));
    cli_json_data(j, data);
}

void cli_json_data(cli_json *j, midge_str data) {
    cli_json_uint(j, "bytes", data.n);
    if (cli_utf8_valid(data)) {
        cli_json_bytes(j, "data", data);
    } else {
        base64_member(j, "data_base64", data);
    }
}

void cli_time_text(char *out, size_t size) {
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + n, size - n, ".%09ldZ", now.tv_nsec);
}

void cli_json_now(cli_json *j, const char *name) {
    char text[40];
    cli_time_text(text, sizeof text);
    cli_json_string(j, name, text);
}

void cli_dump_message(FILE *out, midge_str subject, midge_str reply, midge_str headers, midge_str data) {
    cli_json j = {.out = out, .depth = 1}; // inside of something, so no line break at the end
    putc('{', out);
    cli_json_bytes(&j, "Subject", subject);
    cli_json_bytes(&j, "Reply", reply);
    if (headers.n > 0) {
        cli_json_headers(&j, "Header", headers);
    } else {
        cli_json_raw(&j, "Header", "null");
    }
    base64_member(&j, "Data", data);
    cli_json_raw(&j, "Sub", "null");
    putc('}', out);
}

// ---- the rest -------------------------------------------------------------------------------------------------------

static midge_str keep(char **at, midge_str s) {
    midge_str copy = {*at, s.n};
    if (s.n > 0) memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

midge_msg *cli_message_dup(const midge_msg *msg) {
    midge_msg *copy = malloc(sizeof *copy + msg->subject.n + msg->reply.n + msg->headers.n + msg->data.n);
    if (copy == NULL) return NULL;
    char *at = (char *)(copy + 1);
    *copy = *msg;
    copy->subject = keep(&at, msg->subject);
    copy->reply = keep(&at, msg->reply);
    copy->headers = keep(&at, msg->headers);
    copy->data = keep(&at, msg->data);
    return copy;
}

bool cli_subjects_collide(const char *a, const char *b) {
    for (;;) {
        size_t n = strcspn(a, "."), m = strcspn(b, ".");
        bool any = (n == 1 && *a == '*') || (m == 1 && *b == '*');
        if ((n == 1 && *a == '>') || (m == 1 && *b == '>')) return true;
        if (!any && (n != m || memcmp(a, b, n) != 0)) return false;
        if (a[n] != b[m]) return false; // one ends
        if (a[n] == '\0') return true;
        a += n + 1;
        b += m + 1;
    }
}
