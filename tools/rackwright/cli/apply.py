"""`rackwright apply`: bring a site to what its inventory says."""

from __future__ import annotations

from pathlib import Path

import click

from rackwright.cli.options import inventory_option
from rackwright.cli.tables import console
from rackwright.operations.apply import apply_site


@click.command()
@inventory_option
@click.option("--check", is_flag=True, help="Change nothing, say what would change.")
@click.option("--diff", is_flag=True, help="Show the differences of files (in the log).")
@click.option("--limit", metavar="HOSTS", help="Only these hosts or groups.")
@click.option("--tags", metavar="TAGS", help="Only tasks with these tags (a role's name, or <role>_<stage>).")
@click.option(
    "--playbook", default="site.yml", show_default=True, help="Another playbook, e.g. playbooks/data.yml."
)
def command(
    inventory: tuple[Path, ...], check: bool, diff: bool, limit: str | None, tags: str | None, playbook: str
) -> None:
    """Bring the site to what its inventory says; run again, it changes nothing."""
    arguments = [
        *(["--check"] if check else []),
        *(["--diff"] if diff else []),
        *(["--limit", limit] if limit else []),
        *(["--tags", tags] if tags else []),
    ]
    run = apply_site(console(), playbook, inventory, arguments)
    if not run.successful:
        raise SystemExit(run.exit_code or 1)
