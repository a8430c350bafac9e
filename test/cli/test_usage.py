# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Flags, help, manual, completion, exit codes."""

import json
import os
import shutil
import subprocess

from harness import check, contains, equal, test

COMMANDS = [["pub"], ["sub"], ["request"], ["reply"], ["rtt"], ["context"], ["context", "add"], ["server"],
            ["server", "check", "connection"], ["completion"], ["help"], ["bench"], ["latency"], ["stream"],
            ["stream", "add"], ["consumer", "edit"], ["kv", "watch"], ["object", "put"], ["account", "info"],
            ["bench", "js", "pub", "async"], ["bench", "kv", "put"]]


@test
def help_of_every_command(w):
    for words in COMMANDS:
        r = w.midge.run(*words, "--help").ok()
        contains(r.out, "usage: midge " + " ".join(words))
        contains(r.out, "--server=URL")
        equal(r.err, "")
        equal(w.midge.run("help", *words).ok().out, r.out)
        equal(w.midge.run("--help", *words).ok().out, r.out)
        check(max(len(line) for line in r.out.splitlines()) <= 80, f"{words}: lines longer than 80 columns")


@test
def help_fits_the_terminal(w):
    code, screen = w.midge.on_terminal("pub", "--help", columns=60)
    equal(code, 0)
    check(max(len(line) for line in screen.splitlines() if not line.startswith(" ")) <= 60, screen)


@test
def version(w):
    out = w.midge.run("--version").ok().out.strip()
    check(out.count(".") == 2, out)


@test
def wrong_usage(w):
    for args, text in (
            (["pub"], "the argument <subject> is missing"), (["pub", "--foo", "x"], "unknown flag --foo"),
            (["foo"], 'unknown command "foo"'), (["pub", "x", "y", "z"], 'unexpected argument "z"'),
            (["pub", "x", "y", "--count=abc"], '--count needs a whole number that is not negative, not "abc"'),
            (["pub", "x", "y", "--sleep", "5"], "--sleep needs a duration"),
            (["pub", "x", "y", "--send-on", "foo"], "--send-on must be one of newline eof"),
            (["rtt", "--timeout"], "--timeout needs a value"), (["pub", "--no-quiet", "x"], "unknown flag --no-quiet"),
            (["pub", "-Z", "x"], "unknown flag -Z"), (["sub"], "a subject is needed"),
            (["context", "foo"], "unknown command"), (["rtt", "0"], "<iterations> needs"),
            (["rtt", "x"], "<iterations> needs")):
        r = w.midge.run(*args).failed(text)
        equal(r.out, "", f"stdout of {args}")
        check(r.err.startswith("midge: error: "), r.err)
    for args in ([], ["context"], ["server", "check"]):
        contains(w.midge.run(*args).failed("a command is missing").out, "Commands:")
    contains(w.midge.run("rtt", env={"NATS_TIMEOUT": "x"}).failed().err, "(from $NATS_TIMEOUT)")


@test
def flags_in_every_form(w):
    sub = w.subscribe(w.midge, "f", "--json", "--count", "6")
    for args in (["-q", "--count", "1", "f", "x"], ["f", "x", "-qH", "A:b"], ["f", "-HA:b", "x"], ["f", "x", "-H=A:b"],
                 ["--", "f", "--x"], ["f", "--", "-x"]):
        w.midge.run("--timeout", "3s", "pub", *args).ok()
    got = [json.loads(line) for line in sub.finish().ok().out.splitlines()]
    equal([m["data"] for m in got], ["x", "x", "x", "x", "--x", "-x"])
    equal([m.get("headers") for m in got], [None, {"A": ["b"]}, {"A": ["b"]}, {"A": ["b"]}, None, None])


@test
def output_that_cannot_be_written_is_a_failure(w):
    if not os.path.exists("/dev/full"):
        return
    with open("/dev/full", "wb") as full:
        done = subprocess.run([w.midge.path, "--help"], env=w.env, stdout=full, stderr=subprocess.PIPE, check=False)
    equal(done.returncode, 1, "exit status")
    contains(done.stderr.decode(), "cannot write the output")


@test
def manual(w):
    text = w.midge.run("help", "--man").ok().out
    for words in (".TH MIDGE 1", "midge server check connection", "NATS_URL", "EXIT STATUS", "previous\\-context.txt"):
        contains(text, words)
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-Tascii", "-P-cbou", "-ww"], input=text.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        equal(done.stderr.decode(), "", "groff's warnings")
        contains(done.stdout.decode(), "midge-server(8)")


@test
def completion_words(w):
    def words(*args):
        return sorted(line.split("\t")[0] for line in w.midge.run("complete", "--", *args).ok().out.splitlines())
    equal(words("re"), ["reply", "request"])
    equal(words("pub", "--se"), ["--seed", "--send-on", "--server"])
    equal(words("pub", "--no-t"), ["--no-templates", "--no-tlsfirst"])
    equal(words("pub", "--send-on", ""), ["eof", "newline"])
    equal(words("pub", "--send-on=n"), ["--send-on=newline"])
    equal(words("--tlsca", ""), [":files"])
    equal(words("server", "check", "connection", "--format", "j"), ["json"])
    equal(words("-s", "pub", "ctx", "s"), ["select"])
    equal(words("completion", ""), ["bash", "fish", "zsh"])
    equal(words("pub", "x", ""), [])
    for name in ("one", "other"):
        w.midge.run("context", "add", name).ok()
    equal(words("context", "rm", "o"), ["one", "other"])
    equal(words("pub", "--context", "ot"), ["other"])


@test
def completion_in_bash(w):
    script = w.midge.run("completion", "bash").ok().out
    w.midge.run("completion", "tcsh").failed("bash, zsh or fish")
    ask = script + """
complete_line() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _midge; printf '%s\\n' "${COMPREPLY[@]}"; }
complete_line "$MIDGE" pub --sen
complete_line "$MIDGE" pub --send-on = n
"""
    done = subprocess.run(["bash", "-c", ask], env={**w.env, "MIDGE": w.midge.path}, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    equal(done.stdout.decode(), "--send-on\nnewline\n", f"completion, stderr {done.stderr!r}")


@test
def completion_scripts_parse(w):
    for shell in ("bash", "zsh", "fish"):
        script = w.midge.run("completion", shell).ok().out
        if shutil.which(shell):
            done = subprocess.run([shell, "-n"], input=script.encode(), stderr=subprocess.PIPE, check=False)
            equal((done.returncode, done.stderr), (0, b""), shell)
