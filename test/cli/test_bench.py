# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""bench and latency. What they print is compared with the forms of the nats command; figures are not judged."""

import csv
import json
import os
import re
import signal
import socket
import time

from harness import TIMEOUT, check, contains, equal, test
from peer import Peer
from pylib.server import wait_for

RATE = r"[0-9,]+ msgs/sec ~ [0-9.]+ [KMG]?i?B/sec"
US = r"[0-9.,]+us"
LATENCIES = f" ~ min: {US} ~ avg: {US} ~ max: {US} ~ P50: {US} ~ P90: {US} ~ P99: {US} ~ P99\\.9: {US}"
PERCENTILES = ["10", "50", "75", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999", "100"]
AGGREGATED = rf"aggregated stats: {RATE}\n" \
             r" message rates min [0-9,]+ \| avg [0-9,]+ \| max [0-9,]+ \| stddev [0-9,]+ msgs\n"


def matches(text, pattern):
    check(re.fullmatch(pattern, text), f"{text!r} is not {pattern!r}")


def wait_messages(peer, count):
    check(wait_for(lambda: len(peer.messages) >= count, TIMEOUT), f"{len(peer.messages)} of {count} messages came")
    equal(len(peer.messages), count)


def file_of(w, name):
    return os.path.join(w.home, name)


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.reader(f))


# ---- pub ------------------------------------------------------------------------------------------------------------


@test
def bench_pub(w):
    r = w.midge.run("bench", "pub", "t", "--msgs", "1000").ok()
    matches(r.out, rf"\nNATS Core NATS publisher stats: {RATE}{LATENCIES}\n\n")
    equal(r.log, "TIME Starting Core NATS publisher benchmark [clients=1, msg-size=128 B, msgs=1,000, "
                 "multi-subject=false, multi-subject-max=100,000, multi-subject-randomize=false, sleep=0s, subject=t]\n"
                 "TIME [1] Starting Core NATS publisher, publishing 1,000 messages\n", "log")


@test
def bench_pub_with_several_clients(w):
    r = w.midge.run("bench", "pub", "t", "--msgs", "1001", "--clients", "2", "--size", "1K").ok()
    matches(r.out, rf"\n  \[1\] {RATE}{LATENCIES} \(501 msgs\)\n  \[2\] {RATE}{LATENCIES} \(500 msgs\)\n"
                   rf"\n NATS Core NATS publisher {AGGREGATED}"
                   rf" latencies per operation min {US} \| avg {US} \| max {US} \| stddev {US} \| P50 {US} \| P90 {US}"
                   rf" \| P99 {US} \| P99\.9: {US}\n\n")
    contains(r.err, "msg-size=1.0 KiB")
    contains(w.midge.run("bench", "pub", "t", "--msgs", "2", "--clients", "5").ok().err, "clients=2")


@test
def bench_pub_arrives(w):
    with Peer(w.plain, "t") as peer:
        w.midge.run("bench", "pub", "t", "--msgs", "3000", "--clients", "3", "--size", "20").ok()
        wait_messages(peer, 3000)
        equal(set(peer.messages), {("t", b"", b"\0" * 20)})


@test
def bench_pub_names_its_subjects(w):
    for args, names in (
            (["--msgs", "25", "--multisubjectmax", "10", "--clients", "2"], ["t.%02d" % (i % 10) for i in range(25)]),
            (["--msgs", "101", "--multisubjectmax", "0"], ["t.%d" % i for i in range(101)])):
        with Peer(w.plain, "t.*") as peer:
            w.midge.run("bench", "pub", "t", "--multisubject", *args).ok()
            wait_messages(peer, len(names))
            equal(sorted(m[0] for m in peer.messages), sorted(names))
    with Peer(w.plain, "t.*") as peer:
        w.midge.run("bench", "pub", "t", "--multisubject", "--multisubjectmax", "10", "--multisubjectrandomize",
                    "--msgs", "200").ok()
        wait_messages(peer, 200)
        names = [m[0] for m in peer.messages]
        check(set(names) == {"t.%02d" % i for i in range(10)} and names[:20] != sorted(names[:20]), names)


@test
def bench_pub_payload_and_headers(w):
    with open(file_of(w, "payload"), "wb") as f:
        f.write(b"from a file")
    with Peer(w.plain, "t") as peer:
        r = w.midge.run("bench", "pub", "t", "--msgs", "2", "--payload", file_of(w, "payload"), "-H", "A: 1", "-H",
                        "B:two", "--json").ok()
        wait_messages(peer, 2)
        equal(peer.messages[0], ("t", b"NATS/1.0\r\nA: 1\r\nB: two\r\n\r\n", b"from a file"))
        equal(json.loads(r.out)["total"]["bytes"], 22)


