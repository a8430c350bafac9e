// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#ifndef STUB_LWIP_NETDB_H
#define STUB_LWIP_NETDB_H

#include <netdb.h>

#define lwip_getaddrinfo  getaddrinfo
#define lwip_freeaddrinfo freeaddrinfo

#endif
