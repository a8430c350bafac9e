// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Streams: many messages by every way of reading, and restarts of the server in the middle of it.

import assert from "node:assert/strict";

import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";

import { binary, test, text, withStreams } from "./bed.mjs";
import { until } from "./server.mjs";

export const LIMIT = 180000;
const HEARTBEAT = 1000;
export const VOLUME = Number(process.env.INTEROP_MESSAGES ?? 100000);

export const durable = { name: "D", durable_name: "D", ack_policy: AckPolicy.Explicit, ack_wait: nanos(3000),
  max_ack_pending: 10000 };
const push = { ...durable, deliver_subject: "to.D", idle_heartbeat: nanos(HEARTBEAT), flow_control: true };

/** The ways to read: each gives an iterator over the stream S from its beginning. */
const ways = {
  pull: async (js, jsm) => {
    await jsm.consumers.add("S", durable);
    return await (await js.consumers.get("S", "D")).consume({ idle_heartbeat: HEARTBEAT, expires: 4 * HEARTBEAT,
      max_messages: 1000 });
  },
  push: async (js, jsm) => {
    await jsm.consumers.add("S", push);
    return await (await js.consumers.getPushConsumer("S", "D")).consume();
  },
  "ordered pull": async (js) =>
    await (await js.consumers.get("S")).consume({ idle_heartbeat: HEARTBEAT, expires: 4 * HEARTBEAT,
      max_messages: 1000 }),
  "ordered push": async (js) =>
    await (await js.consumers.getPushConsumer("S", { deliver_policy: DeliverPolicy.All })).consume(),
};

/** Publishes the numbers from first to last, up to 1,000 at a time, each until it is acked; stored tells where. */
export async function publish(js, first, last, stored, options = {}) {
  let next = first;
  const worker = async () => {
    while (next <= last) {
      const number = String(next++);
      for (;;) {
        try {
          const ack = await js.publish(`s.${number % 10}`, number, { msgID: options.ids ? number : undefined,
            timeout: options.ids ? 2000 : 20000 });
          assert.ok(!stored.has(ack.seq), `sequence ${ack.seq} is both ${stored.get(ack.seq)} and ${number}`);
          stored.set(ack.seq, number);
          break;
        } catch (error) {
          if (!options.ids || error instanceof assert.AssertionError) throw error;
        }
      }
    }
  };
  await Promise.all(Array.from({ length: options.workers ?? 1000 }, worker));
}

async function allAcked(jsm, last) {
  const info = await until("the last ack", async () => {
    const ci = await jsm.consumers.info("S", "D");
    return ci.ack_floor.stream_seq === last && ci;
  });
  assert.equal(info.num_ack_pending, 0);
  assert.equal(info.num_pending, 0);
}

for (const [name, read] of Object.entries(ways)) {
  test(`read all: ${name}`, () => withStreams(async (client) => {
    const [nc, reader] = [await client(), await client()];
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: "S", subjects: ["s.>"] });
    const stored = new Map();
    await publish(jetstream(nc), 1, VOLUME, stored);
    let got = 0;
    for await (const msg of await read(jetstream(reader), await jetstreamManager(reader))) {
      got++;
      assert.equal(msg.seq, got);
      assert.equal(text(msg), stored.get(got));
      if (!name.startsWith("ordered")) msg.ack();
      if (got === VOLUME) break;
    }
    if (!name.startsWith("ordered")) await allAcked(jsm, VOLUME);
  }), LIMIT);
}

/** Reads until all is there; a tenth of the acks waits for its confirmation, after which it must not come again. */
class Reader {
  constructor(name, forgetful) {
    this.ordered = name.startsWith("ordered");
    this.forgetful = forgetful;
    this.read = new Map();
    this.done = new Map();
  }

  async run(messages, count) {
    for await (const msg of messages) {
      if (this.ordered) assert.equal(msg.seq, this.read.size + 1);
      // Half a second: a redelivery may have been under way when the confirmation of the ack overtook it.
      const late = this.done.has(msg.seq) && Date.now() - this.done.get(msg.seq) > 500;
      assert.ok(this.forgetful || !late, `${msg.seq} came again after its ack was confirmed`);
      this.read.set(msg.seq, text(msg));
      if (this.ordered) {
        if (this.read.size === count) return;
      } else if (msg.seq % 10) {
        msg.ack();
      } else {
        msg.ackAck({ timeout: 2000 }).then((ok) => ok && this.done.set(msg.seq, Date.now()), () => {});
      }
    }
  }
}

for (const [name, read] of Object.entries(ways)) {
  for (const [how, signal] of [["restarts", "SIGTERM"], ["kills", "SIGKILL"]]) {
    test(`${how}: ${name}`, () => withStreams(async (client, server) => {
      const [nc, other] = [await client(), await client()];
      const jsm = await jetstreamManager(nc);
      await jsm.streams.add({ name: "S", subjects: ["s.>"] });
      const count = VOLUME;
      // The reference writes acks to its disk some time after it has confirmed them.
      const reader = new Reader(name, signal === "SIGKILL" && /nats-server$/.test(binary));
      const stored = new Map();
      const messages = await read(jetstream(other), await jetstreamManager(other));
      const reading = reader.run(messages, count);
      const publishing = publish(jetstream(nc), 1, count, stored, { ids: true, workers: 50 });
      const failing = Promise.all([reading, publishing]);
      for (let part = 1; part <= 3; part++) {
        const enough = until("reading to go on", () => Math.min(stored.size, reader.read.size) >= part * count / 4,
          LIMIT);
        await Promise.race([enough, failing]);
        await server.restart(signal);
      }
      await Promise.race([until("all messages", () => stored.size === count && reader.read.size === count, LIMIT),
        failing]);
      if (!reader.ordered) await allAcked(jsm, count);
      for (const [seq, number] of stored) assert.equal(reader.read.get(seq), number);
    }), LIMIT);
  }
}
