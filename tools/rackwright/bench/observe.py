"""The plain script of the no-change benchmark: prints a host's state, which is compared with what it must be.

Every part is one program that is asked for everything at once, as a careful author would write it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from rackwright.bench.work import Cluster

TABLE = "inet rackwright"
# A certificate with less than this is renewed (roles/tls).
_RENEW_SECONDS = 30 * 86400
_MARK = "## "
# What differs there is not shown: it can be a password's verifier.
_SILENT = {"databases"}

_QUERIES = """\
SELECT name, setting FROM pg_settings WHERE sourcefile IS NOT NULL ORDER BY 1;
SELECT rolname, rolcanlogin, rolconnlimit{verifier} FROM pg_authid WHERE rolname !~ '^pg_' ORDER BY 1;
SELECT datname, pg_get_userbyid(datdba), datacl FROM pg_database ORDER BY 1;"""


@dataclass(frozen=True)
class Subjects:
    """What is looked at on one host.

    Attributes:
        packages: Installed packages.
        hashed: Files whose content counts.
        present: Further paths of which owner, group, mode and the target of a link count.
        absent: Paths that must not be there.
        settings: Kernel settings.
        users: Accounts, with their ids, homes and shells.
        groups: Groups, with their members.
        units: systemd's units; whether each is active and enabled counts.
        firewall: Whether the packet filter's table counts.
        certificates: Certificate files that must be good for another 30 days.
        cluster: A database cluster whose settings, roles and databases count.
        verifiers: Whether the stored passwords of its roles count: salted, they differ from host to host.
        containers: Containers that must be there.
    """

    packages: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    firewall: bool = False
    certificates: tuple[str, ...] = ()
    cluster: Cluster | None = None
    verifiers: bool = True
    containers: tuple[str, ...] = ()


def observe_script(subjects: Subjects) -> str:
    """Return the script that prints the state of these subjects; it fails when one of them is missing."""
    lines = ["set -euo pipefail", "export LC_ALL=C.UTF-8", "cd /"]
    for title, command in _parts(subjects):
        lines += [f"echo {shlex.quote(_MARK + title)}", command]
    return "\n".join(lines) + "\n"


def _parts(subjects: Subjects) -> Iterable[tuple[str, str]]:
    if subjects.packages:
        # A name may carry a version, a release or an architecture.
        names = sorted({name.split("=")[0].split("/")[0] for name in subjects.packages})
        yield "packages", f"dpkg-query -W -f='${{Package}} ${{db:Status-Status}}\\n' {_words(names)}"
    if subjects.hashed:
        yield "contents", f"sha256sum -- {_words(subjects.hashed)}"
    if subjects.hashed or subjects.present:
        yield "rights", f"stat --format='%N %F %a %U %G' -- {_words((*subjects.hashed, *subjects.present))}"
    if subjects.absent:
        loop = 'do if [ -e "$path" ] || [ -L "$path" ]; then echo "$path is there"; fi; done'
        yield "absent", f"for path in {_words(subjects.absent)}; {loop}"
    yield from _running_parts(subjects)
    if subjects.containers:
        form = "{{.Name}} {{.Image}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}"
        yield "containers", f"docker inspect --format={shlex.quote(form)} {_words(subjects.containers)}"
    # Stands for the questions that the roles ask their services: whether each accepts connections. The name
    # server that Docker gives a machine takes another port each time.
    yield "ports", "ss -Hltn | awk '$4 !~ /^127.0.0.11:/ {print $4}' | sort -u"


def _running_parts(subjects: Subjects) -> Iterable[tuple[str, str]]:
    if subjects.users:
        yield "users", f"getent passwd {_words(subjects.users)}"
    if subjects.groups:
        yield "groups", f"getent group {_words(subjects.groups)}"
    if subjects.settings:
        yield "kernel", f"sysctl {_words(subjects.settings)}"
    if subjects.units:
        names = _words(subjects.units)
        # Whether a unit is enabled is asked of the links: systemd says what it has read of them.
        yield (
            "units",
            f"systemctl show --property=Id,ActiveState -- {names}; systemctl is-enabled -- {names} || :",
        )
    if subjects.firewall:
        # Who has connected lately is in the sets that limit connections: that is no configuration.
        lately = r"^\s*(elements = \{ )?[0-9a-f.:]+ (limit rate|ct count over)"
        yield "firewall", f"nft -s list table {TABLE} | grep -vE {shlex.quote(lately)}"
    if subjects.certificates:
        check = f'openssl x509 -noout -checkend {_RENEW_SECONDS} -in "$certificate"'
        yield "certificates", f"for certificate in {_words(subjects.certificates)}; do {check}; done"
    if subjects.cluster:
        queries = _QUERIES.format(verifier=", rolpassword" if subjects.verifiers else "")
        port = subjects.cluster.port
        yield "databases", f"runuser -u postgres -- psql -XtA -p {port} <<'SQL'\n{queries}\nSQL"


def _words(names: Iterable[str]) -> str:
    return " ".join(shlex.quote(name) for name in names)


def differences(expected: str, found: str) -> list[str]:
    """Say which parts of two outputs differ, each with its first line that does."""
    before, after = _sections(expected), _sections(found)
    told = []
    for title in dict.fromkeys((*before, *after)):
        if before.get(title) == after.get(title):
            continue
        if title in _SILENT:
            told.append(title)
            continue
        left, right = before.get(title, []), after.get(title, [])
        lost = [line for line in left if line not in right]
        came = [line for line in right if line not in left]
        told.append(f"{title}: {(lost or ['nothing'])[0]!r} became {(came or ['nothing'])[0]!r}")
    return told


def _sections(output: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in output.splitlines():
        if line.startswith(_MARK):
            lines = sections.setdefault(line.removeprefix(_MARK), [])
        else:
            lines.append(line)
    return sections
