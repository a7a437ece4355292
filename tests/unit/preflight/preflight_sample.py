"""A sound host, as data; each test changes what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import yaml

from rackwright.catalogue.load import load_catalogue
from rackwright.preflight.limits import load_limits
from rackwright.preflight.observations import Answer, Observations
from rackwright.preflight.subject import Subject
from rackwright.site.paths import repository_root
from rackwright.tiers.load import load_tiers

VARIABLES = repository_root() / "group_vars/all"
NOW = 1_800_000_000.0


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((VARIABLES / f"{name}.yml").read_text(encoding="utf-8"))
    return loaded


CATALOGUE = load_catalogue(load("services")["services"], load("zones")["zone_policy"])
LIMITS = load_limits(load("preflight")["preflight_limits"])
TIERS = load_tiers(load("tiers")["tiers"])
PATHS = ("/", "/etc", "/tmp", "/usr", "/var", "/var/lib", "/var/log")  # noqa: S108 - what is looked at


def filesystem(path: str, **changes: object) -> dict[str, Any]:
    plain = {
        "path": path,
        "mount": "/",
        "device": "/dev/sda1",
        "type": "ext4",
        "size_mb": 500_000,
        "free_mb": 400_000,
        "inodes_free_percent": 90,
        "read_only": False,
        "noexec": False,
    }
    return plain | changes


def listener(port: int, **changes: object) -> dict[str, Any]:
    plain = {
        "protocol": "tcp",
        "address": "0.0.0.0",  # noqa: S104 - what somebody else listens on
        "port": port,
        "program": "nc",
        "unit": "",
        "container": "",
    }
    return plain | changes


SOUND: dict[str, Any] = {
    "started": NOW + 0.1,
    "ended": NOW + 0.4,
    "hostname": "data1",
    "machine_id": "a" * 32,
    "boot_id": "b",
    "os": "debian-13",
    "kernel": "6.12.0-1-amd64",
    "architecture": "x86_64",
    "python": "3.13",
    "container": False,
    "systemd": True,
    "cgroup_version": 2,
    "clock_synchronised": True,
    "memory_mb": 131072,
    "memory_available_mb": 120000,
    "cpus": 32,
    "disks_gb": 12000.0,
    "filesystems": [filesystem(path) for path in PATHS],
    "gpus": [],
    "driver": None,
    "headers": None,
    "secure_boot": False,
    "packages": [],
    "units": [],
    "docker_snap": False,
    "ufw": False,
    "interfaces": [
        {"name": "lo", "up": True, "addresses": ["127.0.0.1/8"], "speed_mbps": None},
        {"name": "eth0", "up": True, "addresses": ["10.0.30.11/24"], "speed_mbps": 10000},
    ],
    "routes": [{"network": "0.0.0.0/0", "interface": "eth0", "gateway": "10.0.30.1"}],
    "listeners": [listener(22, program="sshd", unit="ssh.service")],
    "proxies": [],
    "resolvers": [],
    "sources": [{"url": "http://m/InRelease", "proxy": "", "kind": "ok", "detail": "", "seconds": 0.1}],
    "urls": [],
    "names": [],
    "dns": [],
}


def seen(**changes: object) -> Observations:
    return Observations.model_validate(SOUND | changes)


def subject(*services: str, name: str = "data1", **changes: object) -> Subject:
    plain = Subject(
        name=name,
        address="10.0.30.11",
        zone="data",
        zones={"dmz": "10.0.10.0/24", "app": "10.0.20.0/24", "data": "10.0.30.0/24"},
        services={service: CATALOGUE.services[service] for service in ("sshd", *services)},
        inference="llama_cpp" in services,
        limits=LIMITS,
        tier=TIERS["lab"],
        docker_pools=("172.30.0.0/16",),
    )
    return replace(plain, **changes)


def answer(
    observations: Observations, host: str = "data1", window: tuple[float, float] = (NOW, NOW + 0.5)
) -> Answer:
    return Answer(host, observations, window)
