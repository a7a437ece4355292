"""`rackwright scan`: what every host is made of."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rackwright.cli.options import inventory_option, json_option
from rackwright.cli.tables import console

if TYPE_CHECKING:
    from rackwright.hardware.scan import HostScan

# As ansible-playbook's --check users expect of `plan`: there is something to do.
_WOULD_CHANGE = 2


@click.command()
@inventory_option
@click.option("-l", "--limit", default="", help="Scan these hosts alone: a name, a group, a pattern.")
@click.option("--check", is_flag=True, help="Write nothing; exit status 2 when something has changed.")
@json_option
def command(inventory: tuple[Path, ...], limit: str, check: bool, as_json: bool) -> None:
    """Read what the hosts are made of, and write it to their hardware.yml.

    Asks all hosts at once and changes nothing on them: processors, memory, disks, network, GPUs, system. Each
    answer becomes host_vars/<host>/hardware.yml of the inventory, which is written again only when something
    has changed. Exit status 1 when a host could not be read; the others are written.
    """
    from rackwright.hardware.scan import scan_site  # noqa: PLC0415 - loads ansible-runner

    output = console()
    with output.status("asking the hosts …"):
        found, run = scan_site(inventory, limit=limit, keep=not check)
    if as_json:
        from rackwright.hardware.scan_report import to_json  # noqa: PLC0415

        click.echo(json.dumps(to_json(found, written=not check), indent=2))
    else:
        _print(found, check=check, seconds=run.seconds)
    status = 0
    if check and any(scan.status in {"new", "changed"} for scan in found):
        status = _WOULD_CHANGE
    if not all(scan.read for scan in found):
        status = 1
    click.get_current_context().exit(status)


def _print(found: list[HostScan], *, check: bool, seconds: float) -> None:
    from rackwright.hardware import scan_report  # noqa: PLC0415

    output = console()
    if any(scan.read for scan in found):
        output.print(scan_report.hosts_table(found))
    for part in scan_report.notes(found):
        output.print(part, soft_wrap=True)
    counts = Counter(scan.status for scan in found)
    words = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    verb = "would be written" if check else "written"
    changed = [scan for scan in found if scan.status in {"new", "changed"}]
    files = (
        f"{len(changed)} {'file' if len(changed) == 1 else 'files'} {verb}" if changed else "nothing to write"
    )
    output.print(
        f"\n{len(found)} {'host' if len(found) == 1 else 'hosts'} in {seconds:.1f} s: {words}; {files}",
        soft_wrap=True,
    )
