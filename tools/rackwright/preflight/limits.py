"""What preflight asks of every host, whatever its tier: group_vars/all/preflight.yml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from rackwright.catalogue.findings import Finding, FindingsError
from rackwright.catalogue.load import parse
from rackwright.site.plain import Value, plain
from rackwright.site.variables import Strict

Path = Annotated[str, Field(pattern=r"^/")]
Seconds = Annotated[float, Field(gt=0, strict=False)]


class DiskNeed(Strict):
    """Free space that something needs before its first start."""

    path: Path
    free_mb: Annotated[int, Field(ge=1)]


class Limits(Strict):
    """All of it; group_vars/all/preflight.yml explains each."""

    systems: list[str]
    architectures: list[str]
    python: Annotated[str, Field(pattern=r"^3\.\d+$")]
    clock_warning_seconds: Seconds
    clock_error_seconds: Seconds
    machine_tolerance_percent: Annotated[int, Field(ge=0, le=50)]
    temporary_mb: Annotated[int, Field(ge=1)]
    inodes_free_percent: Annotated[int, Field(ge=0, le=100)]
    disk: dict[str, list[DiskNeed]]


_LIMITS = TypeAdapter(Limits)


def load_limits(value: Value) -> Limits:
    """Return the limits that the variable `preflight_limits` holds.

    Raises:
        FindingsError: Anything in them is wrong; holds every finding.
    """
    findings: list[Finding] = []
    limits = parse(_LIMITS, "preflight_limits", plain(value), findings)
    if limits is None or findings:
        raise FindingsError(findings)
    return limits
