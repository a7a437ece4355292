"""An edge of another engine, installed out of a bundle on a site with no way out."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from closed import BUNDLE, counted_at_the_gateway, play, rackwright
from machines import SOURCES, Machines

from rackwright.pki.authority import Authority
from rackwright.pki.location import pki_directory
from rackwright.site.inventory import load_inventory

Variables: TypeAlias = Mapping[str, Any]
TREE = "/srv/rackwright-bundle/tree"
# As long as before: its size gives nothing away.
_FLIP = "b = bytearray(open(sys.argv[1], 'rb').read()); b[-9] ^= 1; open(sys.argv[2], 'wb').write(b)"
FLIP = f"python3 -c {shlex.quote('import sys; ' + _FLIP)}"
PROGRAM = "/opt/rackwright/traefik/traefik"
# A user: the page that the edge serves, by the site's own authority. The app is not started here.
ASK = """
import http.client, json, socket, ssl, sys
name, address, authority = sys.argv[1:]
context = ssl.create_default_context(cadata=authority)
connection = http.client.HTTPSConnection(address, context=context, timeout=20)
connection.sock = context.wrap_socket(
    socket.create_connection((address, 443), 20), server_hostname=name)
connection.request("GET", "/", headers={"Host": name})
answer = connection.getresponse()
print(json.dumps([answer.status, answer.read().decode()]))
"""


@pytest.fixture(scope="session")
def variables() -> Variables:
    """What the inventory says of the edge."""
    found: Variables = load_inventory(SOURCES).hosts["edge1"].variables
    return found


@pytest.fixture(scope="session")
def engine(variables: Variables) -> str:
    return str(variables["edge_engine"])


@pytest.fixture(scope="session")
def carried(engine: str, variables: Variables) -> dict[str, str]:
    """What the bundle has of the engine: the release's archive, or the distribution's package."""
    kind, name = ("file", "traefik") if engine == "traefik" else ("package", engine)
    listed = json.loads(rackwright("bundle", "show", str(BUNDLE), "--kind", kind, "--json").stdout)
    (entry,) = [each for each in listed if each["name"] == name]
    if engine == "traefik":
        assert entry["sha256"] == variables["traefik_release"]["sha256"]
    return {key: str(entry[key]) for key in ("path", "sha256")}


def answered(machines: Machines, variables: Variables) -> tuple[int, str]:
    name, address = f"ai.{variables['domain']}", machines.addresses["edge1"]
    authority = Authority(pki_directory(SOURCES)).certificate_path.read_text()
    asked = shlex.join(["python3", "-c", ASK, name, address, authority])
    status, body = json.loads(machines.inside("outside1", asked))
    return status, body


def test_the_edge_serves(machines: Machines, variables: Variables, engine: str) -> None:
    assert engine in {"haproxy", "traefik"}
    assert machines.inside(
        "edge1", f"systemctl is-active {engine}.service rackwright-edge-files.service"
    ) == ("active\nactive")
    status, page = answered(machines, variables)
    assert status == 200
    assert "<!doctype html>" in page.lower()


def test_it_came_out_of_the_bundle_and_from_nowhere_else(
    machines: Machines, variables: Variables, engine: str, carried: dict[str, str]
) -> None:
    sources = machines.inside("edge1", "apt-cache policy nginx haproxy | grep -o 'https\\?://[^ ]*'")
    assert {re.sub(r"(//[^/]*).*", r"\1", source) for source in sources.split()} == {
        f"https://{machines.addresses['ops1']}:8481"
    }
    if engine == "traefik":
        # The control node has the archive in the bundle alone.
        assert not Path(variables["traefik_release"]["source"]).exists()
        content = (BUNDLE / "objects" / carried["sha256"][:2] / carried["sha256"]).read_bytes()
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            program = archive.extractfile("traefik")
            assert program
            wanted = hashlib.sha256(program.read()).hexdigest()
        assert machines.inside("edge1", f"sha256sum {PROGRAM}").split()[0] == wanted


def test_nothing_left_the_site(machines: Machines) -> None:
    """The gateway has counted since it was there."""
    assert counted_at_the_gateway(machines) == 0


@contextmanager
def changed_at_the_mirror(machines: Machines, path: str) -> Iterator[None]:
    """One byte of a file that the mirror serves is another for a while; its content stays as it is."""
    served, kept = f"{TREE}/{path}", "/srv/rackwright-bundle/kept"
    machines.inside("ops1", f"mv {served} {kept} && {FLIP} {kept} {served} && chmod 644 {served}")
    try:
        yield
    finally:
        machines.inside("ops1", f"mv {kept} {served}")


def test_a_host_takes_no_engine_that_the_mirror_changed(
    machines: Machines, variables: Variables, engine: str, carried: dict[str, str]
) -> None:
    """Not installed, it stays so while the mirror's is another, and comes back when it is right again."""
    gone = {
        "traefik": f"systemctl stop traefik && rm {PROGRAM}",
        "haproxy": "apt-get -q -y remove haproxy && apt-get clean",
    }[engine]
    there = {"traefik": f"test -x {PROGRAM}", "haproxy": "test -x /usr/sbin/haproxy"}[engine]
    machines.inside("edge1", f"({gone}) >/dev/null")
    with changed_at_the_mirror(machines, carried["path"]):
        refused = play("playbooks/edge.yml", "--limit", "edge1")
        assert refused.returncode != 0
        assert "yes" not in machines.inside("edge1", f"{there} && echo yes", check=False)
    taken = play("playbooks/edge.yml", "--limit", "edge1")
    assert taken.returncode == 0, taken.stdout + taken.stderr
    assert answered(machines, variables)[0] == 200
    assert counted_at_the_gateway(machines) == 0
