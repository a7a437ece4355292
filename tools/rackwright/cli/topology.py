"""`rackwright topology`: zones, hosts, services and who may speak to whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from rackwright.cli.options import inventory_option
from rackwright.cli.tables import console

if TYPE_CHECKING:
    from rackwright.catalogue.site import Site


@click.command()
@inventory_option
@click.option(
    "--html", "html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with the picture."
)
@click.option(
    "--svg", "svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the picture alone."
)
def topology(inventory: tuple[Path, ...], html: Path | None, svg: Path | None) -> None:
    """Show a site's zones, hosts, services and allowed flows, as tables or as a picture."""
    from rackwright.catalogue.diagram_layout import lay_out  # noqa: PLC0415 - with Ansible: slow to import
    from rackwright.catalogue.diagram_svg import site_html, site_svg  # noqa: PLC0415
    from rackwright.catalogue.flows import flows  # noqa: PLC0415
    from rackwright.site.load import load_site  # noqa: PLC0415

    site = load_site(inventory)
    if html or svg:
        layout = lay_out(site)
        if html:
            html.write_text(site_html(site, layout), encoding="utf-8")
        if svg:
            svg.write_text(site_svg(layout), encoding="utf-8")
        return
    console().print(_hosts(site))
    table = Table(title="Allowed flows; everything else is denied", title_justify="left")
    for column in ("From", "To", "Service", "Port"):
        table.add_column(column)
    table.add_column("Number", justify="right")
    for flow in flows(site):
        if flow.source != flow.dest:
            table.add_row(
                flow.source, flow.dest, flow.service, flow.port_name, f"{flow.port}/{flow.protocol}"
            )
    console().print(table)


def _hosts(site: Site) -> Table:
    table = Table(title=f"Hosts of {site.name} ({site.domain})", title_justify="left")
    for column in ("Zone", "Subnet", "Host", "Address", "Services"):
        table.add_column(column)
    for zone, subnet in site.zone_networks.items():
        for host in (host for host in site.hosts.values() if host.zone == zone):
            table.add_row(zone, subnet, host.name, host.address, ", ".join(site.services_of(host.name)))
    for host in site.outside.values():
        table.add_row("(outside)", "", host.name, host.address, "")
    return table
