"""host_preflight: what is read from which file, and what real servers on this machine answer."""

from __future__ import annotations

import http.server
import ipaddress
import json
import os
import socket
import socketserver
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import pytest
from ansible.module_utils.rackwright import observe_host, observe_names, observe_network, observe_sources
from hypothesis import given
from hypothesis import strategies as st

from rackwright.preflight.judge import read_answer

RunModule: TypeAlias = Callable[..., dict[str, Any]]
HERE = "127.0.0.1"
RELEASE = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: Debian\n"


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers by path; as a proxy it is asked for whole URLs."""

    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        path = self.path.removeprefix("http://mirror.test")
        self.asked[path] += 1
        status, kind, body = {
            "/good/dists/x/InRelease": (200, "text/plain", RELEASE),
            "/old/dists/x/Release": (200, "text/plain", b"Suite: x\nCodename: x\n"),
            "/portal/dists/x/InRelease": (200, "text/html", b"<html>Please log in</html>"),
            "/auth/dists/x/InRelease": (407, "text/html", b"no"),
            "/net/dists/x/InRelease": (511, "text/html", b"no"),
        }.get(path, (404, "text/html", b"no"))
        if path.startswith("/moved/"):
            status, kind, body = 302, "text/html", b""
        if path.startswith("/filling/"):
            status, kind, body = 200, "octet/stream", RELEASE if self.asked[path] > 2 else b""
        if path.startswith("/empty/"):
            status, kind, body = 200, "octet/stream", b""
        if path.startswith("/slow/"):
            time.sleep(2)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status == 302:
            self.send_header(
                "Location", "/portal/dists/x/InRelease" if "portal" in path else "/good/dists/x/InRelease"
            )
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def mirror() -> Iterator[int]:
    with serving(http.server.ThreadingHTTPServer((HERE, 0), Answers)) as port:
        yield port


class TestSources:
    """Package sources."""

    CASES = (
        ("good", "ok"),
        ("old", "ok"),
        ("moved", "ok"),
        ("portal", "intercepted"),
        ("moved/portal", "intercepted"),
        ("auth", "proxy"),
        ("net", "intercepted"),
        # A cache that fetches the file just now, and one that never has it.
        ("filling", "ok"),
        ("empty", "intercepted"),
        ("none", "status"),
        ("slow", "timeout"),
    )

    @pytest.mark.parametrize(("place", "kind"), CASES)
    def test_what_a_mirror_answers(self, mirror: int, place: str, kind: str) -> None:
        url = f"http://{HERE}:{mirror}/{place}/dists/x/InRelease"
        assert observe_sources.ask_source(url, "", 1.0)["kind"] == kind

    @pytest.mark.parametrize(("place", "kind"), [("good", "ok"), ("portal", "intercepted")])
    def test_through_a_proxy_that_resolves_the_name(self, mirror: int, place: str, kind: str) -> None:
        url = f"http://mirror.test/{place}/dists/x/InRelease"
        answer = observe_sources.ask_source(url, f"http://{HERE}:{mirror}", 2.0)
        assert answer["kind"] == kind, answer

    def test_nobody_there(self) -> None:
        with socket.create_server((HERE, 0)) as closed:
            port = closed.getsockname()[1]
        answer = observe_sources.ask_source(f"http://{HERE}:{port}/dists/x/InRelease", "", 1.0)
        assert answer["kind"] == "refused"

    def test_no_such_name(self) -> None:
        assert (
            observe_sources.ask_source("http://nowhere.invalid/dists/x/InRelease", "", 1.0)["kind"] == "name"
        )

    def test_no_tls_there(self, mirror: int) -> None:
        answer = observe_sources.ask_source(f"https://{HERE}:{mirror}/dists/x/InRelease", "", 1.0)
        assert answer["kind"] == "tls"

    def test_a_disc(self) -> None:
        assert observe_sources.ask_source("cdrom:[Debian]/dists/x/InRelease", "", 1.0)["kind"] == "medium"

    def test_any_answer_of_another_mirror_is_good(self, mirror: int) -> None:
        assert observe_sources.ask_url(f"http://{HERE}:{mirror}/v2/", "", 1.0)["kind"] == "ok"
        assert (
            observe_sources.ask_url(f"http://{HERE}:{mirror}/auth/dists/x/InRelease", "", 1.0)["kind"]
            == "proxy"
        )

    def test_the_lines_of_apt(self, tmp_path: Path) -> None:
        write(
            tmp_path / "etc/apt/sources.list",
            "# deb http://no.test x main\n"
            "deb http://a.test/debian trixie main\n"
            "deb [arch=amd64 signed-by=/k] http://a.test/debian/ trixie-updates main\n"
            "deb-src http://b.test/debian trixie main\n"
            "deb cdrom:[Debian 13]/ trixie main\n"
            "deb file:/srv/mirror ./\n"
            "deb http://flat.test/repo ./\n",
        )
        write(
            tmp_path / "etc/apt/sources.list.d/x.sources",
            "Types: deb deb-src\nURIs: https://c.test/debian\n https://d.test/debian\n"
            "Suites: trixie trixie-updates\nComponents: main\n\n"
            "# off\nEnabled: no\nTypes: deb\nURIs: http://off.test\nSuites: x\n",
        )
        assert observe_sources.apt_sources(tmp_path) == [
            "http://a.test/debian/dists/trixie/InRelease",
            "cdrom:[Debian 13]/dists/trixie/InRelease",
            "http://flat.test/repo/./InRelease",
            "https://c.test/debian/dists/trixie/InRelease",
            "https://d.test/debian/dists/trixie/InRelease",
        ]

    def test_proxies(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HTTPS_PROXY", "http://e:1")
        write(tmp_path / "etc/environment", 'PATH="/bin"\nexport http_proxy="http://f:2"\n')
        write(
            tmp_path / "etc/apt/apt.conf.d/90x",
            'Acquire::http::Proxy "http://g:3";\n// Acquire::http::Proxy "no";\n',
        )
        found = observe_sources.proxies(tmp_path)
        assert [(entry["where"], entry["value"]) for entry in found] == [
            ("environment", "http://e:1"),
            ("/etc/environment", "http://f:2"),
            ("/etc/apt/apt.conf.d/90x", "http://g:3"),
        ]
        assert observe_sources.proxy_for("http://a", "", found) == "http://g:3"
        assert observe_sources.proxy_for("https://a", "", found) == "http://g:3"
        assert observe_sources.proxy_for("http://a", "http://site:1", found) == "http://site:1"
        direct = [*found, {"where": "x", "name": "Acquire::https::Proxy", "value": "DIRECT"}]
        assert observe_sources.proxy_for("https://a", "", direct) == ""
        assert observe_sources.proxy_for("http://a", "", []) == ""

    def test_what_hangs_is_left_behind(self) -> None:
        started = time.monotonic()
        fast = ({"said": "nothing"}, lambda: {"said": "fast"})
        slow = ({"said": "nothing"}, lambda: time.sleep(5) or {"said": "slow"})
        assert observe_sources.at_once([fast, slow], 0.3) == [{"said": "fast"}, {"said": "nothing"}]
        assert time.monotonic() - started < 2


class TestNames:
    """DNS, against a server of our own."""

    @pytest.mark.parametrize(("code", "ok"), [(0, True), (3, True), (2, False), (5, False)])
    def test_what_a_server_answers(self, monkeypatch: pytest.MonkeyPatch, code: int, ok: bool) -> None:
        class Server(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, line = self.request
                line.sendto(data[:2] + struct.pack("!H", 0x8180 | code) + data[4:], self.client_address)

        with serving(socketserver.UDPServer((HERE, 0), Server)) as port:
            monkeypatch.setattr(observe_names, "_PORT", port)
            assert observe_names.ask_server(HERE, "mirror.test", 2.0)["ok"] is ok

    def test_nobody_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind((HERE, 0))
            monkeypatch.setattr(observe_names, "_PORT", silent.getsockname()[1])
            assert "no answer" in observe_names.ask_server(HERE, "mirror.test", 0.2)["detail"]
        assert observe_names.ask_server(HERE, "mirror.test", 0.2)["ok"] is False

    def test_resolver(self, tmp_path: Path) -> None:
        write(
            tmp_path / "etc/resolv.conf",
            "# nameserver 9.9.9.9\nnameserver 10.0.0.53\noptions edns0\nnameserver ::1\n",
        )
        assert observe_names.resolvers(tmp_path) == ["10.0.0.53", "::1"]
        assert observe_names.resolve("localhost")["ok"]
        assert not observe_names.resolve("nowhere.invalid")["ok"]


class TestNetwork:
    """Sockets and their owners."""

    def test_a_socket_of_this_very_process(self) -> None:
        with (
            socket.create_server((HERE, 0)) as mine,
            socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
        ):
            ports = {mine.getsockname()[1]: HERE, six.getsockname()[1]: "::1"}
            found = observe_network.listeners(frozenset(ports))
        assert {entry["port"]: entry["address"] for entry in found} == ports
        assert {entry["program"] for entry in found} == {Path("/proc/self/comm").read_text().strip()}

    def test_a_udp_socket(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mine:
            mine.bind((HERE, 0))
            found = observe_network.listeners(frozenset({mine.getsockname()[1]}))
        assert [(entry["protocol"], entry["address"]) for entry in found] == [("udp", HERE)]

    def test_a_connection_is_no_listener(self) -> None:
        with (
            socket.create_server((HERE, 0)) as server,
            socket.create_connection(server.getsockname()) as client,
        ):
            assert observe_network.listeners(frozenset({client.getsockname()[1]})) == []

    ID = "0123456789abcdef" * 4
    OUTER = "f" * 64
    OWNERS = (
        ("0::/system.slice/nginx.service\n", ("nginx.service", "")),
        (f"0::/docker/{OUTER}/system.slice/system-postgresql.slice/postgresql@17-main.service",
         ("postgresql@17-main.service", OUTER)),
        ("12:pids:/x\n1:name=systemd:/system.slice/ssh.service\n0::/", ("ssh.service", "")),
        (f"0::/system.slice/docker-{ID}.scope", ("", ID)),
        (f"0::/docker/{ID}", ("", ID)),
        (f"0::/docker/{OUTER}/docker/{ID}", ("", ID)),
        ("0::/user.slice/user-0.slice/session-1.scope", ("", "")),
        ("0::/user.slice/user-0.slice/user@0.service/app.slice/web.service", ("web.service", "")),
        ("", ("", "")),
    )  # fmt: skip

    @pytest.mark.parametrize(("cgroups", "expected"), OWNERS)
    def test_owners(self, cgroups: str, expected: tuple[str, str]) -> None:
        assert observe_network.owner(cgroups) == expected

    @given(st.ip_addresses())
    def test_addresses_as_the_kernel_writes_them(
        self, address: ipaddress.IPv4Address | ipaddress.IPv6Address
    ) -> None:
        written = "".join(
            f"{struct.unpack('=I', address.packed[start : start + 4])[0]:08X}"
            for start in range(0, len(address.packed), 4)
        )
        assert observe_network.address_of(written) == str(address)

    def test_published_ports(self, tmp_path: Path) -> None:
        for name, running in (("web", True), ("gone", False)):
            place = tmp_path / "var/lib/docker/containers" / name
            write(place / "config.v2.json", json.dumps({"Name": f"/{name}", "State": {"Running": running}}))
            bindings = {"80/tcp": [{"HostIp": "", "HostPort": "8080" if running else "9090"}], "81/tcp": None}
            write(place / "hostconfig.json", json.dumps({"PortBindings": bindings}))
        write(tmp_path / "var/lib/docker/containers/broken/config.v2.json", "{")
        assert observe_network._published(tmp_path) == {8080: "web"}


class TestHost:
    """The machine's files."""

    MOUNTS = (
        "/dev/sda1 / ext4 rw,relatime 0 0\n"
        "tmpfs /tmp tmpfs rw,noexec 0 0\n"
        "/dev/sdb1 {deep} ext4 rw 0 0\n"
        "/dev/sdc1 {deep} xfs ro,noexec 0 0\n"
        "/dev/sdd1 {root}/with\\040space ext4 rw 0 0\n"
    )

    def test_the_last_of_the_deepest_mounts_counts(self, tmp_path: Path) -> None:
        deep = tmp_path / "deep"
        (deep / "er").mkdir(parents=True)
        (tmp_path / "with space").mkdir()
        mounts = self.MOUNTS.format(deep=deep, root=tmp_path)
        paths = [str(deep / "er/none/at/all"), str(tmp_path), str(tmp_path / "with space"), f"{deep}er"]
        found = observe_host.filesystems(paths, mounts)
        assert [(entry["device"], entry["read_only"], entry["noexec"]) for entry in found[:1]] == [
            ("/dev/sdc1", True, True)
        ]
        assert found[2]["device"] == "/dev/sdd1"
        # A name that merely begins alike is elsewhere.
        assert found[3]["device"] != "/dev/sdc1"
        assert all(entry["free_mb"] <= entry["size_mb"] for entry in found)

    def test_gpus(self, tmp_path: Path) -> None:
        devices = tmp_path / "sys/bus/pci/devices"
        for address, vendor, device, kind in (
            ("0000:00:02.0", "0x8086", "0x0166", "0x030000"),
            ("0000:3b:00.0", "0x10de", "0x20b5", "0x030200"),
            ("0000:3b:00.1", "0x10de", "0x228b", "0x040300"),
        ):
            for name, value in (("vendor", vendor), ("device", device), ("class", kind)):
                write(devices / address / name, f"{value}\n")
            write(devices / address / "subsystem_vendor", "0x10de\n")
            write(devices / address / "subsystem_device", "0x1533\n")
        (tmp_path / "sys/bus/pci/drivers/nvidia").mkdir(parents=True)
        assert observe_host.gpus(tmp_path) == [
            {"address": "0000:3b:00.0", "id": "10de:20b5", "subsystem": "10de:1533", "driver": None}
        ]
        (devices / "0000:3b:00.0/driver").symlink_to(tmp_path / "sys/bus/pci/drivers/nvidia")
        assert observe_host.gpus(tmp_path)[0]["driver"] == "nvidia"
        assert observe_host.gpus(tmp_path / "nothing") == []

    @pytest.mark.parametrize(
        ("value", "expected"), [(b"\x06\0\0\0\x01", True), (b"\x06\0\0\0\x00", False), (None, None)]
    )
    def test_secure_boot(self, tmp_path: Path, value: bytes | None, expected: bool | None) -> None:
        path = tmp_path / observe_host.SECURE_BOOT
        if value is not None:
            path.parent.mkdir(parents=True)
            path.write_bytes(value)
        assert observe_host.secure_boot(tmp_path) is expected

    def test_disks(self, tmp_path: Path) -> None:
        for name, size in (("nvme0n1", "3907029168"), ("loop0", "1000"), ("sr0", "8"), ("sdb", "x")):
            write(tmp_path / "sys/block" / name / "size", size)
        write(tmp_path / "sys/block/sdc/size", "1000000000")
        write(tmp_path / "sys/block/sdc/removable", "1")
        assert observe_host.disks_gb(tmp_path) == 2000.4

    def test_packages(self, tmp_path: Path) -> None:
        write(
            tmp_path / "var/lib/dpkg/status",
            "Package: ufw\nStatus: install ok installed\n\n"
            "Package: firewalld\nStatus: deinstall ok config-files\n\n"
            "Package: bash\nStatus: install ok installed\n",
        )
        assert observe_host.installed_packages(frozenset({"ufw", "firewalld"}), tmp_path) == ["ufw"]

    def test_release_and_memory(self, tmp_path: Path) -> None:
        write(tmp_path / "etc/os-release", '# x\nID=ubuntu\nVERSION_ID="22.04"\n')
        write(tmp_path / "proc/meminfo", "MemTotal: 2097152 kB\nMemAvailable:  1048576 kB\n")
        assert observe_host.release(tmp_path) == "ubuntu-22.04"
        assert observe_host.memory(tmp_path) == {"memory_mb": 2048, "memory_available_mb": 1024}

    def test_asking_for_the_clocks_state_sets_nothing(self) -> None:
        before = time.time()
        assert observe_host.clock_synchronised() in {True, False, None}
        assert abs(time.time() - before) < 5


def test_the_whole_module_is_understood(run_module: RunModule) -> None:
    before = time.time()
    result = run_module("host_preflight", {"timeout": 1.0, "dns_servers": ["127.0.0.254"]}, check=True)
    assert result["changed"] is False
    said = read_answer("here", {**result, "window": [before, time.time()]})
    assert said.observations is not None
    assert said.observations.ended >= said.observations.started
    assert [server.ok for server in said.observations.dns] == [False]


def test_bad_input_is_refused(run_module: RunModule) -> None:
    assert "timeout must be more than 0" in run_module("host_preflight", {"timeout": 0})["msg"]
