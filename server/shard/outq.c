// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// See outq.h. Nodes live inside of chunks in sending order, so a chunk is free as soon as the node after its last one
// becomes the head. Chunks grow with the queue: a connection that gets one small message a second uses 1 KB, one that
// is flooded uses 64 KB pieces.
#include "server/shard/outq.h"

#include "server/base/assert.h"
#include "server/base/mem.h"

#define CACHE_MAX (4u << 20) // bytes of free chunks that a shard keeps
#define SHARE_MIN 4096u      // slab payloads from this size on are copied once for all queues

struct mg_ochunk {
    struct mg_ochunk *next;
    uint32_t class;
    uint32_t cap, used; // of data
    char data[] __attribute__((aligned(8)));
};

struct mg_onode {
    struct mg_onode *next;
    const char *p;        // next byte to send
    size_t n;             // bytes left; of the open node: not up to date
    struct mg_mbuf *mbuf; // reference held for p
    bool slab;            // p is in the slab
};

static const uint32_t class_bytes[MG_OUT_CLASSES] = {1024, 4096, 16384, 65536};

void mg_outpool_init(struct mg_outpool *p) { memset(p, 0, sizeof(*p)); }

void mg_outpool_fini(struct mg_outpool *p) {
    mg_outpool_slab_done(p);
    for (int i = 0; i < MG_OUT_CLASSES; i++) {
        while (p->free[i]) {
            struct mg_ochunk *c = p->free[i];
            p->free[i] = c->next;
            mg_free(c);
        }
    }
}

void mg_outpool_slab_done(struct mg_outpool *p) {
    for (unsigned i = 0; i < p->npromoted; i++) mg_mbuf_unref(p->promoted[i].mbuf);
    p->npromoted = 0;
}

static struct mg_ochunk *chunk_new(struct mg_outpool *p, uint32_t class) {
    struct mg_ochunk *c = p->free[class];
    if (c) {
        p->free[class] = c->next;
        p->cached -= class_bytes[class];
    } else {
        c = mg_alloc(class_bytes[class]);
        c->class = class;
        c->cap = class_bytes[class] - (uint32_t)sizeof(*c);
    }
    c->next = NULL;
    c->used = 0;
    return c;
}

static void chunk_free(struct mg_outpool *p, struct mg_ochunk *c) {
    if (p->cached + class_bytes[c->class] > CACHE_MAX) {
        mg_free(c);
        return;
    }
    p->cached += class_bytes[c->class];
    c->next = p->free[c->class];
    p->free[c->class] = c;
}

// Brings the open node's length and `pending` up to date.
static void count_open(struct mg_outq *q) {
    if (q->open == NULL) return;
    size_t more = (size_t)(q->cur - q->counted);
    q->open->n += more;
    q->pending += more;
    q->counted = q->cur;
}

// Gives the unused rest of the open node's room back to its chunk.
static void close_open(struct mg_outq *q) {
    if (q->open == NULL) return;
    count_open(q);
    q->last->used = (uint32_t)(((size_t)(q->cur - q->last->data) + 7u) & ~(size_t)7);
    q->open = NULL;
    q->cur = q->end = q->counted = NULL;
}

static struct mg_onode *tail_node(struct mg_outq *q, struct mg_outpool *p, size_t room) {
    struct mg_ochunk *c = q->last;
    if (c == NULL || c->used >= c->cap || c->cap - c->used < sizeof(struct mg_onode) + room) {
        uint32_t class = c == NULL ? 0 : c->class + (c->class < MG_OUT_CLASSES - 1);
        while (class_bytes[class] - sizeof(*c) < sizeof(struct mg_onode) + room) {
            class++;
            mg_assert(class < MG_OUT_CLASSES);
        }
        c = chunk_new(p, class);
        if (q->last) q->last->next = c;
        else q->first = c;
        q->last = c;
    }
    struct mg_onode *node = (struct mg_onode *)(void *)(c->data + c->used);
    c->used += (uint32_t)sizeof(*node);
    *node = (struct mg_onode){.p = c->data + c->used};
    return node;
}

// The last node, found from the open one or by walking: only called when there is none open, which is rare.
static void link_node(struct mg_outq *q, struct mg_onode *before, struct mg_onode *node) {
    if (q->head == NULL) {
        q->head = node;
        return;
    }
    mg_assert(before != NULL);
    before->next = node;
}

static struct mg_onode *last_node(const struct mg_outq *q) {
    struct mg_onode *n = q->open ? q->open : q->head;
    while (n && n->next) n = n->next;
    return n;
}

char *mg_outq_more(struct mg_outq *q, struct mg_outpool *p, size_t n) {
    struct mg_onode *before = last_node(q);
    close_open(q);
    struct mg_onode *node = tail_node(q, p, n);
    link_node(q, before, node);
    q->open = node;
    q->cur = q->counted = q->last->data + q->last->used;
    q->end = q->last->data + q->last->cap;
    return q->cur;
}

void mg_outq_copy(struct mg_outq *q, struct mg_outpool *p, const char *bytes, size_t n) {
    while (n > 0) {
        size_t room = (size_t)(q->end - q->cur);
        if (room == 0) {
            size_t want = n < 32768 ? n : 32768;
            mg_outq_more(q, p, want);
            room = (size_t)(q->end - q->cur);
        }
        size_t part = n < room ? n : room;
        memcpy(q->cur, bytes, part);
        q->cur += part;
        bytes += part;
        n -= part;
    }
}

