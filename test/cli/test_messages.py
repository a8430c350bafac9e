# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""pub, sub, request and reply, with midge on both ends."""

import base64
import json
import os
import re
import signal

from harness import Failure, check, contains, equal, test
from pylib.server import wait_for


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@test
def pub_says_what_it_did(w):
    r = w.midge.run("pub", "x", "hello").ok()
    equal(r.log, 'TIME Published 5 bytes to "x"\n')
    equal(r.out, "")
    equal(w.midge.run("publish", "x", "hello", "-q").ok().err, "")
    equal(w.midge.run("pub", "x", "a", "--count=3").ok().log, 'TIME Published 1 bytes to "x"\n' * 3)


@test
def pub_json(w):
    r = w.midge.run("pub", "x", "hello", "--count", "30", "--json").ok()
    summary = json.loads(r.out)
    check(summary.pop("duration_ns") > 0, "no duration")
    equal(summary, {"subject": "x", "messages": 30, "bytes": 150})
    equal(r.err, "")


@test
def pub_many_is_told_once(w):
    equal(w.midge.run("pub", "x", "hello", "--count", "1000").ok().log, "TIME Published 1,000 messages, 4.9 KiB\n")


@test
def pub_many_has_a_progress_bar_on_a_terminal(w):
    code, screen = w.midge.on_terminal("pub", "x", "hello", "--count", "50000")
    equal(code, 0, "exit status")
    contains(screen, "50,000")
    check("Published 5 bytes" not in screen, f"single lines: {screen!r}")
    code, screen = w.midge.on_terminal("pub", "x", "hello", "--count", "50000", "-q")
    equal((code, screen), (0, ""))


@test
def pub_reads_stdin(w):
    sub = w.subscribe(w.midge, "x", "--json", "--count", "5")
    r = w.midge.run("pub", "x", stdin=b"two\nlines\n").ok()
    equal(r.log, 'TIME Reading payload from STDIN\nTIME Published 10 bytes to "x"\n')
    w.midge.run("pub", "x", "--send-on", "newline", "-q", stdin=b"one\r\n\nlast").ok()
    w.midge.run("pub", "x", stdin=b"").ok()
    equal([m["data"] for m in lines(sub.finish().ok().out)], ["two\nlines\n", "one", "", "last", ""])


@test
def pub_sends_a_line_when_it_comes(w):
    sub = w.subscribe(w.midge, "x", "--raw", "--count", "2")
    pub = w.start(w.midge, "pub", "x", "--send-on", "newline", pipe=True)
    pub.write(b"first\n")
    sub.wait_out("first\n")
    pub.write(b"second\n")
    sub.wait_out("second\n")
    pub.close_input()
    pub.finish().ok()
    sub.finish().ok()


@test
def pub_reads_stdin_of_a_terminal(w):
    sub = w.subscribe(w.midge, "x", "--raw", "--count", "1")
    code, screen = w.midge.on_terminal("pub", "x", "--send-on", "newline", keys=b"typed\n\x04")
    equal(code, 0, "exit status")
    contains(screen, "Reading payload from STDIN")
    equal(sub.finish().ok().out, "typed\n")


@test
def pub_headers_reply_and_templates(w):
    sub = w.subscribe(w.midge, "t.>", "--json", "--count", "2")
    w.midge.run("pub", "t.{{Count}}",
                "{{.Count}} {{ Cnt }} {{Unix}} {{UnixNano}} {{ID}} {{Random 3 5}} {{Time}} {{TimeStamp}}",
                "-H", "A: {{Count}}", "-HB:b", "--header=A:again", "--reply", "r", "--count", "2").ok()
    for i, m in enumerate(lines(sub.finish().ok().out), 1):
        equal(m["subject"], f"t.{i}")
        equal(m["reply"], "r")
        equal(m["headers"], {"A": [str(i), "again"], "B": ["b"]})
        check(re.fullmatch(rf"{i} {i} \d{{10}} \d{{19}} \w{{22}} \w{{3,5}} \d+:\d\d[AP]M "
                           r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
                           m["data"]), m["data"])


