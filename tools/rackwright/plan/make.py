"""Asks a site's hosts what `apply` would change, and makes the plan of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rackwright.catalogue.model import Service
from rackwright.catalogue.site import Site
from rackwright.errors import RackwrightError
from rackwright.operations.events import TaskResult
from rackwright.operations.runner import EventHandler, Run, run_playbook, site_key
from rackwright.plan.collect import hosts_of, notes_of, troubles_of
from rackwright.plan.downtime import Served, downtimes, timed_restarts
from rackwright.plan.model import Difference, HostPlan, Item, Plan, ServicePlan
from rackwright.site.paths import repository_root

PLAYBOOK = "site.yml"
# What `rackwright health` is for; on hosts with nothing on them it would only wait.
ARGUMENTS = ("--check", "--diff", "--skip-tags", "health")
# Shorter values are words of every day; none of our secrets is.
_SHORTEST_SECRET = 8
_HIDDEN = "(secret)"


def make_plan(
    inventories: Sequence[Path],
    *,
    limit: str | None = None,
    tags: str | None = None,
    on_event: EventHandler | None = None,
) -> tuple[Plan, Run]:
    """Ask the hosts; nothing is changed on them.

    Args:
        inventories: inventory sources, in Ansible's order.
        limit: only these hosts or groups.
        tags: only tasks with these tags.
        on_event: called with every event of the run.

    Returns:
        The plan, and the run that asked.

    Raises:
        RackwrightError: An inventory does not exist, or the run ended before any host was asked.
    """
    arguments = [*ARGUMENTS, *(["--limit", limit] if limit else []), *(["--tags", tags] if tags else [])]
    run = run_playbook(PLAYBOOK, inventories, on_event=on_event, arguments=arguments, label="plan")
    if not run.recap.results:
        text = run.log.read_text(encoding="utf-8").strip()[-2000:]
        raise RackwrightError(f"no host was asked: {text}", hint=f"the run's output is in {run.log}")
    if not run.successful and not run.recap.failed:
        raise RackwrightError(f"the run ended early ({run.status})", hint=f"its output is in {run.log}")
    services, secrets = _known(inventories)
    plan = plan_of(run.recap.results, services, repository_root() / ".runs", site_key(inventories))
    return without_secrets(replace(plan, seconds=run.seconds), secrets), run


def plan_of(results: Sequence[TaskResult], services: dict[str, Served], runs: Path, site: str) -> Plan:
    """Make the plan of a run's results.

    Args:
        results: the results of a run in check mode.
        services: the catalogue's services by name.
        runs: where earlier runs are kept.
        site: which site this is, as `site_key` says.
    """
    hosts = hosts_of(results)
    return Plan(
        hosts,
        downtimes(hosts, services, timed_restarts(runs), site),
        troubles_of(results),
        notes_of(results),
    )


def without_secrets(plan: Plan, secrets: frozenset[str]) -> Plan:
    """Take out every secret that a file shows although it is not marked as secret; there should be none."""

    def clean(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    def cleaned(item: Item) -> Item:
        diff = Difference(clean(item.diff.before), clean(item.diff.after)) if item.diff else None
        return replace(item, name=clean(item.name), detail=clean(item.detail), diff=diff)

    hosts = tuple(
        HostPlan(
            host.name,
            tuple(ServicePlan(part.service, tuple(map(cleaned, part.items))) for part in host.services),
        )
        for host in plan.hosts
    )
    troubles = tuple(replace(trouble, message=clean(trouble.message)) for trouble in plan.troubles)
    return replace(plan, hosts=hosts, troubles=troubles)


def _known(inventories: Sequence[Path]) -> tuple[dict[str, Served], frozenset[str]]:
    """Read the catalogue's services and the site's secrets; bad input is the run's to tell."""
    from rackwright.site.inventory import load_inventory  # noqa: PLC0415 - loads Ansible
    from rackwright.site.load import site_of  # noqa: PLC0415

    try:
        inventory = load_inventory(inventories)
        site = site_of(inventory)
    except RackwrightError:
        return {}, frozenset()
    secrets = {
        value
        for host in inventory.hosts.values()
        for name in host.variables
        if name.startswith("vault_")
        and isinstance(value := host.variables[name], str)
        and len(value) >= _SHORTEST_SECRET
    }
    services = {
        name: Served(service.unit or "", service.container or "", _callers(service, site))
        for name, service in site.catalogue.services.items()
    }
    return services, frozenset(secrets)


def _callers(service: Service, site: Site) -> tuple[str, ...]:
    """Return the services that call one and that some host of the site runs."""
    texts = [caller for port in service.ports.values() for caller in port.callers]
    names = dict.fromkeys(text.partition(":")[2] for text in texts if text.startswith("service:"))
    return tuple(name for name in names if site.hosts_of(name))
