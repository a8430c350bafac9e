# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Servers, credentials, TLS, rtt, server check; and what is said when they fail."""

import json
import os
import re
import socket

from harness import check, contains, equal, test
from pylib import certs
from pylib.nkeys import Key

USERS = """
authorization {
  users = [
    {user: "derek", password: "secret", permissions: {publish: ["ok", "_INBOX.>"], subscribe: ["ok", "_INBOX.>"]}}
    {nkey: "%s"}
  ]
}
"""


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@test
def refused_says_what_to_do(w):
    port = closed_port()
    text = f"cannot connect to 127.0.0.1:{port}: connection refused; is the server running? " \
           "midge server check connection"
    for args in (["pub", "x", "y"], ["sub", "x"], ["request", "x", "y"], ["reply", "x", "y"]):
        w.midge.run("-s", f"127.0.0.1:{port}", *args).failed(text)


@test
def unknown_hosts_and_urls(w):
    w.midge.run("-s", "nats://name.invalid", "pub", "x", "y").failed("name.invalid")
    w.midge.run("-s", "nats://:x:y", "pub", "x", "y").failed()
    w.midge.run("--socks-proxy", "socks5://127.0.0.1:1", "pub", "x", "y").failed("SOCKS")
    w.midge.run("--socks-proxy", "none", "pub", "x", "y").ok()


@test
def servers_by_flag_variable_and_list(w):
    url = w.url()
    port = closed_port()
    w.midge.run("pub", "x", "y", env={"NATS_URL": f"127.0.0.1:{port}"}).failed("refused")
    w.midge.run("pub", "x", "y", "-s", url, env={"NATS_URL": f"127.0.0.1:{port}"}).ok()
    w.midge.run("pub", "x", "y", "-s", f"127.0.0.1:{port},{url}").ok()
    contains(w.midge.run("pub", "x", "y", "--trace").ok().err, ">>> Connected to 127.0.0.1:")


@test
def users_and_permissions(w):
    key = Key("cli")
    url = w.url(w.serve(USERS % key.public))
    w.midge.run("-s", url, "pub", "ok", "x").failed("check --user")
    w.midge.run("-s", url, "--user", "derek", "--password", "secret", "pub", "ok", "x").ok()
    w.midge.run("pub", "ok", "x", env={"NATS_URL": url, "NATS_USER": "derek", "NATS_PASSWORD": "secret"}).ok()
    w.midge.run("-s", url.replace("//", "//derek:secret@"), "pub", "ok", "x").ok()
    w.midge.run("-s", url, "--user", "derek", "--password", "wrong", "pub", "ok", "x").failed("uthorization")
    derek = ["-s", url, "--user", "derek", "--password", "secret"]
    r = w.midge.run(*derek, "pub", "denied", "x").failed('Permissions Violation for Publish to "denied"')
    check("Published" not in r.err, r.err)
    w.midge.run(*derek, "pub", "denied", "x", "--count", "100").failed("Permissions Violation")
    w.midge.run(*derek, "sub", "denied").failed('Permissions Violation for Subscription to "denied"')
    w.midge.run(*derek, "reply", "denied").failed("Permissions Violation")
    w.midge.run(*derek, "request", "denied", "x").failed("Permissions Violation")
    seed = os.path.join(w.home, "user.nk")
    with open(seed, "w", encoding="ascii") as f:
        f.write("-----BEGIN USER NKEY SEED-----\n" + key.seed + "\n------END USER NKEY SEED------\n")
    for ref, env in ((seed, {}), ("file://" + seed, {}), ("env://SEED", {"SEED": key.seed})):
        w.midge.run("-s", url, "--nkey", ref, "pub", "any", "x", env=env).ok()
    w.midge.run("-s", url, "--nkey", seed + ".missing", "pub", "any", "x").failed("cannot read")


@test
def tokens(w):
    url = w.url(w.serve('authorization { token: "t0k3n" }'))
    w.midge.run("-s", url, "--token", "t0k3n", "pub", "x", "y").ok()
    w.midge.run("-s", url, "--user", "t0k3n", "pub", "x", "y").ok()
    w.midge.run("-s", url, "--token", "env://T", "pub", "x", "y", env={"T": "t0k3n"}).ok()
    w.midge.run("-s", url, "pub", "x", "y").failed()


