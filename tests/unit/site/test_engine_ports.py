"""Ports of engines: only one engine runs on a host."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rackwright.catalogue.inference import Serving
from rackwright.site.network_checks import port_findings


def service(port: int, group: str, engine: str | None) -> SimpleNamespace:
    return SimpleNamespace(
        group=group,
        selected=lambda values: engine in {None, values["inference_engine"]},
        ports={"api": SimpleNamespace(port=port, protocol="tcp")},
    )


SERVICES = {
    "vllm": service(8000, "inference", "vllm"),
    "fastchat": service(8000, "inference", "fastchat"),
    "other": service(8000, "other", None),
}


@pytest.mark.parametrize(
    ("variables", "tier_engine", "groups", "found"),
    [
        ({"inference_engine": "fastchat"}, "vllm", ["inference"], []),
        ({}, "vllm", ["inference"], []),
        ({"inference_engine": "fastchat"}, "vllm", ["inference", "other"], ["services.other.ports.api.port"]),
        ({}, "vllm", ["inference", "other"], ["services.other.ports.api.port"]),
        ({}, "ollama", ["inference", "other"], []),
        ({}, "", ["inference", "other"], []),
    ],
)
def test_an_engine_that_does_not_run_here_takes_no_port(
    variables: dict[str, Any], tier_engine: str, groups: list[str], found: list[str]
) -> None:
    inventory: Any = SimpleNamespace(
        members=lambda group: ["gpu1"] if group in ("platform", *groups) else [],
        hosts={"gpu1": SimpleNamespace(variables=variables)},
    )
    catalogue: Any = SimpleNamespace(services=SERVICES)
    assert [finding.variable for finding in port_findings(inventory, catalogue, tier_engine)] == found
    assert Serving().engine == "llama_cpp", "the engine of a host that nobody says anything of"