@test
def pub_without_templates(w):
    sub = w.subscribe(w.midge, "x", "--raw", "--count", "3")
    w.midge.run("pub", "x", "{{Count}}", "--no-templates").ok()
    w.midge.run("pub", "x", "{{Count}}", "--templates=false").ok()
    contains(w.midge.run("pub", "x", "{{nothing}}").ok().err, "Could not parse body template")
    equal(sub.finish().ok().out, "{{Count}}\n{{Count}}\n{{nothing}}\n")


@test
def pub_fails(w):
    w.midge.run("pub", "a b", "x").failed("invalid subject \"a b\"")
    w.midge.run("pub", "a.*", "x").failed("invalid subject")
    w.midge.run("pub", "x", "y", "-H", "nocolon").failed("invalid header \"nocolon\"")
    w.midge.run("pub", "x", stdin=b"x" * (1024 * 1024 + 1)).failed("takes at most 1048576")


@test
def pub_sleeps_and_is_interrupted(w):
    pub = w.start(w.midge, "pub", "x", "y", "--count", "10", "--sleep", "1h")
    pub.wait_err("Published 1 bytes")
    equal(pub.interrupt().finish().code, 130, "exit status")


@test
def sub_shows_messages(w):
    sub = w.subscribe(w.midge, "x.>", "y", "--count", "4")
    w.midge.run("pub", "x.1", "hello", "-H", "A:b", "-H", "A:c", "--reply", "foo").ok()
    w.midge.run("pub", "x.2", "").ok()
    w.midge.run("pub", "y", stdin=b"line\n").ok()
    w.midge.run("pub", "y", "last").ok()
    r = sub.finish().ok()
    equal(r.out, '[#1] Received on "x.1" with reply "foo"\nA: b\nA: c\n\nhello\n\n\n'
                 '[#2] Received on "x.2"\nnil body\n\n\n[#3] Received on "y"\nline\n\n[#4] Received on "y"\nlast\n\n\n')
    equal(r.log, "TIME Subscribing on x.>, y \n")


@test
def sub_forms(w):
    def output(*args):
        sub = w.subscribe(w.midge, "x", "--count", "1", *args)
        w.midge.run("pub", "x", "hello", "-H", "A:b").ok()
        return sub.finish().ok().out
    equal(output("--raw"), "hello\n")
    equal(output("--headers-only"), '[#1] Received on "x"\nA: b\n\n')
    equal(output("--subjects-only"), '[#1] Received on "x"\n')
    check(re.match(r'\[#1\] @ [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\.\d{6} Received on "x"\n', output("-t")), "-t")
    check(re.match(r'\[#1\] @ [\d.]+m?s Received on "x"\n', output("-d")), "-d")
    equal(output("--translate", "tr a-z A-Z"), '[#1] Received on "x"\nA: b\n\nHELLO\n\n\n')
    equal(output("--translate", "printf '%s!' {{Subject}}", "--raw"), "!\n")
    contains(output("--translate", "false"), "Error while translating msg body: exit status 1")
    w.midge.run("sub", "x", "-td").failed("exclude each other")


@test
def sub_json(w):
    sub = w.subscribe(w.midge, "x", "--json", "--count", "2")
    w.midge.run("pub", "x", stdin=b"\xff\x00\n").ok()
    w.midge.run("pub", "x", "\u00e9\"\\", "--reply", "r").ok()
    first, second = lines(sub.finish().ok().out)
    check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", first.pop("time")), "time")
    equal(first, {"number": 1, "subject": "x", "bytes": 3, "data_base64": base64.b64encode(b"\xff\x00\n").decode()})
    second.pop("time")
    equal(second, {"number": 2, "subject": "x", "reply": "r", "bytes": 4, "data": "\u00e9\"\\"})


@test
def sub_ignores_subjects(w):
    sub = w.subscribe(w.midge, "x.>", "--raw", "--count", "2", "-I", "x.b,x.c.*", "-I", "x.d")
    for subject in ("x.a", "x.b", "x.c.1", "x.d", "x.c"):
        w.midge.run("pub", subject, subject).ok()
    equal(sub.finish().ok().out, "x.a\nx.c\n")


