// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// The official JavaScript client doing real work: node interop.mjs SERVER [name part]

import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection } from "node:net";

import { connect, headers, nkeyAuthenticator, nkeys } from "@nats-io/transport-node";

import { binary, collect, runTests, status, test, text, withServer } from "./bed.mjs";
import { certificates, Server, until } from "./server.mjs";
import "./jetstream.mjs";
import "./kv.mjs";
import "./object.mjs";
import "./workqueue.mjs";

test("publish and subscribe", () => withServer("", async (client) => {
  const [a, b] = [await client({ name: "a" }), await client()];
  const got = collect(b, "greet", 3);
  await b.flush();
  a.publish("greet", "one");
  a.publish("greet", "two", { reply: "back" });
  a.publish("greet");
  const messages = await got.all;
  assert.deepEqual(messages.map(text), ["one", "two", ""]);
  assert.equal(messages[1].reply, "back");
  assert.equal(a.info.headers, true);
  assert.ok((await a.rtt()) >= 0);
}));

test("wildcards", () => withServer("", async (client) => {
  const nc = await client();
  const star = collect(nc, "a.*.c", 2);
  const tail = collect(nc, "a.>", 4);
  for (const subject of ["a.b.c", "a.x.c", "a.b", "a.b.c.d", "b.b.c"]) nc.publish(subject);
  await star.all;
  await tail.all;
  await nc.flush();
  assert.deepEqual(star.messages.map((m) => m.subject), ["a.b.c", "a.x.c"]);
  assert.deepEqual(tail.messages.map((m) => m.subject), ["a.b.c", "a.x.c", "a.b", "a.b.c.d"]);
}));

test("queue groups share the work", () => withServer("", async (client) => {
  const clients = await Promise.all([client(), client(), client()]);
  const counts = [0, 0, 0];
  clients.forEach((nc, i) => nc.subscribe("work", { queue: "q", callback: () => counts[i]++ }));
  await Promise.all(clients.map((nc) => nc.flush()));
  const p = await client();
  for (let i = 0; i < 300; i++) p.publish("work");
  await p.flush();
  await until("300 messages", () => counts[0] + counts[1] + counts[2] >= 300);
  await Promise.all(clients.map((nc) => nc.flush()));
  assert.equal(counts[0] + counts[1] + counts[2], 300);
  assert.ok(counts.every((n) => n > 30), `uneven: ${counts}`);
}));

test("request and reply", () => withServer("", async (client) => {
  const [a, b] = [await client(), await client()];
  b.subscribe("double", { callback: (_, msg) => msg.respond(text(msg) + text(msg)) });
  await b.flush();
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => a.request("double", `${i}.`)));
  answers.forEach((msg, i) => assert.equal(text(msg), `${i}.${i}.`));
  assert.equal(text(await a.request("double", "x", { timeout: 5000, noMux: true })), "xx");
}));

test("request to many responders", () => withServer("", async (client) => {
  const responders = await Promise.all(Array.from({ length: 5 }, () => client()));
  responders.forEach((nc, i) => nc.subscribe("who", { callback: (_, msg) => msg.respond(String(i)) }));
  await Promise.all(responders.map((nc) => nc.flush()));
  const a = await client();
  const got = [];
  for await (const msg of await a.requestMany("who", "", { strategy: "count", maxMessages: 5, maxWait: 10000 })) {
    got.push(text(msg));
  }
  assert.deepEqual(got.sort(), ["0", "1", "2", "3", "4"]);
}));

test("headers", () => withServer("", async (client) => {
  const nc = await client();
  const got = collect(nc, "h", 1);
  const h = headers();
  h.append("Trace", "1");
  h.append("Trace", "2");
  h.set("Unicode", "später");
  nc.publish("h", "body", { headers: h });
  const [msg] = await got.all;
  assert.deepEqual(msg.headers.values("Trace"), ["1", "2"]);
  assert.equal(msg.headers.get("Unicode"), "später");
  assert.equal(text(msg), "body");
}));

test("no responders", () => withServer("", async (client) => {
  const nc = await client();
  await assert.rejects(nc.request("nobody", "", { timeout: 10000 }), /no responders/);
}));

test("drain delivers what is there", () => withServer("", async (client) => {
  const [a, b] = [await client(), await client()];
  let count = 0;
  b.subscribe("d", { callback: () => count++ });
  await b.flush();
  for (let i = 0; i < 1000; i++) a.publish("d");
  await a.flush();
  await b.drain();
  assert.equal(count, 1000);
  assert.ok(b.isClosed());
}));

test("unsubscribe after a maximum", () => withServer("", async (client) => {
  const nc = await client();
  const got = collect(nc, "m", 3, { max: 3 });
  for (let i = 0; i < 10; i++) nc.publish("m");
  await nc.flush();
  assert.equal(got.messages.length, 3);
}));

test("reconnect after a restart", () => withServer("", async (client, server) => {
  const nc = await client({ maxReconnectAttempts: -1, reconnectTimeWait: 20, reconnectJitter: 0 });
  const got = collect(nc, "again.*", 2);
  nc.publish("again.1");
  await nc.flush();
  const reconnected = status(nc, "reconnect");
  await server.stop("SIGKILL");
  await server.start(server.port);
  await reconnected;
  nc.publish("again.2");
  assert.deepEqual((await got.all).map((m) => m.subject), ["again.1", "again.2"]);
}));

test("lame duck mode is announced", () => withServer("", async (client, server) => {
  const nc = await client({ reconnect: false });
  const told = status(nc, "ldm");
  server.signal("SIGUSR2");
  await told;
}));

