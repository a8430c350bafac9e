# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""What a hostile or broken peer does. Each attack runs in a process of its own, bounded in count and time.

An attack takes (addresses, scale, seed): addresses maps listener kinds to (host, port), scale is 1 for the short run,
and it returns when it is done. It raises only if something that it is promised does not hold.
"""

import random
import select
import socket
import struct
import time

GREETING = b'CONNECT {"verbose":false,"pedantic":false}\r\n'
VERBS = [b"PUB", b"HPUB", b"SUB", b"UNSUB", b"CONNECT", b"PING", b"PONG", b"INFO", b"MSG", b"+OK", b"-ERR", b"RS+",
         b"GET /varz", b"GET /connz?subs=1", b"POST /", b"pub", b"sUb"]
PIECES = [b" ", b"\t", b"\r\n", b"\n", b"\r", b"foo", b"foo.bar", b"*", b">", b"..", b"0", b"5", b"-1", b"99999999999",
          b"4294967296", b"1048576", b"\x00", b"\xff\xfe", b"{", b"}", b'{"a":', b'"', b"\\u0000", b"[" * 200,
          b"a" * 5000, b"NATS/1.0\r\n", b"HTTP/1.1\r\nHost: x\r\n\r\n", b"%", b"?sort=", b"\x16\x03\x01\x02\x00"]


def dial(address, timeout=10.0):
    return socket.create_connection(address, timeout)


def reset(peer):
    """Closes with RST instead of FIN."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def noise(rng):
    """Random bytes, or something that looks like the protocol and is not."""
    if rng.random() < 0.4:
        return rng.randbytes(rng.randrange(1, 3000))
    line = b"".join(rng.choice(VERBS + PIECES) + rng.choice((b"", b" ", b"\r\n")) for _ in range(rng.randrange(1, 20)))
    return line + rng.choice((b"", b"\r\n", rng.randbytes(10)))


def send_until_cut(peer, chunks):
    try:
        for chunk in chunks:
            peer.sendall(chunk)
        peer.setblocking(False)
        peer.recv(4096)
    except OSError:  # nothing to read, or the server has hung up, as it should
        pass


def linger():
    """Stays a second, so that the pair meets the server while the attack's connections are there."""
    ends = time.monotonic() + 1
    while time.monotonic() < ends:
        select.select([], [], [], 0.05)


def garbage(addresses, scale, seed):
    """Noise to every port, some of it after a proper start."""
    rng = random.Random(seed)
    ends = time.monotonic() + 3 * scale
    kinds = list(addresses)
    while time.monotonic() < ends:
        kind = rng.choice(kinds)
        peer = dial(addresses[kind])
        chunks = [noise(rng) for _ in range(rng.randrange(1, 6))]
        if kind == "nats" and rng.random() < 0.5:
            chunks.insert(0, GREETING)
        send_until_cut(peer, chunks)
        rng.choice((reset, socket.socket.close))(peer)


def bad_handshakes(addresses, scale, seed):
    """TLS records that break off or make no sense."""
    rng = random.Random(seed)
    ends = time.monotonic() + 2 * scale
    kept = []
    while time.monotonic() < ends:
        peer = dial(addresses["nats"])
        body = rng.randbytes(rng.randrange(0, 600))
        record = b"\x16\x03" + bytes([rng.randrange(5)]) + struct.pack(">H", rng.choice((len(body), 16384, 0))) + body
        hello = b"\x16\x03\x01" + struct.pack(">H", len(body) + 4) + b"\x01\x00" + struct.pack(">H", len(body)) + body
        send_until_cut(peer, [rng.choice((record, hello, hello[:7], body, b"\x16"))])
        if len(kept) < 200 and rng.random() < 0.2:
            kept.append(peer)  # half a handshake, left hanging
        else:
            peer.close()
    for peer in kept:
        peer.close()


def half_open(addresses, scale, seed):
    """Connections that begin something and never go on."""
    rng = random.Random(seed)
    starts = [b"", b"C", b'CONNECT {"verbose"', GREETING, GREETING + b"PUB foo 10\r\n01234", GREETING + b"SUB fo",
              GREETING + b"HPUB foo 12 20\r\nNATS/1.0\r\n", b"PING", b"P"]
    kept = []
    for _ in range(500 * scale):
        peer = dial(addresses["nats"])
        send_until_cut(peer, [rng.choice(starts)])
        if rng.random() < 0.3:
            peer.shutdown(socket.SHUT_WR)
        kept.append(peer)
    for _ in range(50 * scale):
        peer = dial(addresses["monitoring"])
        send_until_cut(peer, [rng.choice((b"", b"GET /varz HTTP/1.1\r\nHo", b"GET /connz HTTP/1.1\r\nHost: x\r\n"))])
        kept.append(peer)
    linger()
    for peer in kept:
        rng.choice((reset, socket.socket.close))(peer)