@test
def sub_waits_for_traffic(w):
    equal(w.midge.run("sub", "x", "--wait", "50ms", "--raw").ok().out, "")


@test
def sub_ends_on_a_signal(w):
    for number in (signal.SIGINT, signal.SIGTERM):
        equal(w.subscribe(w.midge, "x").interrupt(number).finish().code, 0, "exit status")
        w.clean()


@test
def a_signal_that_comes_twice_is_one(w):
    # As from timeout(1), which sends it to the process and to its group.
    reply = w.start(w.midge, "reply", "q", "x").wait_err("Listening")
    reply.interrupt(signal.SIGINT).interrupt(signal.SIGTERM).interrupt(signal.SIGINT)
    contains(reply.finish().ok().err, "Draining...")


@test
def sub_dumps(w):
    folder = os.path.join(w.home, "dump")
    sub = w.subscribe(w.midge, "x", "--dump", folder, "--count", "1")
    w.midge.run("pub", "x", "hello", "-H", "A:b", "--reply", "r").ok()
    sub.finish().ok()
    with open(os.path.join(folder, "1.json"), encoding="utf-8") as f:
        equal(f.read(), '{"Subject":"x","Reply":"r","Header":{"A":["b"]},"Data":"aGVsbG8=","Sub":null}')
    sub = w.subscribe(w.midge, "x", "--dump", "-", "--count", "2")
    w.midge.run("pub", "x", "", "--count", "2").ok()
    equal(sub.finish().ok().out, '{"Subject":"x","Reply":"","Header":null,"Data":"","Sub":null}\0' * 2)


@test
def sub_reports_subjects(w):
    sub = w.subscribe(w.midge, "x.>", "--report-subjects", "--count", "6", "--report-top", "2")
    for subject, count in (("x.few", 1), ("x.many", 3), ("x.some", 2)):
        w.midge.run("pub", subject, "12345", "--count", str(count)).ok()
    out = sub.finish().ok().out
    contains(out, "Top 2 Active Subjects Report")
    check("x.few" not in out and "\033" not in out, out)
    check(re.search(r"x\.many\s*│ 3\s.*│ 15 B.*\n.*x\.some\s*│ 2\s", out), out)
    sub = w.subscribe(w.midge, "x.*", "y", "--report-subscriptions", "--json", "--count", "3", subject="x.*")
    w.midge.run("pub", "x.{{Count}}", "1", "--count", "2").ok()
    w.midge.run("pub", "y", "1").ok()
    equal(json.loads(sub.finish().ok().out), [{"subject": "x.*", "messages": 2, "bytes": 2},
                                              {"subject": "y", "messages": 1, "bytes": 1}])


@test
def sub_reports_live_on_a_terminal(w):
    pub = w.start(w.midge, "pub", "x.live", "y", "--count", "1000000", "--sleep", "10ms", "-q")
    code, screen = w.midge.on_terminal("sub", "x.>", "--report-subjects", stop_at=b"x.live")
    pub.interrupt().finish()
    equal(code, 0, "exit status")
    contains(screen, "\033[2J")


@test
def sub_matches_replies(w):
    sub = w.subscribe(w.midge, "q", "--match-replies", "--count", "1")
    reply = w.start(w.midge, "reply", "q", "answer {{.Request}}", "--count", "1").wait_err("Listening")
    equal(w.midge.run("req", "q", "ask", "--raw").ok().out, "answer ask\n\n\n")
    reply.finish().ok()
    out = sub.finish().ok().out
    check(re.fullmatch(r'\[#1\] Received on "q" with reply "(_INBOX\.\S+)"\nask\n\n\n'
                       r'\[#1\] Matched reply on "\1"\nanswer ask\n\n\n', out), out)


@test
def sub_inbox(w):
    sub = w.start(w.midge, "sub", "-i", "--raw", "--count", "1", "--inbox-prefix", "my.in")
    sub.wait_err("Subscribing on my.in.")
    inbox = re.search(r"Subscribing on (\S+)", sub.err()).group(1)
    w.wait_subscribed(inbox)
    w.midge.run("pub", inbox, "got it").ok()
    equal(sub.finish().ok().out, "got it\n")


