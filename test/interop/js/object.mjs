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
      return await store.put({ name: "big" }, source(data, attempt ? () => {} : restart), { timeout: 5000 });
    } catch (error) {
      if (attempt === 2) throw error;
    }
  }
}

/** Reads up to the end, with a restart in the middle; undefined: nothing comes any more. */
async function read(object, size, restart) {
  const [reader, chunks] = [object.data.getReader(), []];
  for (let got = 0;;) {
    let timer;
    const late = new Promise((resolve) => timer = setTimeout(resolve, 5000));
    const part = await Promise.race([reader.read(), late]);
    clearTimeout(timer);
    if (!part) return await reader.cancel();
    if (part.done) return Buffer.concat(chunks);
    chunks.push(part.value);
    if (got < size / 2 && got + part.value.length >= size / 2) await restart();
    got += part.value.length;
  }
}

/** Tries again, too: this client's ordered consumers do not notice when the last messages were lost on their way. */
async function get(store, size, restart) {
  for (let attempt = 0; attempt < 3; attempt++) {
    const object = await store.get("big");
    const data = await read(object, size, attempt ? () => {} : restart);
    if (!data) continue;
    assert.ok(!await object.error);
    return data;
  }
  throw new Error("cannot get");
}

for (const [how, signal] of [["restart", "SIGTERM"], ["kill", "SIGKILL"]]) {
  test(`object: ${how}`, () => withStreams(async (client, server) => {
    const store = await new Objm(await client({ timeout: 20000 })).create("O");
    const data = randomBytes(COUNT * CHUNK);
    const info = await put(store, data, () => server.restart(signal));
    assert.equal(info.size, data.length);
    const digest = createHash("sha256").update(data).digest("base64url");
    assert.equal(info.digest, `SHA-256=${digest}=`);
    const copy = await get(store, data.length, () => server.restart(signal));
    assert.ok(copy.equals(data), "other bytes came");
    await store.delete("big");
    assert.ok((await store.status()).size < 1000);
  }), 180000);
}
