"""``rackwright-app audit``: finds audit lines that were removed or changed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import psycopg

from rackwright_app.audit_chain import link
from rackwright_app.database.pool import connection_parameters
from rackwright_app.settings import Settings, settings_or_exit

Place = tuple[str, int]


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yields place and text of every line of the audit file and of the rotated ones, the oldest first."""
    rotated = sorted(path.parent.glob(f"{path.name}-*"), key=lambda each: each.name.removesuffix(".gz"))
    for each in (*rotated, path):
        if each.exists():
            with gzip.open(each, "rt") if each.suffix == ".gz" else each.open() as lines:
                for number, line in enumerate(lines, 1):
                    yield f"{each.name}:{number}", line


def verify(lines: Iterable[tuple[str, str]], key: bytes) -> tuple[list[str], dict[Place, str]]:
    """Follows every chain.

    Args:
        lines: Place and text of each line.
        key: The site's audit key.

    Returns:
        What is wrong; and the hash of every line by chain and number. A chain may begin with a later number
        only if no file holds its first line any more: that is what rotation takes away.
    """
    found: list[str] = []
    seen: dict[Place, str] = {}
    last: dict[str, tuple[int, str]] = {}
    for place, text in lines:
        try:
            record: dict[str, Any] = json.loads(text)
            told, chain, number = record.pop("hash"), record["chain"], record["seq"]
        except (ValueError, KeyError, AttributeError):
            found.append(f"{place}: no audit line")
            continue
        before = last.get(chain)
        if before is not None and number != before[0] + 1:
            missing = f"{before[0] + 1} to {number - 1}" if number > before[0] + 1 else f"order at {number}"
            found.append(f"{place}: chain {chain}: missing {missing}")
        elif (before or number == 1) and link(key, before[1] if before else "", record) != told:
            found.append(f"{place}: chain {chain}: line {number} was changed")
        last[chain] = (number, told)
        seen[chain, number] = told
    return found, seen


def missing_from_file(settings: Settings, seen: dict[Place, str], oldest: str) -> list[str]:
    """Compares with the table: what stands there and not in the files, or otherwise.

    Args:
        settings: Where the database is.
        seen: What ``verify`` returned.
        oldest: Time of the oldest line of the files; what is older was rotated away.
    """
    with psycopg.connect(**connection_parameters(settings.database)) as connection:
        rows = connection.execute(
            "SELECT chain, seq, record ->> 'hash' FROM audit WHERE at >= %s ORDER BY at", (oldest,)
        )
        return [
            f"chain {chain}: line {number} is {'missing' if told is None else 'another'} in the file"
            for chain, number, kept in rows
            if (told := seen.get((chain, number))) != kept
        ]


@click.group("audit")
def command() -> None:
    """Check the audit trail."""


@command.command("verify")
@click.option("--file", "path", type=click.Path(path_type=Path), help="The audit file; the settings' own.")
@click.option("--no-table", is_flag=True, help="Do not compare with the table in PostgreSQL.")
def verify_command(path: Path | None, no_table: bool) -> None:
    """Find lines that were removed or changed; exit status 1 when there are any."""
    settings = settings_or_exit()
    path = path or settings.audit.path
    lines = list(read_lines(path))
    found, seen = verify(lines, settings.audit.key.get_secret_value().encode())
    if lines and not no_table:
        oldest = next((json.loads(text)["time"] for _, text in lines if text.startswith("{")), None)
        if oldest is not None:
            found += missing_from_file(settings, seen, oldest)
    for problem in found:
        click.echo(problem)
    click.echo(f"{len(lines)} lines, {len({chain for chain, _ in seen})} chains, {len(found)} problems")
    raise SystemExit(1 if found else 0)
