# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Checks of a JSON document, one a line:

    path = JSON         path != JSON        path ~ regex (whole value)    path >= number
    path present        path absent         path : type                   path length N
    path -> variable    path keys a b? c    path order a b c

A path is names and array indexes joined by dots; a lone dot is the whole document. "keys" is the exact list of
members in order (? marks one that may be missing); "order" lists some members that must be there in that order.
Types: string int uint float number bool array object null time.
"""

import json
import re

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?(Z|[+-]\d\d:\d\d)")
LINE = re.compile(r"(?P<path>\S+)\s+(?P<op>=|!=|~|>=|<=|present|absent|:|length|->|keys|order)(?:\s+(?P<arg>.*))?$")
MISSING = object()


class CheckError(Exception):
    pass


def load(text):
    """Parses and refuses what cannot be trusted silently: a member given twice."""
    def pairs(items):
        names = [name for name, _ in items]
        if len(set(names)) != len(names):
            raise CheckError(f"a JSON member is given twice: {names}")
        return dict(items)
    try:
        return json.loads(text, object_pairs_hook=pairs)
    except ValueError as error:
        raise CheckError(f"not JSON ({error}): {text[:200]!r}") from None


def find(document, path):
    if path == ".":
        return document
    value = document
    for name in path.split("."):
        if isinstance(value, list) and name.lstrip("-").isdigit():
            value = value[int(name)] if -len(value) <= int(name) < len(value) else MISSING
        elif isinstance(value, dict):
            value = value.get(name, MISSING)
        else:
            value = MISSING
        if value is MISSING:
            return MISSING
    return value


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


TYPES = {
    "string": lambda v: isinstance(v, str),
    "int": _is_int,
    "uint": lambda v: _is_int(v) and v >= 0,
    "float": lambda v: isinstance(v, float),
    "number": lambda v: _is_int(v) or isinstance(v, float),
    "bool": lambda v: isinstance(v, bool),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
    "null": lambda v: v is None,
    "time": lambda v: isinstance(v, str) and bool(TIME.fullmatch(v)),
}


def _keys_match(have, wanted):
    left = list(have)
    for name in wanted:
        optional, name = name.endswith("?"), name.rstrip("?")
        if left and left[0] == name:
            left.pop(0)
        elif not optional:
            return False
    return not left


def _in_order(have, wanted):
    places = [have.index(name) if name in have else -1 for name in wanted]
    return -1 not in places and places == sorted(places)


def _holds(value, op, arg):
    if op == "=":
        return value == json.loads(arg)
    if op == "!=":
        return value != json.loads(arg)
    if op == "~":
        return re.fullmatch(arg, value if isinstance(value, str) else json.dumps(value), re.S) is not None
    if op == ">=":
        return TYPES["number"](value) and value >= float(arg)
    if op == "<=":
        return TYPES["number"](value) and value <= float(arg)
    if op == ":":
        return TYPES[arg](value)
    if op == "length":
        return len(value) == int(arg)
    if op == "keys":
        return isinstance(value, dict) and _keys_match(list(value), (arg or "").split())
    if op == "order":
        return isinstance(value, dict) and _in_order(list(value), arg.split())
    return True  # present


def check(document, line, variables):
    """Raises CheckError if the line (variables already replaced) does not hold for the document."""
    match = LINE.match(line)
    if not match:
        raise CheckError(f"cannot read the check: {line}")
    value = find(document, match["path"])
    if match["op"] == "absent":
        if value is not MISSING:
            raise CheckError(f"{match['path']} should be absent, is {json.dumps(value)}")
        return
    if value is MISSING:
        raise CheckError(f"{match['path']} is missing")
    if match["op"] == "->":
        variables[match["arg"]] = value if isinstance(value, str) else json.dumps(value)
    elif not _holds(value, match["op"], match["arg"]):
        shown = list(value) if match["op"] in ("keys", "order") and isinstance(value, dict) else value
        raise CheckError(f"{line}: is {json.dumps(shown)[:1500]}")
