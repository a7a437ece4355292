"""`rackwright init`: a new site from questions, flags or a file of answers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rackwright.errors import RackwrightError

if TYPE_CHECKING:
    from rackwright.hardware.model import Hardware
    from rackwright.init.create import Draft

SIZES = ("small", "medium", "large", "lab")
NEEDED = {
    "name": "--name",
    "size": "--size",
    "domain": "--domain",
    "hosts": "--hosts",
    "management": "--management",
}


def _list(value: str) -> list[str]:
    return [] if value == "none" else value.replace(",", " ").split()


@click.command("init")
@click.option(
    "--answers",
    "answers_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with answers (docs/init.md); flags win over it.",
)
@click.option(
    "--size", type=click.Choice(SIZES), help="How many servers: 1, 2, 5 and more; lab takes any number."
)
@click.option("--name", help="Name of the site; its directory is inventories/<name>.")
@click.option("--domain", help="Domain of its public names.")
@click.option(
    "--hosts",
    multiple=True,
    metavar="NAME=ADDRESS[,ZONE[,GROUP+GROUP]]",
    help="A host; repeatable, or several with spaces between them.",
)
@click.option("--tier", help="Tier; default: from the users and, with --scan, the hosts.")
@click.option("--users", type=click.IntRange(min=1), help="People who use it at the same time.")
@click.option("--tls", help="Whose certificate the edge shows: internal_ca, provided, acme.")
@click.option(
    "--certificate", metavar="PATH", help="With provided: PEM file, the server's certificate first."
)
@click.option("--key", metavar="PATH", help="With provided: PEM file of its key.")
@click.option("--acme", metavar="URL", help="With acme: the server's directory.")
@click.option("--management", metavar="NETWORKS", help="Networks that it is administered from.")
@click.option("--clients", metavar="NETWORKS", help="Networks of the users.  [default: the private ones]")
@click.option("--package-proxy", metavar="URL", help="HTTP proxy for packages.")
@click.option("--dns", metavar="ADDRESSES", help="Resolvers that the hosts may ask.")
@click.option("--ntp", metavar="ADDRESSES", help="Time servers that the hosts may ask.")
@click.option("--user", help="SSH user.  [default: rackwright]")
@click.option("--ssh-key", metavar="PATH", help="SSH key.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Directory of the site.  [default: inventories/NAME]"
)
@click.option("--scan", is_flag=True, help="Look at the hosts by SSH first, and choose the tier from them.")
@click.option("--no-secrets", is_flag=True, help="Draw no secrets: `rackwright secrets init` does it later.")
@click.option(
    "--save-answers",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the answers to a file.",
)
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
def command(
    answers_file: Path | None,
    output: Path | None,
    scan: bool,
    no_secrets: bool,
    save_answers: Path | None,
    yes: bool,
    **flags: Any,  # noqa: ANN401 - one for each answer
) -> None:
    """Write a new site into inventories/NAME.

    Asks for what flags and answers do not say. Checks everything as `rackwright validate` does, then writes
    all of it or nothing; never writes over a site that is there.
    """
    from rackwright.cli.tables import console  # noqa: PLC0415 - `--help` starts faster without all this
    from rackwright.init.answers import parse_answers, read_answers, refuse_wrong  # noqa: PLC0415
    from rackwright.init.create import create, default_target, prepare, read_hardware  # noqa: PLC0415
    from rackwright.init.summary import show_draft, show_written, shown  # noqa: PLC0415

    given = (read_answers(answers_file) if answers_file else {}) | _from_flags(flags)
    ssh = {name: flags[flag] for name, flag in (("user", "user"), ("key", "ssh_key")) if flags[flag]}
    if ssh:
        given["ssh"] = {**given.get("ssh", {}), **ssh}
    asks = not yes and _is_terminal()
    if asks:
        from rackwright.init.wizard import converse  # noqa: PLC0415

        refuse_wrong(given, str(answers_file or ""))
        given = converse(given, lambda site: (output or default_target(site)).exists())
    else:
        given = _complete(given)
    answers = parse_answers(given, str(answers_file or ""))
    target = (output or default_target(answers.name)).absolute()
    hardware = read_hardware(answers)
    look = scan or (asks and not hardware and click.confirm("\nLook at the hosts by SSH now?", default=True))
    if look:
        hardware |= _survey(prepare(answers, target, hardware), needed=scan)
    draft = prepare(answers, target, hardware)
    out = console()
    if asks:
        click.echo()
    show_draft(out, answers, draft)
    if asks:
        click.confirm(f"\nWrite it to {shown(target)}?", default=True, abort=True)
    done = create(draft, with_secrets=not no_secrets)
    if save_answers is not None:
        from rackwright.init.answers import write_answers  # noqa: PLC0415

        write_answers(answers, save_answers)
    show_written(out, draft, done)


def _survey(draft: Draft, *, needed: bool) -> dict[str, Hardware]:
    """Look at the hosts; where nobody insists, a host that does not answer is no obstacle."""
    from rackwright.init.survey import survey  # noqa: PLC0415 - runs Ansible

    try:
        return survey(draft)
    except RackwrightError as error:
        if needed:
            raise
        click.secho(f"{error.message}\nThe tier is taken from the number of people.", fg="yellow")
        return {}


def _from_flags(flags: Mapping[str, Any]) -> dict[str, Any]:
    given = {
        name: flags[name]
        for name in ("size", "name", "domain", "tier", "users", "tls", "acme", "package_proxy")
        if flags[name] is not None
    }
    # The site lies elsewhere, and means the same files.
    given |= {name: str(Path(flags[name]).absolute()) for name in ("certificate", "key") if flags[name]}
    given |= {
        name: _list(flags[name])
        for name in ("management", "clients", "dns", "ntp")
        if flags[name] is not None
    }
    if given.get("package_proxy") == "none":
        given["package_proxy"] = ""
    hosts = [_host(text) for item in flags["hosts"] for text in item.split()]
    return given | ({"hosts": hosts} if hosts else {})


def _host(text: str) -> dict[str, Any]:
    """Return the host that `name=address[,zone[,group+group]]` says; what it says is judged later."""
    name, equals, rest = text.partition("=")
    parts = rest.split(",")
    if not equals or not name or not parts[0] or len(parts) > 3:  # noqa: PLR2004 - the form itself
        raise click.BadParameter(
            f"{text!r} is not NAME=ADDRESS[,ZONE[,GROUP+GROUP]], e.g. app1=10.0.20.11,app",
            param_hint="--hosts",
        )
    host: dict[str, Any] = {"name": name, "address": parts[0]}
    if len(parts) > 1 and parts[1]:
        host["zone"] = parts[1]
    if len(parts) > 2:  # noqa: PLR2004
        host["groups"] = [group for group in parts[2].split("+") if group]
    return host


def _complete(given: dict[str, Any]) -> dict[str, Any]:
    """Add what can be worked out without asking anybody; refuse when something needed is missing."""
    from rackwright.init.wizard import own_networks  # noqa: PLC0415

    if "management" not in given and isinstance(given.get("hosts"), list):
        own = _list(
            own_networks([host for host in given["hosts"] if isinstance(host, dict) and "address" in host])
        )
        given |= {"management": own} if own else {}
    missing = [flag for name, flag in NEEDED.items() if name not in given]
    if missing:
        raise click.UsageError(
            f"not said, and there is no terminal to ask on: {', '.join(missing)} (or --answers FILE)"
        )
    return given


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
