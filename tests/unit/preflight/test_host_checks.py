"""Each check of one host: what is found, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preflight_sample import CATALOGUE, LIMITS, NOW, PATHS, SOUND, TIERS, filesystem, listener, seen, subject

from rackwright.errors import RackwrightError
from rackwright.preflight.finding import HostFinding
from rackwright.preflight.judge_access import access_finding
from rackwright.preflight.judge_system import clock_finding, duration
from rackwright.preflight.subjects import unsupported_systems

Judged: TypeAlias = Callable[..., list[HostFinding]]


TMP = "/tmp"  # noqa: S108 - what is looked at


def only(findings: list[HostFinding]) -> HostFinding:
    assert len(findings) == 1, findings
    return findings[0]


def test_a_sound_host_has_nothing_to_mend(judged: Judged) -> None:
    assert judged() == []


SIMPLE = [
    ({"os": "debian-11"}, "error", "system", "debian-11"),
    ({"os": "rocky-9.4"}, "error", "system", "rocky-9.4"),
    ({"architecture": "riscv64"}, "error", "system", "riscv64"),
    ({"python": "3.9"}, "error", "python", "3.9"),
    ({"systemd": False}, "error", "systemd", "another init"),
    ({"cgroup_version": 1}, "warning", "cgroup", "version 1"),
    ({"hostname": "localhost"}, "info", "hostname", "localhost"),
    ({"clock_synchronised": False}, "warning", "time_sync", "nobody keeps it right"),
    ({"units": ["firewalld"]}, "error", "conflicts", "firewalld"),
    ({"ufw": True}, "error", "conflicts", "ufw"),
    ({"packages": ["iptables-persistent"]}, "error", "conflicts", "iptables-persistent"),
    ({"sources": []}, "error", "mirrors", "no package source"),
    ({"interfaces": None}, "info", "address", "`ip` is not installed"),
]


@pytest.mark.parametrize(("change", "severity", "check", "found"), SIMPLE)
def test_one_fault_is_one_finding(
    judged: Judged, change: dict[str, Any], severity: str, check: str, found: str
) -> None:
    finding = only(judged(**change))
    assert (finding.severity, finding.check) == (severity, check)
    assert found in finding.found
    assert finding.needed
    assert finding.mend


def test_a_firewall_package_that_does_not_run_is_left_alone(judged: Judged) -> None:
    assert judged(packages=["ufw", "firewalld"]) == []


@pytest.mark.parametrize("change", [{"docker_snap": True}, {"packages": ["docker-ce"]}])
def test_another_docker_counts_where_docker_is_installed(judged: Judged, change: dict[str, Any]) -> None:
    assert judged(**change) == []
    assert only(judged(subject("docker"), **change)).check == "conflicts"


def test_a_container_has_the_clock_and_the_groups_of_its_machine(judged: Judged) -> None:
    assert judged(container=True, cgroup_version=1, clock_synchronised=False) == []


def test_a_role_that_lacks_the_system(judged: Judged) -> None:
    reasons = {"redis": {"debian-13": "", "debian": "too old", "default": "not packaged"}}
    about = subject("redis", unsupported=reasons)
    assert judged(about) == []
    assert "too old" in only(judged(about, os="debian-12")).mend
    assert "not packaged" in only(judged(about, os="ubuntu-24.04")).mend


def test_the_roles_own_words_are_read() -> None:
    reasons = unsupported_systems()
    assert "Docker Compose v2" in reasons["docker"]["debian-12"]
    assert reasons["docker"]["debian-13"] == ""
    assert "nginx" not in reasons


class TestPorts:
    """Who may listen where."""

    def test_a_foreign_process(self, judged: Judged) -> None:
        finding = only(judged(listeners=[listener(5432, unit="legacy.service")]))
        assert finding.found == "tcp 0.0.0.0:5432: nc (legacy.service)"
        assert finding.needed == "tcp 5432 for postgresql (sql)"
        assert "systemctl disable --now legacy.service" in finding.mend

    OURS = (
        listener(5432, address="10.0.30.11", program="postgres", unit="postgresql@17-main.service"),
        listener(5432, program="postgres", unit="postgresql.service"),
        listener(6379, program="redis-server", unit="redis-server.service"),
        listener(22, program="sshd", unit="sshd.service"),
        listener(22, program="systemd", unit="ssh.socket"),
    )

    @pytest.mark.parametrize("ours", OURS)
    def test_our_own_service_is_passed_over(self, judged: Judged, ours: dict[str, Any]) -> None:
        assert judged(listeners=[ours]) == []

    def test_what_it_takes_the_place_of_gives_the_port_back(self, judged: Judged) -> None:
        former = listener(443, program="nginx", unit="nginx.service")
        assert only(judged(subject("haproxy"), listeners=[former])).check == "ports"
        chosen = subject("haproxy", replaced={"haproxy": {"nginx": CATALOGUE.services["nginx"]}})
        assert judged(chosen, listeners=[former]) == []

    def test_one_of_our_services_on_the_port_of_another(self, judged: Judged) -> None:
        ours = listener(5432, program="redis-server", unit="redis-server.service")
        assert only(judged(listeners=[ours])).check == "ports"

    ADDRESSES = (
        ("0.0.0.0", True),  # noqa: S104 - what somebody else listens on
        ("::", True),
        ("::ffff:10.0.30.11", True),
        ("10.0.30.11", True),
        ("127.0.0.1", True),
        ("192.168.1.4", False),
    )

    @pytest.mark.parametrize(("address", "found"), ADDRESSES)
    def test_addresses_that_are_in_the_way(self, judged: Judged, address: str, found: bool) -> None:
        assert bool(judged(listeners=[listener(5432, address=address)])) is found

    def test_containers(self, judged: Judged) -> None:
        about = subject("docker", "llama_cpp")
        ours = listener(8080, program="dockerd", unit="docker.service", container="llama_cpp")
        assert judged(about, listeners=[ours]) == []
        other = only(judged(about, listeners=[ours | {"container": "web"}]))
        assert other.found == "tcp 0.0.0.0:8080: container web"
        # Further instances of an engine are called so.
        further = [ours | {"container": "llama_cpp_1"}]
        assert judged(about, listeners=further) == []
        assert judged(about, listeners=[ours | {"container": "llama_cpp_old"}])
        # A container that has the name of no unit of ours may not pass as one either.
        assert judged(listeners=[listener(5432, unit="postgresql.service", container="web")])

    def test_the_door_before_a_container_is_the_services_own(self, judged: Judged) -> None:
        about = subject("milvus")
        door = listener(19530, program="systemd", unit="rackwright-milvus-front.socket")
        inner = listener(19531, program="dockerd", unit="docker.service", container="milvus")
        assert judged(about, listeners=[door, inner]) == []
        other = listener(19530, program="systemd", unit="rackwright-chroma-front.socket")
        assert only(judged(about, listeners=[other])).check == "ports"

    def test_udp_does_not_take_a_tcp_port(self, judged: Judged) -> None:
        assert judged(listeners=[listener(5432, protocol="udp")]) == []

    def test_a_socket_of_the_kernel(self, judged: Judged) -> None:
        assert "kernel" in only(judged(listeners=[listener(5432, program="")])).found


class TestCapacity:
    """Memory, cores, disks, link."""

    def test_more_is_counted_on_than_is_there(self, judged: Judged) -> None:
        about = subject("redis", memory_mb=262144, cpus=64)
        assert {finding.check for finding in judged(about)} == {"memory", "cores"}

    def test_less_is_fine(self, judged: Judged) -> None:
        assert judged(subject("redis", memory_mb=2048, cpus=2)) == []

    def test_a_budget_that_is_refused(self, judged: Judged) -> None:
        def refuse(memory_mb: int, cpus: int) -> object:
            raise RackwrightError(f"{memory_mb} and {cpus} do not do", hint="add 3 MB")

        finding = only(judged(subject("redis", plan=refuse)))
        assert (finding.check, finding.mend) == ("budget", "add 3 MB")
        assert "131072 and 32 do not do" in finding.found

    def test_an_engine_host_below_the_least_machine(self, judged: Judged) -> None:
        about = subject("docker", "llama_cpp", tier=TIERS["enterprise"])
        small = judged(about, cpus=4, memory_mb=16384, disks_gb=100.0)
        below = {finding.check for finding in small if finding.severity == "error"}
        assert {"tier_cores", "tier_memory", "tier_disk"} <= below

    def test_a_data_host_below_it_is_warned_of(self, judged: Judged) -> None:
        about = subject("postgresql", tier=TIERS["enterprise"])
        found = judged(about, cpus=4, memory_mb=16384)
        assert {finding.severity for finding in found if finding.check.startswith("tier_c")} == {"warning"}

    def test_other_hosts_are_not_asked(self, judged: Judged) -> None:
        assert judged(subject("nginx", tier=TIERS["flagship"]), cpus=1, memory_mb=1024) == []

    def test_a_machine_shows_less_than_is_sold(self, judged: Judged) -> None:
        about = subject("docker", "llama_cpp", tier=TIERS["entry"])
        # 32 GB as a machine shows them.
        checks = {finding.check for finding in judged(about, memory_mb=31_900) if finding.severity == "error"}
        assert "tier_memory" not in checks

    def test_a_full_disk(self, judged: Judged) -> None:
        found = only(judged(filesystems=[filesystem(path, free_mb=5000) for path in PATHS]))
        assert found.check == "disk"
        assert "postgresql 4096" in found.needed
        assert found.found == "5000 MiB free on /"

    def test_what_runs_needs_no_more(self, judged: Judged) -> None:
        running = [
            listener(5432, program="postgres", unit="postgresql@17-main.service"),
            listener(6379, program="redis-server", unit="redis-server.service"),
        ]
        disks = [filesystem(path, free_mb=5000) for path in PATHS]
        assert judged(filesystems=disks, listeners=running) == []

    def test_a_disk_of_its_own_counts_by_itself(self, judged: Judged) -> None:
        data = filesystem("/var/lib/postgresql", mount="/var/lib/postgresql", free_mb=100)
        found = only(judged(filesystems=[*SOUND["filesystems"], data]))
        assert found.found == "100 MiB free on /var/lib/postgresql"

    def test_no_inodes(self, judged: Judged) -> None:
        found = only(judged(filesystems=[filesystem(path, inodes_free_percent=1) for path in PATHS]))
        assert "inodes" in found.found

    def test_btrfs_has_no_inodes_to_count(self, judged: Judged) -> None:
        assert judged(filesystems=[filesystem(path, inodes_free_percent=None) for path in PATHS]) == []

    @pytest.mark.parametrize("path", ["/", "/etc", "/usr", "/var/lib", "/var/log"])
    def test_a_read_only_file_system(self, judged: Judged, path: str) -> None:
        disks = [filesystem(entry, mount=entry, read_only=entry == path) for entry in PATHS]
        assert only(judged(filesystems=disks)).found == f"read-only: {path}"

    @pytest.mark.parametrize(
        ("change", "severity"),
        [({"noexec": True}, "warning"), ({"free_mb": 10}, "error"), ({"read_only": True}, "error")],
    )
    def test_tmp(self, judged: Judged, change: dict[str, Any], severity: str) -> None:
        disks = [
            *(filesystem(path) for path in PATHS if path != TMP),
            filesystem(TMP, mount=TMP, **change),
        ]
        finding = only(judged(filesystems=disks))
        assert (finding.check, finding.severity) == ("tmp", severity)


class TestClock:
    """What is proved of the clock."""

    @pytest.mark.parametrize(
        ("offset", "severity", "said"),
        [
            (0, "ok", "in time"),
            (-1.5, "ok", "in time"),
            (5, "warning", "4.9 s fast"),
            (-5, "warning", "4.9 s slow"),
            (3600, "error", "60.0 min fast"),
            (-86400 * 3, "error", "3.0 days slow"),
        ],
    )
    def test_offsets(self, offset: float, severity: str, said: str) -> None:
        observations = seen(started=NOW + 0.1 + offset, ended=NOW + 0.4 + offset)
        finding = clock_finding(subject(), observations, (NOW, NOW + 0.5))
        assert (finding.severity, finding.found) == (severity, said)

    @given(
        offset=st.floats(-1e6, 1e6),
        way_there=st.floats(0, 60),
        work=st.floats(0, 10),
        way_back=st.floats(0, 60),
    )
    def test_a_right_clock_is_never_blamed_and_no_offset_is_exaggerated(
        self, offset: float, way_there: float, work: float, way_back: float
    ) -> None:
        began = NOW + way_there
        observations = seen(started=began + offset, ended=began + work + offset)
        window = (NOW, began + work + way_back)
        finding = clock_finding(subject(), observations, window)
        if abs(offset) <= LIMITS.clock_warning_seconds:
            assert finding.severity == "ok"
        if abs(offset) > LIMITS.clock_error_seconds + way_there + way_back + 1:
            assert finding.severity == "error"
            assert ("fast" in finding.found) is (offset > 0)

    def test_durations(self) -> None:
        assert [duration(value) for value in (3, 600, 7200, 200_000)] == [
            "3.0 s",
            "10.0 min",
            "2.0 h",
            "2.3 days",
        ]


# What ssh, sudo and shells really say.
PROBLEMS = [
    ("ssh: connect to host 10.0.30.11 port 22: Connection refused", "reachable", "refuses the connection"),
    ("ssh: connect to host 10.0.30.11 port 22: Connection timed out", "reachable", "does not answer"),
    ("ssh: connect to host 10.0.30.11 port 22: No route to host", "reachable", "no route"),
    ("ssh: Could not resolve hostname data1: Name or service not known", "reachable", "does not resolve"),
    ("rackwright@10.0.30.11: Permission denied (publickey).", "reachable", "refuses the key"),
    ("No ED25519 host key is known for 10.0.30.11 and you have requested", "reachable", "is not known"),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED!\nHost key verification failed.", "reachable", "another"),
    ("kex_exchange_identification: Connection closed by remote host", "reachable", "closes the connection"),
    ("sudo: a password is required", "sudo", "may not become root"),
    ("Timeout (17s) waiting for privilege escalation prompt:", "sudo", "in time"),
    ("Missing sudo password", "sudo", "may not become root"),
    ("rackwright is not in the sudoers file.", "sudo", "may not become root"),
    ("/bin/sh: 1: sudo: not found", "sudo", "not installed"),
    ("/bin/sh: 1: /usr/bin/python3: not found", "python", "no usable Python"),
    ("mkdir: cannot create directory: No space left on device", "disk", "full"),
    ("mkdir: cannot create directory: Read-only file system", "read_only", "read-only"),
    ("the moon is in the way", "reachable", "the moon is in the way"),
    ("", "reachable", "it gave no reason"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "check", "found"), PROBLEMS)
def test_why_a_host_cannot_be_asked(said: str, check: str, found: str) -> None:
    finding = access_finding("data1", said)
    assert (finding.severity, finding.check) == ("error", check)
    assert found in finding.found
    assert finding.mend


def test_a_long_reason_ends_with_its_last_words() -> None:
    assert access_finding("data1", f"{'x' * 5000} the end").found.endswith("the end")
    assert len(access_finding("data1", "x" * 5000).found) < 200
