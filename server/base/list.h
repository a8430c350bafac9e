// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Intrusive doubly linked circular list. The head is a node of its own; an unlinked node points to itself.
#ifndef MG_BASE_LIST_H
#define MG_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct mg_list {
    struct mg_list *next, *prev;
};

#define mg_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void mg_list_init(struct mg_list *l) { l->next = l->prev = l; }
static inline bool mg_list_empty(const struct mg_list *l) { return l->next == l; }
static inline void mg_list_push_back(struct mg_list *head, struct mg_list *n) {
    n->prev = head->prev;
    n->next = head;
    head->prev->next = n;
    head->prev = n;
}
static inline void mg_list_push_front(struct mg_list *head, struct mg_list *n) {
    n->next = head->next;
    n->prev = head;
    head->next->prev = n;
    head->next = n;
}
// Unlinks n and leaves it pointing to itself, so removing twice is harmless.
static inline void mg_list_remove(struct mg_list *n) {
    n->prev->next = n->next;
    n->next->prev = n->prev;
    mg_list_init(n);
}
// Moves all of src to the end of dst; src becomes empty.
static inline void mg_list_splice(struct mg_list *dst, struct mg_list *src) {
    if (mg_list_empty(src)) return;
    src->next->prev = dst->prev;
    dst->prev->next = src->next;
    src->prev->next = dst;
    dst->prev = src->prev;
    mg_list_init(src);
}

#endif
