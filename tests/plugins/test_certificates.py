"""The certificates action and its module on this machine, as root because they give files away."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible.module_utils.rackwright.certificates import Certificates, Entry
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from rackwright.pki.authority import Authority, is_issued_by
from rackwright.pki.issued import issued
from rackwright.pki.request import subject_names

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners of files, which takes root")

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "a passphrase that must not be shown"
ONE = {"service": "one", "addresses": ["192.0.2.1"], "names": ["host1", "one.example"]}
TWO = {"service": "two", "addresses": ["192.0.2.1", "2001:db8::1"], "names": ["two.example"]}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The directory that stands for the host's /etc/rackwright/tls."""
    (tmp_path / "metrics").mkdir()
    return tmp_path / "tls"


@pytest.fixture
def run(tmp_path: Path, host: Path, load: Callable[[str, str], ModuleType], run_module: Run) -> Run:
    """A function that runs the action with the real module behind it, in this process."""
    action = load("action", "certificates")

    class OnThisMachine(action.ActionModule):  # type: ignore[name-defined, misc]
        """Calls the module here instead of over a connection."""

        def _execute_module(self, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - the base's interface
            return run_module(given["module_name"], given["module_args"], check=self._task.check_mode)

    def ran(
        certificates: list[dict[str, Any]] | None = None, *, check: bool = False, **options: object
    ) -> dict[str, Any]:
        arguments = settings(tmp_path, host) | {"ca_passphrase": PASSPHRASE} | options
        if certificates is not None:
            arguments["certificates"] = certificates
        task = SimpleNamespace(
            args=arguments, check_mode=check, diff=True, async_val=0, action="certificates"
        )
        plugin = OnThisMachine(task, Mock(), Mock(), Mock(), Mock(), Mock())
        try:
            result: dict[str, Any] = plugin.run(None, {"inventory_hostname": "localhost"})
        except AnsibleActionFail as error:
            return {"failed": True, "msg": str(error)}
        return result

    return ran


def settings(tmp_path: Path, host: Path) -> dict[str, Any]:
    """Return the task's arguments, without the passphrase."""
    return {
        "certificates": [ONE, TWO],
        "pki_directory": str(tmp_path / "pki"),
        "directory": str(host),
        "metrics_directory": str(tmp_path / "metrics"),
    }


def test_a_play_issues_once_and_shows_no_passphrase(tmp_path: Path, host: Path) -> None:
    task = settings(tmp_path, host) | {"ca_passphrase": "{{ passphrase }}"}
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"certificates": task}] * 2}]
    (tmp_path / "play.json").write_text(json.dumps(play))
    (tmp_path / "values.json").write_text(
        json.dumps({"passphrase": PASSPHRASE, "ansible_python_interpreter": sys.executable})
    )
    options = ["-vvv", "--diff", "-i", "localhost,", "-c", "local", "-e", f"@{tmp_path}/values.json"]
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), *options, tmp_path / "play.json"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_BECOME": "false"},
        cwd=ROOT,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert PASSPHRASE not in done.stdout + done.stderr
    assert "PRIVATE KEY" not in done.stdout + done.stderr
    assert "one: there is none" in done.stdout
    assert "ok=2    changed=1" in done.stdout


def certificate(host: Path, service: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((host / service / "cert.pem").read_bytes())


def snapshot(directory: Path) -> dict[str, tuple[int, int, int]]:
    """Return every path with what a unit's freshness is judged by."""
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns, path.stat().st_ino)
        for path in sorted(directory.rglob("*"))
    }


def reasons(result: dict[str, Any]) -> dict[str, str]:
    return {item["service"]: item["reason"] for item in result["items"]}


def test_check_mode_on_a_fresh_host_foresees_everything_and_touches_nothing(
    run: Run, host: Path, tmp_path: Path
) -> None:
    absent = {**ONE, "group": "rackwright-no-such-group", "owner": "rackwright-no-such-user"}

    result = run([absent, TWO], check=True)

    assert result["changed"]
    assert reasons(result) == {"one": "there is none", "two": "there is none"}
    assert "one: there is none" in result["diff"]["prepared"]
    assert not host.exists()
    assert not (tmp_path / "pki").exists()


def test_keys_are_made_signed_and_installed_and_a_second_run_changes_nothing(
    run: Run, host: Path, tmp_path: Path
) -> None:
    first = run()
    before = snapshot(tmp_path / "tls") | snapshot(tmp_path / "metrics")
    second = run()

    assert first["changed"]
    assert not second["changed"]
    assert snapshot(tmp_path / "tls") | snapshot(tmp_path / "metrics") == before
    ca = Authority(tmp_path / "pki").certificate()
    for entry in (ONE, TWO):
        found = certificate(host, entry["service"])
        assert is_issued_by(found, ca)
        assert subject_names(found) == (set(entry["addresses"]), set(entry["names"]))
        key = serialization.load_pem_private_key((host / entry["service"] / "key.pem").read_bytes(), None)
        assert key.public_key() == found.public_key()
    assert (host / "ca.pem").read_bytes() == (tmp_path / "pki/ca.pem").read_bytes()
    assert [item.service for item in issued(Authority(tmp_path / "pki"))] == ["ca", "one", "two"]


def test_rights_are_narrow_and_nothing_else_is_left(run: Run, host: Path) -> None:
    run()

    modes = {str(path.relative_to(host)): stat.S_IMODE(path.stat().st_mode) for path in host.rglob("*")}
    assert modes == {
        "ca.pem": 0o644,
        "one": 0o750,
        "one/key.pem": 0o640,
        "one/cert.pem": 0o644,
        "two": 0o750,
        "two/key.pem": 0o640,
        "two/cert.pem": 0o644,
    }


