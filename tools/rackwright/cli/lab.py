"""`rackwright lab …`: machines to try the platform on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from rackwright.cli.options import inventory_option, json_option
from rackwright.lab import lifecycle
from rackwright.lab.access import ssh_command
from rackwright.lab.daemon import stop_daemon
from rackwright.lab.inventory import read_lab
from rackwright.lab.model import GATEWAY, RELEASES, Lab
from rackwright.lab.progress import Board
from rackwright.lab.status import MachineStatus, all_labs, lab_status

GOOD_STATES = {"running": "green", "degraded": "yellow"}
hosts_option = click.option(
    "--hosts", default="", metavar="A,B", help="Only these hosts of the inventory (and the gateway)."
)


@click.group("lab")
def lab_group() -> None:
    """Machines to try the platform on, made by Docker on this computer."""


@lab_group.command()
@inventory_option
@hosts_option
@click.option(
    "--release", type=click.Choice(RELEASES), default=RELEASES[0], show_default=True, help="Debian."
)
def up(inventory: tuple[Path, ...], hosts: str, release: str) -> None:
    """Bring the lab up; what runs already stays as it is."""
    lab = read_lab(inventory)
    only = _names(hosts)
    console = Console(stderr=True)
    with Board(console) as board:
        lifecycle.up(lab, release, only, board)
        if any(host.inference for host in lifecycle.chosen(lab, only)):
            _provide_artifacts(lab, board)
    _print_status(Console(), lab, lab_status(lab))


@lab_group.command()
@inventory_option
def artifacts(inventory: tuple[Path, ...]) -> None:
    """Make what the lab's hosts get from outside Debian: the model server's image and a tiny model."""
    lab = read_lab(inventory)
    with Board(Console(stderr=True)) as board:
        listed = _provide_artifacts(lab, board)
    click.echo(listed)


@lab_group.command()
@inventory_option
@click.option("--purge", is_flag=True, help="Also remove the images and the cache that all labs share.")
@click.option("--daemon", is_flag=True, help="Also stop Docker's daemon, if the lab started it.")
def down(inventory: tuple[Path, ...], purge: bool, daemon: bool) -> None:
    """Remove the lab: machines, networks, volumes, keys."""
    lab = read_lab(inventory)
    console = Console(stderr=True)
    with Board(console) as board, board.step(f"lab {lab.name}") as step:
        step.say(f"{lifecycle.down(lab)} containers removed")
    if purge:
        lifecycle.purge()
        console.print("images and cache removed")
    if daemon and stop_daemon():
        console.print("Docker's daemon stopped")


@lab_group.command()
@inventory_option
@hosts_option
@json_option
def status(inventory: tuple[Path, ...], hosts: str, as_json: bool) -> None:
    """Show how each machine stands; exits 1 when one is not running."""
    lab = read_lab(inventory)
    wanted = {GATEWAY, *(host.name for host in lifecycle.chosen(lab, _names(hosts)))}
    machines = [machine for machine in lab_status(lab) if machine.host in wanted or not hosts]
    if as_json:
        shown = {
            "lab": lab.name,
            "directory": str(lab.directory),
            "machines": [m.as_dict() for m in machines],
        }
        click.echo(json.dumps(shown, indent=2))
    else:
        _print_status(Console(), lab, machines)
    if any(machine.state != "running" or machine.systemd not in GOOD_STATES for machine in machines):
        raise SystemExit(1)


@lab_group.command(context_settings={"ignore_unknown_options": True})
@inventory_option
@click.argument("host")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ssh(inventory: tuple[Path, ...], host: str, arguments: tuple[str, ...]) -> None:
    """Open a shell on HOST by SSH, or run a command there as the toolkit's user."""
    lab = read_lab(inventory)
    line = ssh_command(lab, lifecycle.chosen(lab, [host])[0], arguments)
    os.execvp(line[0], line)  # noqa: S606 - the operator's own terminal goes to ssh, no shell is involved


@lab_group.command("exec", context_settings={"ignore_unknown_options": True})
@inventory_option
@click.argument("host")
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(inventory: tuple[Path, ...], host: str, arguments: tuple[str, ...]) -> None:
    """Run a command as root on HOST (or `gateway`) through Docker, past SSH and firewall."""
    lab = read_lab(inventory)
    container = lab.gateway_container if host == GATEWAY else lifecycle.chosen(lab, [host])[0].container
    terminal = ["--tty"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    done = subprocess.run(["docker", "exec", "--interactive", *terminal, container, *arguments], check=False)
    raise SystemExit(done.returncode)


@lab_group.command()
@inventory_option
@hosts_option
@click.option("--name", default="lab-site", show_default=True, help="Name of the new site.")
@click.option(
    "--size",
    type=click.Choice(["lab", "small", "medium", "large"]),
    default="lab",
    show_default=True,
    help="lab: each machine runs what it runs in the lab; else init places the services.",
)
def answers(inventory: tuple[Path, ...], hosts: str, name: str, size: str) -> None:
    """Print answers for `rackwright init`: a site on this lab's machines."""
    from rackwright.lab.answers import answers_text, lab_answers  # noqa: PLC0415
    from rackwright.site.inventory import load_inventory  # noqa: PLC0415

    lab = read_lab(inventory)
    chosen = [host.name for host in lifecycle.chosen(lab, _names(hosts))]
    text = lab_answers(lab, load_inventory(inventory), chosen, name, size)
    click.echo(answers_text(text), nl=False)


@lab_group.command("list")
@json_option
def list_labs(as_json: bool) -> None:
    """List all labs of this computer."""
    labs = all_labs()
    if as_json:
        click.echo(json.dumps(labs, indent=2))
        return
    table = Table("lab", "machines")
    for name, hosts in labs.items():
        table.add_row(name, ", ".join(hosts))
    Console().print(table)


def _names(hosts: str) -> list[str]:
    return [name.strip() for name in hosts.split(",") if name.strip()]


def _provide_artifacts(lab: Lab, board: Board) -> Path:
    # Imported here: it needs numpy and gguf, which no other command does.
    from rackwright.lab.artifacts import provide_artifacts  # noqa: PLC0415

    return provide_artifacts(lab, board)


def _print_status(console: Console, lab: Lab, machines: list[MachineStatus]) -> None:
    table = Table("host", "zone", "address", "state", "systemd", "release", title=f"lab {lab.name}")
    doubles = any(machine.double for machine in machines)
    if doubles:
        table.add_column("double of")
    for machine in machines:
        colour = GOOD_STATES.get(machine.systemd, "red")
        table.add_row(
            machine.host,
            machine.zone,
            machine.address,
            f"[{'green' if machine.state == 'running' else 'red'}]{machine.state}[/]",
            f"[{colour}]{machine.systemd}[/]",
            machine.release,
            *([machine.double] if doubles else []),
        )
    console.print(table)
