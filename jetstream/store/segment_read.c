// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Opening a segment, its list of sections, and single records. A record is believed when its checksum is right and it
// says the stream, the sequence and the length that were expected at this place. Here a packed one becomes what it was.
#include "jetstream/store/segment_impl.h"

#include "server/base/errors.h"
#include "server/base/mem.h"
#include "server/base/planted.h"

int mg_segment_open(struct mg_segment **out, const struct mg_table_env *env, struct mg_blob blob, uint64_t file,
                    uint64_t size, uint64_t foot_sum) {
    struct mg_segment *g = mg_zalloc(sizeof *g);
    *out = NULL;
    g->file = (struct mg_frame_file){env, blob, {0}, file, size};
    uint8_t packed[MG_SEGMENT_FOOT_SIZE];
    struct mg_segment_foot foot;
    const struct mg_foot_want want = {MG_SEGMENT_MAGIC, MG_SEGMENT_VERSION, sizeof packed, foot_sum};
    int err = mg_file_foot_read(&g->file, &want, packed);
    if (err == MG_OK) {
        mg_segment_foot_unpack(&foot, packed);
        if (foot.reserved || foot.sections_at > size || foot.sections_copy > size) err = MG_ECORRUPT;
    }
    if (err) {
        mg_free(g);
        return err;
    }
    g->sections_at = foot.sections_at;
    g->sections_copy = foot.sections_copy;
    g->sections = foot.sections;
    g->foot_sum = foot.checksum;
    g->messages = foot.messages;
    g->record_bytes = foot.record_bytes;
    *out = g;
    return MG_OK;
}

void mg_segment_close(struct mg_segment *g) { mg_free(g); }

// ---- sections

int mg_segment_section(const struct mg_segment *g, uint32_t ordinal, struct mg_section *out) {
    if (ordinal >= g->sections) return MG_ENOTFOUND;
    uint64_t frame = ordinal / SECTIONS_A_FRAME, first = frame * SECTIONS_A_FRAME;
    uint64_t n = g->sections - first < SECTIONS_A_FRAME ? g->sections - first : SECTIONS_A_FRAME;
    uint64_t offset = frame * mg_frame_size(SECTIONS_A_FRAME * MG_SECTION_SIZE);
    struct mg_block *b;
    int err = mg_frame_read_twice(&g->file, g->sections_at + offset, g->sections_copy + offset,
                                  (uint32_t)(n * MG_SECTION_SIZE), MG_FRAME_SECTIONS, &b);
    if (err) return err;
    mg_section_unpack(out, b->data + (ordinal - first) * MG_SECTION_SIZE);
    mg_block_unref(b);
    return section_check(g, out);
}

int mg_segment_find(const struct mg_segment *g, uint64_t stream, uint64_t seq, uint32_t *ordinal,
                    struct mg_section *out) {
    uint32_t low = 0, high = g->sections;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int err = mg_segment_section(g, mid, out);
        if (err) return err;
        if (out->stream < stream || (out->stream == stream && out->last_seq < seq))
            low = mid + 1;
        else
            high = mid;
    }
    if (low == g->sections) return MG_ENOTFOUND;
    *ordinal = low;
    int err = mg_segment_section(g, low, out);
    return err ? err : out->stream == stream ? MG_OK : MG_ENOTFOUND;
}

int section_check(const struct mg_segment *g, const struct mg_section *s) {
    uint64_t size = g->file.size;
    bool ok = s->messages > 0 && s->leaves > 0 && s->leaves <= s->messages && s->first_seq > 0 &&
              s->last_seq >= s->first_seq && s->last_seq - s->first_seq >= s->messages - 1 && s->last_seq < UINT64_MAX;
    ok = ok && s->subjects > 0 && s->subjects <= s->messages && s->blocks > 0 && s->blocks <= s->subjects;
    ok = ok && s->data % 8 == 0 && s->data_bytes % 8 == 0 && s->data <= size && s->data_bytes <= size - s->data;
    ok = ok && s->data_bytes / 8 <= UINT32_MAX && s->data_bytes / MG_PACKED_SIZE >= s->messages;
    ok = ok && s->dict_length <= MG_DICT_MAX;
    if (ok && s->dict_length) ok = s->data >= mg_frame_size(s->dict_length) + section_dict_room(s->dict_length);
    return ok ? MG_OK : MG_ECORRUPT;
}

// ---- records

void mg_record_buf_fini(struct mg_record_buf *b) {
    mg_free(b->p);
    mg_free(b->plain);
    mg_block_unref(b->dict);
    *b = (struct mg_record_buf){0};
}

