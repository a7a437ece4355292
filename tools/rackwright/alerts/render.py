"""Rule files of Prometheus, from the project's alerts and the site's, with the site's thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

import yaml

from rackwright.alerts.model import Alert
from rackwright.errors import RackwrightError

HEADER = "# Managed by Rackwright: do not edit. docs/alerts.md tells what each alert means.\n"


@dataclass(frozen=True)
class Words:
    """What `$word` stands for in rules.

    Attributes:
        values: Thresholds, windows and lists by name.
        durations: How long something must hold, by name, such as `soon: 2m`.
        docs: Where runbooks are, before their names.
    """

    values: Mapping[str, object]
    durations: Mapping[str, str]
    docs: str


def words_of(
    thresholds: Mapping[str, Mapping[str, object]],
    tier: str,
    overrides: Mapping[str, object],
    durations: Mapping[str, str],
    docs: str,
) -> Words:
    """Return the words of a site: the defaults, then its tier's, then its own.

    Args:
        thresholds: `default`, and what tiers change, by the tier's name.
        tier: The site's tier.
        overrides: What the site changes.
        durations: See `Words`.
        docs: See `Words`.

    Raises:
        RackwrightError: An override of something that is no threshold.
    """
    default = dict(thresholds["default"])
    if strange := sorted(set(overrides) - set(default)):
        raise RackwrightError(
            f"alert_overrides has {', '.join(strange)}, which no rule reads",
            hint=f"the thresholds are {', '.join(sorted(default))}",
        )
    return Words({**default, **thresholds.get(tier, {}), **overrides}, durations, docs)


def expression(alert: Alert, words: Words) -> str:
    """Return an alert's PromQL with the site's values.

    Raises:
        RackwrightError: It names a word that the site has not.
    """
    return _filled(alert, "expr", alert.expr, words)


def rule(alert: Alert, words: Words) -> dict[str, Any]:
    """Return an alert as Prometheus takes it.

    Raises:
        RackwrightError: It names a word or a duration that the site has not.
    """
    if alert.for_ not in words.durations:
        raise RackwrightError(
            f"{alert.alert}: for is {alert.for_!r}, which alert_durations has not",
            hint=f"one of {', '.join(words.durations)}",
        )
    wait = words.durations[alert.for_]
    return {
        "alert": alert.alert,
        "expr": expression(alert, words),
        **({} if wait in {"0s", "0m"} else {"for": wait}),
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": _filled(alert, "meaning", alert.meaning, words, lenient=True),
            "summary_zh": alert.zh,
            "impact": alert.impact,
            "command": alert.first,
            "runbook_url": f"{words.docs}{alert.runbook}.md",
        },
    }


def rule_files(subjects: Mapping[str, Iterable[Alert]], words: Words) -> dict[str, str]:
    """Return the text of a rule file for each subject that has a rule."""
    return {
        subject: HEADER
        + yaml.safe_dump(
            {"groups": [{"name": subject, "rules": [rule(alert, words) for alert in alerts]}]},
            sort_keys=False,
            allow_unicode=True,
            width=1000,
        )
        for subject, alerts in subjects.items()
        if alerts
    }


def _filled(alert: Alert, key: str, text: str, words: Words, *, lenient: bool = False) -> str:
    template = Template(text)
    if lenient:
        # Prometheus' own `$labels` and `$value` stay.
        return template.safe_substitute(words.values).replace("$$", "$")
    try:
        return template.substitute(words.values)
    except (KeyError, ValueError) as error:
        raise RackwrightError(
            f"{alert.alert}: {key} names {error}, which is no threshold of the site",
            hint=f"one of {', '.join(sorted(words.values))}; a dollar is written $$",
        ) from error
