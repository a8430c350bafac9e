# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Runs the steps of one transcript. README.md describes them; each method here is one kind of step."""

import base64
import http.client
import json
import os
import re
import shlex
import socket
import ssl
import subprocess
import time

import jsoncheck
from connection import Connection, ConnectionFailed
from pylib.nkeys import Key
from pylib.server import Server, ServerError, wait_for
from requesting import Requests
from transcript import TranscriptError, block_lines, block_text, expand

ACTION = re.compile(r"(?P<who>[A-Za-z_]\w*(?:\|[A-Za-z_]\w*)*|\{who\})(?P<op>>>|>|<<|<~|<)(?: (?P<text>.*))?$")
HEADER = ("only", "udp", "args", "bare", "listen", "config", "file", "certs", "set")
DEFAULT_CONNECT = '{"verbose":false,"pedantic":false}'


class Failed(Exception):
    pass


class NotForThisServer(Exception):
    """The transcript begins with "only" and the name of another server."""


class Runner(Requests):
    """The state of one transcript. certificates() gives the folder of the shared test certificates."""

    failed = Failed

    def __init__(self, server_path, name, folder, certificates, timeout):
        self.name = name
        self.timeout = timeout
        self.certificates = certificates
        self.folder = folder
        self.server = Server(server_path, folder, timeout * 2)
        self.config = None
        self.args = []
        self.listen = "127.0.0.1"
        self.connections = {}
        self.sockets = {}
        self.result = None
        self.variables = {"dir": folder, "prog": os.path.basename(server_path), "server": self.server.path}

    # -- running ----------------------------------------------------------------------------------------------

    def run(self, steps):
        for step in steps:
            if step.only and step.only != self.name:
                continue
            try:
                self._one(step)
            except (TranscriptError, NotForThisServer):
                raise
            except (Failed, ConnectionFailed, ServerError, jsoncheck.CheckError) as error:
                raise TranscriptError(step.line, str(error)) from None
            except Exception as error:  # whatever it is, the other transcripts go on
                raise TranscriptError(step.line, f"{type(error).__name__}: {error}") from error

    def _one(self, step):
        action = ACTION.match(step.text)
        if action:
            self._action(step, action)
            return
        words = step.text.split(None, 2)
        if len(words) > 1 and hasattr(self, "do_" + words[1].replace("-", "_")) and not self._is_verb(words[0]):
            self._need_server()
            getattr(self, "do_" + words[1].replace("-", "_"))(words[0], words[2] if len(words) > 2 else "", step)
            return
        verb, _, rest = step.text.partition(" ")
        if not self._is_verb(verb):
            raise Failed(f"unknown step: {step.text}")
        if verb not in HEADER + ("run", "exit", "stdout", "stderr", "start", "repeat"):
            self._need_server()
        getattr(self, "step_" + verb)(rest.strip(), step)

    def _is_verb(self, word):
        return hasattr(self, "step_" + word)

    def _need_server(self):
        if not self.server.process:
            args = (["-c", self.config] if self.config else []) + self.args
            self.server.start(args, self.listen)
            self.variables["pid"] = self.server.process.pid
            self.variables["port"] = self.server.address()[1]
            if "monitoring" in self.server.ports:
                self.variables["mport"] = self.server.address("monitoring")[1]

    def close(self):
        for connection in list(self.connections.values()) + list(self.sockets.values()):
            connection.close()
        self.server.stop()

    # -- text -------------------------------------------------------------------------------------------------

    def _key(self, kind, name, nonce=""):
        key = Key(name)
        if kind == "U":
            return key.public
        if kind == "seed":
            return key.seed
        signature = key.sign(nonce.encode() if kind != "badsig" else b"something else")
        if kind == "sig64":
            return base64.b64encode(signature).decode()
        return base64.urlsafe_b64encode(signature).rstrip(b"=").decode()

    def _bytes(self, text, nonce=""):
        return expand(text, self.variables.get, lambda kind, name: self._key(kind, name, nonce))

    def _fill(self, text):
        """Only {variables} and {U:keys} replaced; escapes stay, for regular expressions, JSON and config."""
        text = re.sub(r"\{(U|seed):(\w+)\}", lambda m: self._key(m[1], m[2]), text)
        return re.sub(r"\{([a-z_][a-z0-9_]*)\}", lambda m: str(self.variables.get(m[1], m[0])), text)

    # -- connections ------------------------------------------------------------------------------------------

    def _connection(self, who):
        self._need_server()
        if who not in self.connections:
            self.connections[who] = Connection(self.server.address(), self.timeout)
        return self.connections[who]

    def _action(self, step, action):
        who, op, text = self._fill(action["who"]), action["op"], action["text"] or ""
        if "|" in who:
            return self._any_connection(who.split("|"), op, text)
        connection = self._connection(who)
        if op in (">", ">>"):
            return connection.send(self._bytes(text, connection.nonce) + (b"\r\n" if op == ">" else b""))
        if op == "<<":
            return self._expect_bytes(connection, self._bytes(text))
        if op == "<" and text == "EOF":
            return self._expect_end(connection)
        if op == "<" and text == "nothing":
            return self._expect_nothing(connection)
        if op == "<" and text == "any order":
            return self._expect_any_order(connection, step)
        if op == "<" and text == "INFO":
            return self._expect_info(connection, step)
        return self._expect_line(connection.read_line(), op, text)

    def _expect_line(self, line, op, text):
        if not line.endswith(b"\r\n"):
            raise Failed(f"line does not end with CRLF: {line!r}")
        got = line[:-2]
        if op == "<~":
            match = re.fullmatch(self._fill(text), got.decode("utf-8", "replace"))
            if not match:
                raise Failed(f"expected a match of {text}, got {got!r}")
            self.variables.update({name: value for name, value in match.groupdict().items() if value is not None})
            return None
        wanted = self._bytes(text)
        if got != wanted:
            raise Failed(f"expected {wanted[:600]!r}, got {got[:600]!r}")
        return None

    def _expect_bytes(self, connection, wanted):
        wrong = connection.take(wanted)
        if wrong:
            at, got, why = wrong
            raise Failed(f"from byte {at}: expected {wanted[at:at + 200]!r}, got {got!r} {why}")

    def _expect_end(self, connection):
        ended = connection.wait_end()
        if ended not in ("EOF", "reset"):
            raise Failed(f"expected the end of the connection: {connection.why()}")
        if connection.buffer:
            raise Failed(f"before the end came {connection.buffer[:300]!r}")

    def _expect_nothing(self, connection):
        connection.send(b"PING\r\n")
        line = connection.read_line()
        if line != b"PONG\r\n":
            raise Failed(f"expected nothing before PONG, got {line[:600]!r}")

    def _expect_any_order(self, connection, step):
        wrong = connection.take_any([self._bytes(text) + b"\r\n" for _, text in block_lines(step)])
        if wrong:
            raise Failed(wrong)

    def _expect_info(self, connection, step):
        self._check(self._take_info(connection), step)

    def _take_info(self, connection):
        line = connection.read_line().decode()
        if not (line.startswith("INFO {") and line.endswith("} \r\n")):
            raise Failed(f"expected an INFO line, got {line[:300]!r}")
        document = jsoncheck.load(line[5:-3])
        connection.greeted = True
        connection.nonce = document.get("nonce", connection.nonce)
        return document

    def _any_connection(self, names, op, text):
        if op not in ("<", "<~"):
            raise Failed("only < and <~ work with several connections")
        def look():
            for name in names:
                line = self._connection(name).poll_line(0)
                if line is not None:
                    return name, line
            return None
        found = wait_for(look, self.timeout)
        if not found:
            raise Failed(f"nothing came to any of {names}")
        self.variables["who"] = found[0]
        self._expect_line(found[1], op, text)

    def do_open(self, who, rest, step):
        if who in self.connections:
            self.connections[who].close()
        address = self.server.address(rest or "nats")
        self.connections[who] = Connection(address, self.timeout)

    def do_connect(self, who, rest, step):
        """Opens unless open, takes INFO, sends CONNECT and PING in one write, takes PONG and, by protocol 1, INFO."""
        if who not in self.connections:
            self.connections[who] = Connection(self.server.address(), self.timeout)
        connection = self.connections[who]
        if not connection.greeted:
            self._take_info(connection)
        options = self._bytes(rest or DEFAULT_CONNECT, connection.nonce)
        connection.send(b"CONNECT " + options + b"\r\nPING\r\n")
        if json.loads(options).get("verbose", True):
            self._expect_line(connection.read_line(), "<", "+OK")
        self._expect_line(connection.read_line(), "<", "PONG")
        if json.loads(options).get("protocol"):
            self._expect_info(connection, step)

    def do_close(self, who, rest, step):
        self.connections.pop(who).close()

    def do_pings(self, who, rest, step):
        """From here the server's PINGs are for the transcript to see and to answer."""
        self._connection(who).show_pings = True

    def do_half_close(self, who, rest, step):
        self._connection(who).half_close()

    def do_sync(self, who, rest, step):
        self._expect_nothing(self._connection(who))

    def do_tls(self, who, rest, step):
        """a tls [fail] [ca=x] [cert=x] [version=TLSv1_2]: handshake; names are those of pylib/certs.py."""
        words = rest.split()
        given = dict(word.split("=", 1) for word in words if "=" in word)
        folder = self.certificates()
        path = lambda name, kind: os.path.join(folder, name + kind)
        cert = given.get("cert")
        try:
            self._connection(who).start_tls(path(given.get("ca", "ca"), ".pem"), path(cert, ".pem") if cert else None,
                                            path(cert, ".key") if cert else None, given.get("version"))
        except (ssl.SSLError, ConnectionError, TimeoutError) as error:
            if "fail" not in words:
                raise Failed(f"TLS handshake failed: {error}") from None
            return
        if "fail" in words:
            raise Failed("the TLS handshake should have failed")

    # -- the server -------------------------------------------------------------------------------------------

    def step_only(self, rest, step):
        if rest != self.name:
            raise NotForThisServer(rest)

    def step_udp(self, rest, step):
        """udp NAME: a socket whose port is {NAME}; udp NAME ~ regex: a later datagram holds it."""
        name, _, pattern = rest.partition(" ~ ")
        if name not in self.sockets:
            self.sockets[name] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sockets[name].bind(("127.0.0.1", 0))
            self.sockets[name].settimeout(self.timeout)
            self.variables[name] = self.sockets[name].getsockname()[1]
            return
        while True:
            got = self.sockets[name].recv(65536).decode("utf-8", "replace")
            if re.search(self._fill(pattern), got):
                return

    def step_args(self, rest, step):
        self.args += shlex.split(self._fill(rest))

    def step_listen(self, rest, step):
        self.listen = rest

    def step_config(self, rest, step):
        self.config = os.path.join(self.folder, "server.conf")
        self.step_file("server.conf", step)

    def step_file(self, rest, step):
        with open(os.path.join(self.folder, rest), "w", encoding="utf-8", newline="") as f:
            f.write(self._fill(block_text(step)))

    def step_certs(self, rest, step):
        self.variables["certs"] = self.certificates()

    def step_set(self, rest, step):
        name, _, value = rest.partition("=")
        self.variables[name.strip()] = self._bytes(value.strip()).decode()

    def step_start(self, rest, step):
        self._need_server()

    def step_signal(self, rest, step):
        self.server.signal(rest)

    def step_restart(self, rest, step):
        """restart [SIGNAL]: ends the server by it (TERM), starts it again on its folder; connections are gone."""
        for connection in self.connections.values():
            connection.close()
        self.connections = {}
        self.server.signal(rest or "TERM")
        self._exit_code()
        self.server.process = None
        self._need_server()

    def step_log(self, rest, step):
        """log text | log ~ regex: a later line holds it; log never regex: no line so far matches."""
        if rest.startswith("never "):
            for line in self.server.log_lines():
                if re.search(self._fill(rest[6:]), line):
                    raise Failed(f"the log should not say {line!r}")
            return
        if rest.startswith("~ "):
            pattern = re.compile(self._fill(rest[2:]))
            matches = pattern.search
        else:
            text = self._bytes(rest).decode()
            matches = lambda line: text in line
        line = self.server.wait_log(matches)
        if line is None:
            raise Failed(f"the log does not say {rest!r}; its end:\n{self.server.tail(15)}")
        if rest.startswith("~ "):
            self.variables.update(pattern.search(line).groupdict())

    def _exit_code(self):
        code = self.server.wait_exit(self.timeout)
        if code is None:
            raise Failed(f"the server does not exit: {self.server.threads()}\n{self.server.tail()}")
        return code

    def step_running(self, rest, step):
        if self.server.process.poll() is not None:
            raise Failed(f"the server has exited with {self.server.process.returncode}")

    def step_exits(self, rest, step):
        code = self._exit_code()
        if code != int(rest):
            raise Failed(f"server's exit code is {code}, expected {rest}")

    def step_path(self, rest, step):
        """path NAME = text | ~ regex | absent | mode OCTAL: a file in the test's folder (waits for it)."""
        name, op, *arg = self._fill(rest).split(None, 2)
        path = os.path.join(self.folder, name)
        def holds():
            if op == "absent":
                return not os.path.exists(path)
            if not os.path.exists(path):
                return False
            if op == "mode":
                return os.stat(path).st_mode & 0o777 == int(arg[0], 8)
            with open(path, encoding="utf-8", newline="") as f:
                content = f.read()
            if op == "json":
                self._check(jsoncheck.load(content), step)
                return True
            return content == self._bytes(arg[0]).decode() if op == "=" else re.search(arg[0], content)
        if not wait_for(holds, self.timeout):
            raise Failed(f"does not hold: {rest}")

    def step_spoil(self, rest, step):
        """spoil NAME text: in a file of the test's folder, inverts the bits of the text where it stands first."""
        name, text = self._fill(rest).split(" ", 1)
        with open(os.path.join(self.folder, name), "r+b") as f:
            at = f.read().find(text.encode())
            if at < 0:
                raise Failed(f"{name} does not hold {text}")
            f.seek(at)
            f.write(bytes(b ^ 255 for b in text.encode()))

    def step_rename(self, rest, step):
        old, new = (os.path.join(self.folder, name) for name in rest.split())
        os.rename(old, new)

    # -- monitoring and plain command runs -----------------------------------------------------------------------

    def step_http(self, rest, step):
        """http [until] [HEAD] /path?query: checks in the block; "until" asks again until they hold."""
        words = self._fill(rest).split()
        until = words[0] == "until"
        method = "HEAD" if "HEAD" in words else "GET"
        last = [""]
        def ask():
            status, headers, body = self._get(method, words[-1])
            try:
                self._check_http(status, headers, body, step)
            except jsoncheck.CheckError as error:
                last[0] = str(error)
                return False
            return True
        if not (wait_for(ask, self.timeout) if until else ask()):
            raise Failed(last[0])

    def _get(self, method, path):
        connection = http.client.HTTPConnection(*self.server.address("monitoring"), timeout=self.timeout)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()

    def _check_http(self, status, headers, body, step):
        wanted = 200
        document = None
        for _, line in block_lines(step):
            line = self._fill(line)
            if re.fullmatch(r"status \d+", line):
                wanted = int(line[7:])
            elif line.startswith("header "):
                name, pattern = line[7:].split(" ~ ", 1)
                if not re.fullmatch(pattern, headers.get(name, "")):
                    raise jsoncheck.CheckError(f"{line}: is {headers.get(name)!r}")
            elif line.startswith("no-header "):
                if headers.get(line[10:]) is not None:
                    raise jsoncheck.CheckError(f"{line}: is {headers.get(line[10:])!r}")
            elif line.startswith("body = "):
                if body != self._bytes(line[7:]).decode():
                    raise jsoncheck.CheckError(f"{line}: is {body[:500]!r}")
            elif line.startswith("body ~ "):
                if not re.search(line[7:], body):
                    raise jsoncheck.CheckError(f"{line}: is {body[:500]!r}")
            else:
                document = jsoncheck.load(body) if document is None else document
                jsoncheck.check(document, line, self.variables)
        if status != wanted:
            raise jsoncheck.CheckError(f"status {status}, expected {wanted}: {body[:300]!r}")

    def _check(self, document, step):
        for number, line in block_lines(step):
            try:
                jsoncheck.check(document, self._fill(line), self.variables)
            except jsoncheck.CheckError as error:
                raise TranscriptError(number, str(error)) from None

    def step_run(self, rest, step):
        """run ARGS: the server binary with just these arguments, until it exits by itself."""
        argv = [self.server.path, *shlex.split(self._fill(rest))]
        try:
            self.result = subprocess.run(argv, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True,
                                         timeout=self.timeout, check=False)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"did not exit by itself; stderr: {(error.stderr or b'')[-600:]!r}") from None

    def step_exit(self, rest, step):
        if self.result.returncode != int(rest):
            raise Failed(f"exit code is {self.result.returncode}, expected {rest}; stderr: {self.result.stderr!r}")

    def _output(self, got, rest):
        got = got.decode("utf-8", "replace")
        op, _, wanted = rest.partition(" ")
        if op == "empty":
            holds = not got
        elif op == "=":
            holds = got == self._bytes(wanted).decode() + "\n"
        else:
            holds = re.search(self._fill(wanted), got) is not None
        if not holds:
            raise Failed(f"output is {got[:1500]!r}")

    def step_stdout(self, rest, step):
        self._output(self.result.stdout, rest)

    def step_stderr(self, rest, step):
        self._output(self.result.stderr, rest)

    # -- other ------------------------------------------------------------------------------------------------

    def step_mark(self, rest, step):
        self.variables["mark"] = time.monotonic()

    def step_elapsed(self, rest, step):
        """elapsed A B: between A and B seconds since the mark."""
        low, high = map(float, rest.split())
        passed = time.monotonic() - self.variables["mark"]
        if not low <= passed <= high:
            raise Failed(f"{passed:.2f} s passed, expected {low} to {high}")

    def step_repeat(self, rest, step):
        for number in range(int(rest)):
            self.variables["i"] = number
            self.run(step.steps)
