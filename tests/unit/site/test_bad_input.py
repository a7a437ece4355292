"""Every entry of `bad_input`: a clear refusal through the real command, no traceback, no host touched."""

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from bad_input import BAD, LET_PASS, Bad

from rackwright.cli.main import main
from rackwright.site.paths import repository_root

ROOT = repository_root()
Found = list[dict[str, str]]
Edit = Callable[[str, str, str], None]


@pytest.fixture(autouse=True)
def nothing_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects to anything, or starts a program besides the vault's password, fails the test."""

    def refuse(*_arguments: object) -> None:
        raise AssertionError("a check of the input has opened a connection")

    start = subprocess.Popen

    def only_the_password(arguments: object, *rest: object, **named: object) -> object:
        first = arguments[0] if isinstance(arguments, (list, tuple)) else arguments
        assert str(first).endswith("vault-password"), f"a check of the input has started {arguments}"
        return start(arguments, *rest, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(subprocess, "Popen", only_the_password)


@pytest.fixture
def spoil(lab: Path, edit: Edit) -> Callable[[Bad], None]:
    def apply(case: Bad) -> None:
        for change in case.edits:
            edit(*change)
        for name, text in case.files.items():
            (lab / name).parent.mkdir(parents=True, exist_ok=True)
            (lab / name).write_text(text, encoding="utf-8")

    return apply


@pytest.fixture
def validate(lab: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[int], Found]:
    def run(status: int) -> Found:
        with pytest.raises(SystemExit) as caught:
            main(["validate", "--json", "-i", str(lab)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert caught.value.code == status, out
        found: Found = json.loads(out)
        return found

    return run


def check(findings: Found, case: Bad) -> None:
    assert [finding["variable"] for finding in findings] == [parts[0] for parts in case.told]
    for finding, (_, value, rule, hint, where) in zip(findings, case.told, strict=True):
        assert value in finding["value"]
        assert rule in finding["rule"]
        assert hint in finding["hint"]
        assert where in finding["where"]
        assert finding["hint"]


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(
    name: str, spoil: Callable[[Bad], None], validate: Callable[[int], Found]
) -> None:
    spoil(BAD[name])
    check(validate(1), BAD[name])


@pytest.mark.parametrize("name", LET_PASS)
def test_doubtful_input_is_told_and_passes(
    name: str, spoil: Callable[[Bad], None], validate: Callable[[int], Found]
) -> None:
    spoil(LET_PASS[name])
    findings = validate(0)
    check(findings, LET_PASS[name])
    assert {finding["severity"] for finding in findings} == {"warning"}


def test_a_model_that_fits_nowhere_is_refused(
    lab: Path, edit: Edit, validate: Callable[[int], Found]
) -> None:
    sample = ROOT / "inventories/answers/hardware/development.yml"
    target = lab / "host_vars/app1/hardware.yml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(sample.read_text(encoding="utf-8"), encoding="utf-8")
    overrides = "tier_overrides: {inference: {engine: ollama, model: deepseek-r1-671b, quantisation: q4_k_m}}"
    edit("group_vars/all/site.yml", "site_name: lab\n", f"site_name: lab\n{overrides}\n")
    told = [
        ("tier_overrides.inference.model", "deepseek-r1-671b", "does not fit", "write model: ", "host app1")
    ]
    check(validate(1), Bad(told))


def test_hardware_by_hand_is_refused(lab: Path, validate: Callable[[int], Found]) -> None:
    sample = ROOT / "inventories/answers/hardware/plain.yml"
    hardware = yaml.safe_load(sample.read_text(encoding="utf-8"))
    hardware["hardware"]["memory_mb"] = "lots"
    hardware["hardware"]["gpu"] = 1
    target = lab / "host_vars/data1/hardware.yml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(yaml.safe_dump(hardware), encoding="utf-8")
    told = [
        ("hardware.memory_mb", "'lots'", "whole number", "rackwright scan", "host data1"),
        ("hardware.gpu", "1", "nothing reads a key", "rackwright scan", "host data1"),
    ]
    check(validate(1), Bad(told))
