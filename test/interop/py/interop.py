# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""The official Python client doing real work: interop.py SERVER [part of a name]"""

import asyncio
import os
import socket
import ssl
import sys
import tempfile

import nats
import nats.errors

import kv  # noqa: F401
import streams  # noqa: F401
import workqueue  # noqa: F401
from bed import PATIENCE, Bed, run_tests, take, test, until

from pylib import certs
from pylib.nkeys import Key


@test
async def publish_and_subscribe():
    async with Bed() as bed:
        a, b = await bed.client(name="a"), await bed.client()
        sub = await b.subscribe("greet")
        await b.flush()
        await a.publish("greet", b"one")
        await a.publish("greet", b"two", reply="back")
        await a.publish("greet")
        messages = await take(sub, 3)
        assert [m.data for m in messages] == [b"one", b"two", b""]
        assert messages[1].reply == "back"


@test
async def wildcards():
    async with Bed() as bed:
        nc = await bed.client()
        star, tail = await nc.subscribe("a.*.c"), await nc.subscribe("a.>")
        for subject in ("a.b.c", "a.x.c", "a.b", "a.b.c.d", "b.b.c"):
            await nc.publish(subject)
        await nc.flush()
        assert [m.subject for m in await take(star, 2)] == ["a.b.c", "a.x.c"]
        assert [m.subject for m in await take(tail, 4)] == ["a.b.c", "a.x.c", "a.b", "a.b.c.d"]
        assert not star.pending_msgs and not tail.pending_msgs


@test
async def queue_groups_share_the_work():
    async with Bed() as bed:
        clients = [await bed.client() for _ in range(3)]
        subs = [await nc.subscribe("work", queue="q") for nc in clients]
        for nc in clients:
            await nc.flush()
        p = await bed.client()
        for _ in range(300):
            await p.publish("work")
        await p.flush()
        await until("300 messages", lambda: sum(sub.pending_msgs for sub in subs) >= 300)
        for nc in clients:
            await nc.flush()
        counts = [sub.pending_msgs for sub in subs]
        assert sum(counts) == 300 and min(counts) > 30, counts


@test
async def request_and_reply():
    async with Bed() as bed:
        a, b = await bed.client(), await bed.client()

        async def double(msg):
            await msg.respond(msg.data * 2)
        await b.subscribe("double", cb=double)
        await b.flush()
        answers = await asyncio.gather(*(a.request("double", b"%d." % i, timeout=PATIENCE) for i in range(100)))
        assert [m.data for m in answers] == [b"%d.%d." % (i, i) for i in range(100)]
        assert (await a.request("double", b"x", timeout=PATIENCE, old_style=True)).data == b"xx"


@test
async def request_to_many_responders():
    async with Bed() as bed:
        for i in range(5):
            nc = await bed.client()

            async def answer(msg, mine=str(i).encode()):
                await msg.respond(mine)
            await nc.subscribe("who", cb=answer)
            await nc.flush()
        a = await bed.client()
        inbox = a.new_inbox()
        sub = await a.subscribe(inbox)
        await a.publish("who", reply=inbox)
        assert sorted(m.data for m in await take(sub, 5)) == [b"0", b"1", b"2", b"3", b"4"]


@test
async def headers():
    async with Bed() as bed:
        nc = await bed.client()
        sub = await nc.subscribe("h")
        await nc.publish("h", b"body", headers={"Trace": "1", "Other-One": "two words"})
        msg = (await take(sub, 1))[0]
        assert msg.headers == {"Trace": "1", "Other-One": "two words"} and msg.data == b"body"


@test
async def no_responders():
    async with Bed() as bed:
        nc = await bed.client()
        try:
            await nc.request("nobody", b"", timeout=PATIENCE)
        except nats.errors.NoRespondersError:
            return
        raise AssertionError("somebody answered")


@test
async def drain_delivers_what_is_there():
    async with Bed() as bed:
        a, b = await bed.client(), await bed.client()
        got = []

        async def count(msg):
            got.append(msg)
        await b.subscribe("d", cb=count)
        await b.flush()
        for _ in range(1000):
            await a.publish("d")
        await a.flush()
        await b.drain()
        assert len(got) == 1000 and b.is_closed


@test
async def unsubscribe_after_a_maximum():
    async with Bed() as bed:
        a, b = await bed.client(), await bed.client()
        sub = await b.subscribe("m")
        await sub.unsubscribe(limit=3)
        await b.flush()
        for _ in range(10):
            await a.publish("m")
        await a.flush()
        await take(sub, 3)
        await b.flush()
        assert bed.get("/connz?sort=subs")["connections"][0]["subscriptions"] == 0


@test
async def reconnect_after_a_restart():
    async with Bed() as bed:
        again = asyncio.Event()

        async def reconnected():
            again.set()
        nc = await bed.client(max_reconnect_attempts=-1, reconnect_time_wait=0.02, reconnected_cb=reconnected)
        sub = await nc.subscribe("again.*")
        await nc.publish("again.1")
        # Not flush(): the client may send its PING ahead of what waits in its own buffer.
        assert [m.subject for m in await take(sub, 1)] == ["again.1"]
        bed.server.stop()
        bed.server.start(bed.args, port=bed.port)
        await asyncio.wait_for(again.wait(), PATIENCE)
        await nc.publish("again.2")
        await nc.flush()  # the client's own flusher may not have been started anew yet
        assert [m.subject for m in await take(sub, 1)] == ["again.2"]


