"""The rules of one site: the project's alerts that it has something for, and its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rackwright.alerts.model import Alert, parse_alerts, project_alerts
from rackwright.alerts.render import Words, rule_files, words_of
from rackwright.catalogue.findings import Finding, FindingsError

# The subject of what a site adds.
OWN = "own"


def words_of_site(settings: Mapping[str, Any]) -> Words:
    """Return what `$word` stands for in a site's rules.

    Args:
        settings: tier, thresholds, overrides, durations, docs.

    Raises:
        RackwrightError: An override of something that is no threshold.
    """
    return words_of(
        settings["thresholds"],
        str(settings["tier"]),
        settings["overrides"],
        settings["durations"],
        str(settings["docs"]),
    )


def alerts_of_site(services: Iterable[str], settings: Mapping[str, Any]) -> dict[str, tuple[Alert, ...]]:
    """Return the alerts that are in force, by subject.

    Raises:
        FindingsError: One of the site's own is wrong.
    """
    findings: list[Finding] = []
    own = parse_alerts("alert_rules", settings["own"], findings)
    if findings:
        raise FindingsError(findings)
    there = set(services)
    return {
        subject: tuple(alert for alert in alerts if alert.in_force(there, settings["facts"]))
        for subject, alerts in {**project_alerts(), OWN: own}.items()
    }


def rules_of_site(services: Iterable[str], settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of each rule file by subject.

    Raises:
        RackwrightError: A rule names a threshold or a duration that the site has not.
    """
    return rule_files(alerts_of_site(services, settings), words_of_site(settings))
