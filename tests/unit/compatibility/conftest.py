"""Machines for the tests: as a scan would describe them, reduced to what matters here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rackwright.hardware.gpus import known_gpus
from rackwright.hardware.model import Cpu, Gpu, Hardware, System

Machine = Callable[..., Hardware]


def _gpu(name: str, number: int, driver: str | None) -> Gpu:
    model = known_gpus().by_name(name)
    assert model is not None, name
    return Gpu(
        pci_address=f"0000:{number:02x}:00.0",
        pci_id=model.ids[0],
        model=model.model,
        architecture=model.architecture,
        compute_capability=model.compute_capability,
        vram_mb=model.vram_mb,
        driver=driver,
        mig=None,
        nvlink_peers=[],
    )


@pytest.fixture(scope="session")
def machine() -> Machine:
    def build(
        *models: str,
        system: str = "debian-13",
        kernel: str = "6.12.117+deb13-amd64",
        driver: str | None = None,
        architecture: str = "x86_64",
    ) -> Hardware:
        distribution, _, version = system.partition("-")
        return Hardware(
            system=System(
                distribution=distribution.capitalize(),
                version=version,
                codename="",
                kernel=kernel,
                architecture=architecture,
                virtualization="none",
                secure_boot=False,
                python="3.13",
            ),
            cpu=Cpu(model="x", sockets=1, cores=16, threads=32),
            memory_mb=131072,
            numa=[],
            disks=[],
            filesystems=[],
            network=[],
            gpus=[_gpu(name, number, driver) for number, name in enumerate(models, 1)],
            nvswitch=False,
        )

    return build
