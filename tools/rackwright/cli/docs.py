"""`rackwright docs`: the generated tables of variables."""

from __future__ import annotations

import click

from rackwright.errors import RackwrightError


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 when a table is out of date.")
def docs(check: bool) -> None:
    """Write the tables of variables into the roles' READMEs and docs/variables.md."""
    from rackwright.site.paths import repository_root  # noqa: PLC0415 - with pydantic: slow to import
    from rackwright.site.spec_docs import stale, write  # noqa: PLC0415

    root = repository_root()
    if check:
        old = stale(root)
        if old:
            names = ", ".join(str(path.relative_to(root)) for path in old)
            raise RackwrightError(f"out of date: {names}", hint="run `rackwright docs` and commit the result")
        return
    for path in write(root):
        click.echo(f"{path.relative_to(root)} written")
