"""What tells that nobody has touched something since: cheap to look at, and changed by every change.

Subjects are plain data, so that they can be kept:

paths: files, links, what must be absent. Device, inode, owner, mode, size, both times, a link's target.
trees: all of that for everything below a directory.
places: directories that have to be there with their owner and mode, whatever is put in them.
users, groups: the accounts' entries.
kernel: files of kernel settings.
units: what systemd says of them, but for times that pass by themselves.
ports: [address, port] that must accept a connection.
tables: tables of the packet filter, without their counters.
containers: what Docker says of them.
clusters: [data directory, [[database, SQL], ...]], what PostgreSQL answers to that.
"""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright import command
from ansible.module_utils.rackwright.nft_listing import lasting

Subjects = dict[str, list[Any]]

# Of a unit. Neither SubState nor StateChangeTimestamp: a timer changes both when it comes round. Nor whether
# it is enabled: systemd may not have read that yet, so the directories of the links are looked at.
UNIT_PROPERTIES = (
    *("Id", "LoadState", "ActiveState", "Type", "RemainAfterExit", "Result", "ReloadResult", "CanReload"),
    *("NeedDaemonReload", "ConditionResult", "ActiveEnterTimestamp", "InvocationID"),
    *("FragmentPath", "DropInPaths"),
)
UNIT_LINKS = Path("/etc/systemd/system")
DOCKER = "/run/docker.sock"
_SECONDS = 2.0


class UnseenError(Exception):
    """Something cannot be looked at, so nothing can be said of it."""


def of_path(path: str) -> list[Any]:
    """A path itself and, of a link, where it leads."""
    try:
        about = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ["absent"]
    seen: list[Any] = [_numbers(about)]
    if os.path.islink(path):  # noqa: PTH114 - strings all along: thousands of them
        seen.append(os.readlink(path))  # noqa: PTH115 - as above
        try:
            seen.append(_numbers(os.stat(path)))  # noqa: PTH116 - as above
        except OSError:
            seen.append("leads nowhere")
    return seen


def of_tree(path: str) -> list[Any]:
    """Everything below a directory, itself included; a file or link stands for itself."""
    seen: list[Any] = [of_path(path)]
    if Path(path).is_dir():
        for folder, directories, files in os.walk(path):
            directories.sort()
            for name in sorted([*directories, *files]):
                entry = f"{folder}/{name}"
                seen.append([entry, of_path(entry)])
    return seen


def of_place(path: str) -> list[Any]:
    """A directory without what happens in it."""
    try:
        about = os.stat(path)  # noqa: PTH116 - as above
    except (FileNotFoundError, NotADirectoryError):
        return ["absent"]
    return [about.st_dev, about.st_ino, about.st_mode, about.st_uid, about.st_gid, os.path.islink(path)]  # noqa: PTH114


def _numbers(about: os.stat_result) -> list[int]:
    return [
        about.st_dev, about.st_ino, about.st_mode, about.st_uid, about.st_gid, about.st_size,
        about.st_mtime_ns, about.st_ctime_ns,
    ]  # fmt: skip


def _of_user(name: str) -> list[Any]:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return ["absent"]
    return [*entry[2:], sorted(group.gr_name for group in grp.getgrall() if name in group.gr_mem)]


def _of_group(name: str) -> list[Any]:
    try:
        return [grp.getgrnam(name).gr_gid]
    except KeyError:
        return ["absent"]


def _of_kernel(path: str) -> list[Any]:
    try:
        return [Path(path).read_text(encoding="ascii").split()]
    except OSError:
        return ["unreadable"]


def _of_port(place: list[Any]) -> list[Any]:
    import socket  # noqa: PLC0415 - few records have ports

    try:
        with socket.create_connection((place[0], int(place[1])), timeout=_SECONDS):
            return ["open"]
    except OSError as error:
        raise UnseenError(f"{place[0]}:{place[1]}: {error}") from error