test("user and password", () => withServer("authorization { user: derek, password: \"pässwort\" }", async (client) => {
  const nc = await client({ user: "derek", pass: "pässwort" });
  await nc.flush();
  await assert.rejects(client({ user: "derek", pass: "no" }), /Authorization/i);
  await assert.rejects(client(), /Authorization/i);
}));

test("token", () => withServer("authorization { token: s3cret }", async (client) => {
  await (await client({ token: "s3cret" })).flush();
  await assert.rejects(client({ token: "guess" }), /Authorization/i);
}));

test("nkey", () => {
  const user = nkeys.createUser();
  return withServer(`authorization { users: [ { nkey: ${user.getPublicKey()} } ] }`, async (client) => {
    await (await client({ authenticator: nkeyAuthenticator(user.getSeed()) })).flush();
    const stranger = nkeys.createUser();
    await assert.rejects(client({ authenticator: nkeyAuthenticator(stranger.getSeed()) }), /Authorization/i);
  });
});

test("permissions", () => withServer(`authorization { users: [
    { user: a, password: p, permissions: { publish: [ "ok", "_INBOX.>" ],
    subscribe: { allow: ">", deny: "no.>" } } } ] }`, async (client) => {
  const nc = await client({ user: "a", pass: "p" });
  const refused = status(nc, "error");
  nc.publish("forbidden");
  assert.match((await refused).error.message, /Permissions Violation for Publish to "forbidden"/);
  const failed = new Promise((resolve) => nc.subscribe("no.thing", { callback: (err) => resolve(err) }));
  assert.match((await failed).message, /Permissions Violation for Subscription to "no.thing"/);
  const got = collect(nc, "ok", 1);
  nc.publish("ok");
  await got.all;
}));

test("TLS", async () => {
  const certs = certificates();
  try {
    const tls = `tls { cert_file: "${certs.path("server.pem")}", key_file: "${certs.path("server.key")}"`;
    const caFile = certs.path("ca.pem");
    const exchange = async (client, tlsOptions) => {
      const nc = await client({ tls: tlsOptions });
      const got = collect(nc, "secret", 1);
      nc.publish("secret", "x".repeat(300000));
      assert.equal(text((await got.all)[0]).length, 300000);
    };
    await withServer(`${tls} }`, async (client) => {
      await exchange(client, { caFile });
      await assert.rejects(client({ tls: {} }));
    });
    await withServer(`${tls}, ca_file: "${caFile}", verify: true }`, async (client) => {
      await exchange(client, { caFile, certFile: certs.path("client.pem"), keyFile: certs.path("client.key") });
      await assert.rejects(async () => await (await client({ tls: { caFile }, reconnect: false })).flush());
    });
    await withServer(`${tls}, handshake_first: true }`,
      (client) => exchange(client, { caFile, handshakeFirst: true }));
  } finally {
    certs.remove();
  }
});

test("slow consumer: the client is told, the connection lives", () => withServer("", async (client) => {
  const nc = await client();
  const slow = status(nc, "slowConsumer");
  const sub = nc.subscribe("flood", { slow: 100 });
  for (let i = 0; i < 1000; i++) nc.publish("flood");
  await nc.flush();
  await slow;
  sub.unsubscribe();
  await nc.flush();
}));

test("slow consumer: one that never reads is cut off, nobody else", () => withServer("max_pending: 4MB",
async (client, server) => {
  const raw = createConnection(server.port, "127.0.0.1");
  raw.on("error", () => {});
  await once(raw, "connect");
  raw.pause();
  raw.write('CONNECT {"verbose":false}\r\nSUB flood 1\r\n');
  await until("its subscription", async () => (await server.get("/connz")).connections.some((c) => c.subscriptions));
  const [a, b] = [await client(), await client()];
  const got = collect(b, "flood", 200);
  await b.flush();
  const payload = new Uint8Array(200000);
  for (let i = 0; i < 200; i++) {
    a.publish("flood", payload);
    await a.flush();
  }
  await got.all;
  await until("the slow consumer's end", async () => (await server.get("/varz")).slow_consumers === 1);
  raw.destroy();
}));

test("payloads of 1 MB, and one byte too many", () => withServer("", async (client) => {
  const nc = await client();
  const got = collect(nc, "big", 3);
  const payload = new Uint8Array(1 << 20).map((_, i) => i * 7);
  for (let i = 0; i < 3; i++) nc.publish("big", payload);
  for (const msg of await got.all) assert.deepEqual(Buffer.from(msg.data), Buffer.from(payload));
  assert.equal(nc.info.max_payload, 1 << 20);
  assert.throws(() => nc.publish("big", new Uint8Array((1 << 20) + 1)), /max_payload/i);
}));

test("10,000 subscriptions", () => withServer("", async (client, server) => {
  const nc = await client();
  let count = 0;
  const subs = Array.from({ length: 10000 }, (_, i) => nc.subscribe(`many.${i}`, { callback: () => count++ }));
  await nc.flush();
  assert.equal((await server.get("/connz")).connections[0].subscriptions, 10000);
  const p = await client();
  for (let i = 0; i < 10000; i++) p.publish(`many.${i}`);
  await p.flush();
  await until("10,000 messages", () => count === 10000);
  subs.forEach((sub) => sub.unsubscribe());
  await nc.flush();
  assert.equal((await server.get(`/connz?cid=${nc.info.client_id}`)).connections[0].subscriptions, 0);
}));

process.exit(await runTests());
