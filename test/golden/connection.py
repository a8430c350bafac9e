# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""One client connection of a transcript: bytes out, bytes in, TLS on demand; every wait has a deadline.

The server's own PINGs come about two seconds after CONNECT, whatever the transcript is doing then on a slow machine.
So they are answered and not shown, unless the transcript says that it wants to see them.
"""

import select
import socket
import ssl
import time


PING = b"PING\r\n"


class ConnectionFailed(Exception):
    pass


class Connection:
    def __init__(self, address, timeout):
        self.timeout = timeout
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.ended = ""  # "EOF" or "reset"
        self.show_pings = False
        self.greeted = False  # the first INFO was read
        self.nonce = ""
        self.has_inbox = False  # of requesting.py

    def send(self, data):
        """Sends all. A server that has closed already is not an error here: what it said is checked by reading."""
        try:
            self.socket.settimeout(self.timeout)
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass
        except OSError as error:
            raise ConnectionFailed(f"sending failed: {error}") from None

    def _receive(self, wait):
        """Reads once, waiting at most that long; False if nothing came."""
        if self.ended:
            return False
        pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
        if not pending and not select.select([self.socket], [], [], max(wait, 0))[0]:
            return False
        try:
            self.socket.settimeout(self.timeout)
            data = self.socket.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError):
            self.ended = "reset"
            return True
        except (ssl.SSLError, TimeoutError) as error:
            self.ended = f"failed ({error})"
            return True
        if data:
            self.buffer += data
        else:
            self.ended = "EOF"
        return True

    def _hide_ping(self, data):
        """True if data is a PING that nobody wants to see; it is answered then."""
        if data != PING or self.show_pings:
            return False
        self.send(b"PONG\r\n")
        return True

    def poll_line(self, wait):
        """The next line with its line end, or None if it is not there in time."""
        deadline = time.monotonic() + wait
        while True:
            while b"\n" not in self.buffer:
                if self.ended or not self._receive(deadline - time.monotonic()):
                    return None
            line, _, self.buffer = self.buffer.partition(b"\n")
            if not self._hide_ping(line + b"\n"):
                return line + b"\n"

    def read_line(self):
        line = self.poll_line(self.timeout)
        if line is None:
            raise ConnectionFailed(self.why())
        return line

    def _fill(self, count):
        """Waits until count bytes are there; False if the connection ends or time is over before."""
        deadline = time.monotonic() + self.timeout
        while len(self.buffer) < count:
            if self.ended or not self._receive(deadline - time.monotonic()):
                return False
        return True

    def read_bytes(self, count):
        if not self._fill(count):
            raise ConnectionFailed(self.why())
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def take(self, wanted):
        """Takes exactly these bytes off the input. None if they came, else what came instead and where it differs."""
        while True:
            whole = self._fill(len(wanted))
            at = next((i for i, (a, b) in enumerate(zip(self.buffer, wanted)) if a != b),
                      min(len(self.buffer), len(wanted)))
            if at == len(wanted):
                self.buffer = self.buffer[at:]
                return None
            line = self.buffer.rfind(b"\n", 0, at) + 1
            if PING.startswith(self.buffer[line:line + len(PING)]) and self._fill(line + len(PING)) \
                    and self._hide_ping(self.buffer[line:line + len(PING)]):
                self.buffer = self.buffer[:line] + self.buffer[line + len(PING):]
            else:
                return at, self.buffer[at:at + 200], "" if whole else self.why()

    def take_any(self, units):
        """Takes these units off the input in the order they come in. None, or what came instead."""
        left = list(units)
        while left:
            if not self._fill(min(map(len, left))):
                return self.why()
            unit = next((u for u in left if self._fill(len(u)) and self.buffer.startswith(u)), None)
            if unit is not None:
                left.remove(unit)
                self.buffer = self.buffer[len(unit):]
            elif self._hide_ping(self.buffer[:len(PING)]):
                self.buffer = self.buffer[len(PING):]
            else:
                return f"{self.buffer[:400]!r} instead of one of {left!r}"
        return None

    def why(self):
        rest = f"; unread: {self.buffer[:300]!r}" if self.buffer else ""
        return (f"connection ended: {self.ended}" if self.ended else f"nothing came in {self.timeout:g} s") + rest

    def wait_end(self):
        """Waits for the end; what came before it is in the buffer."""
        deadline = time.monotonic() + self.timeout
        while not self.ended and self._receive(deadline - time.monotonic()):
            while self._hide_ping(self.buffer[:len(PING)]):
                self.buffer = self.buffer[len(PING):]
        return self.ended

    def start_tls(self, ca, cert=None, key=None, version=None):
        context = ssl.create_default_context(cafile=ca)
        if cert:
            context.load_cert_chain(cert, key)
        if version:
            context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
        if self.buffer:
            raise ConnectionFailed(f"bytes before the TLS handshake: {self.buffer[:200]!r}")
        self.socket.settimeout(self.timeout)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()
