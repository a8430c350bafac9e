// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Prints docs/FORMATS.md from the lists of format.h: formats > docs/FORMATS.md. With the file's name as argument it
// compares instead: exit status 1 if the document is not what would be printed. With --dict it prints a dictionary for
// fuzzing.
#include <stdio.h>
#include <string.h>

#include "jetstream/store/format_tables.h"
#include "jetstream/store/record.h"
#include "jetstream/store/rows.h"
#include "server/base/buf.h"

struct field {
    const char *type, *name, *text;
    size_t at, size;
};

#define FIELD(type, name, text) {#type, #name, text, offsetof(wire, name), sizeof(((wire *)0)->name)},

static void add_fields(struct mg_buf *b, const struct field *f, size_t n) {
    mg_buf_adds(b, "| At | Type | Field | What |\n|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++)
        mg_buf_addf(b, "| %zu | %s | `%s` | %s |\n", f[i].at, f[i].type, f[i].name, f[i].text);
    mg_buf_adds(b, "\n");
}

#define ADD_FORMAT(lower, UPPER, size, title)                                                                          \
    static void add_##lower(struct mg_buf *b) {                                                                        \
        typedef struct mg_##lower##_wire wire;                                                                         \
        static const struct field fields[] = {MG_##UPPER##_FIELDS(FIELD)};                                             \
        mg_buf_addf(b, "## %s\n\n%d bytes.\n\n", title, (int)MG_##UPPER##_SIZE);                                       \
        add_fields(b, fields, sizeof(fields) / sizeof(fields[0]));                                                     \
    }
MG_FORMATS(ADD_FORMAT)
MG_TABLE_FORMATS(ADD_FORMAT)

static void add_record_types(struct mg_buf *b) {
    mg_buf_adds(b, "Behind the header: extra, subject, headers, payload, zeros up to the length. Types:\n\n"
                   "| Number | Name | What |\n|---|---|---|\n");
#define X(name, value, text) mg_buf_addf(b, "| %d | %s | %s |\n", value, #name, text);
    MG_RECORD_TYPES(X)
#undef X
    mg_buf_adds(b, "\n| Flag | Name | What |\n|---|---|---|\n");
#define X(name, value, text) mg_buf_addf(b, "| %d | %s | %s |\n", value, #name, text);
    MG_RECORD_FLAGS(X)
#undef X
    mg_buf_adds(b, "\n");
}

static void document(struct mg_buf *b) {
    mg_buf_adds(b, "# Formats of the store's files\n\n"
                   "Printed from `jetstream/store/format.h` by `formats` (test/unit/jetstream/store/formats.c), and a\n"
                   "test compares. Numbers are little-endian, nothing is between the fields, positions are bytes.\n\n"
                   "The ring of the journal is files `journal/ring-00000`, `-00001`, ... of the same size. Page n is\n"
                   "in slot n mod (pages of the ring), and slots go over the files in order. A page is its header,\n"
                   "4 bytes for each of its sectors of 512 bytes, and a piece of the records of its commit, which\n"
                   "run on over the commit's pages. Each sector has a mark: the low half of XXH3-64(page (u64),\n"
                   "incarnation (u32); seed: the salt), and 1 instead of 0. The mark of the first sector is in its\n"
                   "4 bytes. Those of the others are at their ends; what they take the place of is in the 4 bytes.\n\n"
                   "Extents are in files `extents/00000.ext`, `00001.ext`, ..., which have no structure: records of\n"
                   "the journal say what is where, everything else in them is garbage.\n\n");
#define X(lower, UPPER, size, title)                                                                                   \
    add_##lower(b);                                                                                                    \
    if (strcmp(#lower, "record") == 0) add_record_types(b);
    MG_FORMATS(X)
    mg_buf_adds(b, "## Keys of rows\n\n"
                   "One byte for the kind, the stream's id (u64, big-endian; 0: the store itself), then:\n\n"
                   "| Kind | Name | Behind that | Value |\n|---|---|---|---|\n");
#define X_KIND(name, byte, key, value) mg_buf_addf(b, "| %c | %s | %s | %s |\n", byte, #name, key, value);
    MG_ROW_KINDS(X_KIND)
#undef X_KIND
    mg_buf_adds(b, "\n");
    mg_buf_adds(b, "# Runs, segments and the manifest\n\n"
                   "Runs (`tables/*.run`, copies `*.dup`) and segments (`segments/*.seg`) are made of frames: a head,\n"
                   "a payload, zeros up to a multiple of 8. `jetstream/store/format_tables.h` draws the order, and\n"
                   "`run_block.h` the blocks of rows. Two copies of the foot fill the last two pages of 4,096 bytes.\n"
                   "`manifest-0` and `manifest-1` are written in turn, each change of the list into both.\n\n");
    MG_TABLE_FORMATS(X)
#undef X
}

// Of `size` bytes, little-endian.
static void add_word(struct mg_buf *b, uint64_t value, size_t size) {
    mg_buf_adds(b, "\"");
    for (size_t i = 0; i < size; i++, value >>= 8) mg_buf_addf(b, "\\x%02x", (unsigned)(value & 0xff));
    mg_buf_adds(b, "\"\n");
}

static void add_beginning(struct mg_buf *b, uint64_t magic, uint32_t version) {
    add_word(b, magic, 8);
    add_word(b, version, 4);
}

static void dictionary(struct mg_buf *b) {
    mg_buf_adds(b, "# Printed from the lists of format.h by `formats --dict`.\n\"" MG_PAGE_MAGIC "\"\n");
    add_word(b, MG_PAGE_VERSION, 2);
    add_beginning(b, MG_RUN_MAGIC, MG_RUN_VERSION);
    add_beginning(b, MG_SEGMENT_MAGIC, MG_SEGMENT_VERSION);
    add_beginning(b, MG_MANIFEST_MAGIC, MG_MANIFEST_VERSION);
#define X(lower, UPPER, size, title) add_word(b, MG_##UPPER##_SIZE, 4);
    MG_FORMATS(X)
    MG_TABLE_FORMATS(X)
#undef X
#define X(name, value, text) add_word(b, value, 1);
    MG_RECORD_TYPES(X)
    MG_RECORD_FLAGS(X)
#undef X
#define X_KIND(name, byte, key, value) add_word(b, byte, 1);
    MG_ROW_KINDS(X_KIND)
#undef X_KIND
}

int main(int argc, char **argv) {
    struct mg_buf b = MG_BUF_INIT;
    if (argc > 1 && strcmp(argv[1], "--dict") == 0) dictionary(&b);
    else document(&b);
    int rc = 0;
    if (argc > 1 && strcmp(argv[1], "--dict") != 0) {
        FILE *in = fopen(argv[1], "r");
        size_t n = 0;
        for (int c; in && (c = fgetc(in)) != EOF; n++) rc |= n >= b.len || b.p[n] != (char)c;
        if (in == NULL || n != b.len || rc != 0) {
            fprintf(stderr, "%s is not what the formats are: print it anew with %s\n", argv[1], argv[0]);
            rc = 1;
        }
        if (in) fclose(in);
    } else {
        fwrite(b.p, 1, b.len, stdout);
    }
    mg_buf_fini(&b);
    return rc;
}
