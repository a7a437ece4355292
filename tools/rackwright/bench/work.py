"""What a run dealt with on a host, read from the results of its tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rackwright.operations.events import TaskResult

Items: TypeAlias = Sequence[Mapping[str, Any]]

# Tasks that only look, ask or reckon. A script that does the same work has no counterpart for them.
_LOOKING = {
    *(
        "assert",
        "command",
        "debug",
        "group_by",
        "host_facts",
        "include_role",
        "meta",
        "set_fact",
        "uri",
        "validate_argument_spec",
    ),
    *("host_preflight", "preflight_report", "service_probe", "validate_site", "wait_for", "wheelhouse"),
}
# Blocks whose items are paths; one whose whole list was left alone has nothing to tell.
_OF_PATHS = {"managed_files", "artifact"}


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL cluster as the run made it."""

    version: str
    name: str
    port: int
    data_directory: str
    locale: str

    @property
    def unit(self) -> str:
        """The unit that runs it."""
        return f"postgresql@{self.version}-{self.name}.service"


@dataclass
class Work:
    """All that a run dealt with on one host, each thing once and in order.

    Attributes:
        packages: Packages that were asked for.
        seeds: Files that were written before the packages.
        paths: Files, directories, links, and what had to be absent.
        settings: Kernel settings.
        users: Accounts.
        groups: Groups of accounts.
        units: systemd's units.
        certificates: Services that have a certificate.
        firewall: Whether there is a packet filter.
        cluster: The database cluster, if any.
        containers: Container name -> directory of its files.
        not_understood: Tasks that did something of which nothing is known here.
    """

    packages: dict[str, None] = field(default_factory=dict)
    seeds: dict[str, None] = field(default_factory=dict)
    paths: dict[str, None] = field(default_factory=dict)
    settings: dict[str, None] = field(default_factory=dict)
    users: dict[str, None] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)
    units: dict[str, None] = field(default_factory=dict)
    certificates: dict[str, None] = field(default_factory=dict)
    firewall: bool = False
    cluster: Cluster | None = None
    containers: dict[str, str] = field(default_factory=dict)
    not_understood: list[str] = field(default_factory=list)


def work_of(results: Iterable[TaskResult], host: str, *, changed_only: bool) -> Work:
    """Read what was dealt with on a host.

    Args:
        results: Of the whole run.
        host: Name in the inventory.
        changed_only: Whether only what the run changed counts, or everything that it looked after.
    """
    work = Work()
    for result in results:
        if result.host != host or result.status not in {"ok", "changed"}:
            continue
        if changed_only and result.status != "changed":
            continue
        _take(work, result, changed_only)
    return work


def _take(work: Work, result: TaskResult, changed_only: bool) -> None:
    action = result.action.removeprefix("ansible.").removeprefix("builtin.").removeprefix("legacy.")
    items = [
        item
        for item in result.result.get("items") or ()
        if isinstance(item, Mapping) and (item.get("changed", True) or not changed_only)
    ]
    if action in _BY_ACTION:
        _BY_ACTION[action](work, result, items)
        return
    _take_paths(work, result, items)
    looked = action in _LOOKING and result.status != "changed"
    if not (looked or items or action in _OF_PATHS):
        work.not_understood.append(_named(result))


def _take_packages(work: Work, _result: TaskResult, items: Items) -> None:
    for item in items:
        name = str(item["name"])
        (work.seeds if name.startswith("/") else work.packages)[name] = None


def _take_units(work: Work, _result: TaskResult, items: Items) -> None:
    work.units |= {str(item["name"]): None for item in items}


def _take_certificates(work: Work, _result: TaskResult, items: Items) -> None:
    work.certificates |= {str(item["service"]): None for item in items}


def _take_firewall(work: Work, _result: TaskResult, _items: Items) -> None:
    work.firewall = True


def _take_cluster(work: Work, result: TaskResult, _items: Items) -> None:
    given = _arguments(result)
    work.cluster = Cluster(
        version=str(given["version"]),
        name=str(given["name"]),
        port=int(given["port"]),
        data_directory=str(given["data_directory"]),
        locale=str(given["locale"]),
    )


def _take_container(work: Work, result: TaskResult, _items: Items) -> None:
    given = _arguments(result)
    work.containers[str(given["name"])] = str(given["directory"])


def _take_release(work: Work, result: TaskResult, _items: Items) -> None:
    root = str(_arguments(result)["root"])
    work.paths |= {f"{root}/current": None, f"{root}/release.json": None}


def _take_nothing(_work: Work, _result: TaskResult, _items: Items) -> None:
    """What it did is read from the service itself."""


_BY_ACTION: dict[str, Callable[[Work, TaskResult, Items], None]] = {
    "packages": _take_packages,
    "units": _take_units,
    "certificates": _take_certificates,
    "firewall": _take_firewall,
    "postgresql_cluster": _take_cluster,
    "postgresql_objects": _take_nothing,
    "container_service": _take_container,
    "app_release": _take_release,
}


def _arguments(result: TaskResult) -> Mapping[str, Any]:
    given: Mapping[str, Any] = result.result["invocation"]["module_args"]
    return given


def _take_paths(work: Work, result: TaskResult, items: Items) -> None:
    for item in items:
        dest = str(item.get("dest", item))
        if dest.startswith("/"):
            work.paths[dest] = None
            continue
        kind, _, name = dest.partition(":")
        known = {"sysctl": work.settings, "user": work.users, "group": work.groups}
        if kind in known:
            known[kind][name] = None
        else:
            work.not_understood.append(f"{_named(result)} ({dest})")


def _named(result: TaskResult) -> str:
    return f"{result.role} : {result.task}" if result.role else result.task
