// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
#include "server/account/password.h"

#include <crypt.h>
#include <sodium.h>

#include "server/base/mem.h"

// $2b$NN$ + 22 characters of salt + 31 characters of digest
#define PREFIX_LEN 7
#define SETTING_LEN (PREFIX_LEN + 22)
#define DIGEST_LEN 31
#define HASH_LEN (SETTING_LEN + DIGEST_LEN)
#define PASSWORD_MAX 72 // bytes that bcrypt looks at

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool mg_password_is_bcrypt(mg_slice s) {
    if (s.n < PREFIX_LEN || memcmp(s.p, "$2", 2) != 0) return false;
    bool minor = s.p[2] == 'a' || s.p[2] == 'b' || s.p[2] == 'x' || s.p[2] == 'y';
    return minor && s.p[3] == '$' && is_digit(s.p[4]) && is_digit(s.p[5]) && s.p[6] == '$';
}

bool mg_password_equal(mg_slice secret, mg_slice sent) {
    if (secret.n != sent.n) return false;
    return secret.n == 0 || sodium_memcmp(secret.p, sent.p, secret.n) == 0;
}

bool mg_bcrypt_verify(mg_slice hash, mg_slice password) {
    if (!mg_password_is_bcrypt(hash) || hash.n < HASH_LEN) return false; // the reference ignores what follows, too
    size_t n = password.n < PASSWORD_MAX ? password.n : PASSWORD_MAX;
    if (n > 0 && memchr(password.p, '\0', n)) return false; // crypt would see a shorter password

    // spec/accounts-security.md 4: the library treats $2x$ and $2a$ specially where the reference does not. With $2b$
    // it runs the plain algorithm; the salt decides, so only the digest is compared.
    char setting[SETTING_LEN + 1], phrase[PASSWORD_MAX + 1];
    memcpy(setting, hash.p, SETTING_LEN);
    setting[2] = 'b';
    setting[SETTING_LEN] = '\0';
    if (n > 0) memcpy(phrase, password.p, n);
    phrase[n] = '\0';

    struct crypt_data *data = mg_zalloc(sizeof *data); // 32 KB: not for the stack
    // crypt_rn, not crypt_r: NULL on errors, and AddressSanitizer does not put its own (unlinked) one in its place.
    const char *made = crypt_rn(phrase, setting, data, (int)sizeof *data);
    bool ok = made && strlen(made) == HASH_LEN &&
              sodium_memcmp(made + SETTING_LEN, hash.p + SETTING_LEN, DIGEST_LEN) == 0;
    sodium_memzero(phrase, sizeof phrase);
    sodium_memzero(data, sizeof *data);
    mg_free(data);
    return ok;
}
