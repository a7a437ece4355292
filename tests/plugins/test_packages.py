"""packages: what is missing, what apt said, and the transaction around it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from ansible.module_utils.rackwright import package_plan
from ansible.module_utils.rackwright.package_install import Apt, is_ours, proxy_text
from ansible.module_utils.rackwright.package_plan import NameRefusedError, parse_installed, parse_wanted
from hypothesis import given
from hypothesis import strategies as st

# As dpkg-query prints it: state, name, architecture, version, provides.
DPKG = """\
ii \tnginx\tamd64\t1.26.3-3\thttpd, httpd-cgi
ii \tlibc6\tamd64\t2.41-12\tlibc6-2.41 (= 2.41-12)
ii \tlibc6\ti386\t2.41-12\t
hi \theld-here\tamd64\t1.0\t
hn \theld-away\tamd64\t\t
rc \tremoved\tamd64\t1.0\t
un \tonly-named\t\t\t
ii \tg++\tamd64\t4:14.2.0-1\tc++-compiler
dpkg-query: warning: something else
"""
HALF_DONE = """\
iU \tunpacked\tamd64\t1.0\t
iF \thalf-configured\tamd64\t1.0\t
iHR\thalf-installed\tamd64\t1.0\t
iW \twaiting\tamd64\t1.0\twaits
it \tpending\tamd64\t1.0\t
ii \tgood\tamd64\t1.0\t
rc \tremoved\tamd64\t1.0\t
"""

MISSING = [
    (["nginx"], []),
    (["jq"], ["jq"]),
    (["jq", "nginx", "jq"], ["jq"]),
    (["httpd"], []),
    (["libc6-2.41"], []),
    (["httpd=1"], ["httpd=1"]),
    (["removed"], ["removed"]),
    (["only-named"], ["only-named"]),
    (["held-here"], []),
    (["libc6:i386"], []),
    (["nginx:i386"], ["nginx:i386"]),
    (["nginx=1.26.3-3"], []),
    (["nginx=1.27"], ["nginx=1.27"]),
    (["nginx/trixie-backports"], []),
    (["g++"], []),
]


@pytest.mark.parametrize(("names", "missing"), MISSING)
def test_what_is_missing(names: list[str], missing: list[str]) -> None:
    plan = package_plan.plan([parse_wanted(name) for name in names], parse_installed(DPKG))
    assert [want.text for want in plan.missing] == missing
    assert plan.held == []


def test_what_is_held_and_missing_is_named() -> None:
    plan = package_plan.plan(
        [parse_wanted(name) for name in ("held-away", "held-here", "jq")], parse_installed(DPKG)
    )
    assert plan.held == ["held-away"]


def test_versions_tell_architectures_apart() -> None:
    versions = parse_installed(DPKG).versions()
    assert versions["nginx"] == "1.26.3-3"
    assert {"libc6:amd64", "libc6:i386"} <= set(versions)
    assert not {"removed", "only-named", "held-away"} & set(versions)


def test_what_was_left_half_done() -> None:
    installed = parse_installed(HALF_DONE)
    assert installed.half_done == ["half-configured", "half-installed", "pending", "unpacked", "waiting"]
    assert set(installed.versions()) == {"good", "waiting", "pending"}


@pytest.mark.parametrize(
    "name", ["", "-y", "nginx-", "nginx*", "a b", "Nginx", "--purge", "nginx;id", "^nginx"]
)
def test_names_that_apt_takes_for_something_else_are_refused(name: str) -> None:
    with pytest.raises(NameRefusedError, match="not a package name"):
        parse_wanted(name)


names = st.from_regex(r"[a-z0-9][a-z0-9+.]{1,6}", fullmatch=True)


@given(wanted=st.lists(names, max_size=6), present=st.lists(names, max_size=6))
def test_once_the_missing_ones_are_there_none_is_missing(wanted: list[str], present: list[str]) -> None:
    def dpkg(packages: list[str]) -> package_plan.Installed:
        return parse_installed("".join(f"ii \t{name}\tamd64\t1.0\t\n" for name in packages))

    wishes = [parse_wanted(name) for name in wanted]
    missing = [want.text for want in package_plan.plan(wishes, dpkg(present)).missing]
    assert set(missing) == set(wanted) - set(present)
    assert len(missing) == len(set(missing))
    assert package_plan.plan(wishes, dpkg(present + missing)).missing == []


UNKNOWN = """\
Reading package lists...
E: Unable to locate package jqfoo
E: Unable to locate package barbaz
E: Package 'old-thing' has no installation candidate
E: Version '9.9' for 'nginx' was not found
"""


def test_the_names_that_apt_does_not_know() -> None:
    assert package_plan.unknown_names(UNKNOWN) == ["jqfoo", "barbaz", "old-thing", "nginx=9.9"]
    assert "apt offers no jqfoo, barbaz, old-thing, nginx=9.9" in package_plan.explain(UNKNOWN)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7", "locked"),
        ("Err:1 http://x trixie InRelease\n  Temporary failure resolving 'x'", "check package_proxy"),
        (
            "Could not connect to 10.0.0.1:3142 (10.0.0.1). - connect (111: Connection refused)",
            "check package_proxy",
        ),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "the disk is full"),
        ("The following held packages will be changed:\n  sl bc\n0 upgraded\n", "apt-mark unhold sl bc"),
        (
            "dpkg: error processing package x: installed x package post-installation script failed",
            "own script",
        ),
        ("The following packages have unmet dependencies:\n a : Depends: b", "do not fit"),
        ("something nobody foresaw", "something nobody foresaw"),
    ],
)
def test_why_apt_failed(output: str, words: str) -> None:
    assert words in package_plan.explain(output)


def test_what_a_simulation_would_install() -> None:
    output = """\
