# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Starts servers, lets the scenario programs work against them, and does to the servers what a scenario asks for.

A scenario prints `at WORD ...` when it has got somewhere; the function `when` of its case then acts: kills, restarts,
signals. Cases run four at a time, each with servers of its own on random ports.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from fakes import CuttingServer, SilentServer, free_port
from jwts import jwt
from pylib import certs, nkeys
from pylib.server import Server

TIMEOUT = 90
AT_A_TIME = 4


class World:
    """What the cases share: programs and certificates."""

    def __init__(self, server, build, folder):
        self.server = server
        self.folder = folder
        self.programs = os.path.join(build, "test", "client")
        self.examples = os.path.join(build, "client", "examples")
        self.certs = certs.make(os.path.join(folder, "certs"))
        self.is_midge = os.path.basename(server).startswith("midge")


class Case:
    """One run of one scenario; servers are stopped afterwards, whatever happens."""

    def __init__(self, world, name, folder):
        self.world = world
        self.name = name
        self.folder = folder
        self.servers = []
        self.closers = []
        self.program = "scenario"
        self.output = []

    def serve(self, config="", *args, port=-1):
        """A running server with that configuration text."""
        folder = os.path.join(self.folder, f"server{len(self.servers)}")
        os.makedirs(folder)
        path = os.path.join(folder, "server.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(config)
        server = Server(self.world.server, folder)
        self.servers.append(server)
        server.arguments = ["-c", path, *args]
        server.start(server.arguments, port=port)
        server.tcp_port = server.address()[1]
        return server

    @staticmethod
    def restart(server, kill=True):
        if kill:
            server.stop()
        server.start(server.arguments, port=server.tcp_port)

    def cert(self, name):
        return os.path.join(self.world.certs, name)

    def run(self, scenario, when=None, env=None, **args):
        """Runs it to its end; when(words) is called for each `at` line. env: further variables."""
        argv = [os.path.join(self.world.programs, self.program), scenario]
        argv += [f"{name}={value}" for name, value in args.items()]
        process = subprocess.Popen(argv, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, env={**os.environ, **(env or {})})
        timer = threading.Timer(TIMEOUT, process.kill)
        timer.start()
        try:
            for line in process.stdout:
                self.output.append(line.rstrip())
                if line.startswith("at ") and when:
                    when(line.split()[1:])
            code = process.wait()
        finally:
            timer.cancel()
            process.kill()
            process.wait()
        if code != 0 or not self.output or self.output[-1] != "ok":
            raise AssertionError(f"{' '.join(argv)}: exit {code}")

    def start(self, example, *args):
        """Starts an example; see Example."""
        example = Example([os.path.join(self.world.examples, "example-" + example), *args], self.folder)
        self.closers.append(example)
        return example

    def ask(self, server, subject, data):
        """A request that must be answered without an error of JetStream's."""
        self.run("ask", servers=url(server), subject=subject, data=data)

    def close(self):
        for closer in self.closers:
            closer.close()
        for server in self.servers:
            server.stop()


class Example:
    """An example that runs; what it prints is collected."""

    def __init__(self, argv, folder):
        self.argv = argv
        self.process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.lines = []
        self.timer = threading.Timer(TIMEOUT, self.process.kill)
        self.timer.start()

    def read_until(self, text):
        """Reads lines up to one with that text."""
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if text in line:
                return
        raise AssertionError(f"{self.argv}: no `{text}` in {self.lines}")

    def end(self, signal_number=None, code=0):
        """Its end and all that it printed."""
        if signal_number is not None:
            self.process.send_signal(signal_number)
        self.lines += [line.rstrip() for line in self.process.stdout]
        if self.process.wait() != code:
            raise AssertionError(f"{self.argv}: exit {self.process.returncode}, {self.lines}")
        return self.lines

    def close(self):
        self.timer.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def url(server, scheme="nats", host="127.0.0.1", user=""):
    return f"{scheme}://{user}{host}:{server.tcp_port}"


# ---- one connection -------------------------------------------------------------------------------------------------

def plain(case):
    case.run("round_trip", servers=url(case.serve()))


def by_name(case):  # of which one address may have no listener
    case.run("round_trip", servers=url(case.serve(), host="localhost"))


def small_buffers(case):
    case.run("round_trip", servers=url(case.serve()), recv_size=700, send_size=512)


def no_listener(case):
    port = free_port()
    case.run("refused", servers=f"nats://127.0.0.1:{port}",
             expect=f"cannot connect to 127.0.0.1:{port}: connection refused")


def no_listener_for_ever(case):
    port = free_port()
    case.run("refused_for_ever", servers=f"127.0.0.1:{port}", expect="connection refused")


def no_host(case):
    case.run("refused", servers="nats://no-such-host.invalid:4222",
             expect="cannot connect to no-such-host.invalid:4222")


def bad_options(case):
    case.run("refused", servers="nats://127.0.0.1:x", expect="malformed")
    case.run("refused", servers="", user="a", creds="/nonexistent/file", expect="/nonexistent/file: no such file")
    case.run("refused", nkey_seed="SUAAAA", expect="cannot read the nkey file SUAAAA")
    case.run("refused", tls_ca="/nonexistent/ca", expect="/nonexistent/ca")
    case.run("refused", tls_cert=case.cert("client.pem"), expect="needs both")
    case.run("refused", tls_cert=case.cert("client.pem"), tls_key=case.cert("server.key"), expect="cannot use the key")


def silent(case):
    fake = SilentServer()
    case.closers.append(fake)
    case.run("refused", servers=f"127.0.0.1:{fake.port}", connect_timeout=150, expect="is it a NATS server")


def permissions(case):
    config = """authorization { users: [{ user: u, password: p, permissions: {
        publish: { deny: "secret.>" }, subscribe: { deny: "secret.>" } } }] }"""
    case.run("permissions", servers=url(case.serve(config)), user="u", password="p")


def drain(case):
    case.run("drain", servers=url(case.serve()))


def large(case):
    case.run("large", servers=url(case.serve("max_payload: 8MB")), size=8 << 20)


def skipped(case):
    case.run("skipped", servers=url(case.serve()))


# ---- who we are -----------------------------------------------------------------------------------------------------

def token(case):
    server = case.serve("authorization { token: s3cret }")
    case.run("round_trip", servers=url(server), token="s3cret")
    case.run("round_trip", servers=url(server, user="s3cret@"))
    case.run("refused", servers=url(server), token="other", expect="check user, password, token or credentials")
    case.run("refused", servers=url(server), expect="authorization violation")


def user_password(case):
    server = case.serve("authorization { user: derek, password: pw }")
    case.run("round_trip", servers=url(server), user="derek", password="pw")
    case.run("round_trip", servers=url(server, user="derek:pw@"))
    case.run("refused", servers=url(server), user="derek", password="no", expect="authorization violation")


def nkey(case):
    key = nkeys.Key("client")
    server = case.serve(f"authorization {{ users: [{{ nkey: {key.public} }}] }}")
    case.run("round_trip", servers=url(server), nkey_seed=key.seed)
    path = os.path.join(case.folder, "user.nk")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"# a comment\n{key.seed}\n")
    case.run("round_trip", servers=url(server), nkey_seed=path)
    case.run("refused", servers=url(server), nkey_seed=nkeys.Key("stranger").seed, expect="authorization violation")


