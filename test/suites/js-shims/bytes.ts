// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The one function of @std/bytes that the tests of the object store call.

export function equals(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