@test
def bench_pub_of_large_messages(w):
    with Peer(w.plain, "t") as peer:
        w.midge.run("bench", "pub", "t", "--msgs", "20", "--size", "900K").ok()
        wait_messages(peer, 20)
        equal({len(m[2]) for m in peer.messages}, {900 * 1024})
    w.midge.run("bench", "pub", "t", "--msgs", "20", "--size", "2M").failed(
        "publishing: larger than the buffer or the server's max_payload")


@test
def bench_pub_at_a_pace(w):
    began = time.monotonic()
    r = w.midge.run("bench", "pub", "t", "--throughput", "500", "--duration", "200ms", "--clients", "2", "-j").ok()
    check(time.monotonic() - began >= 0.19, "too fast")
    equal(json.loads(r.out)["total"]["msgs"], 100)
    contains(r.err, "[clients=2, duration=200ms, msg-size=128 B, msgs=100, ")
    contains(r.err, "subject=t, throughput=500]")
    r = w.midge.run("bench", "pub", "t", "--sleep", "10ms", "--msgs", "10", "-j").ok()
    check(json.loads(r.out)["total"]["duration_ns"] >= 90e6, r.out)


# ---- reports --------------------------------------------------------------------------------------------------------


@test
def bench_json(w):
    report = json.loads(w.midge.run("bench", "pub", "t", "--msgs", "1000", "--clients", "4", "--json").ok().out)
    equal(list(report), ["benchmark", "run_id", "subject", "msg_size", "disturbed", "interrupted", "total",
                         "client_msgs_per_sec", "clients"])
    equal((report["benchmark"], report["subject"], report["msg_size"]), ("pub", "t", 128))
    equal((report["total"]["msgs"], report["total"]["bytes"]), (1000, 128000))
    equal([c["client"] for c in report["clients"]], [1, 2, 3, 4])
    equal(sum(c["msgs"] for c in report["clients"]), 1000)
    latency = report["total"]["latency_ns"]
    equal(list(latency), ["min", "avg", "max", "stddev", "p50", "p90", "p99", "p99_9"])
    check(latency["min"] <= latency["p50"] <= latency["p90"] <= latency["p99_9"] <= latency["max"], latency)


@test
def bench_csv(w):
    path = file_of(w, "x.csv")
    r = w.midge.run("bench", "pub", "t", "--msgs", "1000", "--clients", "2", "--csv", path).ok()
    contains(r.out, f"Saved metric data in csv file {path}\n")
    rows = read_csv(path)
    equal(rows[0][:8], ["#RunID", "ClientID", "MsgCount", "MsgBytes", "MsgsPerSec", "BytesPerSec", "DurationSecs",
                        "MinLatencyMicroSecs"])
    equal([r[1:4] for r in rows[1:]], [["P0", "500", "64000"], ["P1", "500", "64000"]])
    equal({len(r) for r in rows}, {15})
    check(rows[1][0] == rows[2][0] and len(rows[1][0]) == 22, rows)
    w.midge.run("bench", "pub", "t", "--msgs", "1", "--csv", "/nonexistent/x.csv").failed(
        "/nonexistent/x.csv: No such file")


@test
def bench_progress_on_a_terminal(w):
    paced = ["bench", "pub", "t", "--throughput", "1000", "--duration", "400ms", "--clients", "2"]
    code, screen = w.midge.on_terminal(*paced)
    equal(code, 0)
    check(re.search("\\[1\\] 100% \u2595\u2588+\u258f 200/200  [0-9,]+ msgs/sec", screen), screen)
    check("\x1b[2A" in screen and re.search(r"\[2\]  ?[1-9][0-9]?% ", screen), screen)
    contains(w.midge.on_terminal(*paced, "--colors=cyan")[1], "100% \x1b[36m\u2595")
    code, screen = w.midge.on_terminal(*paced, "--no-progress")
    equal(code, 0)
    check("%" not in screen and "\x1b[2K" not in screen, screen)
    r = w.midge.run(*paced).ok()
    check("%" not in r.err and "\x1b" not in r.err + r.out, r.err)


# ---- mistakes -------------------------------------------------------------------------------------------------------


@test
def bench_mistakes(w):
    for args, text in (
            (["--clients", "0"], "--clients must be 1 to"), (["--size", "0"], "--size"),
            (["--msgs", "0"], "number of messages should be greater than 0"),
            (["--duration", "1s"], "--duration requires --throughput"),
            (["--throughput", "1", "--duration", "1ms"], "results in zero messages"),
            (["--header", "nocolon"], 'invalid header "nocolon"'), (["--payload", "/nonexistent"], "/nonexistent")):
        equal(w.midge.run("bench", "pub", "t", *args).failed(text).out, "")
    w.midge.run("bench", "pub", "a b").failed("client 1: publishing: invalid subject")


