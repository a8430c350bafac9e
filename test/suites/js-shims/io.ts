// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The one function of @std/io that the Deno transport calls.

export async function writeAll(writer: { write(p: Uint8Array): Promise<number> }, data: Uint8Array): Promise<void> {
  for (let at = 0; at < data.length;) at += await writer.write(data.subarray(at));
}
