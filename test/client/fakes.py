# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Servers that misbehave, each on a thread and a random port of 127.0.0.1."""

import socket
import threading

INFO = (b'INFO {"server_id":"FAKE","version":"2.12.0","proto":1,"headers":true,"max_payload":1048576,'
        b'"port":4222,"host":"127.0.0.1"}\r\n')


def free_port():
    """A port on which nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class FakeServer:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.closed = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.closed:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            with conn:
                conn.settimeout(20)
                try:
                    self.serve(conn)
                except OSError:
                    pass

    def close(self):
        self.closed = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)

    @staticmethod
    def read_until(conn, word):
        """Reads until a line begins with word; False: the client is gone."""
        got = b""
        while b"\n" + word not in b"\n" + got:
            more = conn.recv(65536)
            if not more:
                return False
            got += more
        return True


class SilentServer(FakeServer):
    """Takes connections and says nothing; with greets it says INFO and answers the first PING only."""

    def __init__(self, greets=False):
        self.greets = greets
        super().__init__()

    def serve(self, conn):
        if self.greets:
            conn.sendall(INFO)
            self.read_until(conn, b"PING\r\n")
            conn.sendall(b"PONG\r\n")
        while conn.recv(65536):
            pass


class CuttingServer(FakeServer):
    """Says INFO, PONG and a few messages, and cuts: one byte later each time. At last it says all, and `end`."""

    SCRIPT = (b"MSG x 1 0\r\n\r\n" b"MSG x 1 3\r\none\r\n" b"PING\r\n" b"MSG x 1 reply.to 11\r\nline\r\nbreak\r\n"
              b"HMSG x 1 23 37\r\nNATS/1.0\r\nColour: x\r\n\r\nMSG x 1 3\r\nabc\r\n")

    def __init__(self):
        self.cut = 0
        super().__init__()

    def serve(self, conn):
        cut = self.cut
        self.cut += 1
        conn.sendall(INFO[:cut])
        cut -= len(INFO)
        if cut < 0 or not self.read_until(conn, b"PING\r\n"):
            return
        script = b"PONG\r\n" + self.SCRIPT
        if cut <= 6:
            conn.sendall(script[:cut])
            return
        conn.sendall(b"PONG\r\n")
        if not self.read_until(conn, b"SUB x"):
            return
        conn.sendall(script[6:cut])
        if cut < len(script):
            return
        conn.sendall(b"MSG x 1 3\r\nend\r\n")
        while conn.recv(65536):
            pass
