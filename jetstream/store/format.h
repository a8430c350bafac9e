// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Every structure that the store writes to files, declared once. A format is a list of fields F(type, name, "text")
// with the types u8 u16 u32 u64 i64 and bytes(n); all numbers are little-endian, nothing is between the fields. From a
// list MG_FORMAT makes
//
//   struct mg_<name>                the fields as C has them
//   MG_<NAME>_SIZE                  bytes in the file
//   MG_AT(<name>, field)            where a field is in the file
//   mg_<name>_pack(p, const v *)    writes exactly that many bytes
//   mg_<name>_unpack(v *, p)        reads as many; judges nothing
//
// and docs/FORMATS.md is printed from the same lists. A new format is a list and an entry in MG_FORMATS.
#ifndef MG_STORE_FORMAT_H
#define MG_STORE_FORMAT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define MG_LE16(x) ((uint16_t)(x))
#define MG_LE32(x) ((uint32_t)(x))
#define MG_LE64(x) ((uint64_t)(x))
#else
#define MG_LE16(x) __builtin_bswap16((uint16_t)(x))
#define MG_LE32(x) __builtin_bswap32((uint32_t)(x))
#define MG_LE64(x) __builtin_bswap64((uint64_t)(x))
#endif

static inline uint16_t mg_get_u16(const void *p) { uint16_t v; memcpy(&v, p, 2); return MG_LE16(v); }
static inline uint32_t mg_get_u32(const void *p) { uint32_t v; memcpy(&v, p, 4); return MG_LE32(v); }
static inline uint64_t mg_get_u64(const void *p) { uint64_t v; memcpy(&v, p, 8); return MG_LE64(v); }
static inline void mg_put_u16(void *p, uint16_t v) { v = MG_LE16(v); memcpy(p, &v, 2); }
static inline void mg_put_u32(void *p, uint32_t v) { v = MG_LE32(v); memcpy(p, &v, 4); }
static inline void mg_put_u64(void *p, uint64_t v) { v = MG_LE64(v); memcpy(p, &v, 8); }

// ---- what the types are in C, and how they are written and read -----------------------------------------------------

#define MG_C_u8       uint8_t
#define MG_C_u16      uint16_t
#define MG_C_u32      uint32_t
#define MG_C_u64      uint64_t
#define MG_C_i64      int64_t
#define MG_C_bytes(n) struct { uint8_t b[n]; }

#define MG_WRITE_u8(p, v)  (*(uint8_t *)(p) = (v))
#define MG_WRITE_u16(p, v) mg_put_u16((p), (v))
#define MG_WRITE_u32(p, v) mg_put_u32((p), (v))
#define MG_WRITE_u64(p, v) mg_put_u64((p), (v))
#define MG_WRITE_i64(p, v) mg_put_u64((p), (uint64_t)(v))
#define MG_WRITE_B(p, v)   ((void)memcpy((p), &(v), sizeof(v)))
#define MG_WRITE_bytes(n)  MG_WRITE_B

#define MG_READ_u8(p, v)  ((v) = *(const uint8_t *)(p))
#define MG_READ_u16(p, v) ((v) = mg_get_u16(p))
#define MG_READ_u32(p, v) ((v) = mg_get_u32(p))
#define MG_READ_u64(p, v) ((v) = mg_get_u64(p))
#define MG_READ_i64(p, v) ((v) = (int64_t)mg_get_u64(p))
#define MG_READ_B(p, v)   ((void)memcpy(&(v), (p), sizeof(v)))
#define MG_READ_bytes(n)  MG_READ_B

#define MG_FIELD_MEMBER(type, name, text) MG_C_##type name;
#define MG_FIELD_WRITE(type, name, text)  MG_WRITE_##type(p + offsetof(wire, name), v->name);
#define MG_FIELD_READ(type, name, text)   MG_READ_##type(p + offsetof(wire, name), v->name);

