# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Key-value buckets and objects: concurrent updates, watchers, history, expiry, digests, through a restart."""

import asyncio
import hashlib
import os
import time

import nats.js.errors
from nats.js.api import KeyValueConfig

from bed import PATIENCE, Bed, test, until
from streams import VOLUME


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
async def object_through_a_restart():
    async with Bed(streams=True) as bed:
        nc = await bed.lasting()
        store = await nc.jetstream().create_object_store("O")
        data = os.urandom(VOLUME * 1000)
        info = await store.put("big", data)
        assert info.size == len(data)
        await come_back(bed, nc, "KILL")
        result = await store.get("big")
        assert hashlib.sha256(result.data).digest() == hashlib.sha256(data).digest()
        assert result.info.digest == info.digest
