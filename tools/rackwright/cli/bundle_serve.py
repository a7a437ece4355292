"""`rackwright bundle serve`: the bundle onto the site's mirror."""

from __future__ import annotations

from pathlib import Path

import click

from rackwright.cli.options import inventory_option


@click.command("serve")
@inventory_option
@click.option(
    "--medium", default="", help="Directory of the mirror with a copy of the bundle, such as a disk."
)
def serve_command(inventory: tuple[Path, ...], medium: str) -> None:
    """Bring the site's bundle onto its mirror, and serve it.

    The bundle is checked first, signature and every file; the mirror is the host of the group `mirror`.
    """
    from rackwright.errors import RackwrightError  # noqa: PLC0415 - slow to import
    from rackwright.operations.runner import run_playbook  # noqa: PLC0415
    from rackwright.site.inventory import load_inventory  # noqa: PLC0415
    from rackwright.site.source_checks import GROUP, bundle_findings  # noqa: PLC0415

    site = load_inventory(inventory)
    findings = list(bundle_findings(site, site.site_variables().get))
    if findings:
        raise RackwrightError("\n".join(map(str, findings)), hint="no host has been touched")
    run = run_playbook(
        "playbooks/bundle.yml",
        inventory,
        arguments=["-e", f"bundle_medium={medium}"] if medium else [],
        label="bundle-serve",
    )
    if not run.successful:
        told = "; ".join(f"{each.host}: {each.message}" for each in run.recap.failed)
        raise RackwrightError(
            f"the bundle is not served: {told or run.status}", hint=f"the run's output is in {run.log}"
        )
    for name in site.members(GROUP):
        click.echo(f"{name} serves it ({run.seconds:.0f} s)")