def creds(case):
    """Operator mode, which only the reference server has."""
    operator, account, user = nkeys.Key("op", "O"), nkeys.Key("acc", "A"), nkeys.Key("user")
    operator_jwt = jwt(operator, operator.public, {"type": "operator"})
    account_jwt = jwt(operator, account.public, {
        "type": "account", "limits": {"subs": -1, "conn": -1, "data": -1, "payload": -1, "leaf": -1, "imports": -1,
                                      "exports": -1, "wildcards": True}})
    user_jwt = jwt(account, user.public, {"type": "user", "subs": -1, "data": -1, "payload": -1})
    server = case.serve(f"operator: {operator_jwt}\nresolver: MEMORY\n"
                        f"resolver_preload: {{ {account.public}: {account_jwt} }}")
    path = os.path.join(case.folder, "user.creds")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n"
                f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n")
    case.run("round_trip", servers=url(server), creds=path)
    case.run("round_trip", servers=url(server), jwt=user_jwt, seed=user.seed)
    case.run("refused", servers=url(server), jwt=user_jwt, seed=nkeys.Key("x").seed,
             expect="authorization violation")


# ---- TLS ------------------------------------------------------------------------------------------------------------

def tls_config(case, more=""):
    return (f'tls {{ cert_file: "{case.cert("server.pem")}", key_file: "{case.cert("server.key")}", '
            f'ca_file: "{case.cert("ca.pem")}", timeout: 10, {more} }}')


