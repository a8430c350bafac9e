// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A large object in and out, whole, while the server restarts.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

import { Objm } from "@nats-io/obj";

import { test, withStreams } from "./bed.mjs";
import { VOLUME } from "./jetstream.mjs";

const CHUNK = 1 << 17;
const COUNT = Math.ceil(VOLUME * 1000 / CHUNK); // chunks: 100 MB, or less where messages are fewer

/** The object as a stream; restarts the server when half of it has been read. */
function source(data, restart) {
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      if (at === COUNT) return controller.close();
      if (at === COUNT >> 1) await restart();
      controller.enqueue(new Uint8Array(data.subarray(at * CHUNK, ++at * CHUNK)));
    },
  });
}

/** Tries again as an application has to: what was under way when the server went away may be lost. */
async function put(store, data, restart) {
  for (let attempt = 0;; attempt++) {
    try {
      return await store.put({ name: "big" }, source(data, attempt ? () => {} : restart), { timeout: 20000 });
    } catch (error) {
      if (attempt === 2) throw error;
    }
  }
}

for (const [how, signal] of [["restart", "SIGTERM"], ["kill", "SIGKILL"]]) {
  test(`object: ${how}`, () => withStreams(async (client, server) => {
    const store = await new Objm(await client({ timeout: 20000 })).create("O");
    const data = randomBytes(COUNT * CHUNK);
    const digest = createHash("sha256").update(data).digest();
    const info = await put(store, data, () => server.restart(signal));
    assert.equal(info.size, data.length);
    assert.equal(info.digest, `SHA-256=${digest.toString("base64url")}=`);
    const object = await store.get("big");
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of object.data) {
      if (size < data.length / 2 && size + chunk.length >= data.length / 2) await server.restart(signal);
      hash.update(chunk);
      size += chunk.length;
    }
    assert.ok(!await object.error);
    assert.equal(size, data.length);
    assert.deepEqual(hash.digest(), digest);
    await store.delete("big");
    assert.ok((await store.status()).size < 1000);
  }), 180000);
}