def _of_table(table: str) -> list[Any]:
    outcome = command.run(["nft", "-s", "list", "table", *table.split()], timeout=_SECONDS)
    if outcome.rc != 0:
        return ["absent"]
    return [hashlib.sha256(lasting(outcome.stdout).encode()).hexdigest()]


def _of_container(name: str) -> list[Any]:
    # Hosts without containers need not load it.
    from ansible.module_utils.rackwright.docker_socket import DockerError, inspected  # noqa: PLC0415

    try:
        found = inspected(name, DOCKER, _SECONDS)
    except DockerError as error:
        raise UnseenError(f"Docker: {error}") from error
    if found is None:
        return ["absent"]
    state = found["State"]
    health = (state.get("Health") or {}).get("Status", "none")
    return [found["Id"], found["Image"], found["Config"].get("Labels") or {}, state["Status"], health]


def _of_cluster(asked: list[Any]) -> list[Any]:
    from ansible.module_utils.rackwright.postgresql_look import answers  # noqa: PLC0415 - as above

    found = answers(*asked)
    if found is None:
        raise UnseenError(f"PostgreSQL on {asked[0]} does not answer")
    return [found]


def _of_units(names: list[str]) -> dict[str, list[Any]]:
    """All units by one question."""
    if not names:
        return {}
    properties = [part for name in UNIT_PROPERTIES for part in ("-p", name)]
    outcome = command.run(["systemctl", "show", "--timestamp=us+utc", *properties, "--", *names], timeout=20)
    blocks = [block for block in outcome.stdout.strip().split("\n\n") if block.strip()]
    if outcome.rc != 0 or len(blocks) != len(names):
        raise UnseenError(f"systemd does not answer: {outcome.output}")
    folders = [UNIT_LINKS, *sorted((*UNIT_LINKS.glob("*.wants"), *UNIT_LINKS.glob("*.requires")))]
    links = [of_path(str(folder)) for folder in folders]
    return {name: [*sorted(block.splitlines()), links] for name, block in zip(names, blocks, strict=True)}


_LOOKS: dict[str, Callable[[Any], list[Any]]] = {
    "paths": of_path, "trees": of_tree, "places": of_place, "users": _of_user, "groups": _of_group,
    "kernel": _of_kernel, "ports": _of_port, "tables": _of_table, "containers": _of_container,
    "clusters": _of_cluster,
}  # fmt: skip


class Look:
    """One look at a host; what several records share is looked at once."""

    def __init__(self, units: Iterable[str] = ()) -> None:
        """Ask systemd about all these units at once."""
        self._units = _of_units(sorted(set(units)))
        self._seen: dict[str, list[Any]] = {}

    def fingerprint(self, subjects: Subjects) -> str:
        """Return the fingerprint of some subjects.

        Raises:
            UnseenError: One of them cannot be looked at, or is not as anything is recorded to be.
        """
        listed = [(kind, subject) for kind in sorted(subjects) for subject in subjects[kind]]
        seen = [[kind, subject, self._at(kind, subject)] for kind, subject in listed]
        return hashlib.sha256(json.dumps(seen).encode("utf-8", "surrogateescape")).hexdigest()

    def _at(self, kind: str, subject: Any) -> list[Any]:  # noqa: ANN401
        if kind == "units":
            return self._units[subject]
        if kind not in _LOOKS:
            raise UnseenError(f"{kind}: nothing is known of it")
        key = json.dumps([kind, subject])
        if key not in self._seen:
            self._seen[key] = _LOOKS[kind](subject)
        return self._seen[key]


def newest_change(subjects: Subjects) -> float:
    """The latest change of any path of the subjects, in seconds since the epoch."""
    latest = 0.0
    for kind in ("paths", "trees"):
        for path in subjects.get(kind, []):
            for entry in _below(path) if kind == "trees" else [path]:
                try:
                    about = os.lstat(entry)
                except OSError:
                    continue
                latest = max(latest, about.st_ctime, about.st_mtime)
    return latest


def _below(path: str) -> Iterable[str]:
    yield path
    for folder, directories, files in os.walk(path):
        yield from (f"{folder}/{name}" for name in (*directories, *files))