NOTE: This is only a simulation!
Inst libonig5 (6.9.9-1+b1 Debian:13.6/stable [amd64])
Inst libc6 [2.41-11] (2.41-12 Debian:13.6/stable [amd64])
Conf libonig5 (6.9.9-1+b1 Debian:13.6/stable [amd64])
"""
    assert package_plan.simulated(output) == [
        {"name": "libc6", "version": "2.41-12", "previous": "2.41-11"},
        {"name": "libonig5", "version": "6.9.9-1+b1"},
    ]


def test_what_a_simulation_would_take_away() -> None:
    output = "Remv exim4 [4.98-1] [mailutils:amd64 ]\nPurg old [1.0]\nInst new (2.0 Debian [amd64])\n"
    assert package_plan.simulated_removals(output) == [
        {"name": "exim4", "version": "4.98-1"},
        {"name": "old", "version": "1.0"},
    ]


POLICY = """\
systemd:
  Installed: 257.9-1
  Candidate: {candidate}
  Version table:
 *** 257.9-1 500
libc6:
  Installed: 2.41-12
  Candidate: 2.41-12
"""


@pytest.mark.parametrize(
    ("policy", "newest"),
    [
        (POLICY.format(candidate="257.9-1"), True),
        (POLICY.format(candidate="257.10-1"), False),
        ("systemd:\n  Installed: (none)\n  Candidate: 257.9-1\n", False),
        ("", False),
    ],
)
def test_whether_what_is_there_is_the_newest(policy: str, newest: bool) -> None:
    assert package_plan.is_newest(policy) == newest


def test_what_differs_is_what_a_simulation_would_have_said() -> None:
    assert package_plan.differing({"a": "1", "b": "1"}, {"a": "2", "b": "1", "c": "1"}) == [
        {"name": "a", "version": "2", "previous": "1"},
        {"name": "c", "version": "1"},
    ]


@pytest.fixture
def apt(tmp_path: Path) -> Apt:
    for folder in ("usr/sbin", "etc/apt/apt.conf.d", "var/lib/apt/lists", "var/lib/dpkg/updates"):
        (tmp_path / folder).mkdir(parents=True)
    return Apt(str(tmp_path))


def policy_says(
    apt: Apt, unit: str, verb: str, path: str = os.environ["PATH"], *, silenced: bool = True
) -> int:
    environment = {"PATH": path, **({"SYSTEMD_OFFLINE": "1"} if silenced else {})}
    done = subprocess.run([apt.policy, unit, verb], check=False, capture_output=True, env=environment)
    return done.returncode


@pytest.fixture
def told(tmp_path: Path) -> tuple[Path, str]:
    """What a systemctl that knows running.service alone was told, and where it is found."""
    record = tmp_path / "told"
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
echo "${{SYSTEMD_OFFLINE:-online}} $*" >>{record}
case "$*" in *is-active*) case "$*" in *running.service) exit 0 ;; *) exit 3 ;; esac ;; esac
"""
    )
    program.chmod(0o755)
    return record, f"{program.parent}:{os.environ['PATH']}"


