# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""worker.py URL SEED LIFE: a worker at the queue, in a process of its own because it vanishes without a word,
after LIFE messages at most.

It says on stdout what came and what it did, each time as `word number time`, and goes on until stdin ends.
"""

import asyncio
import contextlib
import os
import random
import signal
import sys
import time

import nats
import nats.errors


def say(word, msg):
    print(word, msg.data.decode(), time.time(), flush=True)


def vanish():
    os.kill(os.getpid(), signal.SIGKILL)


async def handle(nc, msg, dice):
    roll = dice.randrange(100)
    if roll < 4:
        say("refused", msg)
        await msg.nak()
    elif roll < 6:
        say("refused", msg)
        await msg.nak(delay=dice.random() / 5)
    elif roll < 8:
        say("unclear", msg)  # a term is never confirmed, but it must have left before the worker vanishes
        await msg.term()
        with contextlib.suppress(nats.errors.Error):
            await nc.flush()
    else:
        try:
            await msg.ack_sync(timeout=2)
            say("done", msg)
        except nats.errors.Error:
            say("unclear", msg)


async def work(url, dice, life):
    async def error_cb(_):
        pass  # that the server went away is no news
    nc = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.02, error_cb=error_cb)
    sub = await nc.jetstream().pull_subscribe_bind(durable="D", stream="S")
    told = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    left = dice.randint(life // 10, life)
    while not told.done():
        try:
            batch = await sub.fetch(10, timeout=1)
        except (nats.errors.Error, asyncio.TimeoutError):
            await asyncio.sleep(0)  # let others on, it may fail at once
            continue
        for msg in batch:
            say("came", msg)
        for msg in batch:
            left -= 1
            if left == 0:
                vanish()
            await handle(nc, msg, dice)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], random.Random(int(sys.argv[2])), int(sys.argv[3])))
