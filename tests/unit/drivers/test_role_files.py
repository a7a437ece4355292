"""What the role writes for apt and for the kernel, from plans of the decision table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rackwright.site.paths import repository_root

ROLE: Path = repository_root() / "roles/nvidia_driver/templates"
SOURCES = "etc/apt/sources.list.d/rackwright-nvidia.sources.j2"


def render(name: str, **variables: object) -> str:
    # As Ansible renders: blocks leave no line behind.
    environment = Environment(
        loader=FileSystemLoader(ROLE),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - files for apt, no HTML
    )
    given: dict[str, Any] = {
        "ansible_managed": "Managed by Rackwright",
        "nvidia_driver_hardware": {
            "system": {"distribution": "Debian", "version": "13", "codename": "trixie"}
        },
        "nvidia_driver_repository_key": "",
        "nvidia_driver_module_options": [],
        "__nvidia_driver_state": {"archive": {"uri": "http://a.internal/debian", "signed_by": "/k.pgp"}},
        "__nvidia_driver_release": "trixie",
        "__nvidia_driver_archive": "http://a.internal/debian",
        "__nvidia_driver_keyring": "/etc/apt/keyrings/rackwright-nvidia.gpg",
        "__nvidia_driver_uses_nvidia": False,
        "__nvidia_driver_among_sources": False,
        "__nvidia_driver_nvidia_uri": "http://mirror.internal/nvidia",
        "__nvidia_driver_plan": {
            "suite": "trixie",
            "components": ["contrib", "non-free"],
            "pin": None,
            "blacklist": ["nouveau"],
        },
    }
    environment.filters["unique"] = lambda values: list(dict.fromkeys(values))
    return environment.get_template(name).render({**given, **variables})


def fields(text: str) -> list[dict[str, str]]:
    """Read deb822."""
    parts = [part for part in text.split("\n\n") if part.strip()]
    lines = ([line for line in part.splitlines() if line and not line.startswith("#")] for part in parts)
    return [dict(line.split(": ", 1) for line in part) for part in lines]


def test_debians_own_archive_gets_its_non_free_parts() -> None:
    assert fields(render(SOURCES)) == [
        {
            "Types": "deb",
            "URIs": "http://a.internal/debian",
            "Suites": "trixie",
            "Components": "main contrib non-free",
            "Signed-By": "/k.pgp",
        }
    ]


def test_backports_come_with_the_release_that_has_what_they_lack() -> None:
    """nvidia-persistenced, for one, is in trixie alone."""
    plan = {"suite": "trixie-backports", "components": ["contrib"], "pin": "trixie-backports"}
    (entry,) = fields(render(SOURCES, __nvidia_driver_plan=plan))
    assert entry["Suites"] == "trixie trixie-backports"


def test_nvidias_repository_on_debian_comes_with_contrib() -> None:
    text = render(SOURCES, __nvidia_driver_uses_nvidia=True, nvidia_driver_repository_key="key.gpg")
    first, second = fields(text)
    assert first == {
        "Types": "deb",
        "URIs": "http://mirror.internal/nvidia/",
        "Suites": "/",
        "Signed-By": "/etc/apt/keyrings/rackwright-nvidia.gpg",
    }
    assert (second["Components"], second["Suites"]) == ("contrib", "trixie")


def test_nvidias_repository_on_ubuntu_comes_alone() -> None:
    ubuntu = {"system": {"distribution": "Ubuntu", "version": "24.04", "codename": "noble"}}
    text = render(SOURCES, __nvidia_driver_uses_nvidia=True, nvidia_driver_hardware=ubuntu)
    assert len(fields(text)) == 1


@pytest.mark.parametrize(
    ("uses_nvidia", "pin", "expected"),
    [
        (False, None, []),
        (
            False,
            "trixie-backports",
            [
                {
                    "Package": "src:nvidia-graphics-drivers src:nvidia-open-gpu-kernel-modules",
                    "Pin": "release n=trixie-backports",
                    "Pin-Priority": "600",
                }
            ],
        ),
        (True, None, [{"Package": "*", "Pin": "release o=NVIDIA", "Pin-Priority": "600"}]),
    ],
)
def test_apts_preferences(uses_nvidia: bool, pin: str | None, expected: list[dict[str, str]]) -> None:
    text = render(
        "etc/apt/preferences.d/rackwright-nvidia.j2",
        __nvidia_driver_uses_nvidia=uses_nvidia,
        __nvidia_driver_plan={"pin": pin},
    )
    assert [part for part in fields(text) if part] == expected


def test_a_bundle_has_backports_among_its_own_packages() -> None:
    """It has no suites: the newest of a name is the one that was meant."""
    plan = {"pin": "trixie-backports"}
    text = render(
        "etc/apt/preferences.d/rackwright-nvidia.j2",
        __nvidia_driver_plan=plan,
        __nvidia_driver_among_sources=True,
    )
    assert "Pin" not in text


def test_nouveau_is_off_and_options_are_set() -> None:
    text = render(
        "etc/modprobe.d/rackwright-nvidia.conf.j2",
        nvidia_driver_module_options=["NVreg_EnableGpuFirmware=1"],
    )
    assert "blacklist nouveau\ninstall nouveau /bin/false\n" in text
    assert "options nvidia NVreg_EnableGpuFirmware=1\n" in text
