"""AppArmor profiles: Debian's own parser takes every one; they allow no more than the unit itself does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rackwright.confinement.model import Needs, declared_by_role, needs_of_service
from rackwright.confinement.site import MODES, Confined, confined, problems, told
from rackwright.errors import RackwrightError
from rackwright.site.paths import repository_root

ROOT = repository_root()
CATALOGUE: dict[str, Any] = yaml.safe_load((ROOT / "group_vars/all/services.yml").read_text("utf-8"))[
    "services"
]
ENFORCED = {entry.profile.removeprefix("rackwright."): entry for entry in confined(CATALOGUE, "enforce")}
# What nobody but its owner may see, whatever the service.
FOREIGN = (
    "/etc/shadow",
    "/root/.ssh/id_ed25519",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/sudoers",
    "/var/lib/postgresql/17/main/PG_VERSION",
)


def parsed(path: Path) -> subprocess.CompletedProcess[str]:
    """What the parser says of a profile, by the features that it is written for; warnings are errors."""
    program = shutil.which("apparmor_parser", path="/usr/sbin:/sbin")
    assert program, "apparmor_parser is not installed: make packages"
    features = ["--features-file", "/etc/apparmor.d/abi/3.0"]
    # Debian 13's own abstractions are written for newer features as well, which it warns of (abi).
    strict = ["-Q", "-K", "-T", "--warn=all", "--warn=no-abi", "--Werror"]
    return subprocess.run(
        [program, *strict, *features, str(path)], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("name", sorted(ENFORCED))
@pytest.mark.parametrize("mode", ["enforce", "complain"])
def test_the_parser_takes_it(name: str, mode: str, tmp_path: Path) -> None:
    service = ENFORCED[name].service
    (entry,) = [
        entry
        for entry in confined({service: CATALOGUE[service]}, mode)
        if entry.profile == ENFORCED[name].profile
    ]
    path = tmp_path / entry.profile
    path.write_text(entry.text, encoding="utf-8")
    done = parsed(path)
    assert done.returncode == 0, done.stderr
    assert ("flags=(complain, " in entry.text) == (mode == "complain")


def test_the_parser_is_asked_in_earnest(tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_text(ENFORCED["redis"].text.replace("/etc/redis/** r,", "/etc/redis/** r"), encoding="utf-8")
    assert parsed(path).returncode != 0


@pytest.mark.parametrize("name", sorted(ENFORCED))
def test_nothing_of_others_is_named(name: str) -> None:
    """By the rules themselves: a pattern of the profile, read as AppArmor reads it, matches none of these."""
    rules = re.findall(r"^  (/\S+) \w+,$", ENFORCED[name].text, re.MULTILINE)
    patterns = [re.compile(expression(rule)) for rule in rules]
    others = [f"/etc/rackwright/tls/{other}/key.pem" for other in CATALOGUE if other not in keys_of(name)]
    reached = [path for path in (*FOREIGN, *others) if any(pattern.fullmatch(path) for pattern in patterns)]
    assert reached == []


def keys_of(name: str) -> set[str]:
    """Whose keys a profile may reach: none, where the service's is not for this part of it."""
    # The shipper shows the host's own; our metrics verify the app's audit trail as the app does.
    told_apart = {"log_shipper": {"node_exporter"}, "host_metrics": {"app"}}
    if name in told_apart:
        return told_apart[name]
    service = ENFORCED[name].service
    certificate = CATALOGUE[service].get("certificate") or {}
    return {certificate.get("of", service)} if "certificate" in needs_of(name).takes else set()


def needs_of(name: str) -> Needs:
    """What a profile is made of."""
    service = ENFORCED[name].service
    return needs_of_service(ROOT / "roles" / CATALOGUE[service]["role"], service)[name]


def expression(rule: str) -> str:
    """An AppArmor pattern as a regular expression."""
    found = ""
    for part in re.split(r"(\*\*|\*|\{|\}|,)", rule):
        found += {"**": ".*", "*": "[^/]*", "{": "(?:", "}": ")", ",": "|"}.get(part, re.escape(part))
    return found


