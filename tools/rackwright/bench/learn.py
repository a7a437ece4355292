"""Reads from a converged host what a plain script needs to do, or to check, the same."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from cryptography import x509

from rackwright.bench.floor import Certificate, Recipe, UnitState
from rackwright.bench.observe import Subjects
from rackwright.bench.remote import Remote
from rackwright.bench.work import Work
from rackwright.errors import RackwrightError

TLS = "/etc/rackwright/tls"
AUTHORITY = f"{TLS}/ca.pem"
# What the module `firewall` keeps besides the table itself.
FIREWALL_PATHS = ("/etc/rackwright/firewall.nft", "/etc/systemd/system/rackwright-firewall.service")
FIREWALL_UNIT = "rackwright-firewall.service"

_KIND = """\
do
  kind=absent
  if [ -e "$path" ]; then kind=file; fi
  if [ -d "$path" ]; then kind=directory; fi
  if [ -L "$path" ]; then kind=link; fi
  echo "$kind $path"
done"""
# Roles of the system, and what a dump says to psql alone.
_NOT_OURS = re.compile(r"^((CREATE|ALTER) ROLE postgres\b|--|\s*$)")


def subjects_of(remote: Remote, work: Work) -> Subjects:
    """Return what a script has to look at to check the same state as a run with this work."""
    paths = [*work.seeds, *work.paths, *(FIREWALL_PATHS if work.firewall else ())]
    certificates = [f"{TLS}/{service}/cert.pem" for service in work.certificates]
    if certificates:
        paths += [AUTHORITY, *certificates, *(f"{TLS}/{service}/key.pem" for service in work.certificates)]
    paths += [f"{directory}/compose.yaml" for directory in work.containers.values()]
    kinds = _kinds(remote, paths)
    return Subjects(
        packages=tuple(work.packages),
        hashed=tuple(path for path in paths if kinds[path] == "file"),
        present=tuple(path for path in paths if kinds[path] in {"directory", "link"}),
        absent=tuple(path for path in paths if kinds[path] == "absent"),
        settings=tuple(work.settings),
        users=tuple(work.users),
        groups=tuple(work.groups),
        units=(*work.units, *((FIREWALL_UNIT,) if work.firewall else ())),
        firewall=work.firewall,
        certificates=tuple(certificates),
        cluster=work.cluster,
        containers=tuple(work.containers),
    )


def recipe_of(remote: Remote, work: Work) -> tuple[Recipe, bytes]:
    """Return what a script has to do to reach the same state, and the archive of the files it unpacks.

    Raises:
        RackwrightError: The run did something that the script would not do: the figures would mean nothing.
    """
    # The five services of this benchmark need neither; their packages make their accounts.
    beyond = [f"container {name}" for name in work.containers]
    beyond += [f"account {name}" for name in {**work.users, **work.groups}]
    if work.not_understood or beyond:
        raise RackwrightError(
            f"the plain script would do less than the run: {', '.join([*work.not_understood, *beyond])}",
            hint="teach it to tools/rackwright/bench/floor.py",
        )
    paths = [
        *work.paths,
        *(FIREWALL_PATHS if work.firewall else ()),
        *([AUTHORITY] if work.certificates else ()),
    ]
    kinds = _kinds(remote, paths)
    there = [path for path in paths if kinds[path] != "absent"]
    recipe = Recipe(
        seeds={path: remote.text(f"cat -- {shlex.quote(path)}") for path in work.seeds},
        packages=tuple(work.packages),
        removed=tuple(path for path in paths if kinds[path] == "absent"),
        settings=tuple(path for path in there if path.startswith("/etc/sysctl.d/")),
        certificates=tuple(_certificate(remote, service) for service in work.certificates),
        authority=AUTHORITY,
        cluster=work.cluster,
        sql=_sql(remote, work.cluster.port) if work.cluster else "",
        units=unit_states(
            remote.text(
                f"for unit in {_words([*work.units, *([FIREWALL_UNIT] if work.firewall else [])])}; do "
                'systemctl show --property=Id,ActiveState -- "$unit"; '
                'echo "UnitFileState=$(systemctl is-enabled -- "$unit" || :)"; echo; done'
            )
        ),
    )
    # Parents first, and nothing but what is listed.
    listed = _words(path.lstrip("/") for path in sorted(there))
    return recipe, remote.run(f"tar -c --no-recursion -C / -- {listed}").output


def unit_states(shown: str) -> tuple[UnitState, ...]:
    """Read what `systemctl show` printed of several units."""
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.split("\n\n")]
    return tuple(
        UnitState(block["Id"], block.get("ActiveState", ""), block.get("UnitFileState", ""))
        for block in blocks
        if block.get("Id")
    )


def certificate_names(pem: str) -> tuple[str, tuple[str, ...]]:
    """Return common name and alternative names of a certificate, these as openssl writes them."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = [f"DNS:{name}" for name in found.get_values_for_type(x509.DNSName)]
    names += [f"IP:{address}" for address in found.get_values_for_type(x509.IPAddress)]
    return str(common[0].value) if common else names[0].partition(":")[2], tuple(names)


def plain_sql(dump: str) -> str:
    """Return a dump without comments and without the server's own role."""
    return "\n".join(line for line in dump.splitlines() if not _NOT_OURS.match(line)) + "\n"


def _certificate(remote: Remote, service: str) -> Certificate:
    directory = f"{TLS}/{service}"
    common_name, names = certificate_names(remote.text(f"cat -- {shlex.quote(directory)}/cert.pem"))
    rights = remote.text(f"stat --format='%U %G 0%a' -- {shlex.quote(directory)}/key.pem").split()
    return Certificate(directory, common_name, names, *rights)


def _sql(remote: Remote, port: int) -> str:
    as_postgres = "runuser -u postgres --"
    query = "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1"
    databases = remote.text(f"cd /; {as_postgres} psql -XtA -p {port} -c {shlex.quote(query)}").split()
    dumps = [remote.text(f"cd /; {as_postgres} pg_dumpall --globals-only -p {port}")]
    dump = f"{as_postgres} pg_dump --create --schema-only -p {port}"
    dumps += [remote.text(f"cd /; {dump} {shlex.quote(database)}") for database in databases]
    return "".join(plain_sql(dump) for dump in dumps)


def _kinds(remote: Remote, paths: Sequence[str]) -> dict[str, str]:
    if not paths:
        return {}
    said = remote.text(f"for path in {_words(paths)}; {_KIND}")
    return {path: kind for kind, _, path in (line.partition(" ") for line in said.splitlines())}


def _words(names: Iterable[str]) -> str:
    return " ".join(shlex.quote(name) for name in names)
