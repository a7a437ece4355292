"""`rackwright validate`: is the site's input sound?"""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console


@click.command()
@inventory_option
@json_option
@click.option("--draft", is_flag=True, help="The site is still being written: do not ask for its vault.")
def validate(inventory: tuple[Path, ...], as_json: bool, draft: bool) -> None:
    """Check a site's inventory and the catalogue; touches no host.

    Prints every finding with variable, value, rule and hint; exits with 1 when there is one that is more than
    a warning.
    """
    from rackwright.site.validate import validate as validate_site  # noqa: PLC0415 - loads Ansible

    findings = validate_site(inventory, draft=draft)
    errors = [finding for finding in findings if finding.severity == "error"]
    if as_json:
        click.echo(json.dumps([finding.as_dict() for finding in findings], indent=2, ensure_ascii=False))
    elif findings:
        title = f"{len(errors)} to mend" if errors else "Sound, but look at this"
        table = Table(title=title, title_justify="left", show_lines=True)
        table.add_column("#", justify="right")
        table.add_column("Variable", overflow="fold")
        table.add_column("Value", overflow="fold")
        table.add_column("Rule", overflow="fold", ratio=2)
        table.add_column("Hint", overflow="fold", ratio=2)
        for number, finding in enumerate(findings, 1):
            variable = Text(finding.variable, style="bold")
            if finding.severity == "warning":
                variable.append("\nwarning", style="not bold yellow")
            if finding.where:
                variable.append(f"\n{finding.where}", style="not bold dim")
            table.add_row(str(number), variable, *map(Text, (finding.value, finding.rule, finding.hint)))
        console().print(table)
    else:
        console().print("[green]The input is sound.[/green]", f"({', '.join(map(str, inventory))})")
    if errors:
        raise click.exceptions.Exit(1)
