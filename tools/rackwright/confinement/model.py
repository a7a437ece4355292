"""What a service needs of its host beside what the catalogue says: its role's meta/apparmor.yml."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from rackwright.catalogue.route import STRICT
from rackwright.errors import RackwrightError
from rackwright.site.yaml_files import read_yaml

# AppArmor's own patterns: `*` within a directory, `**` below it, `{a,b}`.
Pattern = Annotated[str, Field(pattern=r"^(/|@\{)[\w@{}./*,+:\[\]-]*$")]
Unit = Annotated[str, Field(pattern=r"^[\w@.-]+\.service$")]
Word = Annotated[str, Field(pattern=r"^[a-z_]+$")]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What the processes of a service do; all else is denied.

    Attributes:
        units: Units that run under the profile; the catalogue's without it.
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
    loads: tuple[Pattern, ...] = ()
    reads: tuple[Pattern, ...] = ()
    writes: tuple[Pattern, ...] = ()
    capabilities: tuple[Word, ...] = ()
    abstractions: tuple[Word, ...] = ()
    rules: tuple[str, ...] = ()


_DECLARED = TypeAdapter(dict[str, Needs])


@cache
def needs_of_role(role: Path) -> dict[str, Needs]:
    """Return what a role's directory declares, by service; nothing without the file.

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
