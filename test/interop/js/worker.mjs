// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// worker.mjs PORT SEED LIFE: a worker at the queue, in a process of its own because it vanishes without a word, after
// LIFE messages at most. It says on stdout what came and what it did, each time as `word number time`, and goes on
// until stdin ends.

import { writeSync } from "node:fs";

import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const [port, seed, life] = process.argv.slice(2).map(Number);

/** A number below n; a seed gives the same ones each time. */
let state = seed * 2654435761 >>> 0 || 1;
function dice(n) {
  for (const shift of [13, -17, 5]) state = (state ^ (shift > 0 ? state << shift : state >>> -shift)) >>> 0;
  return state % n;
}

const say = (word, msg) => writeSync(1, `${word} ${msg.string()} ${Date.now()}\n`);

async function handle(nc, msg) {
  const roll = dice(100);
  if (roll < 6) {
    say("refused", msg);
    if (roll < 4) msg.nak();
    else msg.nak(dice(200));
  } else if (roll < 8) {
    say("unclear", msg); // a term is never confirmed, but it must have left before the worker vanishes
    msg.term("no good");
    await nc.flush().catch(() => {});
  } else {
    say(await msg.ackAck({ timeout: 2000 }).catch(() => false) ? "done" : "unclear", msg);
  }
}

let told = false;
process.stdin.on("end", () => told = true).resume();
const nc = await connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1, reconnectTimeWait: 20,
  waitOnFirstConnect: true });
let consumer;
while (!consumer) consumer = await jetstream(nc).consumers.get("S", "D").catch(() => undefined);
for (let left = life / 10 + dice(life * 9 / 10); !told;) {
  const batch = [];
  try {
    for await (const msg of await consumer.fetch({ max_messages: 10, expires: 1000 })) {
      say("came", msg);
      batch.push(msg);
    }
  } catch {
    // what came before the server went away is a batch, too
  }
  for (const msg of batch) {
    if (left-- === 0) process.kill(process.pid, "SIGKILL");
    await handle(nc, msg);
  }
}
await nc.close();
