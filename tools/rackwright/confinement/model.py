"""What a service needs of its host beside what the catalogue says: its role's meta/apparmor.yml.

A declaration's name is that of a service of the role, or of a part of one (`haproxy-log`), which then has a
profile of its own. Of a role that no service of the catalogue has (`tls_front`) it is the role's name; other
roles' declarations refer to it, and `@{service}` in it is their service.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import Discriminator, Field, Tag, TypeAdapter, ValidationError

from rackwright.catalogue.route import STRICT, Name
from rackwright.errors import RackwrightError
from rackwright.site.yaml_files import read_yaml

# AppArmor's own patterns: `*` within a directory, `**` below it, `{a,b}`.
Pattern = Annotated[str, Field(pattern=r"^(/|@\{)[\w@{}./*,+:\[\]-]*$")]
Unit = Annotated[str, Field(pattern=r"^[\w@.{}-]+\.service$")]
Word = Annotated[str, Field(pattern=r"^[a-z_]+$")]
# Stands for the service's name, in what several services have.
SERVICE = "@{service}"


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What the processes of a service do; all else is denied.

    Attributes:
        units: Units that run under the profile; the catalogue's without it.
        takes: What of the catalogue's is theirs: reading the certificate, writing the logs.
        runs: Programs that they start, themselves included, as the kernel knows them (links followed).
        loads: Libraries and modules of their own.
        reads: Files and directories that are read.
        writes: Files and directories that are read and written.
        capabilities: Without `CAP_`; no more than the unit leaves them.
        abstractions: AppArmor's own collections beside those that every service has.
        rules: Lines of AppArmor for what is neither.
    """

    __pydantic_config__: ClassVar = STRICT
    runs: Annotated[tuple[Pattern, ...], Field(min_length=1)]
    units: tuple[Unit, ...] = ()
    takes: tuple[Literal["certificate", "logs"], ...] = ("certificate", "logs")
    loads: tuple[Pattern, ...] = ()
    reads: tuple[Pattern, ...] = ()
    writes: tuple[Pattern, ...] = ()
    capabilities: tuple[Word, ...] = ()
    abstractions: tuple[Word, ...] = ()
    rules: tuple[str, ...] = ()

    def of(self, service: str) -> Needs:
        """Return them as one service has them."""
        texts = {
            field.name: tuple(text.replace(SERVICE, service) for text in getattr(self, field.name))
            for field in fields(self)
        }
        return replace(self, **texts)


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What another role says, which stands beside several services."""

    __pydantic_config__: ClassVar = STRICT
    role: Name


@dataclass(frozen=True, kw_only=True)
class Unconfined:
    """Units that run under no profile of ours, and why; the catalogue's where none are named."""

    __pydantic_config__: ClassVar = STRICT
    none: Annotated[str, Field(min_length=1)]
    units: tuple[Unit, ...] = ()


def _shape(value: Any) -> str:  # noqa: ANN401 - pydantic hands over whatever YAML said
    return next((key for key in ("none", "role") if isinstance(value, dict) and key in value), "needs")


Declared = Annotated[
    Annotated[Unconfined, Tag("none")] | Annotated[Shared, Tag("role")] | Annotated[Needs, Tag("needs")],
    Discriminator(_shape),
]
Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(-[a-z]+)?$")]
_DECLARED = TypeAdapter(dict[Key, Declared])


def service_of(name: str) -> str:
    """Return the service that a declaration is of."""
    return name.partition("-")[0]


@cache
def declared_by_role(role: Path) -> dict[str, Needs | Shared | Unconfined]:
    """Return what a role's directory declares, by service or part of one; nothing without the file.

    Raises:
        RackwrightError: The file says what it may not.
    """
    path = role / "meta" / "apparmor.yml"
    if not path.exists():
        return {}
    try:
        return _DECLARED.validate_json(json.dumps(read_yaml(path)))
    except (yaml.YAMLError, ValidationError) as error:
        raise RackwrightError(f"{path}: {error}") from error


def _shared(role: Path, reference: Shared) -> Needs | Shared | Unconfined | None:
    return declared_by_role(role.parent / reference.role).get(reference.role)


def needs_of_service(role: Path, service: str) -> dict[str, Needs]:
    """Return what the profiles of a service are made of, by their names; nothing where it has none.

    Args:
        role: The directory of the service's role, beside those of the roles that it refers to.
        service: Its name in the catalogue.

    Raises:
        RackwrightError: A declaration says what it may not, or refers to one that is not there.
    """
    found = {}
    for name, needs in declared_by_role(role).items():
        if service_of(name) != service or isinstance(needs, Unconfined):
            continue
        meant = _shared(role, needs) if isinstance(needs, Shared) else needs
        if not isinstance(meant, Needs):
            raise RackwrightError(f"{role}/meta/apparmor.yml: {name} refers to what no role declares")
        found[name] = meant.of(service)
    return found