def test_the_expiry_is_told_to_the_node_exporter(run: Run, host: Path, tmp_path: Path) -> None:
    run()

    text = (tmp_path / "metrics/rackwright_tls.prom").read_text()
    end = int(certificate(host, "one").not_valid_after_utc.timestamp())
    assert f'rackwright_certificate_not_after_seconds{{service="one"}} {end}\n' in text
    assert text.count("service=") == 2


def test_without_a_node_exporter_nothing_is_written_for_it(run: Run, tmp_path: Path) -> None:
    run(metrics_directory=str(tmp_path / "absent"))

    assert not (tmp_path / "absent").exists()


def damage_certificate(host: Path, _pki: Path) -> None:
    (host / "one/cert.pem").write_text("no certificate\n")


def damage_key(host: Path, _pki: Path) -> None:
    (host / "one/key.pem").write_text("no key\n")


def swap_key(host: Path, _pki: Path) -> None:
    (host / "one/key.pem").write_bytes((host / "two/key.pem").read_bytes())


def lose_key(host: Path, _pki: Path) -> None:
    (host / "one/key.pem").unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damage_certificate, "the certificate is not readable"),
        (damage_key, "the key is not readable"),
        (swap_key, "the key is not the certificate's"),
        (lose_key, "there is none"),
    ],
)
def test_what_is_damaged_is_made_anew_and_nothing_else(
    run: Run, host: Path, tmp_path: Path, damage: Callable[[Path, Path], None], reason: str
) -> None:
    run()
    untouched = snapshot(host / "two")
    damage(host, tmp_path / "pki")

    foreseen = run(check=True)
    result = run()

    assert reasons(foreseen) == reasons(result) == {"one": reason, "two": ""}
    assert snapshot(host / "two") == untouched
    assert not run()["changed"]


def test_new_names_are_a_reason_and_their_order_is_none(run: Run, host: Path) -> None:
    run()
    turned = {**TWO, "addresses": ["2001:DB8:0::1", "192.0.2.1"]}

    assert not run([ONE, turned])["changed"]
    result = run([{**ONE, "names": ["host1"]}, turned])

    assert reasons(result) == {"one": "its addresses or names are others", "two": ""}
    assert subject_names(certificate(host, "one")) == ({"192.0.2.1"}, {"host1"})


def test_what_ends_soon_is_renewed_with_a_new_key(run: Run, host: Path) -> None:
    run([ONE], valid_days=20, renew_days=10)
    old_key = (host / "one/key.pem").read_bytes()

    assert not run([ONE], renew_days=10)["changed"]
    result = run([ONE])

    assert reasons(result) == {"one": "it expires in 19 days"}
    assert result["items"][0]["days_left"] == 396
    assert (host / "one/key.pem").read_bytes() != old_key


def test_another_authority_makes_everything_anew(run: Run, host: Path, tmp_path: Path) -> None:
    run()
    (tmp_path / "pki").rename(tmp_path / "old")

    result = run()

    assert set(reasons(result).values()) == {"its issuer is another"}
    assert is_issued_by(certificate(host, "one"), Authority(tmp_path / "pki").certificate())
    assert (host / "ca.pem").read_bytes() == (tmp_path / "pki/ca.pem").read_bytes()


def test_wrong_rights_are_set_right_without_touching_the_content(run: Run, host: Path) -> None:
    run()
    key = host / "one/key.pem"
    key.chmod(0o644)
    os.chown(host / "two", 0, 1)
    before = key.stat().st_mtime_ns

    result = run()

    assert reasons(result) == {"one": "key.pem: mode 0640", "two": "two: owner root:root"}
    assert stat.S_IMODE(key.stat().st_mode) == 0o640
    assert key.stat().st_mtime_ns == before


def test_a_key_left_over_by_a_run_that_was_killed_is_replaced(run: Run, host: Path) -> None:
    run()
    (host / "one/.key.pem.pending").write_text("half")
    (host / "one/cert.pem").unlink()

    run()

    assert sorted(path.name for path in (host / "one").iterdir()) == ["cert.pem", "key.pem"]


@pytest.mark.parametrize(
    ("certificates", "complaint"),
    [
        ([ONE, ONE], "listed twice: one"),
        ([{"service": "one", "names": []}], "names"),
        ([{**ONE, "service": "../x"}], "service"),
        ([{**ONE, "owner": "rackwright-no-such-user"}], "there is no user rackwright-no-such-user"),
    ],
)
def test_unsound_input_is_refused(run: Run, certificates: list[dict[str, Any]], complaint: str) -> None:
    result = run(certificates)

    assert result["failed"]
    assert complaint in result["msg"]


def test_the_wrong_passphrase_is_refused_with_a_hint(run: Run, tmp_path: Path) -> None:
    Authority(tmp_path / "pki").ensure("another one")

    result = run()

    assert result["failed"]
    assert "does not open" in result["msg"]
    assert "hint:" in result["msg"]


def test_a_group_may_be_the_number_of_a_container(tmp_path: Path) -> None:
    store = Certificates(tmp_path, "", 30, check=False)
    assert store._ids("root", "60610") == (0, 60610)
    entry = Entry("qdrant", "root", "60610", frozenset(), frozenset())
    assert store.looked_at([entry], str(tmp_path))["groups"] == []
