// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// What the tests are made with: a server and clients of a test's own, collected messages, and the runner.

import { connect } from "@nats-io/transport-node";

import { Server } from "./server.mjs";

export const [binary, only = ""] = process.argv.slice(2);
const tests = [];
export const test = (name, run, limit = 60000) => tests.push({ name, run, limit });
export const text = (msg) => new TextDecoder().decode(msg.data);

/** Runs with a server of its own and any number of connections, which are all gone afterwards. */
export async function withServer(config, run, args = []) {
  const server = await new Server(binary, config).start(-1, args);
  const open = [];
  const client = async (options = {}) => {
    const nc = await connect({ servers: `127.0.0.1:${server.port}`, timeout: 10000, ...options });
    open.push(nc);
    return nc;
  };
  try {
    await run(client, server);
  } finally {
    await Promise.all(open.map((nc) => nc.close()));
    await server.remove();
  }
}

/** Collects a subscription's messages; resolves when there are count of them. */
export function collect(nc, subject, count, options = {}) {
  const messages = [];
  let done;
  const all = new Promise((resolve) => done = resolve);
  const sub = nc.subscribe(subject, {
    ...options,
    callback: (err, msg) => {
      if (err) throw err;
      messages.push(msg);
      if (messages.length === count) done(messages);
    },
  });
  return { sub, messages, all };
}

/** The next status event of this type. */
export async function status(nc, type) {
  for await (const event of nc.status()) {
    if (event.type === type) return event;
  }
  throw new Error(`connection closed before ${type}`);
}

/** The same with JetStream, kept in the server's folder; its clients come back after every restart. */
export const withStreams = (run) => withServer("", (client, server) =>
  run((options) => client({ maxReconnectAttempts: -1, reconnectTimeWait: 20, ...options }), server),
["-js", "-sd", "."]);

/** Runs the tests whose names contain the part that was asked for; gives the exit status. */
export async function runTests() {
  let [passed, failed] = [0, 0];
  for (const { name, run, limit } of tests.filter((t) => t.name.includes(only))) {
    let timer;
    const late = new Promise((_, reject) =>
      timer = setTimeout(() => reject(new Error(`took over ${limit / 1000} s`)), limit));
    try {
      await Promise.race([run(), late]);
      passed++;
      console.log(`ok - ${name}`);
    } catch (error) {
      failed++;
      console.log(`not ok - ${name}\n    ${String(error.stack).replaceAll("\n", "\n    ")}`);
    } finally {
      clearTimeout(timer);
    }
  }
  for (const server of Server.running) await server.remove();
  console.log(`${passed} passed, ${failed} failed`);
  return failed ? 1 : 0;
}
