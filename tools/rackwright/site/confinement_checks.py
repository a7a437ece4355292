"""Checks of which services are to run under AppArmor profiles: that there are such profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rackwright.catalogue.findings import Finding, short
from rackwright.confinement.site import problems
from rackwright.site.plain import Value

_EXCEPTIONS = "hardening_apparmor_exceptions"


def confinement_findings(get: Callable[[str], Value], told: Sequence[Finding]) -> Iterator[Finding]:
    """Yield what is wrong with the exceptions; a mode that is none is told by the specification of the role.

    Args:
        get: Gives a site variable, None for one that is not set or cannot be templated.
        told: Findings in the types of variables; what is wrong in itself is looked at no further.
    """
    exceptions = get(_EXCEPTIONS)
    if not exceptions or any(finding.variable.lstrip(".").startswith(_EXCEPTIONS) for finding in told):
        return
    for problem in problems("enforce", exceptions, get("services") or {}):
        rule, _, hint = problem.partition(": ")
        yield Finding(_EXCEPTIONS, short(exceptions), rule, hint)
