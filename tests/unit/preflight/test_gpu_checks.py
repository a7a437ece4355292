"""GPUs by their PCI ids, before any driver is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from preflight_sample import TIERS, subject

from rackwright.preflight.finding import HostFinding

Judged: TypeAlias = Callable[..., list[HostFinding]]
HEADERS = {"installed": True, "available": True}
ENGINE = subject("docker", "llama_cpp", tier=TIERS["entry"])


def gpu(pci_id: str = "10de:2204", driver: str | None = None) -> dict[str, Any]:
    return {"address": "0000:3b:00.0", "id": pci_id, "subsystem": "10de:147d", "driver": driver}


def by_check(findings: list[HostFinding]) -> dict[str, HostFinding]:
    return {finding.check: finding for finding in findings if finding.severity != "info"}


def test_a_host_without_one_serves_the_small_model(judged: Judged) -> None:
    finding = by_check(judged(ENGINE))["gpu"]
    assert finding.severity == "warning"
    assert TIERS["entry"].inference.cpu_model in finding.mend


def test_an_engine_that_needs_one(judged: Judged) -> None:
    about = subject("docker", "llama_cpp", tier=TIERS["enterprise"])
    assert TIERS["enterprise"].inference.engine == "vllm"
    assert by_check(judged(about))["gpu"].severity == "error"


def test_other_hosts_need_none(judged: Judged) -> None:
    assert judged(subject("nginx", tier=TIERS["flagship"]), gpus=[gpu()]) == []


def test_the_right_card(judged: Judged) -> None:
    assert by_check(judged(ENGINE, gpus=[gpu()], headers=HEADERS)) == {}


def test_a_card_with_too_little_memory(judged: Judged) -> None:
    finding = by_check(judged(ENGINE, gpus=[gpu("10de:1eb8")], headers=HEADERS))["gpu"]
    assert (finding.severity, "T4" in finding.found) == ("error", True)


def test_a_card_that_is_not_known(judged: Judged) -> None:
    finding = by_check(judged(ENGINE, gpus=[gpu("10de:ffff")], headers=HEADERS))["gpu"]
    assert (finding.severity, "10de:ffff" in finding.found) == ("warning", True)


@pytest.mark.parametrize(
    ("headers", "severity"),
    [
        ({"installed": False, "available": True}, "ok"),
        ({"installed": False, "available": None}, "info"),
        ({"installed": False, "available": False}, "error"),
    ],
)
def test_headers_for_a_driver_that_will_be_built(
    judged: Judged, headers: dict[str, Any], severity: str
) -> None:
    found = {finding.check: finding.severity for finding in judged(ENGINE, gpus=[gpu()], headers=headers)}
    assert found.get("headers", "ok") == severity


def test_secure_boot_matters_where_a_driver_will_be_built(judged: Judged) -> None:
    assert (
        by_check(judged(ENGINE, gpus=[gpu()], headers=HEADERS, secure_boot=True))["secure_boot"].severity
        == "error"
    )
    running = {"gpus": [gpu(driver="nvidia")], "driver": "580.65.06", "headers": HEADERS, "secure_boot": True}
    assert "secure_boot" not in by_check(judged(ENGINE, **running))
    assert "secure_boot" not in by_check(judged(ENGINE, secure_boot=True))


def test_a_card_that_a_virtual_machine_has(judged: Judged) -> None:
    assert (
        by_check(judged(ENGINE, gpus=[gpu(driver="vfio-pci")], headers=HEADERS))["driver"].severity == "error"
    )


def test_nouveau_is_told(judged: Judged) -> None:
    found = judged(ENGINE, gpus=[gpu(driver="nouveau")], headers=HEADERS)
    assert [finding.severity for finding in found if finding.check == "driver"] == ["info"]


def test_what_does_not_go_together_is_refused(judged: Judged) -> None:
    """A Pascal card (P100) with a driver branch that dropped it."""
    running = {"gpus": [gpu("10de:15f8", "nvidia")], "driver": "590.44.01", "headers": HEADERS}
    assert by_check(judged(ENGINE, **running))["driver"].severity == "error"
