"""Doubles of mongodump and mongorestore: the options that they document, and their own form of archive.

The archive is that of MongoDB's Database Tools (mongo-tools, common/archive), so what counts documents in one
need not know who wrote it. Only a whole database to standard output, and all of it from standard input.
"""

from __future__ import annotations

import fnmatch
import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson
import yaml
from commands import VERSION
from common import documented, fail
from pymongo import MongoClient

MAGIC, END = (0x8199E26D).to_bytes(4, "little"), b"\xff\xff\xff\xff"
POLYNOMIAL = 0xC96C5795D7870F42
Doc = dict[str, Any]


@functools.cache
def table() -> list[int]:
    """Return the table of the checksum (CRC-64, ECMA)."""
    found = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (POLYNOMIAL if value & 1 else 0)  # noqa: PLW2901
        found.append(value)
    return found


def checksum(data: bytes, value: int = 0) -> int:
    """Return the checksum of what came before and of this."""
    value ^= (1 << 64) - 1
    for byte in data:
        value = table()[(value ^ byte) & 255] ^ (value >> 8)
    return value ^ ((1 << 64) - 1)


def options(program: str, words: list[str]) -> dict[str, str]:
    """Return the options by their names, `true` for those without a value."""
    known, found = documented("tools")[program], {}
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in known:
            fail(f"{program}: unknown option {word!r}")
        if known[name] == "value" and not equals:
            fail(f"{program}: expected argument for flag --{name}")
        found[name] = value if equals else "true"
    if found.get("archive") != "true":
        fail(f"{program}: this double knows archives on standard input and output alone")
    if "password" in found:
        fail(f"{program}: a password is for everybody to see")
    return found


def client(given: dict[str, str]) -> MongoClient[Doc]:
    """Connect as the options say."""
    config = yaml.safe_load(Path(given["config"]).read_text(encoding="utf-8"))
    if not set(config) <= {"password", "uri", "sslPEMKeyPassword"}:
        fail(f"the file of --config has {sorted(config)}")
    return MongoClient(
        given["host"],
        int(given["port"]),
        username=given["username"],
        password=config["password"],
        authSource=given["authenticationDatabase"],
        tls="ssl" in given,
        tlsCAFile=given["sslCAFile"],
        directConnection=True,
        serverSelectionTimeoutMS=30_000,
    )


def dump(given: dict[str, str]) -> None:
    """Write a database."""
    database, out = client(given)[given["db"]], sys.stdout.buffer
    names = sorted(entry["name"] for entry in database.list_collections())
    out.write(MAGIC)
    head = {"concurrent_collections": 4, "version": "0.1", "server_version": VERSION}
    out.write(bson.encode({**head, "tool_version": "double"}))
    for name in names:
        indexes = [dict(index) for index in database[name].list_indexes()]
        told = {"options": {}, "indexes": indexes, "collectionName": name, "type": "collection"}
        metadata = json.dumps(told)
        place = {"db": given["db"], "collection": name}
        out.write(bson.encode({**place, "metadata": metadata, "size": 0, "type": "collection"}))
    out.write(END)
    for name in names:
        place, total, begun = {"db": given["db"], "collection": name}, 0, False
        for document in database[name].find():
            if not begun:
                out.write(bson.encode({**place, "EOF": False, "CRC": bson.Int64(0)}))
                begun = True
            body = bson.encode(document)
            total = checksum(body, total)
            out.write(body)
        out.write(END if begun else b"")
        signed = total - (1 << 64) if total >> 63 else total
        out.write(bson.encode({**place, "EOF": True, "CRC": bson.Int64(signed)}) + END)


def blocks() -> Iterator[list[bytes]]:
    """Read standard input block by block: head and bodies."""
    stream = sys.stdin.buffer
    if stream.read(4) != MAGIC:
        fail("stream or file does not appear to be a mongodump archive")
    block: list[bytes] = []
    while length := stream.read(4):
        if length == END:
            yield block
            block = []
            continue
        block.append(length + stream.read(int.from_bytes(length, "little") - 4))
    if block:
        fail("corruption found in archive; unexpected EOF")


def made(server: MongoClient[Doc], entry: Doc, *, drop: bool) -> None:
    """Make a collection with its indexes."""
    database, name = server[entry["db"]], entry["collection"]
    if drop:
        database[name].drop()
    if name not in database.list_collection_names():
        database.create_collection(name)
    for index in json.loads(entry["metadata"])["indexes"]:
        if index["name"] != "_id_":
            database[name].create_index(list(index["key"].items()), name=index["name"])


def restore(given: dict[str, str]) -> None:
    """Read databases."""
    server, pattern, reading = client(given), given.get("nsInclude", "*"), blocks()
    sums: dict[tuple[str, str], int] = {}
    for entry in map(bson.decode, next(reading)[1:]):
        place = (entry["db"], entry["collection"])
        if fnmatch.fnmatchcase(".".join(place), pattern):
            sums[place] = 0
            made(server, entry, drop="drop" in given)
    for head, *bodies in reading:
        found = bson.decode(head)
        place = (found["db"], found["collection"])
        if place not in sums:
            continue
        for body in bodies:
            sums[place] = checksum(body, sums[place])
        if bodies:
            server[place[0]][place[1]].insert_many([bson.decode(body) for body in bodies])
        if found["EOF"] and found["CRC"] % (1 << 64) != sums[place]:
            fail(f"corruption found in archive; checksum of {'.'.join(place)}")


def main() -> None:
    """Run."""
    program = sys.argv[1]
    given = options(program, sys.argv[2:])
    (dump if program == "mongodump" else restore)(given)


if __name__ == "__main__":
    main()
