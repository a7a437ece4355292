from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from rackwright.bench.converge import comparable
from rackwright.bench.floor import UnitState
from rackwright.bench.learn import certificate_names, plain_sql, recipe_of, unit_states
from rackwright.bench.observe import Subjects
from rackwright.bench.remote import Remote
from rackwright.bench.timed import changed_hosts
from rackwright.bench.work import Work
from rackwright.errors import RackwrightError


class NoHost(Remote):
    """Every question to it fails the test."""

    def __init__(self) -> None:
        pass


def pem(names: list[x509.GeneralName], common_name: str = "data1") -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    now = datetime.now(tz=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_names_of_a_certificate_as_openssl_writes_them() -> None:
    given_names = [x509.DNSName("data1"), x509.IPAddress(ip_address("192.0.2.1"))]
    assert certificate_names(pem(given_names)) == ("data1", ("DNS:data1", "IP:192.0.2.1"))


def test_units_as_systemctl_shows_them() -> None:
    shown = (
        "Id=nginx.service\nActiveState=active\nUnitFileState=enabled\n\n"
        "Id=systemd-journald.service\nActiveState=active\nUnitFileState=static\n"
    )
    assert unit_states(shown) == (
        UnitState("nginx.service", "active", "enabled"),
        UnitState("systemd-journald.service", "active", "static"),
    )


def test_a_dump_without_the_servers_own_role() -> None:
    dump = (
        "--\n-- dump\n--\n\nCREATE ROLE postgres;\nALTER ROLE postgres WITH SUPERUSER;\n"
        "CREATE ROLE postgres_reader;\nCREATE ROLE app;\n"
    )
    assert plain_sql(dump) == "CREATE ROLE postgres_reader;\nCREATE ROLE app;\n"


@given(st.lists(st.sampled_from(["CREATE ROLE app;", "-- note", "CREATE DATABASE app;", ""]), max_size=8))
def test_no_statement_is_lost(lines: list[str]) -> None:
    kept = plain_sql("\n".join(lines)).split("\n")
    assert [line for line in kept if line] == [line for line in lines if line.startswith("CREATE")]


def test_work_that_the_script_would_leave_out_makes_the_figures_void() -> None:
    with pytest.raises(
        RackwrightError, match=r"less than the run: role : new task, container engine, account alice"
    ):
        recipe_of(
            NoHost(),
            Work(not_understood=["role : new task"], containers={"engine": "/x"}, users={"alice": None}),
        )


def test_two_hosts_have_no_key_in_common() -> None:
    subjects = Subjects(
        hashed=("/etc/rackwright/tls/redis/key.pem", "/etc/redis/redis.conf"), present=("/etc",)
    )
    shared = comparable(subjects)
    assert shared.hashed == ("/etc/redis/redis.conf",)
    assert shared.present == ("/etc", "/etc/rackwright/tls/redis/key.pem")
    assert not shared.verifiers


def test_changes_are_read_from_the_end_of_a_run() -> None:
    output = (
        "PLAY RECAP ****\n"
        "data1                      : ok=37   changed=0    unreachable=0    failed=0    skipped=7 \n"
        "edge1                      : ok=28   changed=12   unreachable=0    failed=0    skipped=5 \n"
    )
    assert changed_hosts(output) == {"edge1": 12}
