"""Every check of a site's input, before any host is touched; all findings at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from rackwright.catalogue.choices import choices_of
from rackwright.catalogue.findings import Finding, FindingsError, short
from rackwright.catalogue.flows import policy_findings
from rackwright.catalogue.load import Catalogue, load_catalogue, parse
from rackwright.catalogue.site import MONITORING, Site
from rackwright.errors import RackwrightError
from rackwright.site.access_checks import (
    family_findings,
    group_need_findings,
    host_name_findings,
    open_findings,
)
from rackwright.site.backup_checks import backup_findings
from rackwright.site.choice_checks import choice_findings
from rackwright.site.confinement_checks import confinement_findings
from rackwright.site.dashboard_checks import dashboard_findings
from rackwright.site.dify_checks import dify_findings
from rackwright.site.edge_checks import edge_findings
from rackwright.site.engine_checks import app_engine_findings, engine_findings
from rackwright.site.file_checks import UNREADABLE, file_findings
from rackwright.site.hardware_checks import hardware_findings
from rackwright.site.inventory import AnsibleObject, Inventory, load_inventory
from rackwright.site.load import site_of
from rackwright.site.name_checks import group_findings, option_findings, secret_findings, variable_findings
from rackwright.site.network_checks import (
    host_findings,
    port_findings,
    proxy_findings,
    zone_findings,
    zone_networks,
)
from rackwright.site.paths import repository_root
from rackwright.site.plain import Value
from rackwright.site.redis_checks import redis_findings
from rackwright.site.sign_in_checks import sign_in_findings
from rackwright.site.source_checks import source_findings
from rackwright.site.variables import SiteVariables, variable_names
from rackwright.site.versions import version_findings
from rackwright.sizing.intent import Intent
from rackwright.sizing.machine import UnknownMachineError
from rackwright.sizing.placement import request_of
from rackwright.sizing.refusal import RefusedError
from rackwright.sizing.remedies import size_host_or_explain
from rackwright.sizing.variables import intent_from, machine_from, options_of
from rackwright.tiers.load import tier_findings

# The project's own values are the weakest (ansible.cfg says why).
PRECEDENCE = (
    "all_plugins_play",
    "groups_plugins_play",
    "all_inventory",
    "groups_inventory",
    "all_plugins_inventory",
    "groups_plugins_inventory",
)
_VARIABLES = TypeAdapter(SiteVariables)
_HOST_LEVEL = ("host_memory_mb", "host_cpus", "host_disk_gb")
_OF_ALERTS = ("alert_receivers", "alert_routes", "alert_rules", "alert_overrides")
_ADDRESSES = ("management_sources", "client_networks", "dns_servers", "ntp_servers")


def validate(
    sources: Sequence[Path], vault_secrets: AnsibleObject = None, *, draft: bool = False
) -> list[Finding]:
    """Return everything that is wrong with a site's input, in the order in which it is best mended.

    Nothing is asked of any host. An inventory that cannot be read at all is one finding.

    Args:
        sources: The inventory's files or directories.
        vault_secrets: Of a running play; None asks the configured vault_password_file.
        draft: The site is still being written: that it has no vault is no finding.
    """
    in_files = list(file_findings(sources))
    unreadable = [finding for finding in in_files if finding.variable == UNREADABLE]
    if unreadable:
        # Ansible could not read the rest either.
        return unreadable
    try:
        inventory = load_inventory(sources, vault_secrets)
    except RackwrightError as error:
        shown = ", ".join(str(source) for source in sources)
        return [Finding("inventory", shown, error.message, error.hint or "correct the file that is named")]
    return list(dict.fromkeys((*in_files, *_findings(inventory, draft))))


def _findings(inventory: Inventory, draft: bool) -> Iterator[Finding]:
    yield from precedence_findings()
    if not inventory.members("platform"):
        yield Finding(
            "groups",
            "platform: (no host)",
            "the platform needs a host: there would be nothing to do",
            "platform: {children: {zone_dmz: {}, zone_app: {}, zone_data: {}, zone_ops: {}}}",
            where=", ".join(str(source) for source in inventory.sources),
        )
        return
    values = _Values(inventory.site_variables())
    typed: list[Finding] = []
    given = {name: values.get(name) for name in variable_names() if name in values.names}
    parse(_VARIABLES, "", given, typed)
    catalogue, catalogue_findings = _catalogue(values)
    networks = zone_networks(values.get("zones"))
    # Values that could not be templated are told as such, not once more as absent.
    yield from values.findings
    told = {finding.variable for finding in values.findings}
    typed = [_named(finding) for finding in typed if finding.variable.split(".")[1] not in told]
    yield from typed
    yield from catalogue_findings
    if catalogue is not None:
        yield from (*group_findings(inventory, catalogue), *group_need_findings(inventory, catalogue))
        yield from (
            *edge_findings(inventory, catalogue, values.get, typed),
            *_alerts(inventory, catalogue, values),
            *sign_in_findings(values.get, typed),
            *confinement_findings(values.get, typed),
            *backup_findings(inventory, catalogue),
        )
    yield from (*host_name_findings(inventory), *dashboard_findings(inventory, values.get))
    secrets = values.get("secrets")
    yield from variable_findings(inventory, secrets if isinstance(secrets, Mapping) else {})
    yield from option_findings(inventory)
    placing = [*zone_findings(networks, catalogue), *host_findings(inventory, networks)]
    yield from placing
    tier = list(_tier(values, catalogue, told | {finding.variable for finding in typed}))
    yield from tier
    selected = [] if tier or typed or catalogue is None else list(_engines(inventory, catalogue))
    choices: dict[str, str] = {}
    if catalogue is not None and not (tier or typed or values.findings):
        choices = _choices(inventory, catalogue)
        selected += [
            *choice_findings(inventory, catalogue, choices),
            *dify_findings(inventory, choices),
            *redis_findings(inventory),
        ]
    yield from selected
    if not (tier or typed):
        yield from _models(inventory, values)
    yield from (*proxy_findings(values.get("package_proxy")), *source_findings(inventory, values.get))
    allowed = {name: values.get(name) for name in _ADDRESSES}
    yield from (*family_findings(inventory, allowed), *open_findings(allowed))
    levels = [*_host_level(inventory), *hardware_findings(inventory)]
    yield from levels
    if catalogue is not None:
        intent = Intent() if tier or typed else intent_from(inventory.site_variables(), catalogue.services)
        yield from port_findings(inventory, catalogue, intent.engine, choices)
        if not (typed or placing or tier or selected or values.findings):
            # A site that can be put together: only then can its flows and its hosts' budgets be told.
            site = site_of(inventory)
            yield from (*policy_findings(site), *app_engine_findings(site))
            if not levels:
                yield from _budgets(inventory, site)
    yield from version_findings(values.get("versions"))
    missing = [*secret_findings(inventory.site_variables(), secrets, inventory)]
    yield from (finding for finding in missing if not (draft and finding.value == "(absent)"))


def precedence_findings() -> Iterator[Finding]:
    """Yield a finding when Ansible does not run with the project's order of values."""
    from ansible import constants  # noqa: PLC0415 - reads its configuration when it is imported

    given = tuple(constants.VARIABLE_PRECEDENCE)
    if given != PRECEDENCE:
        config = repository_root() / "ansible.cfg"
        yield Finding(
            "precedence",
            ", ".join(given),
            f"it must be {', '.join(PRECEDENCE)}: else the project's values win over the site's",
            f"export ANSIBLE_CONFIG={config}, or run in {config.parent} (Ansible ignores an ansible.cfg in a "
            "directory that everybody may write to), and unset ANSIBLE_PRECEDENCE",
            where=str(constants.CONFIG_FILE or "no ansible.cfg in use"),
        )


