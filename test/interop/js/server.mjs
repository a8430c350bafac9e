// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Starts and stops servers for the tests and makes their certificates. Waits for conditions, not for time.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PATIENCE = 20000;

export async function until(what, condition, patience = PATIENCE) {
  const deadline = Date.now() + patience;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export class Server {
  static running = new Set();

  constructor(binary, config = "") {
    this.binary = binary;
    this.log = "";
    this.folder = mkdtempSync(join(tmpdir(), "interop-js-"));
    this.config = join(this.folder, "server.conf");
    writeFileSync(this.config, `# made by a test\nlogtime: true\n${config}`);
  }

  async start(port = -1, args = []) {
    rmSync(join(this.folder, "ports"), { recursive: true, force: true });
    execFileSync("mkdir", ["-p", join(this.folder, "ports")]);
    this.process = spawn(this.binary, ["-a", "127.0.0.1", "-p", String(port), "--ports_file_dir",
      join(this.folder, "ports"), "-m", "-1", "-c", this.config, ...args], { cwd: this.folder,
      stdio: ["ignore", "ignore", "pipe"] });
    this.args = args;
    this.process.stderr.on("data", (data) => this.log += data);
    this.exited = new Promise((resolve) => this.process.on("exit", resolve));
    Server.running.add(this);
    this.ports = await until(`the server's ports file\n${this.log}`, () => this.readPorts());
    this.port = Number(new URL(this.ports.nats[0].replace(/^\w+/, "http")).port);
    return this;
  }

  readPorts() {
    if (this.process.exitCode !== null) throw new Error(`server exited\n${this.log}`);
    const name = readdirSync(join(this.folder, "ports")).find((file) => file.endsWith(`_${this.process.pid}.ports`));
    try {
      return name && JSON.parse(readFileSync(join(this.folder, "ports", name), "utf8"));
    } catch {
      return undefined; // half written
    }
  }

  async get(path) {
    return await (await fetch(this.ports.monitoring[0] + path)).json();
  }

  signal(name) {
    this.process.kill(name);
  }

  async stop(signal = "SIGTERM") {
    if (this.process.exitCode === null) this.process.kill(signal);
    await this.exited;
    Server.running.delete(this);
  }

  /** Ends it by the signal and starts it again on the same port and folder. */
  async restart(signal) {
    await this.stop(signal);
    await this.start(this.port, this.args);
  }

  async remove() {
    await this.stop("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
    const at = this.log.search(/runtime error: |ERROR: [A-Za-z]+Sanitizer/);
    if (at >= 0) throw new Error(this.log.slice(at, at + 4000));
  }
}

export function certificates() {
  const folder = mkdtempSync(join(tmpdir(), "interop-js-certs-"));
  const openssl = (...args) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...ec, "-days", "30", "-subj", "/CN=Midge test CA", "-keyout", "ca.key", "-out", "ca.pem");
  for (const [name, use] of [["server", "serverAuth"], ["client", "clientAuth"]]) {
    writeFileSync(join(folder, `${name}.ext`),
      `subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=${use}\nbasicConstraints=CA:false\n`);
    openssl("req", ...ec, "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.csr`);
    openssl("x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
      "-days", "30", "-extfile", `${name}.ext`, "-out", `${name}.pem`);
  }
  return { folder, path: (file) => join(folder, file), remove: () => rmSync(folder, { recursive: true }) };
}
