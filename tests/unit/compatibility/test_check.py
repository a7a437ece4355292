"""What cannot work together is refused, with the reason and a change that mends it."""

from __future__ import annotations

import copy
import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rackwright.catalogue.findings import FindingsError
from rackwright.compatibility.check import check
from rackwright.compatibility.drivers import branches_for
from rackwright.compatibility.load import load_compatibility, project_compatibility
from rackwright.compatibility.version import at_least, version, within_series
from rackwright.compatibility.wanted import Wanted
from rackwright.hardware.gpus import known_gpus
from rackwright.hardware.model import Hardware
from rackwright.site.paths import repository_root

Machine = Callable[..., Hardware]

MODELS = sorted(model.model for model in known_gpus().all)

# machine, what is wanted, the check that refuses (None: accepted), a word of its reason, a word of its mend
CASES: list[tuple[dict[str, Any], dict[str, Any], str | None, str, str]] = [
    ({"models": ["Tesla P40"]}, {"branch": 590}, "driver", "580 is the last for pascal", "580"),
    ({"models": ["Tesla V100 SXM2 32GB"]}, {"branch": 610}, "driver", "580 is the last for volta", "580"),
    ({"models": ["Tesla P40"]}, {"branch": 580}, None, "", ""),
    ({"models": ["Tesla P40"]}, {"branch": 580, "flavour": "open"}, "driver_flavour", "GSP", "proprietary"),
    ({"models": ["RTX 3090"]}, {"branch": 580, "flavour": "open"}, None, "", ""),
    (
        {"models": ["B200"]},
        {"branch": 580, "flavour": "proprietary"},
        "driver_flavour",
        "open ones alone",
        "open",
    ),
    ({"models": ["B200"]}, {"branch": 550}, "driver", "570 or newer", "580"),
    ({"models": ["RTX 5090"]}, {"branch": 580, "flavour": "open"}, None, "", ""),
    ({"models": ["Tesla P40", "B200"]}, {"branch": 580}, "driver", "one driver for all", "take the"),
    ({"models": ["Tesla P40", "RTX 3090"]}, {"branch": 580, "flavour": "proprietary"}, None, "", ""),
    ({"models": ["H100 SXM5 80GB"]}, {"branch": 470}, "driver", "535 or newer", "580"),
    ({"models": ["Tesla P40"]}, {"branch": 620}, "driver", "580 is the last", "580"),
    ({"models": ["RTX 3090"]}, {"branch": 999}, "driver", "one of", "580"),
    (
        {"models": ["RTX 3090"], "kernel": "3.2.0-4-amd64"},
        {"branch": 580},
        "kernel",
        "4.15 or newer",
        "upgrade the system",
    ),
    (
        {"models": ["RTX 3090"], "kernel": "6.12.107+deb13-amd64"},
        {"package": "nvidia-open-kernel-dkms", "package_version": "550.163.01-2"},
        "kernel",
        "pci_resize_resource",
        "proprietary",
    ),
    (
        {"models": ["RTX 3090"], "kernel": "6.12.94+deb13-amd64"},
        {"package": "nvidia-open-kernel-dkms", "package_version": "550.163.01-2"},
        None,
        "",
        "",
    ),
    (
        {"models": ["RTX 3090"], "kernel": "7.3.4+deb13-amd64"},
        {"package": "nvidia-kernel-dkms", "package_version": "550.163.01-4~bpo13+1"},
        "kernel",
        "up to 6.17",
        "nvidia_driver_source: nvidia",
    ),
    ({"models": ["Tesla P40"]}, {"engine": "vllm"}, "engine", "7.5 or higher", "ollama"),
    (
        {"models": ["Tesla P40"]},
        {"engine": "vllm", "engine_version": "0.6.6"},
        "engine",
        "7.0 or higher",
        "ollama",
    ),
    ({"models": ["Tesla V100 SXM2 32GB"]}, {"engine": "vllm", "engine_version": "0.9.2"}, None, "", ""),
    ({"models": ["Tesla V100 SXM2 32GB"]}, {"engine": "vllm"}, "engine", "7.5 or higher", "ollama"),
    ({"models": ["Tesla T4"]}, {"engine": "vllm"}, None, "", ""),
    (
        {"models": ["RTX 3090"], "driver": "470.256.02"},
        {"engine": "vllm"},
        "engine_driver",
        "525 or newer",
        "580",
    ),
    (
        {"models": ["RTX 3090"], "driver": "535.261.03"},
        {"engine": "ollama"},
        "engine_driver",
        "550 or newer",
        "580",
    ),
    ({"models": ["RTX 3090"], "driver": "550.163.01"}, {"engine": "ollama"}, None, "", ""),
    (
        {"models": ["Tesla P40"], "driver": "550.163.01"},
        {"engine": "ollama"},
        "engine_driver",
        "570 or newer",
        "580",
    ),
    ({"models": ["RTX 3090"]}, {"engine": "vllm", "quantisation": "fp8"}, "quantisation", "8.9", "awq"),
    ({"models": ["RTX 3090"]}, {"engine": "vllm", "quantisation": "fp8"}, "quantisation", "8.9", "Marlin"),
    ({"models": ["RTX 3090"]}, {"engine": "vllm", "quantisation": "fp8_weight_only"}, None, "", ""),
    ({"models": ["L40S"]}, {"engine": "vllm", "quantisation": "fp8"}, None, "", ""),
    ({"models": ["Tesla T4"]}, {"engine": "vllm", "quantisation": "bf16"}, "quantisation", "8.0", "fp16"),
    ({"models": ["H200 SXM"]}, {"engine": "vllm", "quantisation": "nvfp4"}, "quantisation", "10.0", "fp8"),
    ({"models": ["B200"]}, {"engine": "vllm", "quantisation": "nvfp4"}, None, "", ""),
    (
        {"models": ["RTX 3090"]},
        {"engine": "vllm", "quantisation": "q4_k_m"},
        "quantisation",
        "ollama",
        "ollama",
    ),
    ({"models": ["RTX 3090"]}, {"engine": "ollama", "quantisation": "q4_k_m"}, None, "", ""),
    ({"models": ["RTX 3090"]}, {"engine": "ollama", "quantisation": "awq"}, "quantisation", "vllm", "vllm"),
    ({"models": []}, {"branch": 590, "engine": "vllm", "quantisation": "fp8"}, None, "", ""),
]