void mg_outq_refer(struct mg_outq *q, struct mg_outpool *p, const char *bytes, size_t n, struct mg_mbuf *mbuf) {
    if (n == 0) return;
    struct mg_onode *before = last_node(q);
    close_open(q);
    struct mg_onode *node = tail_node(q, p, 0);
    node->p = bytes;
    node->n = n;
    node->mbuf = mbuf ? mg_mbuf_ref(mbuf) : NULL;
    node->slab = mbuf == NULL;
    q->slab |= node->slab;
    q->pending += n;
    link_node(q, before, node);
    // Open an inline node behind it at once: something always follows a payload (its CRLF).
    struct mg_onode *open = tail_node(q, p, 64);
    node->next = open;
    q->open = open;
    q->cur = q->counted = q->last->data + q->last->used;
    q->end = q->last->data + q->last->cap;
}

int mg_outq_iovecs(struct mg_outq *q, struct iovec *iov, int max) {
    count_open(q);
    int n = 0;
    for (struct mg_onode *node = q->head; node && n < max; node = node->next) {
        if (node->n == 0) continue;
        iov[n].iov_base = (void *)(uintptr_t)node->p;
        iov[n++].iov_len = node->n;
    }
    return n;
}

static void reset(struct mg_outq *q, struct mg_outpool *p) {
    while (q->first) {
        struct mg_ochunk *c = q->first;
        q->first = c->next;
        chunk_free(p, c);
    }
    *q = (struct mg_outq){0};
}

static void drop_head(struct mg_outq *q, struct mg_outpool *p) {
    struct mg_onode *node = q->head;
    mg_mbuf_unref(node->mbuf);
    q->head = node->next;
    if (q->head == NULL) return;
    // The next node lies in another chunk: everything of the first one has been sent.
    const char *at = (const char *)q->head;
    if (at < q->first->data || at >= q->first->data + q->first->cap) {
        struct mg_ochunk *c = q->first;
        q->first = c->next;
        chunk_free(p, c);
    }
}

void mg_outq_sent(struct mg_outq *q, struct mg_outpool *p, size_t n) {
    count_open(q);
    mg_assert(n <= q->pending);
    q->pending -= n;
    if (q->pending == 0) {
        for (struct mg_onode *node = q->head; node; node = node->next) mg_mbuf_unref(node->mbuf);
        reset(q, p);
        return;
    }
    while (n > 0) {
        struct mg_onode *node = q->head;
        size_t part = n < node->n ? n : node->n;
        node->p += part;
        node->n -= part;
        n -= part;
        if (node->n == 0 && node != q->open) drop_head(q, p);
    }
}

void mg_outq_fini(struct mg_outq *q, struct mg_outpool *p) {
    for (struct mg_onode *node = q->head; node; node = node->next) mg_mbuf_unref(node->mbuf);
    reset(q, p);
}

// The copy of slab bytes [s, s + n). Only the start identifies them: all queues refer to whole payloads, and a partly
// sent one is asked for by its end.
static struct mg_mbuf *promote(struct mg_outpool *p, const char *s, size_t n, bool *fresh) {
    const char *end = s + n;
    for (unsigned i = 0; i < p->npromoted; i++) {
        struct mg_mbuf *m = p->promoted[i].mbuf;
        if (p->promoted[i].slab <= s && p->promoted[i].slab + m->len == end) {
            *fresh = false;
            return m;
        }
    }
    struct mg_mbuf *m = mg_mbuf_new(n);
    memcpy(m->data, s, n);
    m->len = (uint32_t)n;
    *fresh = true;
    if (p->npromoted < MG_OUT_PROMOTIONS) {
        p->promoted[p->npromoted].slab = s;
        p->promoted[p->npromoted++].mbuf = mg_mbuf_ref(m);
    }
    return m;
}

// Small payloads of one queue move together: one allocation a turn instead of one a message. Large ones are shared.
static size_t small_bytes(const struct mg_outq *q) {
    size_t n = 0;
    for (const struct mg_onode *node = q->head; node; node = node->next)
        if (node->slab && node->n < SHARE_MIN) n += node->n;
    return n;
}

void mg_outq_settle(struct mg_outq *q, struct mg_outpool *p) {
    if (!q->slab) return;
    q->slab = false;
    size_t small = small_bytes(q);
    struct mg_mbuf *together = small ? mg_mbuf_new(small) : NULL;
    for (struct mg_onode *node = q->head; node; node = node->next) {
        if (!node->slab) continue;
        node->slab = false;
        if (node->n == 0) continue;
        if (node->n < SHARE_MIN) {
            char *at = together->data + together->len;
            memcpy(at, node->p, node->n);
            together->len += (uint32_t)node->n;
            node->p = at;
            node->mbuf = mg_mbuf_ref(together);
            continue;
        }
        bool fresh;
        struct mg_mbuf *m = promote(p, node->p, node->n, &fresh);
        node->p = m->data + (m->len - node->n);
        node->mbuf = fresh ? m : mg_mbuf_ref(m);
    }
    mg_mbuf_unref(together);
}