@test
async def lame_duck_mode_is_announced():
    async with Bed() as bed:
        told = asyncio.Event()

        async def lame_duck():
            told.set()
        await bed.client(allow_reconnect=False, lame_duck_mode_cb=lame_duck)
        bed.server.signal("USR2")
        await asyncio.wait_for(told.wait(), PATIENCE)


@test
async def user_and_password():
    async with Bed('authorization { user: derek, password: "pass word" }') as bed:
        await (await bed.client(user="derek", password="pass word")).flush()
        await bed.refused(user="derek", password="no")
        await bed.refused()


@test
async def token():
    async with Bed("authorization { token: s3cret }") as bed:
        await (await bed.client(token="s3cret")).flush()
        await bed.refused(token="guess")


@test
async def nkey():
    async with Bed("authorization { users: [ { nkey: %s } ] }" % Key("bob").public) as bed:
        await (await bed.client(nkeys_seed_str=Key("bob").seed)).flush()
        await bed.refused(nkeys_seed_str=Key("mallory").seed)


@test
async def permissions():
    config = """authorization { users: [ { user: a, password: p
        permissions: { publish: [ "ok", "_INBOX.>" ], subscribe: { allow: ">", deny: "no.>" } } } ] }"""
    async with Bed(config) as bed:
        told = []

        async def error_cb(error):
            told.append(str(error).lower())
        nc = await bed.client(user="a", password="p", error_cb=error_cb)
        await nc.publish("forbidden")
        await nc.subscribe("no.thing")
        await nc.flush()
        await until("two errors", lambda: len(told) >= 2)
        assert 'permissions violation for publish to "forbidden"' in told[0]
        assert 'permissions violation for subscription to "no.thing"' in told[1]
        sub = await nc.subscribe("ok")
        await nc.publish("ok")
        await take(sub, 1)


@test
async def tls():
    with tempfile.TemporaryDirectory() as folder:
        certs.make(folder)

        def context(cert=None):
            made = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
            if cert:
                made.load_cert_chain(os.path.join(folder, cert + ".pem"), os.path.join(folder, cert + ".key"))
            return made

        async def exchange(nc):
            sub = await nc.subscribe("secret")
            await nc.publish("secret", b"x" * 300000)
            assert len((await take(sub, 1))[0].data) == 300000
        block = f'tls {{ cert_file: "{folder}/server.pem", key_file: "{folder}/server.key"'
        async with Bed(block + " }") as bed:
            await exchange(await bed.client("tls", "localhost", tls=context()))
            try:
                await bed.client("tls", "localhost", tls=ssl.create_default_context(), allow_reconnect=False)
            except (ssl.SSLError, nats.errors.Error, OSError):
                pass
            else:
                raise AssertionError("an unknown authority was trusted")
        async with Bed(block + f', ca_file: "{folder}/ca.pem", verify: true }}') as bed:
            await exchange(await bed.client("tls", "localhost", tls=context("client")))
        async with Bed(block + ", handshake_first: true }") as bed:
            await exchange(await bed.client("tls", "localhost", tls=context(), tls_handshake_first=True))


@test
async def slow_consumer_client_is_told():
    async with Bed() as bed:
        told = []

        async def error_cb(error):
            told.append(error)
        nc = await bed.client(error_cb=error_cb)
        await nc.subscribe("flood", pending_msgs_limit=10)
        for _ in range(1000):
            await nc.publish("flood")
        await nc.flush()
        await until("the error", lambda: any(isinstance(e, nats.errors.SlowConsumerError) for e in told))
        await nc.flush()


@test
async def slow_consumer_that_never_reads():
    async with Bed("max_pending: 4MB") as bed:
        raw = socket.create_connection(("127.0.0.1", bed.port))
        raw.sendall(b'CONNECT {"verbose":false}\r\nSUB flood 1\r\n')
        await until("its subscription", lambda: any(c["subscriptions"] for c in bed.get("/connz")["connections"]))
        a, b = await bed.client(), await bed.client()
        got = []

        async def count(msg):
            got.append(len(msg.data))
        await b.subscribe("flood", cb=count)
        await b.flush()
        for _ in range(200):
            await a.publish("flood", b"x" * 200000)
            await a.flush()
        await until("200 messages", lambda: len(got) == 200)
        await until("the slow consumer's end", lambda: bed.get("/varz")["slow_consumers"] == 1)
        raw.close()


@test
async def payloads_of_1_mb():
    async with Bed() as bed:
        nc = await bed.client()
        sub = await nc.subscribe("big")
        payload = bytes(range(256)) * 4096
        for _ in range(3):
            await nc.publish("big", payload)
        assert all(m.data == payload for m in await take(sub, 3))
        assert nc.max_payload == 1 << 20
        try:
            await nc.publish("big", payload + b"x")
        except nats.errors.MaxPayloadError:
            return
        raise AssertionError("max_payload was not known")


@test
async def ten_thousand_subscriptions():
    async with Bed() as bed:
        nc, p = await bed.client(), await bed.client()
        got = []

        async def count(msg):
            got.append(msg.subject)
        subs = [await nc.subscribe(f"many.{i}", cb=count) for i in range(10000)]
        await nc.flush()
        assert bed.get("/connz?sort=subs")["connections"][0]["subscriptions"] == 10000
        for i in range(10000):
            await p.publish(f"many.{i}")
        await p.flush()
        await until("10,000 messages", lambda: len(got) == 10000)
        for sub in subs:
            await sub.unsubscribe()
        await nc.flush()
        assert bed.get("/connz?sort=subs")["connections"][0]["subscriptions"] == 0


if __name__ == "__main__":
    sys.exit(run_tests())
