"""The plain script of the converge benchmark: the same work as the toolkit's, with nothing around it.

One run of apt for all packages, one archive with all files, each certificate by one call of openssl, units
enabled and restarted together. Services start when their packages are installed and again with their files.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rackwright.bench.work import Cluster

_CERTIFICATE_DAYS = 397


@dataclass(frozen=True)
class Certificate:
    """A key and a certificate that the script makes itself.

    Attributes:
        directory: Where `key.pem` and `cert.pem` go.
        common_name: Subject of the certificate.
        names: Its subject alternative names as openssl writes them (`DNS:edge1`, `IP:192.0.2.1`).
        owner: Of both.
        group: Of both.
        mode: Of the key, octal.
    """

    directory: str
    common_name: str
    names: tuple[str, ...]
    owner: str
    group: str
    mode: str


@dataclass(frozen=True)
class UnitState:
    """How a unit stands after the toolkit's run, in systemd's words."""

    name: str
    active: str
    enabled: str


@dataclass(frozen=True)
class Recipe:
    """All that the script does.

    Attributes:
        seeds: Files that must be there before the packages, path -> content.
        packages: What apt installs, in one run.
        removed: Paths that are removed.
        settings: Files of kernel settings that are put in force.
        certificates: What openssl makes.
        authority: File that clients on the host verify these certificates with.
        cluster: Database cluster.
        sql: What is sent to it; holds verifiers of passwords.
        units: Units in the state that they must have.
    """

    seeds: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    authority: str = ""
    cluster: Cluster | None = None
    sql: str = field(default="", repr=False)
    units: tuple[UnitState, ...] = ()


def floor_script(recipe: Recipe) -> str:
    """Return the script; the archive of the files follows it on standard input.

    The commands are in a function that is called in the last line: bash reads no further than that line, and
    tar finds the archive behind it.
    """
    body = "\n".join(_commands(recipe))
    return f"main() {{\n{body}\n}}\nmain; exit\n"


def _commands(recipe: Recipe) -> Iterable[str]:
    yield "set -euo pipefail"
    yield "export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8"
    yield "cd /"
    for path, content in recipe.seeds.items():
        yield f"mkdir -p -- {shlex.quote(path.rpartition('/')[0])}"
        yield f"printf %s {shlex.quote(content)} >{shlex.quote(path)}"
    if recipe.packages:
        yield "apt-get -qq update </dev/null"
        yield (
            "apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef "
            f"-o Dpkg::Options::=--force-confold install {_words(recipe.packages)} </dev/null >/dev/null"
        )
    if recipe.cluster:
        yield _create(recipe.cluster)
    yield "tar -x -p -C / -f -"
    if recipe.removed:
        yield f"rm -f -- {_words(recipe.removed)}"
    for path in recipe.settings:
        yield f"sysctl -q -p {shlex.quote(path)}"
    yield from _make_certificates(recipe)
    yield from _put_in_force(recipe.units)
    if recipe.cluster and recipe.sql:
        psql = f"psql -X -q -v ON_ERROR_STOP=1 -p {recipe.cluster.port}"
        yield f"runuser -u postgres -- {psql} >/dev/null <<'SQL'\n{recipe.sql.rstrip()}\nSQL"


def _create(cluster: Cluster) -> str:
    place = f"--port {cluster.port} --datadir {shlex.quote(cluster.data_directory)}"
    language = f"--locale {shlex.quote(cluster.locale)} --encoding UTF8"
    options = "--data-checksums --auth-local=peer --auth-host=scram-sha-256"
    named = f"{shlex.quote(cluster.version)} {shlex.quote(cluster.name)}"
    return f"pg_createcluster {place} {language} {named} -- {options} </dev/null >/dev/null"


def _make_certificates(recipe: Recipe) -> Iterable[str]:
    for made in recipe.certificates:
        key, certificate = f"{made.directory}/key.pem", f"{made.directory}/cert.pem"
        yield f"install -d -m 0755 {shlex.quote(made.directory)}"
        yield (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
            f"-days {_CERTIFICATE_DAYS} -subj {shlex.quote(f'/CN={made.common_name}')} "
            f"-addext {shlex.quote('subjectAltName=' + ','.join(made.names))} "
            f"-keyout {shlex.quote(key)} -out {shlex.quote(certificate)} </dev/null"
        )
        yield f"chown {shlex.quote(f'{made.owner}:{made.group}')} {_words((key, certificate))}"
        yield f"chmod {made.mode} {shlex.quote(key)}"
    if recipe.certificates and recipe.authority:
        own = _words(f"{made.directory}/cert.pem" for made in recipe.certificates)
        yield f"cat {own} >{shlex.quote(recipe.authority)}"


def _put_in_force(units: tuple[UnitState, ...]) -> Iterable[str]:
    if not units:
        return
    yield "systemctl daemon-reload"
    groups = {
        "enable -q": [unit.name for unit in units if unit.enabled == "enabled"],
        "disable -q": [unit.name for unit in units if unit.enabled == "disabled"],
        "stop": [unit.name for unit in units if unit.active == "inactive"],
        "restart": [unit.name for unit in units if unit.active == "active"],
    }
    for verb, names in groups.items():
        if names:
            yield f"systemctl {verb} {_words(names)} </dev/null"


def _words(names: Iterable[str]) -> str:
    return " ".join(shlex.quote(name) for name in names)
