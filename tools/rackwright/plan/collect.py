"""From the results of a run's tasks to items: what each block says of itself, in one vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rackwright.operations.events import TaskResult
from rackwright.plan.firewall_words import changed_flows
from rackwright.plan.model import Difference, HostPlan, Item, ServicePlan, Trouble

PACKAGES = "packages"
# The package database is no service; its files are the apt settings that the transaction needs.
_OWNERLESS = "site"


def hosts_of(results: Iterable[TaskResult]) -> tuple[HostPlan, ...]:
    """Gather what changed, or would change, by host and service.

    Args:
        results: the results of all tasks of a run.

    Returns:
        Every host that was asked, by name; services in the order in which the run came to them.
    """
    found: dict[str, dict[str, list[Item]]] = {}
    for result in results:
        if result.host == "localhost" or result.status == "skipped":
            continue
        services = found.setdefault(result.host, {})
        if result.status not in ("changed", "failed"):
            continue
        for service, item in items_of(result):
            # Several roles name directories that they share; the first one makes them.
            if item.action == "created" and any(
                item == other for items in services.values() for other in items
            ):
                continue
            services.setdefault(service, []).append(item)
    return tuple(
        HostPlan(host, tuple(ServicePlan(name, tuple(items)) for name, items in services.items() if items))
        for host, services in sorted(found.items())
    )


def troubles_of(results: Iterable[TaskResult]) -> tuple[Trouble, ...]:
    """Gather the hosts that do not answer and the tasks that failed."""
    return tuple(
        Trouble(
            result.host,
            result.status,
            f"{result.role} : {result.task}" if result.role else result.task,
            result.message,
        )
        for result in results
        if result.status in ("failed", "unreachable")
    )


def notes_of(results: Iterable[TaskResult]) -> tuple[str, ...]:
    """Gather what could not be foreseen."""
    return tuple(
        f"{result.host}, {result.role}: what it holds could not be asked ({result.result['unasked']})"
        for result in results
        if result.result.get("unasked")
    )


def items_of(result: TaskResult) -> Iterator[tuple[str, Item]]:
    """Turn one task's result into items, each with the service it belongs to."""
    action = result.action.rpartition(".")[2]
    service = result.role or (PACKAGES if action == "packages" else _OWNERLESS)
    reader = _READERS.get(action)
    if reader is not None:
        for owner, item in reader(result.result):
            yield owner or service, item
    elif result.status == "changed":
        yield (
            service,
            Item("task", result.task, "changed", result.message, _difference(result.result.get("diff"))),
        )


Found = Iterator[tuple[str, Item]]


