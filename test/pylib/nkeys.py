# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Nkeys for tests: Ed25519 (RFC 8032) in plain Python and the text form of spec/accounts-security.md 14.1.

Slow and not constant-time, which is fine: the keys are made from names that stand in the test itself.
"""

import base64
import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P

PREFIX = {"U": 20 << 3, "A": 0, "O": 14 << 3, "N": 13 << 3, "C": 2 << 3, "X": 23 << 3}
PREFIX_SEED = 18 << 3


def _recover_x(y):
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return P - x if x & 1 else x


_Y = 4 * pow(5, P - 2, P) % P
_X = _recover_x(_Y)
BASE = (_X, _Y, 1, _X * _Y % P)


def _add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _mul(n, p):
    q = (0, 1, 1, 0)
    while n:
        if n & 1:
            q = _add(q, p)
        p = _add(p, p)
        n >>= 1
    return q


def _compress(p):
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _expand(raw_seed):
    h = hashlib.sha512(raw_seed).digest()
    scalar = int.from_bytes(h[:32], "little") & ((1 << 254) - 8) | 1 << 254
    return scalar, h[32:]


def _hash_int(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def _crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc


def _text(payload):
    whole = payload + _crc16(payload).to_bytes(2, "little")
    return base64.b32encode(whole).rstrip(b"=").decode()


class Key:
    """A key pair derived from a name: the same name and kind always give the same key."""

    def __init__(self, name, kind="U"):
        self.kind = kind
        self.raw_seed = hashlib.sha256(f"midge test key {kind} {name}".encode()).digest()
        self._scalar, self._prefix = _expand(self.raw_seed)
        self.raw_public = _compress(_mul(self._scalar, BASE))

    @property
    def public(self):
        return _text(bytes([PREFIX[self.kind]]) + self.raw_public)

    @property
    def seed(self):
        kind = PREFIX[self.kind]
        return _text(bytes([PREFIX_SEED | kind >> 5, (kind & 31) << 3]) + self.raw_seed)

    def sign(self, message):
        r = _hash_int(self._prefix, message)
        point = _compress(_mul(r, BASE))
        s = (r + _hash_int(point, self.raw_public, message) * self._scalar) % L
        return point + s.to_bytes(32, "little")