#define MG_FORMAT(lower, UPPER, size, title)                                                                           \
    struct mg_##lower {                                                                                                \
        MG_##UPPER##_FIELDS(MG_FIELD_MEMBER)                                                                           \
    };                                                                                                                 \
    struct __attribute__((packed)) mg_##lower##_wire {                                                                 \
        MG_##UPPER##_FIELDS(MG_FIELD_MEMBER)                                                                           \
    };                                                                                                                 \
    enum { MG_##UPPER##_SIZE = sizeof(struct mg_##lower##_wire) };                                                     \
    _Static_assert(MG_##UPPER##_SIZE == (size), "bytes of a " #lower);                                                 \
    static inline void mg_##lower##_pack(void *to, const struct mg_##lower *v) {                                       \
        typedef struct mg_##lower##_wire wire;                                                                         \
        uint8_t *p = to;                                                                                               \
        MG_##UPPER##_FIELDS(MG_FIELD_WRITE)                                                                            \
    }                                                                                                                  \
    static inline void mg_##lower##_unpack(struct mg_##lower *v, const void *from) {                                   \
        typedef struct mg_##lower##_wire wire;                                                                         \
        const uint8_t *p = from;                                                                                       \
        MG_##UPPER##_FIELDS(MG_FIELD_READ)                                                                             \
    }

// Where a field is in the file.
#define MG_AT(lower, field) offsetof(struct mg_##lower##_wire, field)

// ---- records: the journal, memory and segments hold the same bytes --------------------------------------------------

#define MG_RECORD_FIELDS(F)                                                                                            \
    F(u64, checksum, "XXH3-64 of all that follows, body and padding included")                                         \
    F(u32, length, "of the whole record, a multiple of 8")                                                             \
    F(u8, type, "what happened: see the types of records")                                                             \
    F(u8, flags, "of the type")                                                                                        \
    F(u16, subject_len, "bytes of the subject")                                                                        \
    F(u64, stream, "the stream's number, never used again")                                                            \
    F(u64, op, "the stream's operations, counted without gaps")                                                        \
    F(u64, seq, "the message's sequence, or what the type says")                                                       \
    F(i64, time, "ns since the epoch")                                                                                 \
    F(u32, term, "of the leader that proposed it; 0: not replicated")                                                  \
    F(u32, headers_len, "bytes of the headers")                                                                        \
    F(u32, payload_len, "bytes of the payload")                                                                        \
    F(u16, key_id, "the key that headers and payload are encrypted with; 0: none")                                     \
    F(u16, extra_len, "bytes of what the type adds")

// The body: extra, subject, headers, payload, zeros up to the length.

// X(name, value, text): types of records.
#define MG_RECORD_TYPES(X)                                                                                             \
    X(MSG, 1, "a message; extra: the hash of its id if deduped, then a row's key if it has one, then the evicted")     \
    X(SKIP, 2, "a sequence number was used and nothing stored; extra as for MSG")                                      \
    X(REMOVE, 3, "messages were removed; payload: the list")                                                           \
    X(CLEAR, 4, "all messages were removed; seq: the last number that counts as used")                                 \
    X(ROW, 5, "a row of the owner was written or removed; extra: its key, payload: its value")                         \
    X(STREAM, 6, "the stream was created or changed; payload: its row")                                                \
    X(DROP, 7, "the stream was deleted")                                                                               \
    X(CORRECT, 8, "counters were wrong and are corrected; seq: the operation as of which, payload: by how much")

enum mg_record_type {
#define X(name, value, text) MG_RECORD_##name = (value),
    MG_RECORD_TYPES(X)
#undef X
};

// X(name, value, text): flags.
#define MG_RECORD_FLAGS(X)                                                                                             \
    X(DEDUPED, 1, "MSG, SKIP: extra begins with the hash of the message's id")                                         \
    X(ROW_DELETED, 2, "ROW: it was removed")                                                                           \
    X(ERASE, 4, "REMOVE: and the bytes of these messages are to be overwritten")                                       \
    X(EXTENT, 8, "MSG, in the journal only: headers and payload are in an extent; payload: its place")                 \
    X(WITH_ROW, 16, "MSG: extra goes on with the length (u16) and the key of a row of the owner")                      \
    X(PACKED, 32, "MSG, in a segment only: this is a packed record")                                                   \
    X(CLEARS, 64, "MSG: it removed all that was there before it")                                                      \
    X(EXACT, 128, "CORRECT: with it the stream's counters are exact again")

enum mg_record_flag {
#define X(name, value, text) MG_RECORD_##name = (value),
    MG_RECORD_FLAGS(X)
#undef X
};