@test
def tls(w):
    folder = certs.make(os.path.join(w.home, "certs"))

    def path(name):
        return os.path.join(folder, name)
    block = 'tls { cert_file: "%s", key_file: "%s", ca_file: "%s", verify: %s%s }'
    url = w.url(w.serve(block % (path("server.pem"), path("server.key"), path("ca.pem"), "false", "")))
    w.midge.run("-s", url, "--tlsca", path("ca.pem"), "pub", "x", "y").ok()
    w.midge.run("-s", url, "pub", "x", "y", env={"NATS_CA": path("ca.pem")}).ok()
    w.midge.run("-s", url, "--tlsca", path("other-ca.pem"), "pub", "x", "y").failed("--tlsca")
    named = url.replace("127.0.0.1", "localhost")
    equal(w.midge.run("-s", named, "--tlsca", path("ca.pem"), "rtt", "1", "-j").ok().err, "")
    url = w.url(w.serve(block % (path("server.pem"), path("server.key"), path("ca.pem"), "true", "")))
    w.midge.run("-s", url, "--tlsca", path("ca.pem"), "pub", "x", "y").failed()
    w.midge.run("-s", url, "--tlsca", path("ca.pem"), "--tlscert", path("client.pem"), "--tlskey", path("client.key"),
                "pub", "x", "y").ok()
    first = ", handshake_first: true"
    url = w.url(w.serve(block % (path("server.pem"), path("server.key"), path("ca.pem"), "false", first)))
    w.midge.run("-s", url, "--tlsca", path("ca.pem"), "--tlsfirst", "pub", "x", "y").ok()
    w.midge.run("-s", url, "--tlsca", path("ca.pem"), "--tls-first", "pub", "x", "y").ok()


@test
def a_restarted_server_is_found_again(w):
    server = w.serve()
    port = server.address()[1]
    sub = w.start(w.midge, "-s", w.url(server), "sub", "x", "--raw", "--count", "1")
    w.wait_subscribed("x", server=server)
    server.stop()
    sub.wait_err("will attempt reconnect")
    server.start(["-m", "-1"], port=port)
    w.wait_subscribed("x", server=server)
    w.midge.run("-s", w.url(server), "pub", "x", "again").ok()
    equal(sub.finish().ok().out, "again\n")


@test
def rtt(w):
    url = w.url()
    r = w.midge.run("rtt").ok()
    check(re.fullmatch(rf"{re.escape(url)}:\n\n   {re.escape(url)}: \d+(\.\d+)?(µs|ms|s)\n\n", r.out), r.out)
    (target,) = json.loads(w.midge.run("rtt", "3", "--json").ok().out)
    equal(target["url"], url)
    equal([(x["address"], x["url"]) for x in target["results"]], [(url, url)])
    check(target["results"][0]["rtt"] > 0, "rtt")
    bad = f"127.0.0.1:{closed_port()}"
    r = w.midge.run("rtt", "-s", f"{bad},{url}").ok()
    contains(r.out, f"nats://{bad}: failed")
    contains(r.err, f"Failed to compute rtt for nats://{bad}: cannot connect")


@test
def check_connection(w):
    r = w.midge.run("server", "check", "connection").ok()
    check(re.fullmatch(r"OK Connection OK:connected to nats://\S+ in \S+ OK:rtt time \S+ "
                       r"OK:round trip took 0\.\d{6}s \| connect_time=0\.\d{4}s;0\.5000;1\.0000 "
                       r"rtt=0\.\d{4}s;0\.5000;1\.0000 request_time=0\.\d{4}s;0\.5000;1\.0000\n", r.out), r.out)
    data = json.loads(w.midge.run("srv", "check", "conn", "--json").ok().out)
    equal((data["status"], data["check_suite"], data["check_name"], len(data["ok"])),
          ("OK", "connections", "Connection", 3))
    equal([(p["name"], p["warning"], p["critical"], p["unit"]) for p in data["perf_data"]],
          [(n, 0.5, 1, "s") for n in ("connect_time", "rtt", "request_time")])
    contains(w.midge.run("server", "check", "connection", "--format", "text").ok().out, "Check Metrics")


@test
def check_thresholds_and_exit_codes(w):
    check_connection = ["server", "check", "connection"]
    r = w.midge.run(*check_connection, "--connect-warn", "1ns").failed(code=1)
    contains(r.out, "WARNING Connection Warn:connected to")
    r = w.midge.run(*check_connection, "--rtt-critical", "1ns", "--connect-warn", "1ns").failed(code=2)
    contains(r.out, "CRITICAL Connection Crit:rtt time exceeded")
    w.midge.run(*check_connection, "--req-warn", "1ns").failed(code=1)
    down = ["-s", f"127.0.0.1:{closed_port()}"]
    contains(w.midge.run(*check_connection, *down).failed(code=2).out, "CRITICAL Connection Crit:connection failed:")
    r = w.midge.run(*check_connection, *down, "--format", "prometheus").ok()
    equal(r.out, "# HELP nats_server_check_connections_status_code Nagios compatible status code for connections\n"
                 "# TYPE nats_server_check_connections_status_code gauge\n"
                 'nats_server_check_connections_status_code{item="Connection",status="CRITICAL"} 2\n\n')
    r = w.midge.run(*check_connection, *down, "--format", "json").failed(code=2)
    equal(json.loads(r.out)["status"], "CRITICAL")
    w.midge.run(*check_connection, "--context", "missing").failed("context not found", code=3)
    outfile = os.path.join(w.home, "sub", "metrics")
    r = w.midge.run(*check_connection, "--format", "prometheus", "--namespace", "ns", "--outfile", outfile).ok()
    equal(r.out, "")
    with open(outfile, encoding="utf-8") as f:
        contains(f.read(), 'ns_connections_rtt{item="Connection"} 0.')
