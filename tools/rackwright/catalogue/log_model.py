"""What the catalogue may say of a service's logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from rackwright.catalogue.nothing import NoneOr, Nothing, shape
from rackwright.catalogue.route import STRICT, Path


def _reopen_shape(value: Any) -> str:  # noqa: ANN401 - pydantic hands over whatever YAML said
    """Tell which way of opening a log anew is meant by the keys that it has."""
    keys = value if isinstance(value, Mapping) else {}
    return next((f"~{key}" for key in ("none", "command") if key in keys), "~signal")


@dataclass(frozen=True, kw_only=True)
class JournalLog:
    """The log of a systemd unit."""

    __pydantic_config__: ClassVar = STRICT
    journal: str


@dataclass(frozen=True, kw_only=True)
class SignalReopen:
    """The main process of a unit opens its log anew on a signal."""

    __pydantic_config__: ClassVar = STRICT
    unit: Annotated[str, Field(pattern=r"^[\w@.:-]+\.service$")]
    signal: Annotated[str, Field(pattern=r"^[A-Z0-9]+$")]


@dataclass(frozen=True, kw_only=True)
class CommandReopen:
    """A command tells the program to open its log anew."""

    __pydantic_config__: ClassVar = STRICT
    command: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class FileLog:
    """Log files, by glob, and how they are rotated.

    Attributes:
        file: The glob; rotated files must not match it.
        format: json, an object a line; or text.
        reopen: How the program comes to write to the new file; `none` with the reason where none is needed.
        owner: Of the files.
        group: Of the files.
        turned_by: Account that may rename in its directory; the owner where it is not said.
        files: How many files the glob stands for at most.
        keep: Which retention of the tier counts.
        logrotate: Name of its file in /etc/logrotate.d, where the program's package brings one.
    """

    __pydantic_config__: ClassVar = STRICT
    file: Path
    format: Literal["json", "text"]
    reopen: Annotated[
        Annotated[Nothing, Tag("~none")]
        | Annotated[SignalReopen, Tag("~signal")]
        | Annotated[CommandReopen, Tag("~command")],
        Discriminator(_reopen_shape),
    ]
    owner: str = "root"
    group: str = "adm"
    turned_by: str | None = None
    files: Annotated[int, Field(ge=1, le=64)] = 1
    keep: Literal["logs_days", "audit_days"] = "logs_days"
    logrotate: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] | None = None


@dataclass(frozen=True, kw_only=True)
class ContainerLog:
    """What a container writes to its output."""

    __pydantic_config__: ClassVar = STRICT
    container: str


def _log_shape(value: Any) -> str:  # noqa: ANN401 - as above
    found = shape(value)
    return "~journal" if found == "~data" else found


Log = Annotated[
    Annotated[JournalLog, Tag("~journal")]
    | Annotated[FileLog, Tag("~file")]
    | Annotated[ContainerLog, Tag("~container")],
    Discriminator(_log_shape),
]
Logs = Annotated[Annotated[Nothing, Tag("~none")] | Annotated[tuple[Log, ...], Tag("~data")], NoneOr]