@test
def sub_queue_groups_share(w):
    subs = [w.start(w.midge, "sub", "x", "--queue", "g", "--json", "--wait", "400ms") for _ in range(2)]
    w.wait_subscribed("x", 2)
    w.midge.run("pub", "x", "{{Count}}", "--count", "40", "-q").ok()
    got = [m["data"] for sub in subs for m in lines(sub.finish().ok().out)]
    equal(sorted(got, key=int), [str(i) for i in range(1, 41)])


@test
def sub_into_a_closed_pipe_fails(w):
    sub = w.subscribe(w.midge, "x", "--raw", "--count", "100")
    sub.process.stdout.close()
    equal_or_signal = wait_for(lambda: (w.midge.run("pub", "x", "y", "-q"), sub.process.poll() is not None)[1], 20)
    check(equal_or_signal and sub.process.returncode != 0, "it did not notice")


@test
def sub_bold_numbers_only_on_a_terminal(w):
    def screen(**env):
        pub = w.start(w.midge, "pub", "x", "y", "--count", "1000000", "--sleep", "10ms", "-q")
        code, text = w.midge.on_terminal("sub", "x", "--count", "1", env=env)
        pub.interrupt().finish()
        equal(code, 0, "exit status")
        return text
    contains(screen(), "\033[1m[#1]\033[0m")
    check("\033" not in screen(NO_COLOR="1"), "NO_COLOR")
    check("\033" not in screen(NATS_COLOR="none"), "--colors none")
    check("\033" not in screen(TERM="dumb"), "TERM=dumb")


@test
def request_and_echo(w):
    reply = w.start(w.midge, "reply", "q", "--count", "1").wait_err('Listening on "q" in group "NATS-RPLY-22"')
    r = w.midge.run("request", "q", "ask", "-H", "A:b").ok()
    check(re.fullmatch(r'TIME Sending request on "q"\nTIME Received with rtt [\d.]+(µs|ms|s)\n'
                       r'(TIME A: b\nTIME NATS-Reply-Counter: 0|TIME NATS-Reply-Counter: 0\nTIME A: b)\nTIME \n',
                       r.log), r.log)
    equal(r.out, "ask\n\n\n")
    r = reply.finish().ok()
    equal(r.out, "\nask\n")
    equal(r.log, 'TIME No body or command supplied, enabling echo mode\nTIME Listening on "q" in group "NATS-RPLY-22"\n'
                 'TIME [#0] Received on subject "q":\nA: b\nTIME Draining...\n')


@test
def request_without_responders(w):
    r = w.midge.run("request", "nobody", "x").ok()
    equal(r.log, 'TIME Sending request on "nobody"\nTIME No responders are available\n')
    equal(w.midge.run("request", "nobody", "x", "--raw").ok().out, "")
    equal(lines(w.midge.run("request", "nobody", "x", "-j").ok().out), [{"request": 1, "error": "no responders"}])


@test
def request_timeout(w):
    w.subscribe(w.midge, "silent")
    contains(w.midge.run("request", "silent", "x", "--timeout", "100ms").ok().err, "No reply within 100ms")
    equal(lines(w.midge.run("request", "silent", "x", "-j", "--timeout", "50ms").ok().out),
          [{"request": 1, "error": "timeout"}])


@test
def request_several_replies(w):
    for i in range(3):
        w.start(w.midge, "reply", "who", f"me {i}", "--queue", f"g{i}").wait_err("Listening")
    for args, count in ((("--replies", "2"), 2), (("--replies", "0", "--timeout", "300ms"), 3),
                        (("--replies", "5", "--reply-timeout", "100ms"), 3),
                        (("--wait-for-empty", "--reply-timeout", "100ms"), 3)):
        r = w.midge.run("req", "who", "", "--json", *args).ok()
        equal([m["number"] for m in lines(r.out)], list(range(1, count + 1)), f"{args}")
    w.start(w.midge, "reply", "who", "--command", "true", "--queue", "end", "--sleep", "1ns").wait_err("Listening")
    r = w.midge.run("req", "who", "", "--json", "--wait-for-empty", "--reply-timeout", "10s").ok()
    equal(lines(r.out)[-1]["bytes"], 0)


