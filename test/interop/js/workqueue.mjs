// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// A work queue and five workers, who refuse, give up and vanish: every message is done by one of them, once.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { jetstream, jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";

import { binary, test, withStreams } from "./bed.mjs";
import { durable, LIMIT, publish, VOLUME } from "./jetstream.mjs";
import { until } from "./server.mjs";

const WORKERS = 5;
const LIFE = VOLUME / 100; // of a worker, in messages, at most
const PROGRAM = fileURLToPath(new URL("worker.mjs", import.meta.url));

/** What the workers say of every message. */
class Worksheet {
  came = [];
  done = new Map();
  unclear = new Map();
  refused = 0;
  vanished = 0;

  note(word, number, time) {
    if (word === "came") this.came.push({ number, time: Number(time) });
    else if (word === "refused") this.refused++;
    else this[word].set(number, [...this[word].get(number) ?? [], Number(time)]);
  }

  finished() {
    return new Set([...this.done.keys(), ...this.unclear.keys()]).size;
  }

  judge(count, interrupted, forgetful) {
    assert.ok(this.refused > 0 && this.vanished >= count / LIFE - WORKERS, `${this.vanished} vanished`);
    for (let i = 1; i <= count; i++) {
      const times = (this.done.get(String(i)) ?? []).length + (this.unclear.get(String(i)) ?? []).length;
      assert.ok(times > 0, `message ${i} is gone and was never done`);
      // One that was under way when the server went away may have come to two workers, who both did it.
      assert.ok(interrupted || times === 1, `message ${i} was done twice`);
    }
    for (const { number, time } of this.came) {
      // Half a second: a redelivery may have been under way when the confirmation of the ack overtook it.
      const late = this.done.has(number) && time > this.done.get(number)[0] + 500;
      assert.ok(forgetful || !late, `message ${number} came again after its ack was confirmed`);
    }
  }
}

/** A process that works; when it has vanished there comes another. */
class Worker {
  ending = false;

  constructor(port, sheet, seed) {
    Object.assign(this, { port, sheet, seed });
    this.all = this.run();
    this.all.catch(() => {}); // whoever waits for it is told
  }

  async run() {
    for (; !this.ending; this.seed += WORKERS) {
      const process = spawn("node", [PROGRAM, this.port, this.seed, LIFE], { stdio: ["pipe", "pipe", "inherit"] });
      this.process = process;
      const exited = once(process, "exit");
      for await (const line of createInterface(process.stdout)) this.sheet.note(...line.split(" "));
      const [code, signal] = await exited;
      if (this.ending) return;
      assert.equal(signal, "SIGKILL", `a worker ended with ${code}`);
      this.sheet.vanished++;
    }
  }

  end() {
    this.ending = true;
    this.process.stdin.end();
    return this.all;
  }

  kill() {
    this.ending = true;
    this.process.kill("SIGKILL");
  }
}

function workQueue(...signals) {
  return withStreams(async (client, server) => {
    const nc = await client();
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: "S", subjects: ["s.>"], retention: RetentionPolicy.Workqueue });
    await jsm.consumers.add("S", durable);
    const [count, sheet] = [VOLUME / 10, new Worksheet()];
    await publish(jetstream(nc), 1, count, new Map());
    const workers = Array.from({ length: WORKERS }, (_, i) => new Worker(server.port, sheet, i + 1));
    const failing = Promise.all(workers.map((worker) => worker.all));
    const enough = (what, condition) => Promise.race([until(what, condition, LIMIT), failing]);
    try {
      for (const [i, signal] of signals.entries()) {
        await enough("the work to go on", () => sheet.finished() > (i + 1) * count / (signals.length + 1));
        await server.restart(signal);
      }
      await enough("all work to be done", () => sheet.finished() === count);
      await Promise.all(workers.map((worker) => worker.end()));
    } finally {
      for (const worker of workers) worker.kill();
    }
    assert.equal((await jsm.streams.info("S")).state.messages, 0);
    const info = await jsm.consumers.info("S", "D");
    assert.deepEqual([info.num_ack_pending, info.num_pending], [0, 0]);
    // The reference writes acks to its disk some time after it has confirmed them.
    sheet.judge(count, signals.length > 0, signals.includes("SIGKILL") && /nats-server$/.test(binary));
  });
}

test("work queue", () => workQueue(), LIMIT);
test("work queue: restarts", () => workQueue("SIGTERM", "SIGTERM"), LIMIT);
test("work queue: kills", () => workQueue("SIGKILL", "SIGKILL"), LIMIT);
