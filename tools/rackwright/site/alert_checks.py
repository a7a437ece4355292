"""Checks of what a site says of its alerts: receivers, routes, thresholds, rules of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from string import Template

from pydantic import TypeAdapter

from rackwright.alerts.model import EVERY, FACTS, Alert, parse_alerts, project_alerts
from rackwright.alerts.promql import problem
from rackwright.alerts.receivers import Receiver, Route
from rackwright.catalogue.findings import Finding, short
from rackwright.catalogue.load import Catalogue, parse
from rackwright.site.known import nearest
from rackwright.site.plain import Value

Get = Callable[[str], Value]
_RECEIVERS = TypeAdapter(list[Receiver])
_ROUTES = TypeAdapter(list[Route])
DOCS = "docs/observability.md"


def alert_findings(catalogue: Catalogue, get: Get) -> Iterator[Finding]:
    """Yield what is wrong with a site's alerts.

    Args:
        catalogue: The services.
        get: Gives a site variable, None for one that is not set or cannot be templated.
    """
    findings: list[Finding] = []
    receivers = parse(_RECEIVERS, "alert_receivers", get("alert_receivers") or [], findings) or []
    routes = parse(_ROUTES, "alert_routes", get("alert_routes") or [], findings) or []
    own = parse_alerts("alert_rules", get("alert_rules") or [], findings)
    for finding in findings:
        # What was given may hold a secret.
        value = "(given)" if finding.variable.startswith("alert_receivers") else finding.value
        yield Finding(finding.variable, value, finding.rule, f"{DOCS} has the keys", finding.where)
    yield from _names(receivers)
    alerts = [alert.alert for subject in project_alerts().values() for alert in subject]
    known = {
        "to": [receiver.name for receiver in receivers],
        "services": list(catalogue.services),
        "zones": list(catalogue.zone_policy),
        "alerts": [*alerts, *(alert.alert for alert in own)],
    }
    for number, route in enumerate(routes):
        for key, names in known.items():
            yield from _unknown(f"alert_routes.{number}.{key}", getattr(route, key), names)
    thresholds = dict((get("alert_thresholds") or {}).get("default") or {})
    yield from _unknown("alert_overrides", list(get("alert_overrides") or {}), list(thresholds))
    words = {**thresholds, **(get("alert_overrides") or {})}
    for number, alert in enumerate(own):
        at = f"alert_rules.{number}"
        if alert.alert in alerts:
            yield Finding(
                f"{at}.alert", alert.alert, "the project has an alert of this name", "give it another name"
            )
        yield from _unknown(f"{at}.about", alert.about, [*catalogue.services, EVERY])
        yield from _unknown(f"{at}.needs", alert.needs, list(FACTS))
        yield from _unknown(f"{at}.for", [alert.for_], list(get("alert_durations") or {}))
        yield from _expression(f"{at}.expr", alert, words)


def _names(receivers: Sequence[Receiver]) -> Iterator[Finding]:
    names = [receiver.name for receiver in receivers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Finding("alert_receivers", name, "each receiver has a name of its own", "rename one of them")


def _unknown(variable: str, given: Sequence[str], known: Sequence[str]) -> Iterator[Finding]:
    for name in given:
        if name not in known:
            meant = nearest(name, known)
            hint = f"did you mean `{meant}`?" if meant else f"there are {', '.join(known) or 'none'}"
            yield Finding(variable, short(name), "there is none of this name", hint)


def _expression(variable: str, alert: Alert, words: Mapping[str, Value]) -> Iterator[Finding]:
    try:
        expr = Template(alert.expr).substitute(words)
    except (KeyError, ValueError) as error:
        yield Finding(
            variable,
            short(alert.expr),
            f"it names {error}, which is no threshold",
            f"one of {', '.join(sorted(words))}; a dollar is written $$",
        )
        return
    if wrong := problem(expr):
        yield Finding(
            variable, short(expr), f"it is no PromQL: {wrong}", "try it in Prometheus, then write it here"
        )