@test
def bench_without_a_server(w):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = "127.0.0.1:%d" % free.getsockname()[1]
        for command in (["bench", "pub", "t"], ["bench", "sub", "t"], ["latency"]):
            contains(w.midge.run("-s", url, *command).failed("refused").err, url)


@test
def bench_without_permission(w):
    server = w.serve('authorization { default_permissions { publish: ["allowed"], subscribe: ["allowed"] }\n'
                     ' users: [{user: u, password: p}] }\n')
    url = "nats://u:p@%s:%d" % server.address()
    w.midge.run("-s", url, "bench", "pub", "t").failed('no permission to publish to "t"')
    w.midge.run("-s", url, "bench", "sub", "t").failed('no permission to subscribe to "t"')


@test
def bench_goes_on_when_the_server_comes_back(w):
    server = w.serve()
    port = server.address()[1]
    running = w.start(w.midge, "-s", w.url(server), "bench", "pub", "t", "--msgs", "40", "--sleep", "20ms", "--json")
    with Peer(server, "t") as peer:
        check(wait_for(lambda: peer.messages, TIMEOUT), "nothing was published")
    server.stop()
    server.start(["-m", "-1"], port=port)
    r = running.finish().ok()
    contains(r.err, "[1] Disconnected due to: ")
    contains(r.err, "WARNING: at least one of the clients disconnected")
    equal((json.loads(r.out)["disturbed"], json.loads(r.out)["total"]["msgs"]), (True, 40))


# ---- sub ------------------------------------------------------------------------------------------------------------


@test
def bench_sub(w):
    path = file_of(w, "s.csv")
    running = w.start(w.midge, "bench", "sub", "t", "--msgs", "50", "--clients", "2", "--csv", path)
    running.wait_err("[2] Starting Core NATS subscriber, expecting 50 messages")  # it is ready then
    contains(running.err(), "[clients=2, msg-size=128 B, msgs=50, multi-subject=false, subject=t]")
    with Peer(w.plain, "nothing") as peer:
        peer.send(b"PUB t 3\r\nabc\r\n" * 60)
        r = running.finish().ok()
    matches(r.out, rf"\n  \[1\] {RATE} \(50 msgs\)\n  \[2\] {RATE} \(50 msgs\)\n"
                   rf"\n NATS Core NATS subscriber {AGGREGATED}\nSaved metric data in csv file .*\n")
    rows = read_csv(path)
    equal([(r[1], r[3]) for r in rows[1:]], [("S0", "150"), ("S1", "150")])
    equal({len(r) for r in rows}, {7})


@test
def bench_sub_of_many_subjects(w):
    running = w.start(w.midge, "bench", "sub", "t", "--msgs", "5", "--multisubject", "--json").wait_err("expecting 5")
    with Peer(w.plain, "nothing") as peer:
        peer.send(b"PUB t.17 3\r\nabc\r\n" * 5)
        r = running.finish().ok()
    equal(json.loads(r.out)["total"]["msgs"], 5)
    contains(r.err, "subject=t.*]")


@test
def bench_interrupted(w):
    running = w.start(w.midge, "bench", "sub", "t", "--msgs", "50", "--json").wait_err("expecting 50 messages")
    with Peer(w.plain, "t") as peer:
        peer.send(b"PUB t 1\r\nx\r\n" * 10)
        wait_messages(peer, 10)
    r = running.interrupt().finish().failed("interrupted", 130)
    report = json.loads(r.out)
    check(report["interrupted"] and report["total"]["msgs"] <= 10, r.out)
    running = w.start(w.midge, "bench", "sub", "t", "--clients", "2").wait_err("[2] Starting")
    contains(running.interrupt(signal.SIGTERM).finish().failed("interrupted", 130).out,
             "aggregated stats: 0 msgs/sec ~ 0 B/sec")
    running = w.start(w.midge, "bench", "pub", "t", "--sleep", "1h", "--clients", "2").wait_err("[2] Starting")
    running.interrupt().finish().failed("interrupted", 130)


# ---- service --------------------------------------------------------------------------------------------------------


@test
def bench_request(w):
    for command in (["service", "request"], ["request"]):
        with Peer(w.plain, "svc", answer=b"ok") as peer:
            r = w.midge.run("bench", *command, "svc", "--msgs", "100", "--size", "5", "-H", "A:1").ok()
            matches(r.out, rf"\nNATS Core NATS service requester stats: {RATE}{LATENCIES}\n\n")
            contains(r.err, "[1] Starting Core NATS service requester, requesting 100 messages")
            equal(peer.messages, [("svc", b"NATS/1.0\r\nA: 1\r\n\r\n", b"\0" * 5)] * 100)


