"""What has to be known to write a site: the answers of the wizard, of flags, or of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, TypeAdapter

from rackwright.catalogue.findings import Finding, FindingsError
from rackwright.catalogue.load import parse
from rackwright.errors import RackwrightError
from rackwright.site.addresses import Address, Network
from rackwright.site.names import host_name_problem
from rackwright.site.variables import DOMAIN, PRIVATE_NETWORKS, Strict

Size = Literal["small", "medium", "large", "lab"]
DOCS = "docs/init.md"
SITE_NAME = r"^[a-z][a-z0-9-]{0,31}$"


def _host_name(value: str) -> str:
    problem = host_name_problem(value)
    if problem:
        raise ValueError(problem)
    return value


HostName = Annotated[str, AfterValidator(_host_name)]
Group = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class HostAnswer(Strict):
    """One machine of the platform."""

    name: HostName
    address: Address = Field(description="Its address in its zone, IPv4 or IPv6.")
    zone: str | None = Field(default=None, description="Its zone; default: what the size says.")
    groups: list[Group] | None = Field(
        default=None, description="What runs on it; default: what the size says."
    )
    memory_mb: Annotated[int, Field(ge=256)] | None = Field(
        default=None, description="Memory to count on in MB, where it is less than the machine has."
    )
    cpus: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Cores to count on, where they are fewer than the machine has."
    )
    hardware: str | None = Field(
        default=None, description="A hardware.yml of `rackwright scan`; relative to the answers' file."
    )


class OutsideAnswer(Strict):
    """A machine in no zone, from which the smoke tests speak."""

    name: HostName
    address: Address


class SshAnswer(Strict):
    """How the machines are reached."""

    user: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]*$")] = "rackwright"
    key: str | None = Field(default=None, description="Private key; none: what ssh finds (agent, config).")
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    known_hosts: str | None = Field(default=None, description="A known_hosts file of the site's own.")


class Answers(Strict):
    """All answers."""

    size: Size
    name: Annotated[str, Field(pattern=SITE_NAME)]
    domain: Annotated[str, Field(pattern=DOMAIN)]
    hosts: Annotated[list[HostAnswer], Field(min_length=1)]
    tier: str | None = Field(default=None, description="Default: chosen from hardware and users.")
    users: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="People who use it at the same time; for the choice of the tier."
    )
    tls: Literal["internal_ca", "provided", "acme"] = Field(
        default="internal_ca", description="Whose certificate the edge shows (docs/edge.md)."
    )
    certificate: str | None = Field(
        default=None, description="For `provided`: PEM file, the server's certificate first."
    )
    key: str | None = Field(default=None, description="For `provided`: PEM file of its key.")
    acme: str | None = Field(default=None, description="For `acme`: URL of the server's directory.")
    zones: dict[str, Network] = Field(default={}, description="Zone -> subnet; default: from the addresses.")
    management: Annotated[list[Network], Field(min_length=1)]
    clients: Annotated[list[Network], Field(min_length=1)] = Field(default=list(PRIVATE_NETWORKS))
    package_proxy: str = ""
    dns: list[Address] = Field(default=[])
    ntp: list[Address] = Field(default=[])
    ssh: SshAnswer = SshAnswer()
    outside: list[OutsideAnswer] = Field(default=[], description="Clients in no zone, for the smoke tests.")
    variables: dict[str, Any] = Field(default={}, description="Further variables of the site, as they are.")


_ANSWERS = TypeAdapter(Answers)


def parse_answers(values: object, where: str = "") -> Answers:
    """Return the answers that plain data holds.

    Args:
        values: A mapping as YAML or the flags give it.
        where: What the values come from, for the findings.

    Raises:
        FindingsError: Anything in them is wrong; holds every finding.
    """
    findings: list[Finding] = []
    answers = parse(_ANSWERS, "", values, findings)
    if answers is None:
        raise FindingsError(_named(finding, where) for finding in findings)
    return answers


def refuse_wrong(values: object, where: str = "") -> None:
    """Refuse answers that are wrong as far as they go; what is absent can still be asked.

    Raises:
        FindingsError: As `parse_answers`.
    """
    findings: list[Finding] = []
    parse(_ANSWERS, "", values, findings)
    wrong = [_named(finding, where) for finding in findings]
    asked = set(Answers.model_fields)
    wrong = [item for item in wrong if not (item.value == "(absent)" and item.variable in asked)]
    if wrong:
        raise FindingsError(wrong)


def read_answers(path: Path) -> dict[str, Any]:
    """Return the data of an answers' file, not checked yet; paths in it are made absolute.

    Raises:
        RackwrightError: It cannot be read, or is no mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RackwrightError(
            f"{path}: cannot be read: {' '.join(str(error).split())}",
            hint=f"{DOCS} has an example; `rackwright lab answers` writes one for the lab",
        ) from error
    if not isinstance(values, dict):
        raise RackwrightError(f"{path}: it must be a mapping of answers", hint=f"{DOCS} has an example")
    for name in ("certificate", "key"):
        if isinstance(values.get(name), str):
            values[name] = str((path.parent / values[name]).absolute())
    hosts = values.get("hosts")
    for host in hosts if isinstance(hosts, list) else ():
        if isinstance(host, dict) and isinstance(host.get("hardware"), str):
            host["hardware"] = str(path.parent / host["hardware"])
    return values


def write_answers(answers: Answers, path: Path) -> None:
    """Write answers to a file that `read_answers` reads; what has its default is left out.

    Raises:
        RackwrightError: The file cannot be written.
    """
    text = yaml.safe_dump(
        answers.model_dump(mode="json", exclude_defaults=True), sort_keys=False, allow_unicode=True, width=140
    )
    try:
        path.write_text("---\n" + text, encoding="utf-8")
    except OSError as error:
        raise RackwrightError(f"{path} cannot be written: {error.strerror}") from error


def _named(finding: Finding, where: str) -> Finding:
    hint = finding.hint.replace("docs/catalogue.md", DOCS)
    return Finding(finding.variable.lstrip("."), finding.value, finding.rule, hint, finding.where or where)