def tls_required(case):
    server = case.serve(tls_config(case))
    ca = case.cert("ca.pem")
    case.run("round_trip", servers=url(server), tls_ca=ca)
    case.run("round_trip", servers=url(server, "tls", "localhost"), tls_ca=ca)
    case.run("round_trip", servers=url(server), tls_insecure=1)
    case.run("round_trip", servers=url(server), tls_ca=ca, tls_name="localhost")


def tls_refused(case):
    server = case.serve(tls_config(case))
    ca = case.cert("ca.pem")
    case.run("refused", servers=url(server), tls_ca=case.cert("other-ca.pem"), expect="no authority that is trusted")
    case.run("refused", servers=url(server), tls_ca=ca, tls_name="example.com", expect="it is for another name")
    case.run("refused", servers=url(server), tls_ca=ca, tls_name="127.0.0.2", expect="it is for another name")
    plain_server = case.serve()
    case.run("refused", servers=url(plain_server), tls_ca=ca, expect="one side requires TLS")
    case.run("refused", servers=url(plain_server, "tls"), expect="one side requires TLS")
    case.run("refused", servers=url(plain_server), tls_first=1, tls_ca=ca, expect="does not answer in TLS")


def tls_first(case):
    server = case.serve(tls_config(case, "handshake_first: true"))
    case.run("round_trip", servers=url(server), tls_ca=case.cert("ca.pem"), tls_first=1)


def tls_system_bundle(case):
    """Without a file of ours the system's authorities count, or those that the environment names."""
    server = case.serve(tls_config(case))
    case.run("round_trip", env={"SSL_CERT_FILE": case.cert("ca.pem")}, servers=url(server))
    case.run("refused", env={"SSL_CERT_FILE": case.cert("other-ca.pem")}, servers=url(server),
             expect="no authority that is trusted")


def tls_client_cert(case):
    server = case.serve(tls_config(case, "verify: true"))
    ca = case.cert("ca.pem")
    case.run("round_trip", servers=url(server), tls_ca=ca, tls_cert=case.cert("client.pem"),
             tls_key=case.cert("client.key"))
    case.run("refused", servers=url(server), tls_ca=ca, expect="")
    case.run("refused", servers=url(server), tls_ca=ca, tls_cert=case.cert("stranger.pem"),
             tls_key=case.cert("stranger.key"), expect="")


def tls_large(case):
    server = case.serve(tls_config(case) + "\nmax_payload: 3MB")
    case.run("large", servers=url(server), tls_ca=case.cert("ca.pem"), size=3 << 20)


def tls_drain(case):
    case.run("drain", servers=url(case.serve(tls_config(case))), tls_ca=case.cert("ca.pem"))


def tls_small_buffers(case):
    """A record holds more than the receive buffer takes at a time."""
    case.run("burst", servers=url(case.serve(tls_config(case))), tls_ca=case.cert("ca.pem"), recv_size=512)


def tls_flood(case):
    case.run("flood", servers=url(case.serve(tls_config(case))), tls_ca=case.cert("ca.pem"))


def flood(case):
    case.run("flood", servers=url(case.serve()))


def tls_storm(case):
    server = case.serve(tls_config(case))
    case.run("storm", lambda words: case.restart(server), servers=url(server), tls_ca=case.cert("ca.pem"), rounds=4)


# ---- servers that go ------------------------------------------------------------------------------------------------

def storm(case):
    server = case.serve()
    case.run("storm", lambda words: case.restart(server), servers=url(server), rounds=20)


def cut_everywhere(case):
    fake = CuttingServer()
    case.closers.append(fake)
    case.run("cut", servers=f"127.0.0.1:{fake.port}")


def stale(case):
    fake = SilentServer(greets=True)
    case.closers.append(fake)
    case.run("stale", servers=f"127.0.0.1:{fake.port}")


def lame_duck(case):
    first = case.serve("lame_duck_duration: 30s\nlame_duck_grace_period: 5s")
    second = case.serve()

    def when(words):
        if words == ["connected"]:
            first.signal("USR2")
        else:
            first.stop()
    case.run("lame_duck", when, servers=f"{url(first)},{url(second)}")


def fail_over(case):
    first, second, third = case.serve(), case.serve(), case.serve()

    def when(words):
        for server in (first, second, third):
            if words == ["server", f"127.0.0.1:{server.tcp_port}"]:
                server.stop()
    case.run("fail_over", when, servers=f"127.0.0.1:{free_port()}, {url(first)},{url(second)}, {url(third)}", rounds=2)


def never_reconnects(case):
    server = case.serve()
    case.run("give_up", lambda words: server.stop(), servers=url(server), max_reconnects=-1)


