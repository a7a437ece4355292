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

from rackwright.confinement.model import needs_of_role
from rackwright.confinement.site import MODES, Confined, confined, problems, told
from rackwright.errors import RackwrightError
from rackwright.site.paths import repository_root

ROOT = repository_root()
CATALOGUE: dict[str, Any] = yaml.safe_load((ROOT / "group_vars/all/services.yml").read_text("utf-8"))[
    "services"
]
ENFORCED = {entry.service: entry for entry in confined(CATALOGUE, "enforce")}
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


@pytest.mark.parametrize("service", sorted(ENFORCED))
@pytest.mark.parametrize("mode", ["enforce", "complain"])
def test_the_parser_takes_it(service: str, mode: str, tmp_path: Path) -> None:
    (entry,) = confined({service: CATALOGUE[service]}, mode)
    path = tmp_path / entry.profile
    path.write_text(entry.text, encoding="utf-8")
    done = parsed(path)
    assert done.returncode == 0, done.stderr
    assert ("flags=(complain, " in entry.text) == (mode == "complain")


def test_the_parser_is_asked_in_earnest(tmp_path: Path) -> None:
    path = tmp_path / "broken"
    path.write_text(ENFORCED["redis"].text.replace("/etc/redis/** r,", "/etc/redis/** r"), encoding="utf-8")
    assert parsed(path).returncode != 0


@pytest.mark.parametrize("service", sorted(ENFORCED))
def test_nothing_of_others_is_named(service: str) -> None:
    """By the rules themselves: a pattern of the profile, read as AppArmor reads it, matches none of these."""
    rules = re.findall(r"^  (/\S+) \w+,$", ENFORCED[service].text, re.MULTILINE)
    patterns = [re.compile(expression(rule)) for rule in rules]
    others = [f"/etc/rackwright/tls/{name}/key.pem" for name in CATALOGUE if not shares(service, name)]
    reached = [path for path in (*FOREIGN, *others) if any(pattern.fullmatch(path) for pattern in patterns)]
    assert reached == []


def shares(service: str, other: str) -> bool:
    """Whether a service uses another's certificate."""
    certificate = CATALOGUE[service].get("certificate") or {}
    # The shipper shows the host's own; our metrics verify the app's audit trail as the app does.
    told_apart = {("log_shipper", "node_exporter"), ("host_metrics", "app")}
    return other in {service, certificate.get("of")} or (service, other) in told_apart


def expression(rule: str) -> str:
    """An AppArmor pattern as a regular expression."""
    found = ""
    for part in re.split(r"(\*\*|\*|\{|\}|,)", rule):
        found += {"**": ".*", "*": "[^/]*", "{": "(?:", "}": ")", ",": "|"}.get(part, re.escape(part))
    return found


@pytest.mark.parametrize("service", sorted(ENFORCED))
def test_capabilities_are_no_more_than_the_unit_leaves(service: str) -> None:
    needs = needs_of_role(ROOT / "roles" / CATALOGUE[service]["role"])[service]
    for unit in ENFORCED[service].units:
        left = bounding_set(CATALOGUE[service]["role"], unit)
        if left is not None:
            assert set(needs.capabilities) <= left, unit


def bounding_set(role: str, unit: str) -> set[str] | None:
    """What the role's unit or drop-in leaves of root's capabilities; None where it says nothing of them."""
    place = ROOT / "roles" / role / "templates/etc/systemd/system"
    texts = [place / f"{unit}.j2", *place.glob(f"{unit}.d/*.j2"), place / "sandbox.j2"]
    lines = [
        line.removeprefix("CapabilityBoundingSet=")
        for path in texts
        if path.is_file()
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("CapabilityBoundingSet=")
    ]
    return {word.removeprefix("CAP_").lower() for line in lines for word in line.split()} if lines else None


def test_every_unit_is_a_role_s_own_or_the_catalogue_s() -> None:
    for service, entry in ENFORCED.items():
        place = ROOT / "roles" / CATALOGUE[service]["role"] / "templates/etc/systemd/system"
        strange = [
            unit
            for unit in entry.units
            if unit != CATALOGUE[service]["unit"] and not (place / f"{unit}.j2").exists()
        ]
        assert strange == [], service


def test_every_declaration_is_of_a_service_of_its_role() -> None:
    for path in sorted((ROOT / "roles").glob("*/meta/apparmor.yml")):
        role = path.parents[1]
        foreign = [name for name in needs_of_role(role) if CATALOGUE.get(name, {}).get("role") != role.name]
        assert foreign == [], path


@given(st.dictionaries(st.sampled_from(sorted(ENFORCED)), st.sampled_from(MODES)), st.sampled_from(MODES))
def test_each_service_is_in_its_own_mode(own: dict[str, str], mode: str) -> None:
    exceptions = [{"service": name, "mode": other, "reason": "r"} for name, other in own.items()]
    found = confined(CATALOGUE, mode, exceptions)
    assert {entry.service: entry.mode for entry in found} == {name: own.get(name, mode) for name in ENFORCED}
    assert [entry["service"] for entry in told(found)] == [
        entry.service for entry in found if entry.mode != "disable"
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


@pytest.mark.parametrize("text", ["redis: {run: [/a]}", "redis: {runs: [a]}", "redis: {runs: []}", "- redis"])
def test_a_declaration_that_says_what_it_may_not_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/apparmor.yml").write_text(text, encoding="utf-8")
    with pytest.raises(RackwrightError, match=r"apparmor\.yml"):
        needs_of_role(tmp_path)


def test_a_service_without_a_declaration_has_no_profile() -> None:
    assert confined({"postgresql": CATALOGUE["postgresql"]}, "enforce") == []
    assert isinstance(ENFORCED["redis"], Confined)
