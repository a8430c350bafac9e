// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// TLS of a client over a non-blocking socket. One object lives as long as its connection: the files are read once, a
// session is started for each socket. tls_mbedtls.c implements it; another library could.
#ifndef MIDGE_PORT_TLS_H
#define MIDGE_PORT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct mgc_tls;

struct mgc_tls_config {
    const char *ca, *cert, *key; // PEM files or NULL
    bool insecure;
};

// Reads the files that are named. NULL: err has a sentence.
struct mgc_tls *mgc_tls_new(const struct mgc_tls_config *config, char *err, size_t err_size);
void mgc_tls_free(struct mgc_tls *t);

// What an operation waits for, or how it ended.
enum { MGC_IO_READ = -1, MGC_IO_WRITE = -2, MGC_IO_END = -3, MGC_IO_FAILED = -4 };

// Starts a session on fd, which stays the caller's; a session that was there is dropped. The server's certificate must
// be for `host`, a name or an address. 0, or MGC_IO_FAILED with a sentence in err.
int mgc_tls_start(struct mgc_tls *t, int fd, const char *host, char *err, size_t err_size);

// 0: done. MGC_IO_READ, MGC_IO_WRITE: again when the socket can do that. MGC_IO_FAILED: err says why.
int mgc_tls_handshake(struct mgc_tls *t, char *err, size_t err_size);

// Bytes (> 0), or one of the above; END is the server's orderly end. After WRITE from mgc_tls_write the same bytes come
// first in the next call.
ssize_t mgc_tls_read(struct mgc_tls *t, void *p, size_t n);
ssize_t mgc_tls_write(struct mgc_tls *t, const void *p, size_t n);

// Tells the server that this is the end; whether it gets there does not matter.
void mgc_tls_end(struct mgc_tls *t);

// True if mgc_tls_read has something without the socket.
bool mgc_tls_pending(const struct mgc_tls *t);

#endif
