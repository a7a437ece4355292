"""Gathers the report: each part by itself, so that one that cannot be told leaves the others as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rackwright.audit.last import last
from rackwright.catalogue.diagram_layout import lay_out
from rackwright.catalogue.diagram_svg import site_svg
from rackwright.catalogue.site import Site
from rackwright.dashboards.model import Have
from rackwright.errors import RackwrightError
from rackwright.operations.backup import ask
from rackwright.operations.health import ServiceHealth, health
from rackwright.operations.measured import measured
from rackwright.pki.authority import Authority
from rackwright.pki.location import pki_directory
from rackwright.rehearsal.model import TARGETS
from rackwright.rehearsal.report import is_genuine
from rackwright.report.model import Absent, AuditResult, Backup, Backups, Rehearsal, SiteReport
from rackwright.report.questions import Answers, alerts, capacity, questions, trends
from rackwright.site.inventory import load_inventory
from rackwright.site.load import site_of
from rackwright.site.paths import repository_root


def collect(inventories: Sequence[Path], days: int, note: str) -> SiteReport:
    """Ask the site, and look at what was kept of it.

    Args:
        inventories: inventory sources.
        days: how far back.
        note: what stands below the picture of the zones.

    Raises:
        RackwrightError: the inventory cannot be read.
    """
    inventory = load_inventory(inventories)
    site = site_of(inventory)
    have = have_of(site, any(has_gpu(inventory.hosts[name].variables) for name in site.hosts))
    answers = _answers(inventories, site, days, have)
    return SiteReport(
        site=site.name,
        domain=site.domain,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        days=days,
        topology=site_svg(lay_out(site), note),
        health=_health(inventories),
        alerts=alerts(answers),
        trends=trends(answers, have),
        capacity=capacity(answers, list(site.hosts)),
        backups=_backups(inventories, site),
        rehearsal=last_rehearsal(
            repository_root() / "rehearsals", site.name, Authority(pki_directory(inventories))
        ),
        audit=audit_result(last(site.name)),
    )


def have_of(site: Site, gpu: bool) -> Have:
    """Return what a site has, as dashboards and trends ask for it."""
    return Have(frozenset(name for name in site.catalogue.services if site.hosts_of(name)), gpu)


def has_gpu(variables: Mapping[str, Any]) -> bool:
    """Tell whether a host's scan (rackwright scan) found a GPU that models can use."""
    hardware = variables.get("hardware")
    return isinstance(hardware, Mapping) and bool(hardware.get("gpus"))


def _answers(inventories: Sequence[Path], site: Site, days: int, have: Have) -> Answers | Absent:
    if "prometheus" not in site.catalogue.services or not site.hosts_of("prometheus"):
        return Absent("no_monitoring")
    try:
        return measured(inventories, questions(days, have))
    except RackwrightError as error:
        return Absent("no_answer", error.message)


def _health(inventories: Sequence[Path]) -> tuple[ServiceHealth, ...] | Absent:
    try:
        found, _ = health(inventories)
    except RackwrightError as error:
        return Absent("no_answer", error.message)
    return tuple(found)


def _backups(inventories: Sequence[Path], site: Site) -> Backups | Absent:
    if "backup" not in site.catalogue.services or not site.hosts_of("backup"):
        return Absent("no_backup_host")
    try:
        return backups_of(ask(inventories, ["list"]))
    except RackwrightError as error:
        return Absent("no_answer", error.message)


def backups_of(told: Mapping[str, Any]) -> Backups:
    """Return the backups that the backup host lists, by store: also a store that has none, by its jobs."""
    newest: dict[str, Mapping[str, Any]] = {}
    counts: dict[str, int] = {}
    for entry in told["backups"]:
        store = entry["store"]
        counts[store] = counts.get(store, 0) + 1
        if store not in newest or entry["time"] > newest[store]["time"]:
            newest[store] = entry
    problems: dict[str, list[str]] = {}
    for job in told["jobs"]:
        action, _, store = job["name"].partition(" ")
        if action in {"backup", "verify"}:
            found = problems.setdefault(store, [])
            if not job["ok"]:
                found.append(f"{action}: {job['detail']}")
    stores = tuple(
        Backup(
            store,
            newest[store]["time"] if store in newest else None,
            newest[store].get("size") if store in newest else None,
            counts.get(store, 0),
            "; ".join(problems.get(store, ())),
        )
        for store in sorted({*newest, *problems})
    )
    points = sorted(told["points"], key=lambda point: float(point["time"]))
    if not points:
        return Backups(stores)
    return Backups(stores, points[-1]["name"], points[-1]["time"])


def last_rehearsal(directory: Path, site: str, authority: Authority) -> Rehearsal | Absent:
    """Return the newest rehearsal of a site that lies in a directory."""
    found: list[tuple[str, Path, dict[str, Any]]] = []
    for path in directory.glob("*/report.json"):
        report = json.loads(path.read_text(encoding="utf-8"))
        if report.get("site") == site and report.get("scenario") in TARGETS:
            found.append((report["failed_at"], path.parent, report))
    if not found:
        return Absent("no_rehearsal")
    at, where, report = max(found, key=lambda entry: entry[0])
    return Rehearsal(
        what=report["scenario"],
        at=at,
        met=report["met"],
        rto=report["rto_seconds"],
        rto_target=report["rto_target_seconds"],
        rpo=report["rpo_seconds"],
        rpo_target=report["rpo_target_seconds"],
        genuine=_genuine(where, authority),
        problem=report["problem"],
    )


def _genuine(directory: Path, authority: Authority) -> bool:
    try:
        return is_genuine(directory, authority)
    except (OSError, ValueError, RackwrightError):
        return False


def audit_result(told: Mapping[str, Any] | None) -> AuditResult | Absent:
    """Return what the last audit found; what is not met by host and language."""
    if told is None:
        return Absent("no_audit")
    counts = dict.fromkeys(("pass", "warn", "fail", "none"), 0)
    failed = []
    for check in told["checks"].values():
        counts[check["status"]] += 1
        for item in check["items"]:
            if item["status"] == "fail":
                where = f"{item['host']}: " if item["host"] else ""
                failed.append(
                    {
                        language: f"{check['title'][language]}: {where}{detail}"
                        for language, detail in item["detail"].items()
                    }
                )
    return AuditResult(told["made_at"], counts, tuple(failed))