@pytest.mark.parametrize("name", sorted(ENFORCED))
def test_capabilities_are_no_more_than_the_unit_leaves(name: str) -> None:
    for unit in ENFORCED[name].units:
        left = bounding_set(unit)
        if left is not None:
            assert set(needs_of(name).capabilities) <= left, unit


@pytest.mark.parametrize("name", sorted(ENFORCED))
def test_what_our_units_start_may_be_started(name: str) -> None:
    """But for what is started as root outside of the profile (+), and what a template names."""
    allowed = [re.compile(expression(path)) for path in needs_of(name).runs]
    lines = "\n".join(path.read_text("utf-8") for unit in ENFORCED[name].units for path in templates(unit))
    started = re.findall(r"^Exec\w+=[-@:!]*(/[^\s{]+)(?=\s|$)", lines, re.MULTILINE)
    programs = {re.sub(r"^/(s?bin)/", r"/usr/\1/", path) for path in started}
    assert {path for path in programs if not any(each.fullmatch(path) for each in allowed)} == set()


def bounding_set(unit: str) -> set[str] | None:
    """What our unit or drop-in leaves of root's capabilities; None where it says nothing of them."""
    lines = [
        line.removeprefix("CapabilityBoundingSet=")
        for path in templates(unit)
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("CapabilityBoundingSet=")
    ]
    return {word.removeprefix("CAP_").lower() for line in lines for word in line.split()} if lines else None


def templates(unit: str) -> list[Path]:
    """Our own text of a unit: itself, what it includes, or drop-ins."""
    found: list[Path] = []
    for place in (ROOT / "roles").glob("*/templates/etc/systemd/system"):
        of_a_door = [place / "front.service.j2"] if unit.endswith("-front.service") else []
        own = [path for path in (place / f"{unit}.j2", *of_a_door) if path.is_file()]
        included = [place / "sandbox.j2"] if own and (place / "sandbox.j2").is_file() else []
        found += [*own, *included, *place.glob(f"{unit}.d/*.j2")]
        if place.parents[3].name == "exporters" and unit.startswith("prometheus-"):
            found += place.glob("exporter.service.d/*.j2")
    return found


def test_every_unit_is_a_role_s_own_or_the_catalogue_s() -> None:
    for name, entry in ENFORCED.items():
        own = CATALOGUE[entry.service].get("unit")
        strange = [unit for unit in entry.units if unit != own and not templates(unit)]
        assert strange == [], name


def test_no_unit_is_under_two_profiles_at_once() -> None:
    """One host has one edge, and so one of the profiles for what serves its files."""
    several = {"rackwright-edge-files.service"}
    units = [unit for entry in ENFORCED.values() for unit in entry.units if unit not in several]
    assert sorted(units) == sorted(set(units))


def test_a_part_has_no_more_of_the_catalogue_than_it_takes() -> None:
    """HAProxy reads the key and writes no file; what writes its log does, and never sees the key."""
    proxy, log = ENFORCED["haproxy"].text, ENFORCED["haproxy-log"].text
    assert ("/etc/rackwright/tls/haproxy/" in proxy, "/var/log/haproxy/" in proxy) == (True, False)
    assert ("/etc/rackwright/tls/haproxy/" in log, "/var/log/haproxy/" in log) == (False, True)


def test_what_several_services_have_is_each_one_s_own() -> None:
    for service in ("chroma", "milvus", "weaviate", "dify"):
        entry = ENFORCED[f"{service}-front"]
        assert entry.units == (f"rackwright-{service}-front.service",)
        assert f"  /etc/rackwright/tls/{service}/{{,**}} r,\n" in entry.text
        assert f"  /etc/rackwright/{service}-front/{{,**}} r,\n" in entry.text
        assert "@{service}" not in entry.text


