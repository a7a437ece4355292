"""What an audit consists of: checks, what each found on each host, the controls they speak for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

Status = Literal["pass", "warn", "fail", "none"]
# The worst first.
ORDER: tuple[Status, ...] = ("fail", "warn", "none", "pass")
LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Item:
    """What a check found on a host.

    Attributes:
        check: Its name in checks.yml.
        host: The host; empty for the site.
        status: `pass`, `warn` (to be looked at), `fail`, `none` (could not be asked here).
        detail: What was seen, by language.
    """

    check: str
    host: str
    status: Status
    detail: Mapping[str, str]


@dataclass(frozen=True)
class Weakness:
    """What a configuration says that it must not.

    Attributes:
        rule: Its name in checks.yml (`edge_rules`).
        where: Line or key, and what stands there.
    """

    rule: str
    where: str


@dataclass(frozen=True)
class Control:
    """What an auditor asks.

    Attributes:
        plan: Section of the platform's plan.
        l2: Clause of MLPS level 2; empty where that level does not ask it.
        l3: Clause of level 3.
        title: By language.
        checks: What speaks for it; none: to be shown by other means (docs/audit.md).
    """

    plan: str
    l2: str
    l3: str
    title: Mapping[str, str]
    checks: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """An audit of a site."""

    site: str
    hosts: tuple[str, ...]
    items: tuple[Item, ...] = field(repr=False)

    def of(self, check: str) -> list[Item]:
        """Return what a check found, the worst first."""
        found = [item for item in self.items if item.check == check]
        return sorted(found, key=lambda item: ORDER.index(item.status))

    def status(self, checks: Sequence[str]) -> Status:
        """Return the worst of several checks; `none` when nothing speaks."""
        found = [item.status for check in checks for item in self.of(check)]
        if not found:
            return "none"
        heard = [status for status in found if status != "none"]
        return min(heard, key=ORDER.index) if heard else "none"

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(item.status != "fail" for item in self.items)


@cache
def data() -> dict[str, Any]:
    """Return checks.yml."""
    text = files("rackwright.audit").joinpath("checks.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def controls() -> list[Control]:
    """Return the controls, in the standard's order."""
    return [
        Control(
            entry["plan"],
            str(entry["l2"]),
            str(entry["l3"]),
            {language: entry[language] for language in LANGUAGES},
            tuple(entry["checks"]),
        )
        for entry in data()["controls"]
    ]


def both(en: str, zh: str) -> dict[str, str]:
    """Return a text in both languages."""
    return {"en": en, "zh": zh}
