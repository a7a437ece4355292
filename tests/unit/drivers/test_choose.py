"""The driver decision: a table of machines, and what holds for all of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rackwright.catalogue.findings import FindingsError
from rackwright.compatibility.check import check
from rackwright.compatibility.load import project_compatibility
from rackwright.compatibility.wanted import Wanted
from rackwright.drivers.choose import choose_driver
from rackwright.drivers.plan import DriverPlan, Running, Wishes
from rackwright.drivers.sources import load_sources, project_sources
from rackwright.hardware.gpus import architecture_of_chip, known_gpus
from rackwright.hardware.model import Cpu, Gpu, Hardware, System

DATA = Path(__file__).parents[2] / "data/drivers/machines.yml"
MACHINES: list[dict[str, Any]] = yaml.safe_load(DATA.read_text(encoding="utf-8"))["machines"]
LSPCI = re.compile(r"^(\S+) .*\[(?:0300|0302)\]: NVIDIA Corporation (.*) \[(10de:[0-9a-f]{4})\]")
DRIVER = re.compile(r"^\tKernel driver in use: (\S+)")
KNOWN = project_compatibility()


def gpus(lines: list[str], driver: str | None = None) -> list[Gpu]:
    found = []
    for match in filter(None, map(LSPCI.match, lines)):
        address, name, pci_id = match.groups()
        model = known_gpus().by_id(pci_id)
        found.append(
            Gpu(
                pci_address=f"0000:{address}"[-12:],
                pci_id=pci_id,
                model=model.model if model else name,
                architecture=model.architecture if model else architecture_of_chip(name),
                compute_capability=model.compute_capability if model else "",
                vram_mb=model.vram_mb if model else 0,
                driver=driver,
                mig=None,
                nvlink_peers=[],
            )
        )
    return found


def hardware_of(machine: dict[str, Any]) -> Hardware:
    distribution, _, version = machine["os"].partition("-")
    return Hardware(
        system=System(
            distribution=distribution.capitalize(),
            version=version,
            codename="",
            kernel=machine["kernel"],
            architecture=machine.get("machine", "x86_64"),
            virtualization=machine.get("virtualization", "none"),
            secure_boot=machine.get("secure_boot", False),
            python="3.13",
        ),
        cpu=Cpu(model="x", sockets=1, cores=16, threads=32),
        memory_mb=131072,
        numa=[],
        disks=[],
        filesystems=[],
        network=[],
        gpus=gpus(machine["lspci"], machine.get("running", {}).get("version")),
        nvswitch=machine.get("nvswitch", False),
    )


def running_of(machine: dict[str, Any]) -> Running:
    modules = [match.group(1) for match in filter(None, map(DRIVER.match, machine["lspci"]))]
    module = next((name for name in modules if name in {"nouveau", "nvidia"}), "none")
    return Running(module=cast("Any", module), **machine.get("running", {}))


def plan_of(machine: dict[str, Any], **wishes: object) -> DriverPlan:
    asked = {**machine.get("wishes", {}), **wishes}
    return choose_driver(hardware_of(machine), Wishes(**cast("Any", asked)), KNOWN, running_of(machine))


def test_the_table_is_long_enough_and_names_its_sources() -> None:
    assert len(MACHINES) >= 25
    assert len({machine["name"] for machine in MACHINES}) == len(MACHINES)
    assert all(len(machine["source"]) > 8 for machine in MACHINES)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine["name"])
def test_decision(machine: dict[str, Any]) -> None:
    plan, expected = plan_of(machine), machine["expect"]
    told = {**plan.as_dict(), "prior": list(plan.prior_packages)}
    contained = ("reason", "hint")
    for key, value in expected.items():
        if key in contained:
            assert value in told[key], plan
        else:
            assert told[key] == value, (key, plan)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine["name"])
def test_what_is_chosen_passes_the_compatibility_check(machine: dict[str, Any]) -> None:
    plan = plan_of(machine)
    if plan.action != "install":
        return
    wanted = Wanted(
        host="gpu1",
        branch=plan.branch,
        flavour=plan.flavour,
        package=plan.kernel_package or None,
        package_version=plan.kernel_package_version,
        engine=machine.get("wishes", {}).get("engine"),
    )
    assert [finding for finding in check(hardware_of(machine), wanted) if finding.severity == "error"] == []


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine["name"])
def test_carried_out_the_plan_stays_the_same_and_asks_for_no_reboot(machine: dict[str, Any]) -> None:
    """What a plan installs is what the next run plans: a second run changes nothing."""
    first = plan_of(machine)
    if first.action != "install":
        return
    after = {**machine, "running": {"version": f"{first.branch}.1.1", "flavour": first.flavour}}
    after["lspci"] = [line.replace("nouveau", "nvidia") for line in machine["lspci"]]
    second = plan_of(after)
    assert (second.action, second.packages, second.branch) == (first.action, first.packages, first.branch)
    assert not second.reboot


def test_a_branch_out_of_support_is_said_in_the_notes() -> None:
    machine = next(entry for entry in MACHINES if entry["name"] == "p40-debian")
    assert any("ended" in note for note in plan_of(machine, today=dt.date(2026, 11, 22)).notes)


systems = st.sampled_from(["debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04"])
kernels = st.sampled_from(
    [
        "6.1.0-40-amd64",
        "6.12.94+deb13-amd64",
        "6.12.117+deb13-amd64",
        "7.3.4+deb13-amd64",
        "5.15.0-160-generic",
    ]
)


@given(
    models=st.lists(st.sampled_from(known_gpus().all), min_size=1, max_size=3),
    system=systems,
    kernel=kernels,
    wishes=st.builds(
        Wishes,
        branch=st.sampled_from([None, 470, 535, 550, 580, 595, 610]),
        flavour=st.sampled_from([None, "open", "proprietary"]),
        source=st.sampled_from([None, "distribution", "nvidia"]),
        engine=st.sampled_from([None, "ollama", "vllm"]),
    ),
    nvswitch=st.booleans(),
    secure_boot=st.sampled_from([None, True, False]),
)
def test_every_plan_keeps_the_wishes_and_every_refusal_has_a_hint(
    models: list[Any],
    system: str,
    kernel: str,
    wishes: Wishes,
    nvswitch: bool,
    secure_boot: bool | None,
) -> None:
    lines = [
        f"0{number}:00.0 3D controller [0302]: NVIDIA Corporation {model.model} [{model.ids[0]}] (rev a1)"
        for number, model in enumerate(models)
    ]
    machine = {
        "os": system,
        "kernel": kernel,
        "lspci": lines,
        "nvswitch": nvswitch,
        "secure_boot": secure_boot,
    }
    hardware = hardware_of(machine)
    plan = choose_driver(hardware, wishes, KNOWN)
    if plan.action == "refuse":
        assert plan.hint
        assert not plan.packages
        if "leave out" in plan.hint:
            bare = choose_driver(hardware, Wishes(engine=wishes.engine), KNOWN)
            named = dataclasses.replace(wishes, branch=None, source=None, flavour=None)
            assert bare == choose_driver(hardware, named, KNOWN)
        return
    assert plan.action == "install"
    assert wishes.branch in {None, plan.branch}
    assert wishes.flavour in {None, plan.flavour}
    assert (plan.source == "nvidia") or wishes.source in {None, "distribution"}
    assert len(set(plan.packages)) == len(plan.packages)
    assert plan.fabric_manager == nvswitch
    assert (f"linux-headers-{kernel}" in plan.packages) == bool(plan.kernel_package)
    assert (plan.secure_boot == "off") == (secure_boot is False)
    asked = Wanted(host="gpu1", branch=plan.branch, flavour=plan.flavour)
    assert [found for found in check(hardware, asked) if found.severity == "error"] == []


def test_every_branch_of_the_sources_is_known_and_each_source_is_there_once() -> None:
    keys = [(entry.system, entry.source, entry.branch) for entry in project_sources()]
    assert len(keys) == len(set(keys))
    assert all(KNOWN.branch(entry.branch) for entry in project_sources())


def test_a_misspelt_key_is_refused() -> None:
    with pytest.raises(FindingsError, match="driver_sources"):
        load_sources([{"system": "debian-13", "sauce": "debian"}])
