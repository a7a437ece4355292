"""What all labs of one computer share: the way out to the world and the package cache.

They come with the first lab and go with the last one; what the cache has fetched stays in its directory.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Address, IPv4Network

from rackwright.lab.docker import docker, exists, inspect, names
from rackwright.lab.model import LAB_LABEL, RECIPE_LABEL, SHARED_LABEL
from rackwright.site.paths import cache_directory

WORLD_NETWORK = "rackwright-world"
# The gateways' package-proxy.service knows the cache by this name.
PACKAGE_CACHE = "rackwright-packages"


def ensure_shared(gateway_image: str) -> None:
    """See to it that the world's network exists and the package cache runs."""
    if not exists("network", WORLD_NETWORK):
        docker("network", "create", "--label", f"{SHARED_LABEL}=world", WORLD_NETWORK)
    found = inspect("container", PACKAGE_CACHE)
    if found:
        if not found[0]["State"]["Running"]:
            docker("start", PACKAGE_CACHE)
        return
    directory = cache_directory("packages")
    docker(
        "run",
        "--detach",
        f"--name={PACKAGE_CACHE}",
        f"--label={SHARED_LABEL}=packages",
        f"--label={RECIPE_LABEL}={gateway_image}",
        f"--network={WORLD_NETWORK}",
        "--restart=unless-stopped",
        # Its files belong to whoever runs the lab, who can then also remove them.
        f"--user={os.geteuid()}:{os.getegid()}",
        "--cap-drop=ALL",
        "--tmpfs=/tmp",
        f"--volume={directory}:/var/cache/apt-cacher-ng",
        gateway_image,
        "/usr/sbin/apt-cacher-ng",
        "-c",
        "/etc/rackwright-packages",
    )


def world_gateway() -> IPv4Address:
    """Return the address by which the gateways leave for the world."""
    settings = inspect("network", WORLD_NETWORK)[0]["IPAM"]["Config"][0]
    if "Gateway" in settings:
        return IPv4Address(settings["Gateway"].split("/")[0])
    return IPv4Network(settings["Subnet"]).network_address + 1


def remove_shared_if_unused() -> bool:
    """Remove the shared parts when no lab is left; returns whether that was so."""
    if names("container", LAB_LABEL):
        return False
    for container in names("container", SHARED_LABEL):
        docker("rm", "--force", "--volumes", container)
    for network in names("network", SHARED_LABEL):
        docker("network", "rm", network)
    return True