def test_service_starts_are_held_back_only_meanwhile(apt: Apt, told: tuple[Path, str]) -> None:
    record, path = told
    with apt.starts_held_back():
        assert policy_says(apt, "x.service", "start", path) == 101
        assert policy_says(apt, "x.service", "restart", path) == 101
        assert record.read_text() == "online --quiet is-active x.service\n"
    assert not apt.policy.exists()


def test_what_runs_is_stopped_and_restarted_though_the_packages_scripts_are_not_heard(
    apt: Apt, told: tuple[Path, str]
) -> None:
    record, path = told
    with apt.starts_held_back():
        for verb in ("stop", "try-restart"):
            assert policy_says(apt, "running.service", verb, path) == 0
    assert record.read_text().splitlines() == [
        "online --quiet stop running.service",
        "online --quiet is-active running.service",
        "online daemon-reload",
        "online --quiet try-restart running.service",
    ]


def test_what_runs_is_left_to_the_packages_scripts_while_they_are_heard(
    apt: Apt, told: tuple[Path, str]
) -> None:
    record, path = told
    with apt.starts_held_back():
        for verb in ("stop", "restart"):
            assert policy_says(apt, "running.service", verb, path, silenced=False) == 0
    assert record.read_text().splitlines() == ["online --quiet is-active running.service"]


def test_somebody_else_s_policy_comes_back(apt: Apt) -> None:
    apt.policy.write_text("#!/bin/sh\nexit 104\n")
    apt.policy.chmod(0o755)
    with apt.starts_held_back():
        assert policy_says(apt, "x.service", "start") == 101
    assert policy_says(apt, "x.service", "start") == 104
    assert not apt.policy_left()


def test_what_a_killed_run_left_is_cleaned(apt: Apt) -> None:
    apt.policy.write_text("#!/bin/sh\nexit 104\n")
    context = apt.starts_held_back()
    context.__enter__()
    assert apt.policy_left()
    Apt(str(apt.root)).clean_policy()
    assert apt.policy.read_text() == "#!/bin/sh\nexit 104\n"
    assert not apt.policy_left()


def fetched(apt: Apt, age: float) -> None:
    (apt.lists / "mirror_dists_trixie_main_binary-amd64_Packages").write_text("")
    apt.stamp.write_text("")
    os.utime(apt.stamp, (time.time() - age, time.time() - age))


def test_lists_are_stale_when_missing_old_or_older_than_the_sources(apt: Apt) -> None:
    assert apt.lists_stale(3600)
    fetched(apt, 0)
    assert not apt.lists_stale(3600)
    fetched(apt, 3601)
    assert apt.lists_stale(3600)
    fetched(apt, 10)
    (apt.root / "etc/apt/sources.list").write_text("deb x y z\n")
    assert apt.lists_stale(3600)


def test_an_interrupted_dpkg_is_seen(apt: Apt) -> None:
    assert not apt.interrupted()
    (apt.root / "var/lib/dpkg/updates/0001").write_text("")
    assert apt.interrupted()


def test_only_our_own_proxy_file_is_ours(tmp_path: Path) -> None:
    path = tmp_path / "proxy"
    path.write_text(proxy_text("http://10.0.0.1:3142"))
    assert is_ours(path)
    assert 'Acquire::http::Proxy "http://10.0.0.1:3142";' in path.read_text()
    path.write_text('Acquire::http::Proxy "http://10.0.0.1:3142";\n')
    assert not is_ours(path)
