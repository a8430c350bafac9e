#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""planted.py PROGRAM PART: checks that PROGRAM finds each bug planted in PART, and that the seed passes without it.

A simulator that finds nothing proves nothing unless its checks are known to fail when they should.
"""

import concurrent.futures
import os
import re
import subprocess
import sys

LAST_SEED = 6000
# Bugs of other parts that must be found here, too.
ALSO = {"js": ["early_ack", "late_dedupe", "rollup_half_done"]}
# Where to begin with bugs that few seeds show, or slow ones, to save time.
FIRST_SEED = {"blind_walk": 1100, "doubtful_unlinked": 275, "drain_before_read": 2800, "found_not_synced": 1400,
              "half_commit": 45, "half_correction": 105, "half_row": 20, "late_row": 350, "late_seal": 55,
              "no_void": 100, "origin_asked": 300, "pause_closed": 2250, "rot_is_torn": 290, "rows_trusted": 125,
              "silent_recovery": 80, "stray_is_nothing": 40, "tight_limits": 175, "uncounted": 400,
              "unheard_press": 310}
# Bugs that show only under faults which few seeds have: a workload that has them saves time.
WORKLOADS = {
    "unchecked_foot": "halves",
    "anybodys_foot": "halves",
    "unchecked_frame": "halves",
    "anybodys_frame": "halves",
    "unchecked_slot": "halves",
    "any_slot": "halves",
    "one_slot": "manifest",
    "unlink_first": "unlinks",
    "doubtful_unlinked": "errors",
    "half_commit": "errors",
    "silent_recovery": "rot",
    "unchecked_record": "rot",
    "extent_unchecked": "rot",
    "silent_extent": "rot",
    "damage_is_absence": "rot",
    "no_void": "points",
    "stray_is_nothing": "ring",
    "rot_is_torn": "rot",
    "damage_forgotten": "rot",
    "compacted_away": "decay",
    "range_passed_over": "decay",
    "missing_spanned": "away",
    "half_correction": "decay",
    "tight_limits": "decay",
    "rows_trusted": "decay",
    "erase_leaves": "erase",
    "erase_spares_ring": "erase",
    "erase_spares_extents": "erase",
    "erase_forgotten": "erase",
    "erase_unlinks": "erase",
    "erase_undone": "erase",
    "scrub_one_copy": "scrub",
    "scrub_wrong_copy": "scrub",
    "scrub_silent": "scrub",
    "jump_ages": "clock",
    "jump_forgotten": "clock",
    "uncounted": "lives",
    "same_generation": "long",
    "used_in_vain": "ephemeral",
    "pin_unheeded": "groups",
    "one_below": "groups",
    "first_come": "groups",
    "reset_at_once": "reset",
    "start_behind": "ordered",
    "never_due": "ttl",
    "no_marker": "ttl",
    "stale_start": "ttl",
    "answered_early": "names",
    "untaken": "names",
    "freed_early": "names",
    "shard_forgotten": "names",
}


def run(program, *args):
    done = subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def look_for(program, bug):
    """What is to be told of it, and how many things are wrong."""
    how = ["--workload", WORKLOADS[bug]] if bug in WORKLOADS else []
    seeds = f"{FIRST_SEED.get(bug, 1)}-{LAST_SEED}"
    status, out = run(program, *how, "--bug", bug, "--seeds", seeds)
    found = re.search(r"^sim: FAILED, seed (\d+)", out, re.M)
    if status == 0 or not found:
        return [f"{bug}: not found in seeds {seeds}"], 1
    seed = found.group(1)
    text = next((line for line in out.splitlines() if line.startswith(("sim: at", "midge:", "==", "SUMMARY"))), "")
    told, failures = [f"{bug}: seed {seed}: {text}"], 0
    again, out2 = run(program, *how, "--bug", bug, "--seed", seed)
    if again == 0 or not re.search(rf"^sim: FAILED, seed {seed};", out2, re.M):
        failures += 1
        told.append(f"{bug}: seed {seed} does not fail again by itself")
    status, out = run(program, *how, "--seed", seed)
    if status != 0:
        failures += 1
        told.append(f"{bug}: seed {seed} fails without the bug, too:\n{out}")
    return told, failures


def main():
    program, part = sys.argv[1:3]
    status, bugs = run(program, "--list-bugs", part)
    assert status == 0 and bugs, bugs
    names = re.findall(r"^(\w+): ", bugs, re.M) + ALSO.get(part, [])
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for told, wrong in pool.map(lambda bug: look_for(program, bug), names):
            print(*told, sep="\n")
            failures += wrong
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
