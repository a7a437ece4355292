"""Where drivers come from: the shape of group_vars/all/drivers.yml, and its loader."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from rackwright.catalogue.findings import Finding, FindingsError, short
from rackwright.compatibility.model import Branch, Flavour
from rackwright.site.paths import repository_root
from rackwright.site.plain import plain
from rackwright.site.variables import Strict

_FILE = "group_vars/all/drivers.yml"

Origin = Literal["debian", "debian-backports", "ubuntu", "nvidia"]
Package = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+{}-]+$")]


class FabricManager(Strict):
    """Packages of the fabric manager, by the generation of NVLink."""

    nvlink: list[Package]
    nvlink5: list[Package]


class DriverSource(Strict):
    """The packages of one branch from one source for one system."""

    system: Annotated[str, Field(pattern=r"^[a-z]+-[0-9.]+$")]
    source: Origin
    suite: str
    components: list[str]
    machines: Annotated[list[Literal["x86_64", "aarch64"]], Field(min_length=1)]
    branch: Branch
    version: str | None
    kernel_package: dict[Flavour, Package]
    signed: dict[Flavour, list[Package]]
    packages: Annotated[list[Package], Field(min_length=1)]
    pinning: list[Package]
    fabric_manager: FabricManager
    pin: str | None
    evidence: Annotated[str, Field(min_length=8)]


_SOURCES = TypeAdapter(list[DriverSource])


def load_sources(value: object) -> list[DriverSource]:
    """Return the sources that the variable `driver_sources` holds.

    Raises:
        FindingsError: Anything in it is wrong; holds every finding.
    """
    try:
        return _SOURCES.validate_python(plain(value))
    except ValidationError as error:
        raise FindingsError(
            Finding(
                ".".join(("driver_sources", *(str(part) for part in item["loc"]))),
                short(item["input"]),
                item["msg"],
                f"{_FILE} has the keys and their meaning",
            )
            for item in error.errors()
        ) from error


@functools.cache
def project_sources() -> list[DriverSource]:
    """Return the sources of the project's own file."""
    import yaml  # noqa: PLC0415 - who hands the variable over does not need it

    with (repository_root() / _FILE).open(encoding="utf-8") as stream:
        data: dict[str, Any] = yaml.safe_load(stream)
    return load_sources(data["driver_sources"])