def _named(name: str) -> str:
    """Find a model by the words of its name."""
    words = name.split()
    fitting = [model for model in MODELS if all(word in model for word in words)]
    return name if name in MODELS else fitting[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}"[:90])
def test_decisions(
    machine: Machine, case: tuple[dict[str, Any], dict[str, Any], str | None, str, str]
) -> None:
    described, wanted, refused, reason, mend = case
    described = dict(described)
    hardware = machine(*(_named(name) for name in described.pop("models")), **described)
    findings = check(hardware, Wanted(host="gpu1", **wanted))
    if refused is None:
        assert findings == []
        return
    hit = [finding for finding in findings if finding.check == refused]
    assert hit, findings
    assert any(reason in finding.needed for finding in hit), hit
    assert any(mend in finding.mend for finding in hit), hit


def test_an_ended_branch_is_a_warning_that_names_one_that_lives(machine: Machine) -> None:
    hardware = machine(_named("RTX 3090"))
    today = dt.date(2026, 7, 1)
    (finding,) = check(hardware, Wanted(host="gpu1", branch=535, today=today))
    assert (finding.severity, finding.check) == ("warning", "driver_support")
    assert "580" in finding.mend
    assert check(hardware, Wanted(host="gpu1", branch=535, today=dt.date(2026, 6, 30))) == []


def test_the_running_driver_is_judged_when_no_branch_is_wanted(machine: Machine) -> None:
    hardware = machine(_named("B200"), driver="550.163.01")
    assert [finding.check for finding in check(hardware, Wanted(host="gpu1"))] == ["driver"]


def test_an_unknown_gpu_is_a_warning_not_a_guess(machine: Machine) -> None:
    hardware = machine(_named("RTX 3090"))
    strange = hardware.gpus[0].model_copy(update={"architecture": "unknown", "compute_capability": ""})
    found = check(
        hardware.model_copy(update={"gpus": [strange]}), Wanted(host="gpu1", branch=580, engine="vllm")
    )
    assert [(finding.severity, finding.check) for finding in found] == [("warning", "gpu")]