def fast_connects(addresses, scale, seed):
    """Connect and go away again as fast as it goes, politely and not."""
    rng = random.Random(seed)
    ends = time.monotonic() + 2 * scale
    while time.monotonic() < ends:
        peer = dial(addresses["nats"])
        kind = rng.randrange(4)
        if kind == 0:
            send_until_cut(peer, [GREETING + b"SUB foo.* 1\r\nPING\r\n"])
        elif kind == 1:
            peer.recv(1)
        (reset if kind & 1 else socket.socket.close)(peer)


def promises(addresses, scale, seed):
    """Many connections (10,000 of both processes in the full run) that announce 1 MB and send none of it."""
    kept = []
    for _ in range(500 * scale):
        peer = dial(addresses["nats"])
        peer.sendall(GREETING + b"PUB promised 1048576\r\n")
        kept.append(peer)
    linger()
    for peer in kept:
        peer.close()


def never_reads(addresses, scale, seed):
    """A subscriber that never reads beside one that does and must get everything."""
    deaf, reader, publisher = (dial(addresses["nats"], 60) for _ in range(3))
    deaf.sendall(GREETING + b"SUB flood.%d 1\r\nPING\r\n" % seed)
    reader.sendall(GREETING + b"SUB flood.%d 1\r\nPING\r\n" % seed)
    Lines(reader).until(b"PONG\r\n")
    publisher.sendall(GREETING)
    size, count = 500000, 100 * scale
    message = b"PUB flood.%d %d\r\n" % (seed, size) + b"x" * size + b"\r\n"
    answer = len(b"MSG flood.%d 1 %d\r\n" % (seed, size)) + size + 2
    for _ in range(count):
        publisher.sendall(message)
        # At most one message under way: the reader itself must never be the slow one.
        left = answer
        while left > 0:
            data = reader.recv(1 << 20)
            if not data:
                raise AssertionError("the subscriber that reads was cut off")
            left -= len(data) - (6 if data.startswith(b"PING\r\n") else 0)
    for peer in (deaf, reader, publisher):
        peer.close()


def drop_subscriptions(addresses, scale, seed):
    """Very many subscriptions that all go in one moment."""
    count = 20000 * scale if scale < 5 else 100000
    for _ in range(2):
        peer = dial(addresses["nats"], 60)
        peer.sendall(GREETING)
        for start in range(0, count, 1000):
            peer.sendall(b"".join(b"SUB drop.%d.*.x%d q%d %d\r\n" % (i % 977, i, i % 7, i)
                                  for i in range(start, start + 1000)))
        peer.sendall(b"PING\r\n")
        Lines(peer).until(b"PONG\r\n")
        reset(peer)


def mutual_flood(addresses, scale, seed):
    """Two clients that publish to each other and do not read while they write: nobody may wait for ever."""
    peers = [dial(addresses["nats"], 60) for _ in range(2)]
    for name, peer in zip((b"a", b"b"), peers):
        peer.sendall(GREETING + b"SUB to.%s.%d 1\r\nPING\r\n" % (name, seed))
        Lines(peer).until(b"PONG\r\n")
    chunk = [b"PUB to.%s.%d 100000\r\n" % (other, seed) + b"y" * 100000 + b"\r\n" for other in (b"b", b"a")]
    left = [400 * scale, 400 * scale]
    ends = time.monotonic() + 60
    at = [0, 0]
    for peer in peers:
        peer.setblocking(False)
    while any(left):
        if time.monotonic() > ends:
            raise AssertionError("both clients still wait for the server after 60 s")
        writable = [i for i in (0, 1) if left[i]]
        _, ready, _ = select.select([], [peers[i] for i in writable], [], 0.1)
        for i in writable:
            if peers[i] not in ready:
                continue
            try:
                at[i] += peers[i].send(chunk[i][at[i]:])
            except BlockingIOError:
                continue
            except OSError:  # cut off as a slow consumer: that is an answer, too
                left[i] = 0
            if at[i] == len(chunk[i]):
                at[i], left[i] = 0, left[i] - 1
    for peer in peers:
        peer.close()


class Lines:
    """Reads lines off a socket."""

    def __init__(self, peer):
        self.peer = peer
        self.buffer = b""

    def line(self):
        while b"\n" not in self.buffer:
            data = self.peer.recv(1 << 16)
            if not data:
                raise AssertionError(f"connection closed; unread: {self.buffer[:100]!r}")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def exactly(self, count):
        while len(self.buffer) < count:
            data = self.peer.recv(1 << 16)
            if not data:
                raise AssertionError("connection closed")
            self.buffer += data
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def until(self, wanted):
        while self.line() != wanted:
            pass


PLAIN = [garbage, half_open, fast_connects, promises, never_reads, drop_subscriptions, mutual_flood]
TLS = [bad_handshakes]
