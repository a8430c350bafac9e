# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""The other end of a test: a NATS client of a few lines on a plain socket."""

import socket
import threading

TIMEOUT = 20.0


class Peer:
    """Subscribes, keeps what it receives in `messages` as (subject, headers, body), and answers requests if told to."""

    def __init__(self, server, subject, answer=None):
        self.socket = socket.create_connection(server.address(), timeout=TIMEOUT)
        self.stream = self.socket.makefile("rb")
        self.stream.readline()
        self.messages = []
        self.answer = answer
        self.send(b'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB %s 1\r\nPING\r\n' %
                  subject.encode())
        while self.stream.readline() != b"PONG\r\n":
            pass
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.stream.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _read(self):
        try:
            while line := self.stream.readline():
                words = line.split()
                if words and words[0] == b"PING":
                    self.send(b"PONG\r\n")
                elif words and words[0] in (b"MSG", b"HMSG"):
                    self._take(words)
        except (OSError, ValueError):
            pass

    def _take(self, words):
        # MSG subject sid [reply] size; HMSG has the size of the headers before the last.
        headers = words[0] == b"HMSG"
        body = self.stream.read(int(words[-1]) + 2)[:-2]
        at = int(words[-2]) if headers else 0
        reply = words[3] if len(words) - headers > 4 else b""
        self.messages.append((words[1].decode(), body[:at], body[at:]))
        if reply and self.answer is not None:
            self.send(b"PUB %s %d\r\n%s\r\n" % (reply, len(self.answer), self.answer))
