# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Steps that are requests: one message out, its answer in, as clients of JetStream do it.

    a request SUBJECT [BODY]    sends it with a reply subject of its own; the block checks the answer
    a reply                     the next message to the last request's reply subject
    a no-reply                  none comes before the server has answered a PING and another request
    a publish SUBJECT [BODY]    without a reply subject

Lines of a block:  + Name: value  (a header to send)    = text, ~ regex  (the whole body)
                   header = text, header ~ regex, no-header    (the whole header block)
                   error CODE ERR_CODE text  (of a JSON answer)    until  (asks again until all holds)
and everything else is a check of the body as JSON (jsoncheck.py).
"""

import re

import jsoncheck
from pylib.server import wait_for
from transcript import TranscriptError, block_lines

SID = b"9999"
LINE = re.compile(rb"(?:MSG|(?P<with_header>HMSG)) (?P<subject>\S+) \S+ (?:(?P<reply>\S*) )??"
                  rb"(?(with_header)(?P<header>\d+) )(?P<total>\d+)\r\n")


class Answer:
    def __init__(self, header, body):
        self.header = header
        self.body = body
        self._document = None

    def document(self):
        if self._document is None:
            self._document = jsoncheck.load(self.body.decode())
        return self._document


def _read(connection, failed):
    line = connection.read_line()
    match = LINE.fullmatch(line)
    if not match:
        raise failed(f"expected an answer, got {line[:600]!r}")
    data = connection.read_bytes(int(match["total"]) + 2)[:-2]
    cut = int(match["header"] or 0)
    return Answer(data[:cut], data[cut:])


def _frame(subject, reply, headers, body):
    """A PUB or HPUB."""
    words = subject + (b" " + reply if reply else b"")
    if not headers:
        return b"PUB %s %d\r\n%s\r\n" % (words, len(body), body)
    block = b"NATS/1.0\r\n" + b"".join(line + b"\r\n" for line in headers) + b"\r\n"
    return b"HPUB %s %d %d\r\n%s%s\r\n" % (words, len(block), len(block) + len(body), block, body)


class Requests:
    """Mixed into the Runner."""

    def do_request(self, who, rest, step):
        until = any(line == "until" for _, line in block_lines(step))
        last = []

        def ask():
            self._send(who, rest, step, True)
            try:
                self._check_answer(who, step)
            except TranscriptError as error:
                last[:] = [error]
                return False
            return True

        if not (wait_for(ask, self.timeout) if until else ask()):
            raise last[0]

    def do_publish(self, who, rest, step):
        self._send(who, rest, step, False)

    def do_reply(self, who, rest, step):
        self._check_answer(who, step)

    def do_no_reply(self, who, rest, step):
        self._expect_nothing(self._connection(who))

    def _send(self, who, rest, step, wants_answer):
        connection = self._connection(who)
        if not connection.greeted:
            self.do_connect(who, '{"verbose":false,"pedantic":false,"headers":true,"no_responders":true}', step)
        subject, _, body = rest.partition(" ")
        headers = [self._bytes(line[2:]) for _, line in block_lines(step) if line.startswith("+ ")]
        inbox = b""
        if wants_answer:
            inbox = b"_INBOX.golden." + who.encode()
            if not connection.has_inbox:
                connection.send(b"SUB %s %s\r\n" % (inbox, SID))
                connection.has_inbox = True
        connection.send(_frame(self._bytes(subject), inbox, headers, self._bytes(body)))

    def _check_answer(self, who, step):
        answer = _read(self._connection(who), self.failed)
        for number, line in block_lines(step):
            if line.startswith("+ ") or line == "until":
                continue
            try:
                self._check_line(answer, line)
            except jsoncheck.CheckError as error:
                raise TranscriptError(number, str(error)) from None

    def _check_line(self, answer, line):
        words = line.split(None, 2)
        if words[0] == "header":
            self._compare(answer.header, words[1], words[2])
        elif line == "no-header":
            self._compare(answer.header, "=", "")
        elif words[0] in ("=", "~"):
            self._compare(answer.body, words[0], line[2:])
        elif words[0] == "error":
            code, number, text = line.split(None, 3)[1:]
            wanted = {"code": int(code), "err_code": int(number), "description": self._bytes(text).decode()}
            if answer.document().get("error") != wanted:
                raise jsoncheck.CheckError(f"expected {wanted}, got {answer.body[:600]!r}")
        else:
            jsoncheck.check(answer.document(), self._fill(line), self.variables)

    def _compare(self, got, op, wanted):
        if op == "~":
            match = re.fullmatch(self._fill(wanted), got.decode("utf-8", "replace").replace("\r\n", "|"), re.S)
            if not match:
                raise jsoncheck.CheckError(f"expected a match of {wanted}, got {got[:800]!r}")
            self.variables.update({name: value for name, value in match.groupdict().items() if value is not None})
        elif got != self._bytes(wanted):
            raise jsoncheck.CheckError(f"expected {self._bytes(wanted)!r}, got {got[:800]!r}")
