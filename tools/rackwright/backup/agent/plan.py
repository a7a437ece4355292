"""What a restore would take of each store, and what stands in its way. Nothing here changes anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from rackwright.backup.agent import lineage, restic, wal
from rackwright.backup.agent.settings import Repository, Store
from rackwright.backup.agent.shell import Failed


def plan(
    repository: Repository, stores: Sequence[Store], to: str, facts: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return what each store would be restored from.

    Args:
        repository: The settings.
        stores: Which.
        to: `latest`, `time:<ISO 8601>`, `point:<name>`, or `backup:<label>` of one cluster.
        facts: What hosts said of their clusters (`postgres.facts`), by store; empty to not compare.

    Raises:
        Failed: Something stands in the way.
    """
    word, _, value = to.partition(":")
    until = _moment(value) if word == "time" else None
    point = _point(repository, value) if word == "point" else None
    if word not in {"latest", "time", "point", "backup"}:
        raise Failed(f"{to!r} is no target", "latest, time:<when>, point:<name> or backup:<label>")
    found = []
    for store in stores:
        if point is not None and store.name not in point["stores"]:
            raise Failed(
                f"the point {value} does not hold {store.name}", "restore it by --time, or to the latest"
            )
        if store.by_pgbackrest:
            entry = _cluster(repository, store, word, value, until, point)
            _fits(store, entry, facts.get(store.name))
        elif word == "backup":
            continue
        else:
            snapshot = (
                point["stores"][store.name]["snapshot"]
                if point
                else restic.newest(repository, store, until).id
            )
            entry = {"snapshot": snapshot}
        found.append(
            {"store": store.name, "host": store.host, "service": store.service, "kind": store.kind, **entry}
        )
    return found


def points(repository: Repository) -> list[dict[str, Any]]:
    """Return all named points, oldest first."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in repository.points.glob("*.json")]
    return sorted(found, key=lambda entry: float(entry["time"]))


def marks(repository: Repository, store: Store) -> list[dict[str, Any]]:
    """Return what a cluster held after each of its backups, oldest first."""
    found = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in (repository.marks / store.stanza).glob("mark-*.json")
    ]
    return sorted(found, key=lambda entry: str(entry["label"])[-16:])


def _point(repository: Repository, name: str) -> dict[str, Any]:
    known = {entry["name"]: entry for entry in points(repository)}
    if name not in known:
        raise Failed(f"there is no point {name}", f"the points are {', '.join(known) or 'none yet'}")
    return dict(known[name])


def _moment(text: str) -> float:
    try:
        # Python 3.10 reads no Z.
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise Failed(
            f"{text!r} is no time", "write 2026-01-31T14:05:00+08:00; without a zone it is UTC"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _cluster(
    repository: Repository,
    store: Store,
    word: str,
    value: str,
    until: float | None,
    point: dict[str, Any] | None,
) -> dict[str, Any]:
    held = wal.backups(store)
    if not held:
        raise Failed(f"there is no backup of {store.name}", "rackwright backup makes one")
    entry: dict[str, Any] = {"type": "latest", "target": "", "timeline": "", "manifest": None}
    chosen = _of_label(store, held, value) if word == "backup" else held[-1]
    moment, last = until, None
    if word == "backup":
        mark = next((mark for mark in marks(repository, store) if mark["label"] == value), None)
        entry |= {"type": "immediate"} if mark is None else _named(mark)
        last = chosen.wal[1] if mark is None else mark["wal"]
        on = lineage.timeline(last)
    elif point is not None:
        told = point["stores"][store.name]
        moment = datetime.fromisoformat(told["time"]).timestamp()
        entry |= _named(told)
        last, on = told["wal"], int(told["timeline"])
    if moment is not None:
        chosen = _before(store, held, moment)
    log = wal.log(store, chosen.archive)
    if word in {"latest", "time"}:
        on = lineage.until(log.began, moment)
    line = wal.line_to(store, chosen.archive, on)
    if word != "backup":
        chosen = _on_line(store, held, line, chosen.archive, moment)
    if until is not None:
        at = datetime.fromtimestamp(until, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+00")
        entry |= {"type": "time", "target": at, "timeline": str(on)}
    missing = lineage.gap(set(log.segments), line, chosen.wal[0], last)
    if missing is not None:
        raise Failed(
            f"the log of {store.name} has a hole: segment {missing} after {chosen.label} is missing",
            _around(held, missing),
        )
    return {
        **entry,
        "set": chosen.label,
        "stopped": chosen.stopped,
        "size": chosen.size,
        "version": chosen.version,
        "log_end": max(log.segments, default=""),
    }


def _of_label(store: Store, held: list[wal.Backup], label: str) -> wal.Backup:
    chosen = next((backup for backup in held if backup.label == label), None)
    if chosen is None:
        raise Failed(f"{store.name} has no backup {label}", f"it has {', '.join(b.label for b in held)}")
    return chosen


def _on_line(
    store: Store, held: list[wal.Backup], line: tuple[lineage.Span, ...], archive: str, moment: float | None
) -> wal.Backup:
    """Return the newest backup that leads to the target: one that was made on a line left since does not."""
    fitting = [
        backup
        for backup in held
        if backup.archive == archive
        and lineage.on_line(line, backup.wal[0])
        and lineage.on_line(line, backup.wal[1])
        and (moment is None or backup.stopped <= moment)
    ]
    if not fitting:
        raise Failed(
            f"no backup of {store.name} leads there", "rackwright backup list has those that there are"
        )
    return fitting[-1]


def _named(mark: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "name",
        "target": mark["point"],
        "timeline": str(mark["timeline"]),
        "manifest": mark["contents"],
    }


def _around(held: list[wal.Backup], missing: str) -> str:
    place = lineage.number(missing)
    whole = [backup.label for backup in held if lineage.number(backup.wal[1]) < place]
    later = [backup.label for backup in held if lineage.number(backup.wal[0]) > place]
    offered = [f"--backup {label}" for label in [*later[-1:], *whole[-1:]]]
    return f"these do not need it: {', '.join(offered)}" if offered else "no backup does without it"


def _before(store: Store, held: list[wal.Backup], moment: float) -> wal.Backup:
    fitting = [backup for backup in held if backup.stopped <= moment]
    if not fitting:
        first = datetime.fromtimestamp(held[0].stopped, timezone.utc).isoformat()
        raise Failed(
            f"no backup of {store.name} is as old as that", f"the first moment that can be had is {first}"
        )
    return fitting[-1]


def _fits(store: Store, entry: dict[str, Any], facts: dict[str, Any] | None) -> None:
    if facts is None:
        return
    if facts["version"] != entry["version"]:
        raise Failed(
            f"the backup of {store.name} is of PostgreSQL {entry['version']},"
            f" the host has {facts['version']}",
            f"install PostgreSQL {entry['version']} there (postgresql_version), restore, upgrade afterwards",
        )
    room = facts["free"] + facts["held"]
    if entry["size"] * 1.05 > room:
        raise Failed(
            f"the cluster takes {entry['size'] >> 20} MB, the host has room for {room >> 20} MB",
            "give its disk more room",
        )