static void make_room(uint8_t **p, size_t *cap, size_t n) {
    if (*cap >= n) return;
    mg_free(*p);
    *p = mg_alloc(n);
    *cap = n;
}

// One that cannot be read is looked for once.
static int load_dict(const struct mg_segment *g, const struct mg_section *s, struct mg_record_buf *buf) {
    uint64_t at = section_dict_at(s);
    if (buf->dict_at == at && buf->dict_file == g->file.id) return buf->dict_err;
    mg_block_unref(buf->dict);
    buf->dict_file = g->file.id;
    buf->dict_at = at;
    buf->dict_err = mg_frame_read_twice(&g->file, at, section_dict_copy(s), s->dict_length, MG_FRAME_DICT, &buf->dict);
    return buf->dict_err;
}

static int unpack(const struct mg_segment *g, const struct mg_section *s, const struct mg_stored *stored,
                  const uint8_t *p, struct mg_record_buf *buf, struct mg_record_view *out) {
    mg_slice dict = {NULL, 0};
    if (s->dict_length) {
        int err = load_dict(g, s, buf);
        if (err) return err;
        dict = mg_slice_of((const char *)buf->dict->data, buf->dict->length);
    }
    make_room(&buf->plain, &buf->plain_cap, stored->plain);
    buf->record = buf->plain;
    return mg_packed_decode(out, buf->plain, stored, p, dict);
}

int section_open_record(const struct mg_segment *g, const struct mg_section *s, const struct mg_section_entry *e,
                        const uint8_t *p, struct mg_record_buf *buf, struct mg_record_view *out) {
    struct mg_stored stored = {0};
    buf->record = p;
    int err = mg_stored_check(&stored, p, e->length);
    if (err && !(MG_PLANTED(unchecked_record) && !stored.packed)) return MG_ECORRUPT;
    if (stored.stream != s->stream || stored.seq != e->seq || stored.length != e->length) return MG_ECORRUPT;
    if (stored.packed) return unpack(g, s, &stored, p, buf, out);
    mg_record_borrow(out, p);
    return MG_OK;
}

void segment_report_record(const struct mg_segment *g, const struct mg_section *s, const struct mg_section_entry *e,
                           int err) {
    mg_frame_report(&g->file, &(struct mg_fault){.file = g->file.id,
                                                 .at = e->at,
                                                 .bytes = e->length,
                                                 .kind = MG_FRAME_RECORD,
                                                 .err = err,
                                                 .stream = s->stream,
                                                 .seq = e->seq});
}

int mg_section_read(const struct mg_segment *g, const struct mg_section *s, const struct mg_section_entry *e,
                    struct mg_record_buf *buf, struct mg_record_view *out) {
    buf->record = NULL;
    if (e->length < MG_PACKED_SIZE || e->at > g->file.size || e->length > g->file.size - e->at) return MG_ECORRUPT;
    make_room(&buf->p, &buf->cap, e->length);
    int err = mg_blob_read(&g->file.main, buf->p, e->length, e->at);
    if (err == MG_EEOF) err = MG_ECORRUPT;
    if (err == MG_OK) err = section_open_record(g, s, e, buf->p, buf, out);
    if (err) buf->record = buf->p;
    if (err) segment_report_record(g, s, e, err);
    return err;
}

int mg_section_get(const struct mg_segment *g, const struct mg_section *s, uint64_t seq, struct mg_record_buf *buf,
                   struct mg_record_view *out) {
    if (section_check(g, s)) return MG_ECORRUPT;
    if (seq < s->first_seq || seq > s->last_seq) return MG_ENOTFOUND;
    struct section_dir dir;
    section_dir_load(g, s, &dir);
    uint32_t i = section_dir_find(&dir, seq);
    int err = MG_ENOTFOUND;
    if (i < dir.n) {
        struct mg_dir_row row;
        struct section_leaf leaf;
        struct mg_section_entry e;
        section_dir_row(&dir, i, &row);
        section_leaf_load(g, s, &row, &leaf);
        i = section_leaf_find(&leaf, seq);
        if (i < leaf.head.messages) err = section_leaf_entry(s, &leaf, i, &e);
        if (err != MG_ENOTFOUND && e.seq > seq) err = MG_ENOTFOUND;
        section_leaf_release(&leaf);
        if (err == MG_OK) err = mg_section_read(g, s, &e, buf, out);
    }
    section_dir_release(&dir);
    return err;
}
