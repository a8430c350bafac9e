// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Key-value buckets: concurrent updates, watchers, history, expiry, through a restart.

import assert from "node:assert/strict";

import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";

import { status, test, withStreams } from "./bed.mjs";
import { until } from "./server.mjs";

test("kv: concurrent updates, watch, history", () => withStreams(async (client) => {
  const [clients, times] = [8, 40];
  const kv = await new Kvm(await client()).create("B", { history: 10 });
  await kv.create("count", "0");
  const seen = [];
  const watcher = await kv.watch({ key: "count" });
  const watching = (async () => {
    for await (const entry of watcher) {
      seen.push(entry.string());
      if (seen.length === clients * times + 1) return;
    }
  })();
  const increment = async (own) => {
    for (;;) {
      const entry = await own.get("count");
      try {
        return await own.update("count", String(Number(entry.string()) + 1), entry.revision);
      } catch (error) {
        if (!/wrong last sequence/.test(error.message)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, async () => {
    const own = await new Kvm(await client()).open("B");
    for (let i = 0; i < times; i++) await increment(own);
  }));
  await watching;
  assert.deepEqual(seen, Array.from({ length: clients * times + 1 }, (_, i) => String(i)));
  const history = [];
  for await (const entry of await kv.history({ key: "count" })) history.push(entry.string());
  assert.deepEqual(history, seen.slice(-10));
}));

test("kv: watch through restarts", () => withStreams(async (client, server) => {
  const nc = await client();
  const kv = await new Kvm(nc).create("B", { history: 64 });
  const seen = [];
  const watcher = await kv.watch();
  (async () => {
    for await (const entry of watcher) seen.push(entry.revision);
  })();
  for (const [round, signal] of ["SIGTERM", "SIGKILL", "SIGTERM"].entries()) {
    for (let i = 0; i < 50; i++) await kv.put(`k${i % 20}`, String(round * 50 + i));
    await kv.delete("k0");
    const back = status(nc, "reconnect"); // the client loses what is published before
    await server.restart(signal);
    await back;
  }
  await until("all updates", () => seen.length === 153, 60000);
  assert.deepEqual(seen, Array.from({ length: 153 }, (_, i) => i + 1));
  const keys = [];
  for await (const key of await kv.keys()) keys.push(key);
  assert.equal(keys.length, 19);
  assert.equal((await kv.get("k0")).operation, "DEL");
  assert.equal((await kv.get("k7")).string(), "147");
}), 120000);

// A confirmed update has happened once, one that was cut off once or not at all.
test("kv: updates through restarts", () => withStreams(async (client, server) => {
  const [clients, goal] = [8, 600];
  const kv = await new Kvm(await client()).create("B", { history: 64 });
  await kv.create("count", "0");
  let [confirmed, unclear] = [0, 0];
  const counting = Promise.all(Array.from({ length: clients }, async () => {
    const own = await new Kvm(jetstream(await client(), { timeout: 2000 })).open("B");
    while (confirmed < goal) {
      try {
        const entry = await own.get("count");
        await own.update("count", String(Number(entry.string()) + 1), entry.revision);
        confirmed++;
      } catch (error) {
        if (!/wrong last sequence/.test(error.message)) unclear++;
      }
    }
  }));
  for (const [at, signal] of [[goal / 4, "SIGTERM"], [goal / 2, "SIGKILL"], [goal * 3 / 4, "SIGKILL"]]) {
    await Promise.race([until("the counting to go on", () => confirmed >= at), counting]);
    await server.restart(signal);
  }
  await counting;
  const values = [];
  for await (const entry of await kv.history({ key: "count" })) values.push(Number(entry.string()));
  assert.deepEqual(values, Array.from({ length: 64 }, (_, i) => values[0] + i));
  const last = values.at(-1);
  assert.ok(confirmed <= last && last <= confirmed + unclear, `${last}: ${confirmed} confirmed, ${unclear} unclear`);
}), 120000);

test("kv: expiry of a bucket and of a key", () => withStreams(async (client) => {
  const kvm = new Kvm(await client());
  const bucket = await kvm.create("B", { ttl: 1000 });
  await bucket.put("brief", "x");
  await until("the key to expire", async () => await bucket.get("brief") === null);
  const keys = await kvm.create("K", { markerTTL: 60000 });
  await keys.create("brief", "x", "1s");
  await keys.create("lasting", "y");
  await until("the key to be purged", async () => (await keys.get("brief")).operation === "PURGE");
  assert.equal((await keys.get("lasting")).string(), "y");
}));
