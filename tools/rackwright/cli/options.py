"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from rackwright.site.paths import repository_root

F = TypeVar("F", bound=Callable[..., Any])

INVENTORY_VARIABLE = "RACKWRIGHT_INVENTORY"


def _default_inventory() -> str:
    return str(repository_root() / "inventories" / "lab")


def inventory_option(function: F) -> F:
    """Add `-i/--inventory`; the command gets `inventory: tuple[Path, ...]`, absolute, at least one.

    Given several times, later sources win, as with ansible-playbook. Default: the environment variable
    RACKWRIGHT_INVENTORY (paths separated by `:`), else inventories/lab of the repository.
    """
    return click.option(
        "-i",
        "--inventory",
        "inventory",
        multiple=True,
        default=lambda: (_default_inventory(),),
        envvar=INVENTORY_VARIABLE,
        type=click.Path(exists=True, path_type=Path, resolve_path=True),
        help=f"Inventory of the site; repeatable.  [env: {INVENTORY_VARIABLE}; default: inventories/lab]",
    )(function)


def json_option(function: F) -> F:
    """Add `--json`; the command gets `as_json: bool`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(function)
