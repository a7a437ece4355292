"""`rackwright preflight`: is everything ready, the input and the hosts?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console


@click.command()
@inventory_option
@json_option
@click.option(
    "--html",
    "html_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Also write everything to one HTML file.",
)
@click.option("--all", "everything", is_flag=True, help="Show the checks that passed too.")
@click.option("--limit", metavar="HOSTS", help="Only these hosts or groups.")
def command(
    inventory: tuple[Path, ...], as_json: bool, html_file: Path | None, everything: bool, limit: str | None
) -> None:
    """Check the site's input, then look at all hosts at once; changes nothing anywhere.

    Exits with 1 when something would keep the site from being applied, with 0 when there are only warnings.
    docs/preflight.md explains every check.
    """
    # They load Ansible; the help does without.
    from rackwright.preflight.report import as_dict, as_html  # noqa: PLC0415
    from rackwright.preflight.run import look_at_hosts  # noqa: PLC0415
    from rackwright.preflight.table import as_table, input_table, summary  # noqa: PLC0415
    from rackwright.site.validate import validate  # noqa: PLC0415

    wrong = validate(inventory)
    refused = any(finding.severity == "error" for finding in wrong)
    report = None if refused else look_at_hosts(inventory, limit)
    if html_file is not None:
        html_file.write_text(as_html(wrong, report), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(as_dict(wrong, report), indent=2, ensure_ascii=False))
    else:
        screen = console()
        if wrong:
            screen.print(input_table(wrong))
        if report is None:
            screen.print("No host was asked: mend the input first.")
        else:
            screen.print(as_table(report.findings, everything=everything))
            screen.print(summary(report.findings, report.hosts), f"({report.seconds:.1f} s)", soft_wrap=True)
    if report is None or not report.passed:
        raise click.exceptions.Exit(1)