BRANCHES = [entry.branch for entry in project_compatibility().branches]


@given(
    names=st.lists(st.sampled_from(MODELS), min_size=1, max_size=4),
    branch=st.sampled_from(BRANCHES),
    flavour=st.sampled_from([None, "open", "proprietary"]),
    engine=st.sampled_from([None, "vllm", "ollama", "llama_cpp"]),
)
def test_the_branch_that_a_refusal_names_is_accepted(
    machine: Machine, names: list[str], branch: int, flavour: str | None, engine: str | None
) -> None:
    hardware = machine(*names)
    wanted: dict[str, Any] = {"host": "gpu1", "flavour": flavour, "engine": engine}
    for finding in check(hardware, Wanted(branch=branch, **wanted)):
        named = re.search(r"nvidia_driver_branch: (\d+)", finding.mend)
        if finding.check in {"driver", "engine_driver"} and named:
            again = check(hardware, Wanted(branch=int(named.group(1)), **{**wanted, "flavour": None}))
            assert finding.check not in {other.check for other in again}, (finding, again)
        named = re.search(r"nvidia_driver_flavour: (\w+)", finding.mend)
        if named:
            again = check(hardware, Wanted(branch=branch, **{**wanted, "flavour": named.group(1)}))
            assert "driver_flavour" not in {other.check for other in again}


@given(names=st.lists(st.sampled_from(MODELS), min_size=1, max_size=4), branch=st.sampled_from(BRANCHES))
def test_a_branch_is_refused_exactly_when_it_is_not_among_those_that_serve(
    machine: Machine, names: list[str], branch: int
) -> None:
    hardware = machine(*names)
    good = branches_for({gpu.architecture for gpu in hardware.gpus}, project_compatibility())
    refused = any(
        finding.severity == "error" and finding.check in {"driver", "driver_flavour"}
        for finding in check(hardware, Wanted(host="gpu1", branch=branch))
    )
    assert refused == (branch not in [entry.branch for entry in good])


@given(
    st.sampled_from(MODELS), st.sampled_from(MODELS), st.sampled_from(["fp8", "bf16", "awq", "gptq", "int8"])
)
def test_a_newer_gpu_never_serves_less(machine: Machine, one: str, other: str, quantisation: str) -> None:
    def refused(name: str) -> bool:
        return bool(check(machine(name), Wanted(host="gpu1", engine="vllm", quantisation=quantisation)))

    def capability(name: str) -> tuple[int, ...]:
        model = known_gpus().by_name(name)
        assert model is not None
        return version(model.compute_capability)

    older, newer = sorted((one, other), key=capability)
    assert refused(older) or not refused(newer)


@given(
    st.lists(st.integers(0, 99), min_size=1, max_size=4), st.lists(st.integers(0, 99), min_size=1, max_size=4)
)
def test_versions_are_compared_as_numbers(one: list[int], other: list[int]) -> None:
    width = max(len(one), len(other))
    padded = [part + [0] * (width - len(part)) for part in (one, other)]
    texts = [".".join(map(str, part)) for part in (one, other)]
    assert at_least(texts[0], texts[1]) == (padded[0] >= padded[1])
    assert within_series(texts[0], texts[0])


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (("architectures", "pascal", "last_branch"), 581, "branch 581"),
        (("architectures", "pascal", "open_modules"), "maybe", "possible"),
        (("branches", 0, "cuda"), 12.4, "string"),
        (("branches", 0, "source"), "", "at least"),
        (("engines", "vllm", 1, "from"), "0.1.0", "rising"),
        (("quantisations", "fp8", "engines"), ["tgi"], "tgi"),
        (("known_failures", 0, "colour"), "red", "not permitted"),
    ],
)
def test_wrong_facts_are_refused_when_they_are_loaded(
    path: tuple[Any, ...], value: object, word: str
) -> None:
    text = (repository_root() / "group_vars/all/compatibility.yml").read_text(encoding="utf-8")
    data = copy.deepcopy(yaml.safe_load(text)["compatibility"])
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(FindingsError, match=word):
        load_compatibility(data)
