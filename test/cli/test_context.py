# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Contexts: the commands, the files, and which one is used."""

import json
import os
import stat

from harness import check, contains, equal, test

NO_URL = {"NATS_URL": None}


def path(w, *names):
    return os.path.join(w.home, "config", "nats", *names)


def read(w, *names):
    with open(path(w, *names), encoding="utf-8") as f:
        return f.read()


@test
def context_add_writes_the_file(w):
    r = w.midge.run("context", "add", "one", "--description", 'A "b"', "-s", "nats://h:1", "--user", "u",
                    "--password", "pw", env=NO_URL).ok()
    equal(r.out, 'NATS Configuration Context "one"\n\n  Description: A "b"\n  Server URLs: nats://h:1\n'
                 '     Username: u\n'
                 f'     Password: **\n         Path: {path(w, "context", "one.json")}\n\n')
    data = json.loads(read(w, "context", "one.json"))
    equal(list(data), ["description", "url", "socks_proxy", "token", "user", "password", "creds", "nkey", "cert", "key",
                       "ca", "nsc", "jetstream_domain", "jetstream_api_prefix", "jetstream_event_prefix",
                       "inbox_prefix", "user_jwt", "user_seed", "color_scheme", "tls_first", "windows_cert_store",
                       "windows_cert_match_by", "windows_cert_match", "windows_ca_certs_match"])
    equal((data["description"], data["url"], data["user"], data["password"], data["tls_first"]),
          ('A "b"', "nats://h:1", "u", "pw", False))
    equal(stat.S_IMODE(os.stat(path(w, "context", "one.json")).st_mode), 0o600)
    w.midge.run("ctx", "save", "one", "--tlsfirst", "--inbox-prefix", "my", env=NO_URL).ok()
    data = json.loads(read(w, "context", "one.json"))
    equal((data["user"], data["tls_first"], data["inbox_prefix"]), ("u", True, "my"))


@test
def context_token_and_too_many_credentials(w):
    w.midge.run("context", "add", "t", "--user", "abc").ok()
    equal(json.loads(read(w, "context", "t.json"))["token"], "abc")
    w.midge.run("context", "add", "t", "--creds", "/a", "--nkey", "/b").failed("too many types of credentials")
    w.midge.run("context", "add", "a/b").failed("invalid context name")
    w.midge.run("context", "add", "..").failed("invalid context name")


@test
def context_selection(w):
    equal(w.midge.run("context", "ls").ok().out, "No known contexts\n")
    w.midge.run("context", "info").failed("no default context and no name supplied")
    w.midge.run("context", "select").failed("no context defined")
    for name in ("one", "two"):
        w.midge.run("context", "add", name).ok()
    w.midge.run("context", "select", "nope").failed('context not found: "nope"')
    w.midge.run("context", "select", "one").ok()
    w.midge.run("context", "switch", "two").ok()
    equal((read(w, "context.txt"), read(w, "previous-context.txt")), ("two", "one"))
    contains(w.midge.run("context", "ls").ok().out, "│ two* │")
    contains(w.midge.run("ctx", "--", "-").ok().out, 'Context "one"')
    contains(w.midge.run("context", "previous").ok().out, 'Context "two"')
    equal(w.midge.run("context", "unselect").ok().out, 'Unselected the "two" context\n')
    equal(w.midge.run("context", "unselect").ok().out, "No context currently selected\n")
    check(not os.path.exists(path(w, "context.txt")), "context.txt is left")
    equal(w.midge.run("context", "ls", "--names").ok().out, "one\ntwo\n")
    equal([c["name"] for c in json.loads(w.midge.run("context", "list", "-j").ok().out)], ["one", "two"])


@test
def context_copy_and_rm(w):
    w.midge.run("context", "add", "one", "--description", "first", "--select").ok()
    w.midge.run("context", "copy", "one", "two", "--token", "t").ok()
    data = json.loads(w.midge.run("context", "info", "two", "--json").ok().out)
    equal((data["name"], data["description"], data["token"]), ("two", "first", "t"))
    w.midge.run("context", "cp", "one", "two").failed("already exists")
    w.midge.run("context", "cp", "nope", "three").failed('unknown context "nope"')
    w.midge.run("context", "rm", "one").failed("cannot remove the selected context")
    w.midge.run("context", "rm", "two").failed("--force does it without asking")
    w.midge.run("context", "rm", "two", "-f").ok()
    w.midge.run("context", "remove", "one", "--force").ok()
    equal(w.midge.run("context", "ls", "-n").ok().out, "")


@test
def context_rm_asks_on_a_terminal(w):
    w.midge.run("context", "add", "one").ok()
    code, screen = w.midge.on_terminal("context", "rm", "one", keys=b"n\n")
    equal(code, 0)
    contains(screen, 'Really delete context "one"?')
    equal(w.midge.run("context", "ls", "-n").ok().out, "one\n")
    w.midge.on_terminal("context", "rm", "one", keys=b"y\n")
    equal(w.midge.run("context", "ls", "-n").ok().out, "")


