"""A double of MongoDB's storage: documents in memory, and every change appended to a file on the volume."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from typing import Any

import bson

Doc = dict[str, Any]
FILE = "double.journal"


class Store:
    """Databases of collections of documents; what was written survives a kill of the program.

    A change is in the system's hands before it is acknowledged, and on the disk where it was asked for that.
    """

    def __init__(self, directory: Path) -> None:
        self.lock = threading.RLock()
        self.databases: dict[str, dict[str, dict[bytes, Doc]]] = {}
        self.indexes: dict[tuple[str, str], list[Doc]] = {}
        self._held = (directory / "mongod.lock").open("w")
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path = directory / FILE
        whole = 0
        if path.exists():
            data = path.read_bytes()
            while len(data) - whole >= 4:
                size = int.from_bytes(data[whole : whole + 4], "little")
                if size < 5 or len(data) - whole < size:
                    break  # it was killed in the middle of what it never acknowledged
                self._apply(bson.decode(data[whole : whole + size]))
                whole += size
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, whole)
        os.lseek(self._file, 0, os.SEEK_END)

    def change(self, **record: Any) -> None:  # noqa: ANN401
        """Make a change: `op` with `db`, `c` (the collection) and what it needs."""
        data = bson.encode(record)
        while data:
            data = data[os.write(self._file, data) :]
        self._apply(record)

    def sync(self) -> None:
        """Have all changes on the disk."""
        os.fsync(self._file)

    def documents(self, database: str, collection: str) -> dict[bytes, Doc]:
        """Return a collection's documents by their ids; none where it is not there."""
        return self.databases.get(database, {}).get(collection, {})

    def _apply(self, record: Doc) -> None:
        database, collection = record["db"], record.get("c", "")
        match record["op"]:
            case "create":
                self.databases.setdefault(database, {}).setdefault(collection, {})
                found = {"v": 2, "key": {"_id": 1}, "name": "_id_"}
                self.indexes.setdefault((database, collection), [found])
            case "index":
                self.indexes[database, collection].append(record["index"])
            case "put":
                self.databases[database][collection][key_of(record["o"])] = record["o"]
            case "remove":
                self.databases[database][collection].pop(record["key"], None)
            case "drop":
                self.databases[database].pop(collection, None)
                self.indexes.pop((database, collection), None)
                if not self.databases[database]:
                    del self.databases[database]


def key_of(document: Doc) -> bytes:
    """Return what tells documents apart."""
    return bytes(bson.encode({"": document["_id"]}))
