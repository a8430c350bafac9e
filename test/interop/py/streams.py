# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Streams: many messages by every way of reading, and restarts of the server in the middle of it."""

import asyncio
import functools
import os
import time

import nats.errors
import nats.js.errors
from nats.js.api import ConsumerConfig

from bed import BINARY, Bed, test, until

LIMIT = 180
HEARTBEAT = 1.0
VOLUME = int(os.environ.get("INTEROP_MESSAGES", "100000"))
CONSUMER = ConsumerConfig(ack_wait=3.0, max_ack_pending=10000)


class Reading:
    """What came; unless it is ordered, every ack is sent, and of every tenth the confirmation is awaited."""

    def __init__(self, ordered, forgetful=False):
        self.ordered = ordered
        self.forgetful = forgetful
        self.read = {}
        self.done = {}
        self.wrong = None
        self.confirming = set()

    async def take(self, msg):
        seq = msg.metadata.sequence.stream
        if self.ordered and seq != len(self.read) + 1:
            self.wrong = f"{seq} is out of order"
        # Half a second: a redelivery may have been under way when the confirmation of the ack overtook it.
        if not self.forgetful and time.monotonic() - self.done.get(seq, time.monotonic()) > 0.5:
            self.wrong = f"{seq} came again after its ack was confirmed"
        self.read[seq] = msg.data
        if self.ordered:
            return
        if seq % 10:
            await msg.ack()
        else:
            task = asyncio.ensure_future(self.confirm(msg, seq))
            self.confirming.add(task)
            task.add_done_callback(self.confirming.discard)

    async def confirm(self, msg, seq):
        try:
            await msg.ack_sync(timeout=2)
            self.done[seq] = time.monotonic()
        except nats.errors.Error:
            pass  # it may have been acked or not


async def pull(nc, reading):
    sub = await nc.jetstream().pull_subscribe("", durable="D", stream="S", config=CONSUMER)

    async def fetch():
        while not nc.is_closed:
            try:
                for msg in await sub.fetch(500, timeout=HEARTBEAT):
                    await reading.take(msg)
            except (nats.errors.Error, asyncio.TimeoutError):
                await asyncio.sleep(0)  # let others on, it may fail at once
    asyncio.ensure_future(fetch())


async def push(nc, reading):
    await nc.jetstream().subscribe("s.>", durable="D", stream="S", cb=reading.take, manual_ack=True, config=CONSUMER,
                       idle_heartbeat=HEARTBEAT, flow_control=True)


async def ordered(nc, reading):
    await nc.jetstream().subscribe("s.>", stream="S", cb=reading.take, ordered_consumer=True, idle_heartbeat=HEARTBEAT)


async def fill(js, count):
    """Publishes the numbers up to count."""
    acks = [await js.publish_async(f"s.{i % 10}", b"%d" % (i + 1), wait_stall=20) for i in range(count)]
    await asyncio.wait_for(js.publish_async_completed(), LIMIT)
    assert [ack.result().seq for ack in acks] == list(range(1, count + 1))
    return {i + 1: b"%d" % (i + 1) for i in range(count)}


async def publish(js, count, stored):
    """Publishes the numbers up to count, each until it is acked, again and again with the same id."""
    numbers = iter(range(1, count + 1))

    async def worker():
        for number in numbers:
            text = b"%d" % number
            while True:
                try:
                    ack = await js.publish("s.x", text, timeout=2, headers={"Nats-Msg-Id": text.decode()})
                    break
                except (nats.errors.Error, nats.js.errors.Error):
                    pass
            assert ack.seq not in stored, f"{ack.seq} is both {stored[ack.seq]} and {text}"
            stored[ack.seq] = text
    await asyncio.gather(*(worker() for _ in range(50)))


async def all_acked(js, last):
    deadline = time.monotonic() + 20
    info = None
    while not info or info.ack_floor.stream_seq != last:
        assert time.monotonic() < deadline, f"the ack floor stays below {last}: {info}"
        await asyncio.sleep(0.01)
        try:
            info = await js.consumer_info("S", "D")
        except nats.errors.Error:
            pass  # the request went to a server that was just ending
    assert info.num_ack_pending == 0 and info.num_pending == 0


async def read_all(way):
    async with Bed(streams=True) as bed:
        js, other = (await bed.client()).jetstream(), await bed.client()
        await js.add_stream(name="S", subjects=["s.>"])
        stored, reading = await fill(js, VOLUME), Reading(way is ordered)
        await way(other, reading)
        await until("all messages", lambda: len(reading.read) == VOLUME or reading.wrong, LIMIT)
        assert not reading.wrong, reading.wrong
        assert reading.read == stored
        if not reading.ordered:
            await all_acked(js, VOLUME)


async def interrupted(way, signal):
    async with Bed(streams=True) as bed:
        js, other = (await bed.lasting()).jetstream(), await bed.lasting()
        await js.add_stream(name="S", subjects=["s.>"])
        # The reference writes acks to its disk some time after it has confirmed them.
        forgetful = signal == "KILL" and os.path.basename(BINARY).startswith("nats-server")
        count, stored, reading = VOLUME, {}, Reading(way is ordered, forgetful)
        await way(other, reading)
        publishing = asyncio.ensure_future(publish(js, count, stored))
        for part in (1, 2, 3):
            await until("reading to go on", lambda at=part * count // 4:
                        min(len(stored), len(reading.read)) >= at or reading.wrong, LIMIT)
            bed.restart(signal)
        await publishing
        await until("all messages", lambda: len(reading.read) == count or reading.wrong, LIMIT)
        assert not reading.wrong, reading.wrong
        assert reading.read == stored
        if not reading.ordered:
            await all_acked(js, count)


def named(name, function, *args):
    bound = functools.partial(function, *args)
    bound.__name__ = name
    test(bound, LIMIT)


for each in (pull, push, ordered):
    named(f"read all: {each.__name__}", read_all, each)
    named(f"restarts: {each.__name__}", interrupted, each, "TERM")
    named(f"kills: {each.__name__}", interrupted, each, "KILL")