@test
def bench_request_without_good_replies(w):
    w.midge.run("bench", "service", "request", "svc").failed("client 1: requesting: no responders available")
    for answer in (b"", b"-ERR", b"an error"):
        with Peer(w.plain, "svc", answer=answer):
            w.midge.run("bench", "service", "request", "svc").failed("did not receive a good reply")
    with Peer(w.plain, "svc"):  # hears and says nothing
        w.midge.run("bench", "service", "request", "svc", "--timeout", "100ms").failed("requesting: timeout")


@test
def bench_serve(w):
    for command in (["service", "serve", "svc"], ["reply", "svc", "--sleep", "2ms"]):
        running = w.start(w.midge, "bench", *command, "--clients", "2", "--json")
        running.wait_err("[2] Starting Core NATS service server, hit control-c to stop")
        with Peer(w.plain, "answers") as peer:
            peer.send(b"PUB svc answers 3\r\nabc\r\n" * 100)
            wait_messages(peer, 100)
            equal(set(peer.messages), {("answers", b"", b"ok")})
        report = json.loads(running.interrupt().finish().ok().out)
        equal(report["total"]["msgs"], 100)
        check(all(c["msgs"] for c in report["clients"]) and not report["interrupted"], report)


# ---- latency --------------------------------------------------------------------------------------------------------


@test
def latency(w):
    base = file_of(w, "h")
    r = w.midge.run("latency", "--duration", "200ms", "--rate", "500", "--histogram", base).ok()
    value = r"[0-9.]+(?:µs|ms|s)"
    rule = "TIME ==============================\n"
    percentiles = "".join(rf"TIME {name + ':':9} {value}\n" for name in PERCENTILES)
    matches(r.log, rf"{rule}TIME Pub Server RTT : {value}\nTIME Sub Server RTT : {value}\n"
                   r"TIME Message Payload: 8B\nTIME Target Duration: 200ms\nTIME Target Msgs/Sec: 500\n"
                   rf"TIME Target Band/Sec: 7.8K\n{rule}TIME HDR Percentiles:\n{percentiles}{rule}"
                   r"TIME Actual Msgs/Sec: [0-9]+\nTIME Actual Band/Sec: [0-9.]+[BKM]\n"
                   rf"TIME Minimum Latency: {value}\nTIME Median Latency : {value}\nTIME Maximum Latency: {value}\n"
                   rf"TIME 1st Sent Wall Time : {value}\nTIME Last Sent Wall Time: {value}\n"
                   rf"TIME Last Recv Wall Time: {value}\n")
    drawn = re.findall("^ +[0-9.]+(?:ns|µs|ms|s) \u2502[\u2588-\u258f]* +([0-9]+) +[0-9.]+%$", r.out, re.M)
    equal(sum(int(n) for n in drawn), 100, "messages in the drawing")
    with open(base + ".raw", encoding="ascii") as f:
        equal(sum(float(line) > 0 for line in f), 100)
    with open(base + ".histogram", encoding="ascii") as f:
        table = f.read().splitlines()
    equal(table[:2], ["Value    Percentile    TotalCount    1/(1-Percentile)", ""])
    equal([row.split()[1:] for row in table[4:6]], [["0.500000", "50", "2.000000"], ["0.750000", "75", "4.000000"]])


@test
def latency_json(w):
    r = w.midge.run("lat", "--server-b", w.url(), "--duration", "100ms", "--size", "1K", "--json").ok()
    report = json.loads(r.out)
    equal((report["sent"], report["received"], report["msg_size"]), (100, 100, 1024))
    equal(list(report["percentiles_ns"]), PERCENTILES)
    equal(report["percentiles_ns"]["100"], report["latency_ns"]["max"])
    check(report["duration_ns"] > 0.09e9 and report["pub_rtt_ns"] > 0 and report["sub_rtt_ns"] > 0, r.out)


@test
def latency_mistakes(w):
    for args, text in ((["--size", "7"], "--size must be at least 8 bytes"), (["--rate", "0"], "--rate"),
                       (["--duration", "0s"], "--duration"),
                       (["--histogram", "/nonexistent/x", "--duration", "10ms"], "/nonexistent/x.raw")):
        w.midge.run("latency", *args).failed(text)
    other = w.serve()  # no message comes from one server to the other
    w.midge.run("latency", "--server-b", w.url(other), "--timeout", "200ms").failed(
        "no message came through from the first server to the second")


@test
def latency_interrupted(w):
    running = w.start(w.midge, "latency", "--duration", "1h", "--json").wait_err("Target Band")
    r = running.interrupt().finish().failed("", 130)
    if r.out:  # nothing when nothing had been sent
        equal(json.loads(r.out)["sent"], json.loads(r.out)["received"])
