// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Distinguished names as text (RFC 4514) and their comparison, for mapping client certificates to users.
// Facts: spec/accounts-security.md 19.
#ifndef MG_ACCOUNT_DN_H
#define MG_ACCOUNT_DN_H

#include <stdbool.h>
#include <stddef.h>

#include "server/base/slice.h"

struct mg_dn_attr {
    mg_slice type, value; // unescaped; into mg_dn.text
    size_t rdn;           // which RDN it belongs to, counted from 0
};

struct mg_dn {
    struct mg_dn_attr *attrs; // grouped by RDN, in the order of the text
    size_t nattrs, nrdns;
    char *text;
};

// MG_OK, or MG_ESYNTAX (then there is nothing to free). A text without any RDN is MG_ESYNTAX as well.
int mg_dn_parse(struct mg_dn *dn, mg_slice text);
void mg_dn_fini(struct mg_dn *dn);

// The same RDNs at the same positions. An RDN is a set of attributes; types compare without case, values exactly.
bool mg_dn_equal(const struct mg_dn *a, const struct mg_dn *b);
// The same RDNs in any order.
bool mg_dn_match(const struct mg_dn *a, const struct mg_dn *b);

#endif