@test
def context_edit(w):
    w.midge.run("context", "add", "one", "--description", "old").ok()
    w.midge.run("context", "edit", "one").failed("EDITOR")
    w.midge.run("context", "edit", "nope").failed("unknown context")
    contains(w.midge.run("context", "edit", "one", env={"EDITOR": "sed -i s/old/new/"}).ok().out, "Description: new")
    equal(json.loads(read(w, "context", "one.json"))["description"], "new")
    w.midge.run("context", "edit", "one", env={"EDITOR": "false"}).failed("the context is as it was")
    w.midge.run("context", "edit", "one", env={"EDITOR": "sed '"}).failed("the context is as it was")
    w.midge.run("context", "edit", "one", env={"EDITOR": "true", "TMPDIR": "/nowhere"}).failed("/nowhere/midge-")
    w.midge.run("context", "edit", "one", env={"EDITOR": "truncate -s 3"}).failed("the context is as it was")
    equal(json.loads(read(w, "context", "one.json"))["description"], "new")


@test
def context_is_used_and_overridden(w):
    down = "127.0.0.1:1"
    w.midge.run("context", "add", "up", "-s", w.url(), env=NO_URL).ok()
    w.midge.run("context", "add", "down", "-s", down, "--select", env=NO_URL).ok()
    w.midge.run("pub", "x", "y", env=NO_URL).failed("127.0.0.1:1")
    w.midge.run("pub", "x", "y", "--context", "up", env=NO_URL).ok()
    w.midge.run("pub", "x", "y", env={"NATS_CONTEXT": "up", "NATS_URL": None}).ok()
    w.midge.run("pub", "x", "y", "-s", w.url(), env=NO_URL).ok()
    w.midge.run("pub", "x", "y", "--context", path(w, "context", "up.json"), env=NO_URL).ok()
    w.midge.run("pub", "x", "y", "--context", "nope").failed("context not found")
    w.midge.run("pub", "x", "y", "--no-context", "-s", w.url(), env=NO_URL).ok()
    r = w.midge.run("context", "info", "up").ok()
    contains(r.out, "WARNING: Shell environment overrides in place using NATS_URL")


@test
def context_inbox_prefix_is_used(w):
    w.midge.run("context", "add", "inbox", "-s", w.url(), "--inbox-prefix", "_MINE.x", "--select").ok()
    sub = w.subscribe(w.midge, "q", "--json", "--count", "1")
    w.midge.run("req", "q", "x", "--timeout", "50ms").ok()
    contains(json.loads(sub.finish().ok().out)["reply"], "_MINE.x.")


@test
def context_validate(w):
    w.midge.run("context", "add", "good", "-s", w.url()).ok()
    w.midge.run("context", "validate").ok()
    contains(w.midge.run("context", "validate", "good", "--connect").ok().out, "Connection: OK")
    contains(w.midge.run("context", "add", "bad", "--creds", "/nonexistent").ok().out, "/nonexistent (ERROR)")
    contains(w.midge.run("context", "validate").failed("validation failed").out, 'Context "good"')
    with open(path(w, "context", "broken.json"), "w", encoding="utf-8") as f:
        f.write("{")
    contains(w.midge.run("context", "validate", "broken").failed().out, "Could not load broken")
    w.midge.run("context", "ls", "-n").ok()
    w.midge.run("--context", "broken", "pub", "x", "y").failed("is no JSON object")


@test
def context_json(w):
    r = w.midge.run("context", "add", "one", "--token", "t", "--select", "--json").ok()
    equal((json.loads(r.out)["name"], json.loads(r.out)["token"]), ("one", "t"))
    equal(json.loads(w.midge.run("context", "copy", "one", "two", "--nkey", "/no", "-j").ok().out)["name"], "two")
    equal(json.loads(w.midge.run("context", "select", "two", "-j").ok().out)["name"], "two")
    equal(json.loads(w.midge.run("context", "previous", "-j").ok().out)["name"], "one")
    r = w.midge.run("context", "validate", "--json").failed("validation failed")
    equal(json.loads(r.out), [{"name": "one", "problems": []},
                              {"name": "two", "problems": ["NKey: /no cannot be read"]}])


@test
def context_embeds_files(w):
    secret = os.path.join(w.home, "user.creds")
    with open(secret, "w", encoding="ascii") as f:
        f.write("anything")
    contains(w.midge.run("context", "add", "e", "--creds", secret, "--embed").ok().out, "Credentials: embedded data")
    equal(json.loads(read(w, "context", "e.json"))["creds"], "data:;base64,YW55dGhpbmc=")
    w.midge.run("context", "add", "e2", "--creds", secret + ".missing", "--embed").failed("cannot read")


@test
def context_keeps_unknown_members(w):
    os.makedirs(path(w, "context"))
    with open(path(w, "context", "n.json"), "w", encoding="utf-8") as f:
        f.write('{"url": "nats://h", "future": {"a": [1, "x"]}, "windows_ca_certs_match": ["c"], '
                '"description": "\\u00e9"}')
    w.midge.run("context", "add", "n", "--token", "t").ok()
    data = json.loads(read(w, "context", "n.json"))
    equal((data["future"], data["windows_ca_certs_match"], data["description"], data["token"]),
          ({"a": [1, "x"]}, ["c"], "\u00e9", "t"))
