"""What a rule may say: frozen dataclasses, filled by pydantic in strict mode."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, TypeAdapter

from rackwright.catalogue.findings import Finding, FindingsError
from rackwright.catalogue.load import parse
from rackwright.catalogue.route import STRICT, Name
from rackwright.site.yaml_files import read_yaml

RULES = Path(__file__).parent / "rules"
# A rule about this one is about each service of the catalogue.
EVERY = "every"
SEVERITIES = ("critical", "warning", "info", "none")
# What a rule may need beside services: something that the site has.
FACTS = ("ntp", "gpu")

Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert.

    Attributes:
        alert: Its name.
        zh: Its name in Chinese.
        about: Services of the catalogue whose failure it tells of, or `every`; it is in force where the
            site runs one of them.
        expr: PromQL; `$word` is a threshold or a window of the site, `$$` a dollar.
        for_: How long it must hold: one of the site's durations.
        severity: critical wakes somebody, warning waits for the morning, info is shown, none is the watchdog.
        meaning: What is wrong, as one sentence; Prometheus' templates.
        impact: What follows for users.
        first: The first command.
        runbook: Name of a page of docs/runbooks.
        needs: What the site must have beside; see `FACTS`.
    """

    __pydantic_config__: ClassVar = STRICT
    alert: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]+$")]
    zh: Text
    about: Annotated[tuple[Name, ...], Field(min_length=1)]
    expr: Text
    for_: Annotated[str, Field(pattern=r"^[a-z_]+$", alias="for")]
    severity: Literal["critical", "warning", "info", "none"]
    meaning: Text
    impact: Text
    first: Text
    runbook: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    needs: tuple[Literal["ntp", "gpu"], ...] = ()

    def in_force(self, services: Iterable[str], facts: Iterable[str]) -> bool:
        """Tell whether a site has what the alert is about."""
        there = EVERY in self.about or bool(set(self.about) & set(services))
        return there and set(self.needs) <= set(facts)


_ALERTS = TypeAdapter(tuple[Alert, ...])


def parse_alerts(variable: str, value: object, findings: list[Finding]) -> tuple[Alert, ...]:
    """Return the alerts that a list holds; what is wrong goes to `findings`."""
    return parse(_ALERTS, variable, value, findings) or ()


def project_alerts() -> dict[str, tuple[Alert, ...]]:
    """Return the project's own alerts by subject, which is the name of their file.

    Raises:
        FindingsError: A file is wrong.
    """
    findings: list[Finding] = []
    found = {
        path.stem: parse_alerts(f"rules/{path.name}", read_yaml(path), findings)
        for path in sorted(RULES.glob("*.yml"))
    }
    if findings:
        raise FindingsError(findings)
    return found


def as_plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping without Ansible's own types."""
    plain: dict[str, Any] = json.loads(json.dumps(value, default=str))
    return plain
