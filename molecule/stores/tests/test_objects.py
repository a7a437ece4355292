"""The object store as programs that may call it see it, and as an attacker does."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from conftest import CA, Ask
from machines import Machines
from s3 import DATA, MAIN, UNIT
from signed import signed

# Every host's certificate that it shows to others of the site, and the store's, which is a server's alone.
CLIENT, SERVER = "/etc/rackwright/tls/node_exporter", "/etc/rackwright/tls/rclone"
READ = """
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[1])
if sys.argv[3:]:
    context.load_cert_chain(*sys.argv[3:])
print(urllib.request.urlopen(sys.argv[2], timeout=10, context=context).read().decode())
"""
Call = Callable[..., tuple[int, str]]
Run = Callable[[str], str]


@pytest.fixture(scope="module")
def machines() -> Machines:
    return Machines()


@pytest.fixture(scope="module")
def data(machines: Machines) -> Run:
    """Runs a script where the objects are."""
    return lambda script: machines.inside("data1", script)


@pytest.fixture(scope="module")
def secret(variables: Mapping[str, Any]) -> str:
    return str(variables["vault_object_store_secret_key"])


@pytest.fixture(scope="module")
def url(machines: Machines) -> str:
    return f"https://{machines.addresses['data1']}:9000"


@pytest.fixture(scope="module")
def call(ask: Ask, url: str, secret: str) -> Call:
    """Asks from the app's host, signed."""

    def called(method: str, path: str, body: object = None, key: str = secret) -> tuple[int, str]:
        content = b"" if body is None else json.dumps(body).encode()
        headers = signed(method, f"{url}{path}", key, content)
        return ask("app1", f"{url}{path}", body, method=method, headers=dict(headers))

    return called


def test_an_object_is_kept_listed_replaced_and_removed(call: Call) -> None:
    for text in ("one", "two"):
        assert call("PUT", "/uploads/deep/note.json", text)[0] == 200
        assert call("GET", "/uploads/deep/note.json") == (200, f'"{text}"')
    status, listed = call("GET", "/uploads?list-type=2&prefix=deep%2F")
    assert status == 200
    assert "<Key>deep/note.json</Key>" in listed
    assert hashlib.md5(b'"two"', usedforsecurity=False).hexdigest() in listed
    assert call("DELETE", "/uploads/deep/note.json")[0] == 204
    assert call("GET", "/uploads/deep/note.json")[0] == 404
    assert call("GET", "/uploads?list-type=2")[0] == 200, "an empty bucket stays"


def test_without_the_key_nothing_is_told(ask: Ask, call: Call, url: str, secret: str) -> None:
    assert call("PUT", "/uploads/note.json", "mine")[0] == 200
    status, text = ask("app1", f"{url}/uploads/note.json")
    assert (status, "mine" in text) == (400, False)
    status, text = call("GET", "/uploads/note.json", key=secret.swapcase())
    assert (status, "SignatureDoesNotMatch" in text) == (403, True)
    assert call("PUT", "/uploads/note.json", "theirs", key="0" * 40)[0] == 403
    assert call("GET", "/uploads/note.json") == (200, '"mine"')


def test_nobody_speaks_in_clear(ask: Ask, url: str) -> None:
    status, text = ask("app1", f"{url.replace('https', 'http')}/uploads")
    assert status in {0, 400}
    assert "Key>" not in text


def test_only_certificates_of_the_site_read_the_metrics(machines: Machines, data: Run) -> None:
    read = f"python3 -c {shlex.quote(READ)} {CA} https://{machines.addresses['data1']}:9001/metrics"
    assert "rclone_bytes_transferred_total" in data(f"{read} {CLIENT}/cert.pem {CLIENT}/key.pem")
    for shown in ("", f"{SERVER}/cert.pem {SERVER}/key.pem"):
        told = data(f"{read} {shown} 2>&1 || true")
        assert "rclone_" not in told
        assert "SSLError" in told


def test_it_is_within_its_share_and_nobodys_but_its_own(data: Run, secret: str) -> None:
    shown = data(f"systemctl show {UNIT}")
    values = dict(line.partition("=")[::2] for line in shown.splitlines())
    assert (values["User"], values["NoNewPrivileges"]) == (UNIT, "yes")
    assert 128 * 2**20 <= int(values["MemoryMax"]) < 2048 * 2**20
    assert data(f"stat -c %a {DATA} /etc/rackwright/objects/key.env").split() == ["750", "600"]
    assert secret not in shown + data("ps -eo args")
    assert secret not in data(f"runuser -u nobody -- cat /proc/{MAIN}/environ 2>&1 || echo refused")


def test_the_key_is_in_one_file_alone(holders: Callable[..., list[str]], secret: str) -> None:
    found = holders(secret, "/etc", "/var/log", "/var/lib", "/run/systemd", "/root")
    assert found == ["/etc/rackwright/objects/key.env"]
