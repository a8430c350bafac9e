# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Reads a transcript into steps. The language is described in README.md beside this file.

A line at column 0 is a step; the indented lines under it are its block. "repeat N" and "end" enclose steps, a
prefix like [midge] or [nats-server] keeps a step for one server.
"""

import re
import textwrap


class TranscriptError(Exception):
    """Something did not go as the transcript says; line is where."""

    def __init__(self, line, text):
        super().__init__(text)
        self.line = line


class Step:
    """One step: its line number, its text and the lines of its block, or for a repeat the steps inside."""

    def __init__(self, line, text, only):
        self.line = line
        self.text = text
        self.only = only
        self.block = []
        self.steps = []


def parse(source):
    root = Step(0, "", None)
    open_steps = [root]
    last = None
    for number, line in enumerate(source.splitlines(), 1):
        if line.startswith("    ") or (last is not None and not line.strip()):
            if last is None:
                raise TranscriptError(number, "a block without a step")
            last.block.append((number, line))
            continue
        if not line.strip() or line.startswith("#"):
            last = None
            continue
        condition = re.match(r"\[([\w-]+)\]\s+(.*)", line)
        only, text = (condition[1], condition[2]) if condition else (None, line)
        last = Step(number, text.rstrip("\n"), only)
        if text == "end":
            open_steps.pop()
            if not open_steps:
                raise TranscriptError(number, "end without repeat")
            last = None
            continue
        open_steps[-1].steps.append(last)
        if text.startswith("repeat "):
            open_steps.append(last)
            last = None
    if len(open_steps) > 1:
        raise TranscriptError(open_steps[-1].line, "repeat without end")
    return root.steps


def block_text(step):
    """The block as a file's text: common indentation removed, blank lines at the end dropped."""
    return textwrap.dedent("\n".join(line for _, line in step.block)).rstrip() + "\n"


def block_lines(step):
    """The block as (line number, stripped text), without blank and comment lines."""
    stripped = ((number, line.strip()) for number, line in step.block)
    return [(number, line) for number, line in stripped if line and not line.startswith("#")]


ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\", "0": b"\0"}
TOKEN = re.compile(
    r"\\(?P<escape>[rnt\\0]|x[0-9a-fA-F]{2})"
    r"|\{(?P<unit>[^{}\"*]{1,40})\*(?P<count>\d+)\}"
    r"|\{(?P<kind>U|seed|sig|sig64|badsig):(?P<key>\w+)\}"
    r"|\{(?P<name>[a-z_][a-z0-9_]*)\}")


def expand(text, lookup, key=None):
    """Text with \\r \\n \\t \\\\ \\0 \\xHH escapes, {unit*count}, {name} and keys, as bytes.

    lookup(name) gives a variable's text or None; key(kind, name) gives what {U:name} and {sig:name} stand for."""
    def one(match):
        if match["escape"]:
            escape = match["escape"]
            return bytes([int(escape[1:], 16)]) if escape[0] == "x" else ESCAPES[escape]
        if match["unit"]:
            return expand(match["unit"], lookup, key) * int(match["count"])
        if match["kind"]:
            return key(match["kind"], match["key"]).encode()
        value = lookup(match["name"])
        return match[0].encode() if value is None else str(value).encode()

    out, at = [], 0
    for match in TOKEN.finditer(text):
        out += [text[at:match.start()].encode(), one(match)]
        at = match.end()
    return b"".join(out) + text[at:].encode()