// A record of a segment, compressed: this, then the record without its checksum and its padding, in pieces of 16 KB,
// each one a block of LZ4. In front of each but the last: its compressed length (u32). The first piece refers to the
// section's dictionary, the others to the 64 KB in front of them. Zeros up to the length.
#define MG_PACKED_FIELDS(F)                                                                                            \
    F(u64, checksum, "XXH3-64 of all that follows, padding included")                                                  \
    F(u32, length, "of the whole, a multiple of 8")                                                                    \
    F(u8, type, "of the record")                                                                                       \
    F(u8, flags, "32: packed")                                                                                         \
    F(u16, padding, "zeros at the end")                                                                                \
    F(u64, stream, "of the record")                                                                                    \
    F(u64, seq, "of the record")                                                                                       \
    F(u32, plain, "length of the record without its padding")                                                          \
    F(u32, check, "the low half of the record's checksum")

#define MG_PACKED_PIECE 16384u

// Where headers and payload of a message are, one behind the other, when they do not go through the journal.
#define MG_EXTENT_PLACE_FIELDS(F)                                                                                      \
    F(u32, file, "number of the file in the folder extents")                                                           \
    F(u32, headers_len, "bytes of the headers")                                                                        \
    F(u32, payload_len, "bytes of the payload, which follows")                                                         \
    F(u32, reserved, "0")                                                                                              \
    F(u64, offset, "where the headers begin in the file")                                                              \
    F(u64, hash, "XXH3-64 of both, seed: the store's salt")

// What is added to a stream's counters. Behind it: subjects, and what their rows are now.
#define MG_CORRECTION_FIELDS(F)                                                                                        \
    F(u32, epoch, "of the rows of subjects; the stream's is another by now: nothing happens")                          \
    F(u32, reserved, "0")                                                                                              \
    F(i64, msgs, "messages")                                                                                           \
    F(i64, bytes, "bytes")                                                                                             \
    F(i64, subjects, "distinct subjects, besides those whose rows go with it")

#define MG_CORRECTED_SUBJECT_FIELDS(F)                                                                                 \
    F(i64, count, "messages")                                                                                          \
    F(u64, first, "none of them is older")                                                                             \
    F(u64, last, "none of them is newer")                                                                              \
    F(u16, last_gone, "1: that one may have gone")                                                                     \
    F(u16, subject_len, "bytes of the subject, which follows")

// ---- pages: what the journal's ring is made of
// -----------------------------------------------------------------------

#define MG_PAGE_MAGIC   "MIDGEJ"
#define MG_PAGE_VERSION 2

#define MG_PAGE_FIELDS(F)                                                                                              \
    F(bytes(6), magic, "MIDGEJ")                                                                                       \
    F(u16, version, "2; 1 has no marks")                                                                               \
    F(u64, checksum, "XXH3-64 of all that follows in the page, seed: the store's salt + version - 1")                  \
    F(u64, page, "the page's number, grows for ever; slot in the ring: number mod pages of the ring")                  \
    F(u64, commit, "the commit's number, grows for ever")                                                              \
    F(u64, first_page, "pages of earlier incarnations from this number on are void")                                   \
    F(u32, incarnation, "counts starts of the journal")                                                                \
    F(u32, unsynced, "pages before the commit's first that were perhaps not durable when it was written; 0: none")     \
    F(u32, index, "the page's place in its commit")                                                                    \
    F(u32, count, "pages of the commit")                                                                               \
    F(u16, first, "where in the page the first record begins that begins in it; 0: none does")                         \
    F(u16, used, "bytes of records in the page, behind its head")                                                      \
    F(u8, kind, "1 records, 2 seal, 3 fence, 4 probe")                                                                 \
    F(bytes(3), reserved, "zero")                                                                                      \
    F(u64, salt, "the store's; not in version 1, whose records follow here")

enum mg_page_kind {
    MG_PAGE_RECORDS = 1,
    MG_PAGE_SEAL = 2,  // follows the last commit before an idle time, so that a commit with records is not the last
    MG_PAGE_FENCE = 3, // the first of an incarnation; what its recovery could not read
    MG_PAGE_PROBE = 4, // measured how long a commit takes
};

// What follows the head of a fence: runs of pages that its recovery could not read. They stay so, for the numbers of
// what they held were given again.
#define MG_BAD_PAGES_FIELDS(F)                                                                                         \
    F(u64, page, "number of the first")                                                                                \
    F(u32, count, "pages")                                                                                             \
    F(u8, cause, "why")                                                                                                \
    F(u8, torn, "1: perhaps the torn end of a commit that nobody was told about")                                      \
    F(bytes(2), reserved, "zero")