def gives_up(case):
    server = case.serve()
    case.run("give_up", lambda words: server.stop(), servers=url(server), max_reconnects=3)


def pending(case, scenario):
    server = case.serve()

    def when(words):
        if words == ["connected"]:
            server.stop()
        else:
            case.restart(server, kill=False)
    case.run(scenario, when, servers=url(server))


def pending_refuse(case):
    pending(case, "pending_refuse")


def pending_drop(case):
    pending(case, "pending_drop")


# ---- much at once ---------------------------------------------------------------------------------------------------

def requests(case):
    case.run("requests", servers=url(case.serve()), seed=int(time.time()) | 1)


def request_many(case):
    case.run("request_many", servers=url(case.serve()))


def slow(case):
    case.run("slow", servers=url(case.serve("max_pending: 1MB\nwrite_deadline: 300ms")))


def many_subs(case):
    case.run("many_subs", servers=url(case.serve()))


# ---- other loops ----------------------------------------------------------------------------------------------------

def own_poll(case):
    case.run("own_poll", servers=url(case.serve()))


def wakeup(case):
    case.run("wakeup", servers=url(case.serve()))


def threads(case):
    case.run("sync", servers=url(case.serve()))


def uv(case):
    case.program = "scenario-uv"
    server = case.serve()
    case.run("uv", lambda words: case.restart(server), servers=url(server))
    case.run("uv_detach", servers=url(server))
    case.run("uv_refused", servers=f"127.0.0.1:{free_port()}")


def uv_tls(case):
    case.program = "scenario-uv"
    server = case.serve(tls_config(case))
    case.run("uv", lambda words: case.restart(server), servers=url(server), tls_ca=case.cert("ca.pem"))


def rtos_lwip(case):
    server = case.serve()
    case.run("rtos", lambda words: case.restart(server), servers=url(server))


def rtos_zephyr(case):
    case.program = "scenario-zephyr"
    rtos_lwip(case)


def rtos_task(case):
    case.run("rtos_task", servers=url(case.serve()))


# ---- the examples ---------------------------------------------------------------------------------------------------

def example_sensor(case):
    """Over TLS, with the server away for a while: readings wait and arrive."""
    server = case.serve(tls_config(case))
    ca = case.cert("ca.pem")
    sensor = []

    def when(words):
        if words == ["ready"]:
            sensor.append(case.start("sensor", url(server), ca, "", "60"))
        elif words == ["message", "5"]:
            case.restart(server)
    case.run("listen", when, servers=url(server), tls_ca=ca, subject="sensor.*.temperature", n=20)
    lines = sensor[0].end()
    if sum("connected to" in line for line in lines) < 2:
        raise AssertionError(lines)


def example_rpc(case):
    server = case.serve()
    if "start rpc_service first" not in case.start("rpc_client", url(server), "1").end(code=1)[-1]:
        raise AssertionError("it does not say what to do")
    service = case.start("rpc_service", url(server))
    service.read_until("ready")
    lines = case.start("rpc_client", url(server), "20", "21", "1").end()
    if lines != ["42"]:
        raise AssertionError(lines)
    service.end(signal.SIGTERM)


def example_worker(case):
    """Each job is done by one of two workers."""
    server = case.serve()
    workers = [case.start("worker", url(server), name) for name in ("anna", "berta")]
    for worker in workers:
        worker.read_until("ready")
    for number in range(20):
        case.ask(server, "jobs.paint", f"fence {number}")
    done = [worker.end(signal.SIGTERM)[1:] for worker in workers]
    jobs = sorted(line.split("fence ")[1] for lines in done for line in lines)
    if jobs != sorted(str(number) for number in range(20)):
        raise AssertionError(done)


def jetstream_server(case):
    return case.serve(f'jetstream {{ store_dir: "{case.folder}/js" }}')


STREAM = '{"name":"S","subjects":["s.>"],"allow_direct":true}'
CONSUMER = '{"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","ack_wait":5000000000}}'
BUCKET = ('{"name":"KV_b","subjects":["$KV.b.>"],"max_msgs_per_subject":5,"allow_rollup_hdrs":true,"deny_delete":true,'
          '"allow_direct":true,"discard":"new"}')


def js(scenario, *assets):
    def case_of(case):
        server = jetstream_server(case)
        for subject, config in assets:
            case.ask(server, "$JS.API." + subject, config)
        case.run(scenario, when=lambda words: case.restart(server), servers=url(server))
    case_of.__name__ = scenario
    return case_of


