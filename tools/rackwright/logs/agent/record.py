"""From what rsyslog says of a line to what is stored of it: masked, in its place, with an id of its own.

The id follows from where the line stood (host, file, offset; or the journal's microsecond) and what it says.
A line that is read or sent twice has the same id, and a store that creates by id keeps it once.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from rackwright_app.masking import mask_text, mask_value

# What rotation puts behind a file's name: the same lines, in the same order, at the same offsets.
_ROTATED = re.compile(r"\.\d+$")
_INSTANCE = re.compile(r"_\d+$")
_TIMES = ("time", "ts", "timestamp", "@timestamp")
_POSTGRES = re.compile(r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?) (?:UTC|GMT) ")
# Of the journal's priorities.
_LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
LONGEST = 32 * 1024


@dataclass(frozen=True)
class Sources:
    """What the catalogue says of this host's logs.

    Attributes:
        host: The host's name in the inventory.
        files: Directory and glob of a log file -> {service, format}.
        journals: Unit -> service.
        containers: Container -> service.
    """

    host: str
    files: Mapping[str, Mapping[str, str]]
    journals: Mapping[str, str]
    containers: Mapping[str, str]


@dataclass(frozen=True)
class Record:
    """One line as it is stored.

    Attributes:
        id: Its own, the same whenever the line is read again.
        time: When it was written, as far as it says so; else when it was read.
        service: The catalogue's name, or `system`.
        source: file, journal or container.
        stream: What it is in order with: a path, a unit, a container.
        position: Its place there, rising: bytes, or microseconds.
        text: The line, masked.
        level: As the writer calls it; empty where it does not say.
        fields: What it holds where it is JSON, masked; else None.
        masked: Whether the masking has changed anything.
    """

    id: str
    time: datetime
    service: str
    source: str
    stream: str
    position: int
    text: str
    level: str
    fields: dict[str, Any] | None
    masked: bool


def record_of(raw: bytes, sources: Sources) -> Record:
    """Return what is stored of a line.

    Args:
        raw: A message as the template `wire` of rsyslog.conf makes it, a JSON object.
        sources: The host's.
    """
    told = json.loads(raw.decode("utf-8", "replace"))
    read = _moment(told["read"]) or datetime.now(tz=timezone.utc)
    if told.get("input") == "imjournal":
        return _from_journal(told, read, sources)
    path = _ROTATED.sub("", str(told.get("file", "")))
    offset = int(told.get("offset") or 0)
    if told.get("tag", "").startswith("container"):
        return _from_container(told, path, offset, read, sources)
    about = sources.files.get(str(told.get("tag", "")).rstrip(":"), {})
    text = str(told.get("line", ""))
    fields = _object(text) if about.get("format") == "json" else None
    return _record(
        sources,
        about.get("service", "system"),
        "file",
        (path, offset),
        text,
        _time_of(fields, text) or read,
        fields,
    )


class Entries:
    """Gives a line that goes on with the entry before it (it begins with a space or a tab) that entry's time.

    Lines are stored one by one: what was put together would have to wait for the next entry, and be another
    one when it is read again. Place and order say what belongs together.
    """

    def __init__(self) -> None:
        self._begun: dict[str, datetime] = {}

    def joined(self, record: Record) -> Record:
        """Return the record as it is, or with the time of its entry; records of a stream come in order."""
        if record.source != "file":
            return record
        if record.text[:1].isspace() and record.stream in self._begun:
            return replace(record, time=self._begun[record.stream])
        self._begun[record.stream] = record.time
        return record


def _from_journal(told: Mapping[str, Any], read: datetime, sources: Sources) -> Record:
    unit = str(told.get("unit") or told.get("identifier") or "kernel")
    text = str(told.get("line", ""))
    at = int(read.timestamp() * 1_000_000)
    priority = str(told.get("priority", ""))
    fields = _object(text) if text.startswith("{") else None
    level = _LEVELS[int(priority)] if priority.isdigit() and int(priority) < len(_LEVELS) else ""
    service = sources.journals.get(unit, "system")
    return _record(
        sources, service, "journal", (unit, at), text, read, fields, level, str(told.get("pid", ""))
    )


def _from_container(
    told: Mapping[str, Any], path: str, offset: int, read: datetime, sources: Sources
) -> Record:
    entry = _object(str(told.get("line", ""))) or {"log": told.get("line", "")}
    name = str((entry.get("attrs") or {}).get("tag") or path.rsplit("/", 1)[-1][:12])
    text = str(entry.get("log", "")).rstrip("\n")
    fields = _object(text) if text.startswith("{") else None
    service = sources.containers.get(name) or sources.containers.get(_INSTANCE.sub("", name), "system")
    time = _moment(entry.get("time")) or read
    # The path is in the id: a container that is made anew has another one, and begins at 0 again.
    return _record(sources, service, "container", (name, offset), text, time, fields, seed=path)


def _record(
    sources: Sources,
    service: str,
    source: str,
    place: tuple[str, int],
    text: str,
    time: datetime,
    fields: dict[str, Any] | None,
    level: str = "",
    seed: str = "",
) -> Record:
    stream, position = place
    parts = (sources.host, source, stream, str(position), seed, text)
    number = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).hexdigest()
    if fields is not None:
        kept = mask_value(fields)
        shown = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        masked, fields = kept != fields, kept if isinstance(kept, dict) else None
    else:
        shown = mask_text(text)
        masked = shown != text
    said = fields.get("level") if fields else None
    return Record(
        id=number,
        time=time,
        service=service,
        source=source,
        stream=stream,
        position=position,
        text=shown[:LONGEST],
        level=str(said).lower() if isinstance(said, str) else level,
        fields=fields,
        masked=masked,
    )


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _time_of(fields: Mapping[str, Any] | None, text: str) -> datetime | None:
    for name in _TIMES if fields else ():
        if found := _moment((fields or {}).get(name)):
            return found
    match = _POSTGRES.match(text)
    return _moment(f"{match[1]}T{match[2]}Z") if match else None


def _moment(value: object) -> datetime | None:
    """Return the moment that an ISO text means; nanoseconds are cut, since Python has none.

    Python 3.10 reads neither a Z nor another number of decimals than three and six.
    """
    if not isinstance(value, str):
        return None
    text = re.sub(r"\.(\d+)", lambda decimals: f".{decimals[1][:6]:0<6}", value.replace("Z", "+00:00"))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(timezone.utc) if found.tzinfo else None