@given(
    st.dictionaries(
        st.sampled_from(sorted({entry.service for entry in ENFORCED.values()})), st.sampled_from(MODES)
    ),
    st.sampled_from(MODES),
)
def test_each_service_is_in_its_own_mode(own: dict[str, str], mode: str) -> None:
    """With all its parts."""
    exceptions = [{"service": name, "mode": other, "reason": "r"} for name, other in own.items()]
    found = confined(CATALOGUE, mode, exceptions)
    assert {entry.profile: entry.mode for entry in found} == {
        entry.profile: own.get(entry.service, mode) for entry in ENFORCED.values()
    }
    assert [entry["profile"] for entry in told(found)] == [
        entry.profile for entry in found if entry.mode != "disable"
    ]


def test_what_is_on_has_files_and_what_is_off_has_none() -> None:
    on, off = (list(confined({"app": CATALOGUE["app"]}, mode)[0].files()) for mode in ("enforce", "disable"))
    dropin = "/etc/systemd/system/rackwright-app.service.d/70-rackwright-apparmor.conf"
    contents = {item["dest"]: item.get("content") for item in on}
    assert "\nAppArmorProfile=-rackwright.app\n" in str(contents[dropin])
    assert {item["state"] for item in off} == {"absent"}
    assert {item["dest"] for item in off} == {item["dest"] for item in on if item.get("state") != "directory"}


@pytest.mark.parametrize(
    ("mode", "exceptions", "words"),
    [
        ("on", [], ["hardening_apparmor", "'on'", "disable, complain, enforce"]),
        (False, [], ["hardening_apparmor is False"]),
        ("enforce", [{"service": "redsi", "mode": "complain", "reason": "r"}], ["'redsi'", "redis"]),
        ("enforce", [{"service": "redis", "mode": "loud", "reason": "r"}], ["'loud'", "complain"]),
        ("enforce", [{"service": "redis", "mode": "complain", "reason": " "}], ["without a reason"]),
        ("complain", [{"service": "redis", "mode": "disable", "reason": "r"}] * 2, ["'redis' twice"]),
    ],
)
def test_bad_choices_are_told(mode: object, exceptions: list[dict[str, Any]], words: list[str]) -> None:
    (told_wrong,) = problems(mode, exceptions, CATALOGUE)
    assert all(word in told_wrong for word in words), told_wrong


def test_a_good_choice_is_not() -> None:
    assert (
        problems("enforce", [{"service": "redis", "mode": "complain", "reason": "a module"}], CATALOGUE) == []
    )


@pytest.mark.parametrize(
    "text",
    [
        "redis: {run: [/a]}",
        "redis: {runs: [a]}",
        "redis: {runs: []}",
        "- redis",
        "Redis: {runs: [/a]}",
        "redis: {runs: [/a], takes: [keys]}",
        "redis: {none: ''}",
        "redis: {none: because, runs: [/a]}",
        "redis: {role: tls_front, runs: [/a]}",
    ],
)
def test_a_declaration_that_says_what_it_may_not_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/apparmor.yml").write_text(text, encoding="utf-8")
    with pytest.raises(RackwrightError, match=r"apparmor\.yml"):
        declared_by_role(tmp_path)


@pytest.mark.parametrize("other", ["", "door: {runs: [/a]}", "other: {none: because}"])
def test_a_reference_to_what_is_not_declared_is_refused(other: str, tmp_path: Path) -> None:
    for role, text in (("mine", "redis-front: {role: other}"), ("other", other)):
        (tmp_path / role / "meta").mkdir(parents=True)
        (tmp_path / role / "meta/apparmor.yml").write_text(text or "{}", encoding="utf-8")
    with pytest.raises(RackwrightError, match="redis-front refers to what no role declares"):
        needs_of_service(tmp_path / "mine", "redis")


def test_a_service_without_a_declaration_has_no_profile() -> None:
    assert confined({"postgresql": CATALOGUE["postgresql"]}, "enforce") == []
    assert isinstance(ENFORCED["redis"], Confined)
