#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""kill.py HAMMER [ROUNDS [SERVER [LOSSYFS]]]: kills a process that appends to a store, and looks at what is left.

What was acknowledged is there with the same number, nothing else is. Then the directory is damaged at random: what is
served is right, what is missing has been said; SERVER's --check-store says so, too, and --rebuild-store saves what it
can. Then a small file system is filled up and gets room again. With LOSSYFS
the power is cut, too: that file system is killed and loses what was not synced.
Exit status 77: all that could be tried passed, but something could not (SKIPPED); see skip().
"""

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

STREAMS = 3
MAX_MSGS = {1: 20000}


class Failed(Exception):
    pass


def check(cond, text):
    if not cond:
        raise Failed(text)


SKIPPED = 77  # exit status: something could not be tried here
skipped = []


def skip(text):
    """In CI it is a failure, if root runs it and FUSE is there: then all of it has to be possible."""
    able = os.environ.get("CI") == "true" and os.geteuid() == 0 and os.access("/dev/fuse", os.W_OK)
    check(not able, f"cannot be tried: {text}")
    skipped.append(text)
    print(f"SKIPPED: {text}", flush=True)


def parse(text):
    """Complete lines only: the last one may have been cut by the kill."""
    messages, other = {}, []
    for line in text[: text.rfind("\n") + 1].splitlines():
        m = re.fullmatch(r"(\d+) (\d+) (\d+)", line)
        if m:
            messages[(int(m[1]), int(m[2]))] = int(m[3])
        else:
            other.append(line)
    return messages, other


def verify(hammer, path, expect=(0,)):
    done = subprocess.run([hammer, "verify", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
                          check=False)
    check(done.returncode in expect, f"verify: {done.returncode}: {done.stderr.decode()[-2000:]}")
    found, other = parse(done.stdout.decode())
    return done.returncode, found, other, done.stderr.decode()


def compare(acked, found, other, torn=False):
    """Everything acknowledged is there, as far as limits have not removed it.

    torn: pages of a last commit that was never finished may look like damage, which is said then.
    """
    for key, number in found.items():
        check(acked.get(key, number) == number, f"{key} was {acked.get(key)} and is {number}")
    last = {s: max((q for t, q in found if t == s), default=0) for s in range(STREAMS)}
    per_subject = {}
    for (stream, seq), number in found.items():
        per_subject.setdefault((stream, number // STREAMS % 1000), []).append(seq)
    for (stream, seq), number in acked.items():
        if (stream, seq) in found:
            continue
        check(stream != 0, f"message {seq} of stream {stream} was acknowledged and is lost")
        check(seq <= last[stream], f"message {seq} of stream {stream} was acknowledged, the last is {last[stream]}")
        if stream == 1:
            check(seq <= last[1] - MAX_MSGS[1], f"message {seq} of stream 1 was acknowledged and is lost")
        else:
            newer = [q for q in per_subject.get((2, number // STREAMS % 1000), []) if q > seq]
            check(len(newer) >= 5, f"message {seq} of stream 2 was acknowledged and is lost")
    for line in other:
        m = re.fullmatch(r"state (\d+) (\d+) (\d+) (\d+) (\d+)", line)
        check(m, line)
        stream, _, _, count, lost = map(int, m.groups())
        check(lost == 0 or torn, f"stream {stream} says that {lost} are lost")
        there = sum(1 for t, _ in found if t == stream)
        check(count == there, f"stream {stream} says {count} messages, {there} are there")


class Load:
    """A hammer at work, and what it says."""

    def __init__(self, hammer, path, first):
        self.process = subprocess.Popen([hammer, "load", path, str(first)], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.text = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        while True:
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                return
            self.text.append(piece)

    def said(self):
        return b"".join(self.text).decode()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join()
        return parse(self.said())


def kill_rounds(hammer, path, rounds, rng):
    acked, number = {}, 1
    for i in range(rounds):
        load = Load(hammer, path, number)
        time.sleep(rng.uniform(0.02, 1.5))
        more, _ = load.kill()
        for key, value in more.items():
            check(acked.get(key, value) == value, f"{key} was acknowledged twice: {acked.get(key)} and {value}")
        acked.update(more)
        number = max(list(acked.values()) + [number]) + 100000
        _, found, other, _ = verify(hammer, path)
        compare(acked, found, other)
        acked.update(found)  # what was seen must stay
        print(f"kill {i + 1}: {len(more)} acknowledged, {len(found)} there", flush=True)
    return acked


class Mount:
    """lossyfs, as long as there is power."""

    def __init__(self, lossyfs, where):
        self.at = os.path.join(where, "mounted")
        os.makedirs(self.at, exist_ok=True)
        backing = os.path.join(where, "backing")
        os.makedirs(backing, exist_ok=True)
        self.process = subprocess.Popen([lossyfs, backing, self.at], stderr=subprocess.PIPE)
        while not os.path.ismount(self.at) and self.process.poll() is None:
            time.sleep(0.01)

    def cut(self, how):
        self.process.send_signal(how)
        self.process.wait()
        self.process.stderr.close()

    def unmount(self):
        if self.process.poll() is None:
            self.cut(signal.SIGKILL)
        subprocess.run(["umount", "-l", self.at], stderr=subprocess.DEVNULL, check=False)


def power_rounds(hammer, lossyfs, where, rounds, rng):
    """The power goes while it is written, and sometimes once more while it recovers."""
    if not os.access("/dev/fuse", os.W_OK) or os.geteuid() != 0:
        skip("power cuts: no FUSE here")
        return
    acked, number, torn = {}, 1, False
    for i in range(rounds):
        mount = Mount(lossyfs, where)
        try:
            check(mount.process.poll() is None, "lossyfs does not run")
            load = Load(hammer, os.path.join(mount.at, "store"), number)
            time.sleep(rng.uniform(0.01, 0.1) if rng.random() < 0.3 else rng.uniform(0.1, 2))
            how = rng.choice([signal.SIGKILL, signal.SIGUSR1])
            mount.cut(how)
            more, _ = load.kill()
            mount.unmount()
            for key, value in more.items():
                check(acked.get(key, value) == value, f"{key} was acknowledged twice: {acked.get(key)} and {value}")
            acked.update(more)
            torn |= how == signal.SIGUSR1
            number = max(list(acked.values()) + [number]) + 100000
            mount = Mount(lossyfs, where)
            _, found, other, _ = verify(hammer, os.path.join(mount.at, "store"))
            compare(acked, found, other, torn)
            acked.update(found)
            print(f"power cut {i + 1}: {how.name}: {len(more)} acknowledged, {len(found)} there", flush=True)
        finally:
            mount.unmount()


def spoil(path, rng):
    files = [os.path.join(d, f) for d, _, names in os.walk(path) for f in names if f != "lock"]
    files = [f for f in files if os.path.getsize(f) > 0]
    victim = rng.choice(files)
    size, how = os.path.getsize(victim), rng.choice(["flip", "zero", "cut", "delete"])
    if how == "delete":
        os.unlink(victim)
    elif how == "cut":
        os.truncate(victim, rng.randrange(size))
    else:
        with open(victim, "r+b") as f:
            at = rng.randrange(size)
            f.seek(at)
            old = f.read(1 if how == "flip" else 4096)
            f.seek(at)
            f.write(bytes([old[0] ^ 1 << rng.randrange(8)]) if how == "flip" else bytes(len(old)))
    return f"{how} {os.path.relpath(victim, path)}"


def check_told(what, before, found, other, said):
    """What is missing is counted in its stream's `lost`; what stood at its end, which nobody can count, is told.

    `lost` counts once what cannot be read, so it may be more than what is missing.
    """
    states = {}
    for line in other:
        m = re.fullmatch(r"state (\d+) (\d+) (\d+) (\d+) (\d+)", line)
        if m:
            stream, _, last, _, lost = map(int, m.groups())
            states[stream] = (last, lost)
    told = re.search(r"^\[[123]\]", said, re.M)
    for stream in range(STREAMS):
        missing = [seq for s, seq in before if s == stream and (s, seq) not in found]
        last, lost = states.get(stream, (0, 0))
        inside = sum(1 for seq in missing if seq <= last)
        check(inside <= lost, f"{what}: {inside} messages of stream {stream} are missing, {lost} are counted\n{said}")
        check(told or len(missing) == inside, f"{what}: the end of stream {stream} is missing and nobody says so")


def damage_rounds(hammer, path, acked, rounds, rng):
    _, before, _, _ = verify(hammer, path)
    for i in range(rounds):
        copy = path + "-spoiled"
        shutil.copytree(path, copy)
        what = ", ".join(spoil(copy, rng) for _ in range(rng.randint(1, 3)))
        status, found, other, said = verify(hammer, copy, (0, 2))
        if status == 0:
            for key, value in found.items():
                known = acked.get(key, before.get(key))
                check(known == value, f"{what}: {key} is {value}, not {known}")
            missing = [key for key in before if key not in found]
            check_told(what, before, found, other, said)
            print(f"damage {i + 1}: {what}: {len(missing)} missing", flush=True)
        else:
            check(said.strip(), f"{what}: refused without a word")
            print(f"damage {i + 1}: {what}: refused: {said.strip().splitlines()[-1][:100]}", flush=True)
        shutil.rmtree(copy)


def contents(path):
    found = {}
    for d, _, names in os.walk(path):
        for name in names:
            full = os.path.join(d, name)
            with open(full, "rb") as f:
                found[os.path.relpath(full, path)] = hashlib.sha256(f.read()).hexdigest()
    return found


def tool(server, option, path):
    done = subprocess.run([server, option, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
                          check=False)
    said = done.stdout.decode(errors="replace")
    check(done.returncode in (0, 1, 2), f"{option}: {done.returncode}: {said[-2000:]}")
    check(done.returncode == 0 or said.strip(), f"{option} says nothing and returns {done.returncode}")
    return done.returncode, said


def hopeless(files, said):
    """Of a young store both copies of the manifest are lost and the journal as well."""
    older = any(name.startswith(("segments/", "tables/")) for name in files)
    return not older and "no file that tells the store's salt" in said


def check_rounds(hammer, server, path, rounds, rng):
    """--check-store knows what a start will find and changes nothing; --rebuild-store loses no byte of what was."""
    _, before, _, _ = verify(hammer, path)
    status, said = tool(server, "--check-store", path)
    check(status == 0, f"--check-store of a store that is well: {status}: {said[-2000:]}")
    for i in range(rounds):
        copy = path + "-checked"
        shutil.copytree(path, copy)
        what = ", ".join(spoil(copy, rng) for _ in range(rng.randint(0, 3)))
        damaged = contents(copy)
        status, said = tool(server, "--check-store", copy)
        check(contents(copy) == damaged, f"{what}: --check-store has changed something")
        rebuilt = path + "-rebuilt"
        shutil.copytree(copy, rebuilt)
        again, saved = tool(server, "--rebuild-store", rebuilt)
        left = set(contents(rebuilt).values())
        replaced = {"lock", "ballast"} | {m for m in ("manifest-0", "manifest-1") if f"{m} is damaged" not in said}
        gone = [name for name, digest in damaged.items() if digest not in left and name not in replaced]
        check(not gone, f"{what}: --rebuild-store has overwritten or deleted {gone}")
        rc, found, other, started = verify(hammer, copy, (0, 2))
        told = any(line.startswith("unreadable") or re.fullmatch(r"state .* [1-9]\d*", line) for line in other)
        missing = [key for key in before if key not in found]
        if status < 2:
            check(rc == 0, f"{what}: --check-store returns {status}, but a start says {started[-1000:]}\n{said}")
            check(not missing or "perhaps the torn end" in said,
                  f"{what}: --check-store returns {status}, but {len(missing)} are missing\n{said}")
        check(status == 0 or not before or rc == 2 or missing or told or status == 1 or "lost" in said,
              f"{what}: --check-store returns {status} for nothing\n{said}")
        if hopeless(damaged, saved):
            print(f"check {i + 1}: {what}: {status}, nothing to rebuild from", flush=True)
            shutil.rmtree(copy)
            shutil.rmtree(rebuilt)
            continue
        rc, after, _, started = verify(hammer, rebuilt, (0, 2))
        check(rc == 0, f"{what}: --rebuild-store returns {again}, but a start says {started[-1000:]}\n{saved}")
        wrong = [key for key, value in after.items() if before.get(key, value) != value]
        check(not wrong, f"{what}: after --rebuild-store {len(wrong)} are other messages")
        lost = [key for key in found if key not in after and key in before]
        check(not lost, f"{what}: --rebuild-store has lost {len(lost)} that a start finds\n{saved}")
        gone = [key for key in before if key not in after]
        check(again == 2 or not gone or "perhaps the torn end" in said, f"{what}: --rebuild-store: {saved}")
        print(f"check {i + 1}: {what}: {status}, rebuilt: {again}, {len(missing)} missing", flush=True)
        shutil.rmtree(copy)
        shutil.rmtree(rebuilt)


def full_disk(hammer, rng):
    where = tempfile.mkdtemp(prefix="midge-full-")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "none", where], stderr=subprocess.PIPE,
                             check=False)
    if mounted.returncode != 0:
        os.rmdir(where)
        skip(f"the full disk: cannot mount: {mounted.stderr.decode().strip()}")
        return
    try:
        filler, path = os.path.join(where, "filler"), os.path.join(where, "store")
        with open(filler, "wb") as f:
            f.write(bytes(30 << 20))
        load = Load(hammer, path, 1)
        wait(lambda: "full\n" in load.said() or load.process.poll() is not None, 60, "the disk is not full")
        check(load.process.poll() is None, "the process ended on a full disk")
        acked, _ = parse(load.said())
        os.unlink(filler)
        wait(lambda: len(parse(load.said())[0]) > len(acked) + 1000, 60, "nothing is accepted though there is room")
        acked, _ = load.kill()
        _, found, other, _ = verify(hammer, path)
        compare(acked, found, other)
        print(f"full: {len(acked)} acknowledged, {len(found)} there", flush=True)
    finally:
        subprocess.run(["umount", "-l", where], check=False)
        os.rmdir(where)


def wait(cond, seconds, text):
    end = time.monotonic() + seconds
    while not cond():
        check(time.monotonic() < end, text)
        time.sleep(0.05)


def main():
    hammer, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    rng = random.Random(seed)
    where = tempfile.mkdtemp(prefix="midge-kill-", dir=".")
    print(f"seed {seed}", flush=True)
    try:
        path = os.path.join(where, "store")
        acked = kill_rounds(hammer, path, rounds, rng)
        damage_rounds(hammer, path, acked, rounds, rng)
        full_disk(hammer, rng)
        if len(sys.argv) > 3:
            check_rounds(hammer, os.path.abspath(sys.argv[3]), path, 2 * rounds, rng)
        if len(sys.argv) > 4:
            power_rounds(hammer, os.path.abspath(sys.argv[4]), os.path.abspath(where), rounds, rng)
        else:
            skip("power cuts: there is no lossyfs (libfuse3-dev)")
    except Failed as e:
        print(f"FAILED: {e}; again with SEED={seed}; see {where}")
        return 1
    shutil.rmtree(where)
    return SKIPPED if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