STREAM_S, CONSUMER_C = ("STREAM.CREATE.S", STREAM), ("CONSUMER.DURABLE.CREATE.S.c", CONSUMER)
JETSTREAM = [js("js_publish", STREAM_S), js("js_fetch", STREAM_S, CONSUMER_C), js("js_consume", STREAM_S, CONSUMER_C),
             js("js_keys", ("STREAM.CREATE.KV_b", BUCKET)), js("js_watch", ("STREAM.CREATE.KV_b", BUCKET))]


def example_work_queue(case):
    server = jetstream_server(case)
    case.ask(server, "$JS.API.STREAM.CREATE.JOBS",
             '{"name":"JOBS","subjects":["jobs.>"],"retention":"workqueue","storage":"memory"}')
    case.ask(server, "$JS.API.CONSUMER.DURABLE.CREATE.JOBS.crew",
             '{"stream_name":"JOBS","config":{"durable_name":"crew","ack_policy":"explicit"}}')
    crew = case.start("work_queue", url(server), "JOBS", "crew", "25")
    for number in range(25):
        case.ask(server, "jobs.paint", f"fence {number}")
    lines = crew.end()
    if lines != [f"jobs.paint: fence {number}" for number in range(25)]:
        raise AssertionError(lines)
    # All were acknowledged, so a work queue is empty now.
    case.run("ask", servers=url(server), subject="$JS.API.STREAM.INFO.JOBS", data="", expect='"messages":0')


def example_config_watch(case):
    server = jetstream_server(case)
    case.ask(server, "$JS.API.STREAM.CREATE.KV_config",
             '{"name":"KV_config","subjects":["$KV.config.>"],"max_msgs_per_subject":1,"allow_rollup_hdrs":true,'
             '"deny_delete":true,"allow_direct":true,"discard":"new","storage":"memory"}')
    case.ask(server, "$KV.config.log.level", "debug")
    case.ask(server, "$KV.config.other", "x")
    watcher = case.start("config_watch", url(server), "config", "log.>", "3")
    watcher.read_until("that is all for now")
    case.ask(server, "$KV.config.log.level", "info")
    case.ask(server, "$KV.config.log.file", "/dev/null")
    lines = watcher.end()
    if lines != ["log.level = debug", "that is all for now", "log.level = info", "log.file = /dev/null"]:
        raise AssertionError(lines)


CASES = [requests, storm, slow, cut_everywhere, tls_storm, large, tls_large, many_subs, threads, plain, by_name,
         small_buffers, no_listener, no_listener_for_ever, no_host, bad_options, silent, permissions, drain, skipped,
         token, user_password, nkey, creds, tls_required, tls_refused, tls_first, tls_system_bundle, tls_client_cert,
         tls_drain, tls_small_buffers, tls_flood, flood, stale, lame_duck, fail_over, never_reconnects, gives_up,
         pending_refuse, pending_drop, request_many, own_poll, wakeup, uv, uv_tls, rtos_lwip, rtos_zephyr, rtos_task,
         example_sensor, example_rpc, example_worker, example_work_queue, example_config_watch,
         *JETSTREAM]
ONLY_REFERENCE = [creds, example_work_queue, example_config_watch, *JETSTREAM]  # what midge-server does not have yet


def run_case(world, function):
    folder = os.path.join(world.folder, function.__name__)
    os.makedirs(folder)
    case = Case(world, function.__name__, folder)
    began = time.monotonic()
    try:
        function(case)
        print(f"ok    {case.name} ({time.monotonic() - began:.1f} s)", flush=True)
        return True
    except Exception:  # pylint: disable=broad-except
        logs = "\n".join(server.tail(10) for server in case.servers)
        print(f"FAIL  {case.name}\n{traceback.format_exc()}" + "\n".join(case.output[-20:]) + f"\n{logs}", flush=True)
        return False
    finally:
        case.close()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    if len(sys.argv) < 3:
        print("usage: run.py SERVER BUILD [CASE]...", file=sys.stderr)
        return 2
    folder = tempfile.mkdtemp(prefix="midge-client-")
    try:
        world = World(sys.argv[1], sys.argv[2], folder)
        cases = [c for c in CASES if not world.is_midge or c not in ONLY_REFERENCE]
        if sys.argv[3:]:
            cases = [c for c in cases if c.__name__ in sys.argv[3:]]
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            results = list(pool.map(lambda c: run_case(world, c), cases))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