class _Values:
    """The site's variables; what cannot be templated becomes a finding once, and None."""

    def __init__(self, variables: Mapping[str, Value]) -> None:
        self._variables = variables
        self.names = frozenset(variables)
        self.findings: list[Finding] = []
        self._failed: set[str] = set()

    def get(self, name: str) -> Value:
        try:
            return self._variables.get(name)
        except RackwrightError as error:
            if name not in self._failed:
                self._failed.add(name)
                self.findings.append(Finding(name, "(unusable)", error.message, error.hint or ""))
            return None


def _named(finding: Finding) -> Finding:
    """Take the leading dot away that a path in the site's variables as a whole begins with."""
    hint = finding.hint.replace("docs/catalogue.md", "docs/variables.md")
    return Finding(finding.variable.lstrip("."), finding.value, finding.rule, hint, finding.where)


def _catalogue(values: _Values) -> tuple[Catalogue | None, tuple[Finding, ...]]:
    try:
        return load_catalogue(values.get("services"), values.get("zone_policy")), ()
    except FindingsError as error:
        return None, error.findings


def _tier(values: _Values, catalogue: Catalogue | None, told: frozenset[str] | set[str]) -> Iterator[Finding]:
    """Check the site's tier and what it changes in it; what has been told already is not told again."""
    names = ("tiers", "tier", "tier_overrides")
    if not told.intersection(names):
        services = catalogue.services if catalogue is not None else ()
        yield from tier_findings({name: values.get(name) for name in names}, services)


