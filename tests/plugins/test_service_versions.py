"""`service_versions`: packages of units by dpkg and apt, containers by Docker, and what nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import pytest

Load: TypeAlias = Callable[[str, str], ModuleType]
RunModule: TypeAlias = Callable[..., dict[str, Any]]
SYSTEMCTL = """Id=nginx.service
FragmentPath=/usr/lib/systemd/system/nginx.service

Id=own.service
FragmentPath=/etc/systemd/system/own.service
"""
POLICY = """nginx:
  Installed: 1.26.3-3
  Candidate: 1.26.3-3+deb13u1
  Version table:
 *** 1.26.3-3 100
"""


@pytest.fixture
def host(load: Load, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A host with one unit of a package, and one of its own."""
    module = load("modules", "service_versions")
    said = {
        "systemctl": SYSTEMCTL,
        "dpkg-query": "nginx: /usr/lib/systemd/system/nginx.service\n",
        "apt-cache": POLICY,
    }
    monkeypatch.setattr(module, "run", lambda *command: said[command[0]])
    return module


def item(service: str, unit: str = "", container: str = "") -> dict[str, str]:
    return {"service": service, "unit": unit, "container": container}


def test_a_package_is_as_pinned_when_nothing_else_is_offered(host: ModuleType, run_module: RunModule) -> None:
    asked = {"services": [item("nginx", "nginx.service"), item("own", "own.service")]}
    assert host is not None
    found = run_module("service_versions", asked)
    assert not found["changed"]
    assert found["versions"] == [
        {"service": "nginx", "version": "1.26.3-3", "pinned": "1.26.3-3+deb13u1", "as_pinned": False}
    ]


@pytest.mark.parametrize(("written", "same"), [("abc123", True), ("def456", False), ("", None)])
def test_a_container_is_as_pinned_when_it_was_made_of_what_is_written_down(
    host: ModuleType,
    run_module: RunModule,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    written: str,
    same: bool | None,
) -> None:
    container = {
        "Image": f"sha256:{'0' * 64}",
        "Config": {"Image": "grafana:11.6", "Labels": {"rackwright.revision": "abc123"}},
    }
    monkeypatch.setattr(host, "inspected", lambda name, *_: container if name == "grafana" else None)
    if written:
        place = tmp_path / "grafana/compose.yaml"
        place.parent.mkdir()
        text = f"services:\n  grafana:\n    image: x\n    labels:\n      rackwright.revision: {written}\n"
        place.write_text(text, encoding="utf-8")
    asked = {
        "services": [item("grafana", container="grafana"), item("gone", container="gone")],
        "containers_directory": str(tmp_path),
    }
    (entry,) = run_module("service_versions", asked)["versions"]
    assert entry["version"] == "grafana:11.6 (sha256:000000000000)"
    assert entry["as_pinned"] is same