def _changed(result: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (entry for entry in result.get("items") or () if entry.get("changed"))


def _files(result: Mapping[str, Any]) -> Found:
    for entry in _changed(result):
        dest, reason = str(entry["dest"]), str(entry.get("reason") or "")
        kind, _, name = dest.partition(":")
        if dest.startswith("/"):
            yield "", Item("file", dest, _file_action(reason), reason, _difference(entry.get("diff")))
        else:
            kind = {"sysctl": "kernel_setting"}.get(kind, kind)
            yield "", Item(kind, name, "created" if reason == "created" else "changed", reason)


def _file_action(reason: str) -> str:
    if reason == "missing":
        return "created"
    return next((action for action in ("created", "removed") if reason.startswith(action)), "changed")


def _packages(result: Mapping[str, Any]) -> Found:
    for entry in result.get("installed") or ():
        version, previous = entry.get("version"), entry.get("previous")
        if previous:
            yield PACKAGES, Item("package", entry["name"], "upgraded", f"{previous} -> {version}")
        else:
            yield PACKAGES, Item("package", entry["name"], "installed", version or "")
    for entry in result.get("removed") or ():
        yield PACKAGES, Item("package", entry["name"], "removed", entry.get("version") or "")
    for name in result.get("mended") or ():
        yield PACKAGES, Item("package", name, "repaired", "left half-done by an interrupted run")
    for entry in _changed(result):
        if str(entry["name"]).startswith("/"):
            yield PACKAGES, Item("file", entry["name"], "changed", "settings of the package manager")


def _units(result: Mapping[str, Any]) -> Found:
    for entry in _changed(result):
        for action in entry.get("actions") or (entry["action"],):
            # The reason is that of what was done to the running unit.
            said = "" if action in ("enabled", "masked", "unmasked") else str(entry.get("reason") or "")
            yield "", Item("unit", entry["name"], action, said)


def _certificates(result: Mapping[str, Any]) -> Found:
    for entry in _changed(result):
        reason = str(entry.get("reason") or "")
        action = "issued" if "there is none" in reason else "repaired" if ".pem:" in reason else "renewed"
        yield entry["service"], Item("certificate", entry["service"], action, reason)
    if result.get("ca_changed"):
        yield (
            "",
            Item("certificate", "authority", "changed", "the site's certificate authority, as hosts know it"),
        )


def _firewall(result: Mapping[str, Any]) -> Found:
    diff = _difference(result.get("diff"))
    allowed, denied = changed_flows(diff.before, diff.after) if diff else ([], [])
    for flow in allowed:
        yield "", Item("firewall", str(flow), "allowed")
    for flow in denied:
        yield "", Item("firewall", str(flow), "denied")
    reasons = ", ".join(result.get("reasons") or ())
    if diff is not None or not (allowed or denied):
        yield "", Item("firewall", "rules", "loaded", reasons, diff)


def _retired(result: Mapping[str, Any]) -> Found:
    for entry in _changed(result):
        yield "", Item("container", str(entry["name"]), "removed", str(entry["reason"]))


def _container(result: Mapping[str, Any]) -> Found:
    reasons = list(result.get("reasons") or ())
    action = "recreated"
    if (
        not reasons
        or "the container is missing" in reasons
        or any("not installed" in text for text in reasons)
    ):
        action = "started"
    elif any(text in ("the container is there", "its files are there") for text in reasons):
        action = "removed"
    elif all(text.startswith("it is ") and text != "it is unhealthy" for text in reasons):
        action = "started"
    name = str(result.get("name") or "container")
    yield "", Item("container", name, action, ", ".join(reasons), _difference(result.get("diff")))


def _objects(result: Mapping[str, Any]) -> Found:
    pending = result.get("restarted_for") or ()
    if pending:
        yield (
            "",
            Item("unit", str(result.get("unit") or "postgresql"), "restarted", f"for {', '.join(pending)}"),
        )
    for entry in result.get("items") or ():
        actions = list(entry.get("actions") or ())
        created = actions == ["created"]
        what = f"{entry['kind']} {entry['name']}"
        yield (
            "",
            Item(
                "database", what, "created" if created else "changed", "" if created else ", ".join(actions)
            ),
        )


def _settled(result: Mapping[str, Any]) -> Found:
    for entry in _changed(result):
        yield "", Item("object", str(entry["name"]), "changed", str(entry.get("reason") or ""))


def _cluster(result: Mapping[str, Any]) -> Found:
    yield "", Item("database", "cluster", "created", str(result.get("reason") or ""))


def _release(result: Mapping[str, Any]) -> Found:
    before, after = result.get("previous") or "none", result.get("release")
    detail = f"{before} -> {after}" if before != after else str(result.get("reason") or "")
    yield "", Item("release", str(after), "installed", detail)


def _reboot(_: Mapping[str, Any]) -> Found:
    yield "", Item("reboot", "host", "restarted")


_READERS: dict[str, Callable[[Mapping[str, Any]], Found]] = {
    "managed_files": _files,
    "artifact": _files,
    "packages": _packages,
    "units": _units,
    "certificates": _certificates,
    "firewall": _firewall,
    "container_service": _container,
    "containers_retired": _retired,
    "postgresql_objects": _objects,
    "settled_by": _settled,
    "postgresql_cluster": _cluster,
    "app_release": _release,
    "reboot": _reboot,
}


def _difference(diff: Any) -> Difference | None:  # noqa: ANN401 - whatever a module returned
    if not isinstance(diff, Mapping) or diff.get("before") == diff.get("after"):
        return None
    before, after = diff.get("before", ""), diff.get("after", diff.get("prepared", ""))
    return Difference(
        before if isinstance(before, str) else str(before), after if isinstance(after, str) else str(after)
    )