def _alerts(inventory: Inventory, catalogue: Catalogue, values: _Values) -> Iterator[Finding]:
    """Check who is told of what, where somebody watches."""
    if inventory.members(MONITORING) and any(values.get(name) for name in _OF_ALERTS):
        # Imported here: most sites change nothing of it.
        from rackwright.site.alert_checks import alert_findings  # noqa: PLC0415

        yield from alert_findings(catalogue, values.get)


def _engines(inventory: Inventory, catalogue: Catalogue) -> Iterator[Finding]:
    intent = intent_from(inventory.site_variables(), catalogue.services)
    yield from engine_findings(inventory, catalogue, intent.engine)


def _choices(inventory: Inventory, catalogue: Catalogue) -> dict[str, str]:
    variables = inventory.site_variables()
    return choices_of(variables, intent_from(variables, catalogue.services).choices, inventory.groups)


def _models(inventory: Inventory, values: _Values) -> Iterator[Finding]:
    """Check the models where the site chooses one, or says what serves it."""
    overrides = values.get("tier_overrides") or {}
    described = any("hardware" in inventory.hosts[name].variables for name in inventory.members("inference"))
    if not described and not {"inference", "embedding"} & set(overrides):
        return
    # Imported here: most runs of a play need none of it.
    from rackwright.site.model_checks import model_findings  # noqa: PLC0415

    names = ("tiers", "tier", "tier_overrides", "models", "model_quantisations")
    yield from model_findings(inventory, {name: values.get(name) for name in names})


def _host_level(inventory: Inventory) -> Iterator[Finding]:
    """Check the variables that each host may have of its own; the site's first host has been checked."""
    first, *others = inventory.members("platform")
    known = {name: _Values(inventory.hosts[first].variables).get(name) for name in _HOST_LEVEL}
    for name in others:
        values = _Values(inventory.hosts[name].variables)
        for variable in _HOST_LEVEL:
            value = values.get(variable)
            if variable not in values.names or value == known[variable]:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                yield Finding(
                    variable,
                    short(value),
                    "it must be a number, 1 or more",
                    "write it without quotes",
                    f"host {name}",
                )


def _budgets(inventory: Inventory, site: Site) -> Iterator[Finding]:
    """Say where services do not fit on a host whose size the inventory gives; others are asked later."""
    services = site.catalogue.services
    intent = intent_from(inventory.site_variables(), services)
    for name in site.hosts:
        variables = inventory.hosts[name].variables
        try:
            machine = machine_from(variables)
            size_host_or_explain(request_of(site, name, machine, intent, options_of(variables)))
        except UnknownMachineError:
            continue
        except RefusedError as error:
            told = {change.variable for change in error.changes if change.variable in variables}
            variable = "host_memory_mb" if "host_memory_mb" in told or not told else min(told)
            value = short(variables.get(variable, machine.memory_mb))
            yield Finding(variable, value, error.message, error.hint or "", f"host {name}")