// ---- rows -----------------------------------------------------------------------------------------------------------

// A stream: what never changes, its limits, then its name and the owner's configuration.
#define MG_STREAM_ROW_FIELDS(F)                                                                                        \
    F(u64, id, "the stream's number")                                                                                  \
    F(i64, created, "ns since the epoch")                                                                              \
    F(u64, first_seq, "number of the first message")                                                                   \
    F(i64, max_msgs, "limit; <= 0: none")                                                                              \
    F(i64, max_bytes, "limit; <= 0: none")                                                                             \
    F(i64, max_msgs_per_subject, "limit; <= 0: none")                                                                  \
    F(u64, max_age, "limit, ns; 0: none")                                                                              \
    F(u64, dedupe_window, "ns; 0: no dedupe")                                                                          \
    F(u8, discard, "0 old, 1 new")                                                                                     \
    F(u8, flags, "1: discard new per subject; 2: those beyond the limit per subject are being removed; 4: packed")     \
    F(u16, name_len, "bytes of the name, which follows")                                                               \
    F(u32, config_len, "bytes of the owner's configuration, which follows")

// The counters of a stream at a checkpoint.
#define MG_STATE_ROW_FIELDS(F)                                                                                         \
    F(u64, op, "its last operation in the checkpoint")                                                                 \
    F(u64, first, "the first message's number is not smaller")                                                         \
    F(u64, last, "the last message's number")                                                                          \
    F(u64, msgs, "messages")                                                                                           \
    F(u64, bytes, "as clients are told")                                                                               \
    F(u64, subjects, "distinct subjects")                                                                              \
    F(u64, lost, "messages that were found damaged")                                                                   \
    F(u64, lost_operations, "operations that the journal lost: messages, removals or rows")                            \
    F(i64, last_time, "when the last message was stored, ns")                                                          \
    F(u32, epoch, "of the rows of subjects")                                                                           \
    F(u32, flags, "1: first is exact; 2: of a rebuild, what is lost is not counted; 4: they may be wrong")             \
    F(u64, overlooked, "rows of subjects may leave out messages up to this one, which cannot be read; 0: none")

// Messages of a stream in one section of a segment; the key has the number of the first.
#define MG_STRETCH_ROW_FIELDS(F)                                                                                       \
    F(u64, segment, "the file's id")                                                                                   \
    F(u64, last_seq, "number of the last message")                                                                     \
    F(u32, section, "which section of the segment, from 0")                                                            \
    F(u32, messages, "in the section")                                                                                 \
    F(u32, live, "of these, not removed")                                                                              \
    F(u32, max_time, "when the last one was stored, 2^32 ns, rounded down")

// Behind the counters: messages that were found damaged, one of these for each range of numbers, ascending.
#define MG_LOST_RANGE_FIELDS(F)                                                                                        \
    F(u64, first, "number of the first")                                                                               \
    F(u64, last, "number of the last")                                                                                 \
    F(u64, count, "how many in between are lost")

// ---- all of them
// ------------------------------------------------------------------------------------------------------

// X(lower, UPPER, size, "title"), in the order of docs/FORMATS.md.
#define MG_FORMATS(X)                                                                                                  \
    X(record, RECORD, 64, "Record")                                                                                    \
    X(packed, PACKED, 40, "Packed record of a segment, in front of its pieces")                                        \
    X(extent_place, EXTENT_PLACE, 32, "Place of an extent")                                                            \
    X(correction, CORRECTION, 32, "Correction of a stream's counters")                                                 \
    X(corrected_subject, CORRECTED_SUBJECT, 28, "Subject of a correction")                                             \
    X(page, PAGE, 72, "Page of the journal")                                                                           \
    X(bad_pages, BAD_PAGES, 16, "Pages that could not be read, in a fence")                                            \
    X(stream_row, STREAM_ROW, 72, "Row of a stream")                                                                   \
    X(state_row, STATE_ROW, 88, "Row of a stream's counters")                                                          \
    X(stretch_row, STRETCH_ROW, 32, "Row of a stretch")                                                                \
    X(lost_range, LOST_RANGE, 24, "Lost messages, behind the counters")

MG_FORMATS(MG_FORMAT)

#endif
