"""What is wrong with an input: the variable, its value, the rule, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from rackwright.errors import RackwrightError

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a site's input.

    Attributes:
        variable: The variable, with the path to the value in it (`services.nginx.ports.http.port`).
        value: The value as it was given, in short; secrets never stand here.
        rule: The rule that it breaks.
        hint: What to write instead, or what to run.
        where: `path:line`, a host or a group; empty when the variable says it all.
        severity: `error` stops everything, `warning` is told and passes.
    """

    variable: str
    value: str
    rule: str
    hint: str
    where: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        """Return the finding in the lines that an operator reads."""
        where = f" ({self.where})" if self.where else ""
        return f"{self.variable} = {self.value}{where}\n    rule: {self.rule}\n    hint: {self.hint}"

    def as_dict(self) -> dict[str, str]:
        """Return the finding for JSON."""
        return asdict(self)


class FindingsError(RackwrightError):
    """Input that was refused; holds every finding, not the first alone."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        count = len(self.findings)
        text = "\n".join(f"{number}. {finding}" for number, finding in enumerate(self.findings, 1))
        super().__init__(f"{count} {'finding' if count == 1 else 'findings'} in the input:\n{text}")


def short(value: object, limit: int = 80) -> str:
    """Return a value for display, cut to `limit` characters."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