@test
def request_count_and_stdin(w):
    w.start(w.midge, "reply", "q", "--echo").wait_err("Listening")
    r = w.midge.run("req", "q", "n {{Count}}", "--count", "3", "--json").ok()
    equal([(m["request"], m["data"]) for m in lines(r.out)], [(1, "n 1"), (2, "n 2"), (3, "n 3")])
    check(all(m["rtt_ns"] > 0 for m in lines(r.out)), "rtt")
    r = w.midge.run("req", "q", "--raw", "--send-on", "newline", stdin=b"a\nb\n").ok()
    equal(r.out, "a\n\n\nb\n\n\n")
    equal(w.midge.run("req", "q", "up", "--raw", "--translate", "tr a-z A-Z").ok().out, "UP\n\n\n")


@test
def reply_runs_a_command(w):
    command = "sh -c 'printf \"%s|%s|%s|%s\" \"{{1}}\" \"{{.Request}}\" " \
              "\"$NATS_REQUEST_SUBJECT\" \"$NATS_REQUEST_BODY\"'"
    reply = w.start(w.midge, "reply", "weather.>", "--command", command, "--count", "1").wait_err("Listening")
    equal(w.midge.run("req", "weather.london", "now", "--raw").ok().out, "london|now|weather.london|now\n\n\n")
    reply.finish().ok()
    reply = w.start(w.midge, "reply", "fail", "--command", "sh -c 'echo bad; exit 3'", "--count", "1")
    reply.wait_err("Listening")
    equal(w.midge.run("req", "fail", "x", "--raw").ok().out, "bad\n\n")
    contains(reply.finish().ok().err, "failed to run: exit status 3")


@test
def reply_body_headers_and_queue(w):
    reply = w.start(w.midge, "reply", "q", "{{Count}}: {{.Request}}", "-H", "N:{{Count}}", "--queue", "mine",
                    "--sleep", "10ms", "--json").wait_err("") and w.running[-1]
    w.wait_subscribed("q")
    for i in range(2):
        m = lines(w.midge.run("req", "q", "ask", "--json").ok().out)[0]
        equal((m["data"], m["headers"]), (f"{i}: ask", {"N": [str(i)]}))
    r = reply.interrupt().finish().ok()
    equal([(m["number"], m["data"]) for m in lines(r.out)], [(0, "ask"), (1, "ask")])


@test
def a_second_signal_ends_what_hangs(w):
    reply = w.start(w.midge, "reply", "q", "--command", "sleep 3600").wait_err("Listening")
    w.midge.run("pub", "q", "x").ok()
    reply.wait_err("Received on subject")
    children = f"/proc/{reply.process.pid}/task/{reply.process.pid}/children"

    def child():
        with open(children, encoding="ascii") as f:
            return f.read().split()
    pids = wait_for(child, 20)
    # Signals that come at the same time are one, so more may be needed.
    ended = wait_for(lambda: (reply.interrupt(), reply.process.poll() is not None)[1], 20)
    os.kill(int(pids[0]), signal.SIGKILL)
    check(ended and reply.process.returncode == -signal.SIGINT, f"exit status {reply.process.poll()}")


@test
def reply_tells_of_messages_without_a_reply(w):
    reply = w.start(w.midge, "reply", "q", "x").wait_err("Listening")
    w.midge.run("pub", "q", "lost").ok()
    reply.wait_err("Could not publish reply: message does not have a reply")
    reply.interrupt().finish().ok()


@test
def reply_survives_a_flood(w):
    reply = w.start(w.midge, "reply", "q", "--echo", "--count", "3000").wait_err("Listening")
    r = w.midge.run("req", "q", "{{Count}}", "--count", "3000", "--json").ok()
    equal([m["data"] for m in lines(r.out)], [str(i) for i in range(1, 3001)])
    reply.finish().ok()


@test
def failure_is_a_failure(w):
    """The harness itself: a wrong expectation is noticed."""
    try:
        w.midge.run("pub", "x", "y").failed()
    except Failure:
        return
    raise AssertionError("failed() accepted success")
