# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Key-value buckets and objects: concurrent updates, watchers, history, expiry, digests, through a restart."""

import asyncio
import base64
import hashlib
import io
import os
import time

import nats.js.errors
from nats.js.api import KeyValueConfig

from bed import PATIENCE, Bed, test, until
from streams import VOLUME, named


@test
async def kv_concurrent_updates_watch_history():
    clients, times = 8, 40
    async with Bed(streams=True) as bed:
        kv = await (await bed.client()).jetstream().create_key_value(config=KeyValueConfig(bucket="B", history=10))
        await kv.create("count", b"0")
        watcher = await kv.watch("count", include_history=True)

        async def increment(own):
            while True:
                entry = await own.get("count")
                try:
                    return await own.update("count", b"%d" % (int(entry.value) + 1), last=entry.revision)
                except nats.js.errors.KeyWrongLastSequenceError:
                    pass

        async def worker():
            own = await (await bed.client()).jetstream().key_value("B")
            for _ in range(times):
                await increment(own)
        await asyncio.gather(*(worker() for _ in range(clients)))
        seen = []
        while len(seen) <= clients * times:
            entry = await watcher.updates(timeout=PATIENCE)
            if entry:  # None: the end of what was there already
                seen.append(int(entry.value))
        assert seen == list(range(clients * times + 1))
        assert [int(entry.value) for entry in await kv.history("count")] == seen[-10:]


async def come_back(bed, nc, signal):
    """Restarts the server and waits for the client, which loses what is sent before it is back."""
    count = nc.stats["reconnects"]
    bed.restart(signal)
    await until("the client to come back", lambda: nc.stats["reconnects"] > count and nc.is_connected)
    await nc.flush()


@test
async def kv_watch_through_restarts():
    async with Bed(streams=True) as bed:
        nc = await bed.lasting()
        kv = await nc.jetstream().create_key_value(config=KeyValueConfig(bucket="B", history=64))
        watcher = await kv.watchall(include_history=True)
        for turn, signal in enumerate(("TERM", "KILL", "TERM")):
            for i in range(50):
                await kv.put(f"k{i % 20}", b"%d" % (turn * 50 + i))
            await kv.delete("k0")
            await come_back(bed, nc, signal)
        revisions = []
        while len(revisions) < 153:
            entry = await watcher.updates(timeout=PATIENCE)
            if entry:
                revisions.append(entry.revision)
        assert revisions == list(range(1, 154))
        assert len(await kv.keys()) == 19
        assert (await kv.get("k7")).value == b"147"


@test
async def kv_updates_through_restarts():
    """A confirmed update has happened once, one that was cut off once or not at all."""
    clients, goal = 8, 600
    async with Bed(streams=True) as bed:
        kv = await (await bed.lasting()).jetstream().create_key_value(config=KeyValueConfig(bucket="B", history=64))
        await kv.create("count", b"0")
        confirmed = unclear = 0

        async def worker():
            nonlocal confirmed, unclear
            own = await (await bed.lasting()).jetstream(timeout=2).key_value("B")
            while confirmed < goal:
                try:
                    entry = await own.get("count")
                    await own.update("count", b"%d" % (int(entry.value) + 1), last=entry.revision)
                    confirmed += 1
                except nats.js.errors.KeyWrongLastSequenceError:
                    pass
                except (nats.errors.Error, nats.js.errors.Error):
                    unclear += 1
                    await asyncio.sleep(0)  # let others on, it may fail at once
        workers = asyncio.gather(*(worker() for _ in range(clients)))
        for at, signal in ((goal // 4, "TERM"), (goal // 2, "KILL"), (goal * 3 // 4, "KILL")):
            await until("the counting to go on", lambda at=at: confirmed >= at or workers.done())
            bed.restart(signal)
        await workers
        values = [int(entry.value) for entry in await kv.history("count")]
        assert values == list(range(values[0], values[0] + 64)), values
        assert confirmed <= values[-1] <= confirmed + unclear, (confirmed, values[-1], unclear)


@test
async def kv_expiry():
    async with Bed(streams=True) as bed:
        kv = await (await bed.client()).jetstream().create_key_value(config=KeyValueConfig(bucket="B", ttl=1))
        await kv.put("brief", b"x")
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                await kv.get("brief")
            except nats.js.errors.KeyNotFoundError:
                break
            assert time.monotonic() < deadline, "the key does not expire"
            await asyncio.sleep(0.01)


@test
async def kv_expiry_of_a_key():
    async with Bed(streams=True) as bed:
        config = KeyValueConfig(bucket="B", limit_marker_ttl=60)
        kv = await (await bed.client()).jetstream().create_key_value(config=config)
        watcher = await kv.watchall(include_history=True)
        await kv.create("brief", b"x", msg_ttl=1)
        await kv.create("lasting", b"y")
        seen = []
        while len(seen) < 3:
            entry = await watcher.updates(timeout=PATIENCE)
            if entry:
                seen.append((entry.key, entry.operation))
        assert seen == [("brief", None), ("lasting", None), ("brief", "PURGE")], seen
        assert not (await kv.get("brief")).value  # the marker, which this client's get does not know
        assert (await kv.get("lasting")).value == b"y"


class Interrupted(io.RawIOBase):
    """A file of bytes; when half of it has been read or written the server restarts."""

    def __init__(self, restart, size, data=b""):
        super().__init__()
        self.restart = restart
        self.half = size // 2
        self.file = io.BytesIO(data)

    def pass_half(self):
        if self.restart and self.file.tell() >= self.half:
            self.restart, restart = None, self.restart
            restart()

    def readinto(self, buffer):
        self.pass_half()
        return self.file.readinto(buffer)

    def write(self, data):
        self.pass_half()
        return self.file.write(data)


async def put(store, data, restart):
    """Tries again as an application has to: what was under way when the server went away may be lost."""
    for attempt in range(3):
        try:
            return await store.put("big", Interrupted(None if attempt else restart, len(data), data))
        except (nats.errors.Error, nats.js.errors.Error):
            pass
    raise AssertionError("cannot put")


async def large_object(signal):
    async with Bed(streams=True) as bed:
        store = await (await bed.lasting()).jetstream().create_object_store("O")
        data = os.urandom(VOLUME * 1000)
        info = await put(store, data, lambda: bed.restart(signal))
        assert info.size == len(data)
        digest = hashlib.sha256(data).digest()
        assert info.digest == f"SHA-256={base64.urlsafe_b64encode(digest).decode()}"
        out = Interrupted(lambda: bed.restart(signal), len(data))
        result = await store.get("big", writeinto=out)
        assert result.info.digest == info.digest
        assert hashlib.sha256(out.file.getvalue()).digest() == digest
        await store.delete("big")
        assert (await store.status()).size < 1000


named("object: restart", large_object, "TERM")
named("object: kill", large_object, "KILL")
