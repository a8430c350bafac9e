# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""JSON web tokens as operators, accounts and users have them (spec/accounts-security.md 14.2)."""

import base64
import json


def _encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def jwt(issuer, subject, nats):
    """Claims about the public key `subject`, signed by the key `issuer`."""
    head = {"typ": "JWT", "alg": "ed25519-nkey"}
    claims = {"jti": "TEST", "iat": 1700000000, "iss": issuer.public, "name": subject[:8], "sub": subject,
              "nats": {**nats, "version": 2}}
    text = ".".join(_encode(json.dumps(part).encode()) for part in (head, claims))
    return text + "." + _encode(issuer.sign(text.encode()))
