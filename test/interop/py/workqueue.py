# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""A work queue and five workers, who refuse, give up and vanish: every message is done by one of them, once."""

import asyncio
import os
import signal
import sys

from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy

from bed import BINARY, Bed, until
from streams import LIMIT, VOLUME, fill, named

WORKERS = 5
LIFE = VOLUME // 100  # of a worker, in messages, at most
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")


class Worksheet:
    """What the workers say of every message."""

    def __init__(self):
        self.came = []
        self.done = {}
        self.unclear = {}
        self.refused = 0
        self.vanished = 0

    def note(self, word, number, when):
        if word == "came":
            self.came.append((number, float(when)))
        elif word == "refused":
            self.refused += 1
        else:
            getattr(self, word).setdefault(number, []).append(float(when))

    def finished(self):
        return len(self.done.keys() | self.unclear.keys())

    def judge(self, count, interrupted, forgetful):
        assert self.refused and self.vanished >= count // LIFE - WORKERS, (self.refused, self.vanished)
        for number in map(str, range(1, count + 1)):
            times = len(self.done.get(number, [])) + len(self.unclear.get(number, []))
            assert times, f"message {number} is gone and was never done"
            # One that was under way when the server went away may have come to two workers, who both did it.
            assert interrupted or times == 1, f"message {number} was done twice"
        for number, when in self.came:
            # Half a second: a redelivery may have been under way when the confirmation of the ack overtook it.
            late = number in self.done and when > self.done[number][0] + 0.5
            assert forgetful or not late, f"message {number} came again after its ack was confirmed"


class Worker:
    """A process that works; when it has vanished there comes another."""

    def __init__(self, bed, sheet, number):
        self.url = f"nats://127.0.0.1:{bed.port}"
        self.sheet = sheet
        self.seed = number
        self.ending = False
        self.process = None
        self.task = asyncio.ensure_future(self.run())

    async def run(self):
        while not self.ending:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, PROGRAM, self.url, str(self.seed), str(LIFE), stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE)
            async for line in self.process.stdout:
                self.sheet.note(*line.decode().split())
            code = await self.process.wait()
            assert code == -signal.SIGKILL or (self.ending and code == 0), f"a worker ended with {code}"
            self.sheet.vanished += code != 0
            self.seed += WORKERS

    async def end(self):
        self.ending = True
        if self.process:
            self.process.stdin.close()
        await self.task

    def kill(self):
        self.ending = True
        if self.process and self.process.returncode is None:
            self.process.kill()


async def work_queue(*signals):
    async with Bed(streams=True) as bed:
        js, count, sheet = (await bed.lasting()).jetstream(), VOLUME // 10, Worksheet()
        await js.add_stream(name="S", subjects=["s.>"], retention=RetentionPolicy.WORK_QUEUE)
        await js.add_consumer("S", ConsumerConfig(durable_name="D", ack_policy=AckPolicy.EXPLICIT, ack_wait=3.0,
                                                  max_ack_pending=10000))
        await fill(js, count)
        workers = [Worker(bed, sheet, number) for number in range(WORKERS)]
        try:
            for part, name in enumerate(signals, 1):
                await until("the work to go on", lambda at=part * count // (len(signals) + 1):
                            sheet.finished() > at or any(worker.task.done() for worker in workers), LIMIT)
                bed.restart(name)
            await until("all work to be done", lambda: sheet.finished() == count
                        or any(worker.task.done() for worker in workers), LIMIT)
            for worker in workers:
                await worker.end()
        finally:
            for worker in workers:
                worker.kill()
        assert (await js.stream_info("S")).state.messages == 0
        info = await js.consumer_info("S", "D")
        assert info.num_ack_pending == 0 and info.num_pending == 0
        # The reference writes acks to its disk some time after it has confirmed them.
        sheet.judge(count, bool(signals), "KILL" in signals and os.path.basename(BINARY).startswith("nats-server"))


named("work queue", work_queue)
named("work queue: restarts", work_queue, "TERM", "TERM")
named("work queue: kills", work_queue, "KILL", "KILL")
