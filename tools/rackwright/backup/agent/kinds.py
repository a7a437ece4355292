"""The kinds of state: each has its one line here, by which it is kept, brought back and proved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Literal

from rackwright.backup.agent import archive, files, mariadb, mongodb, qdrant, redis, vectors


@dataclass(frozen=True)
class Stream:
    """How a kind travels to restic on the backup host, and back.

    Attributes:
        send: Writes a store as a stream, and says when what it sends cannot change any more.
        receive: Puts a stream in the place of a store; returns what is there then.
        compared: Compares what was unpacked into a directory of the backup host with its manifest; returns
            how much there is, or raises Failed.
        counted: What that is a number of.
    """

    send: Callable[[dict[str, Any], IO[bytes], files.Held], None]
    receive: Callable[[dict[str, Any], IO[bytes]], dict[str, Any]]
    compared: Callable[[Path, dict[str, Any]], int] = archive.whole
    counted: str = "files"


@dataclass(frozen=True)
class Kind:
    """How a kind of state is kept.

    Attributes:
        stream: How it travels; None for what pgBackRest keeps, blocks and write-ahead log.
        told: What a host is told of such a store beside its state: the `unit` or the `container` of its
            service, or where its `api` is, which is asked with the vector store's key.
        packages: What its proof takes on the backup host beside that host's own.
    """

    stream: Stream | None
    told: Literal["unit", "container", "api"] | None = None
    packages: tuple[str, ...] = ()


# A contract test holds the catalogue's model to it.
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "postgresql": Kind(None),
        "mariadb": Kind(
            Stream(mariadb.send, mariadb.receive, mariadb.compared, "rows"),
            told="unit",
            packages=("mariadb-client-core", "mariadb-server-core"),
        ),
        "mongodb": Kind(
            Stream(mongodb.send, mongodb.receive, mongodb.compared, "documents"), told="container"
        ),
        "redis": Kind(Stream(redis.send, redis.receive, redis.compared, "keys"), told="unit"),
        "qdrant": Kind(Stream(qdrant.send, qdrant.receive), told="api"),
        "vectors": Kind(Stream(vectors.send, vectors.receive), told="api"),
        "files": Kind(Stream(files.send, files.receive)),
    }
)
