"""Brings a lab up and takes it down."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection

from rackwright.errors import RackwrightError
from rackwright.lab import access
from rackwright.lab.cache import empty_cache, exclusive
from rackwright.lab.closed import forget_bridge, let_bridge_pass
from rackwright.lab.containers import ensure_gateway, ensure_host, ensure_network, refuse_other_release
from rackwright.lab.daemon import ensure_daemon, require_programs
from rackwright.lab.docker import docker, execute, inspect, names
from rackwright.lab.images import architecture, ensure_image
from rackwright.lab.kernel import ensure_inotify
from rackwright.lab.mirror import find_mirror
from rackwright.lab.model import LAB_LABEL, RELEASES, Lab, LabHost
from rackwright.lab.progress import Board, in_parallel
from rackwright.lab.recipe import gateway_recipe, host_recipe
from rackwright.lab.shared import ensure_shared, remove_shared_if_unused

# A boot takes 5 s on an idle machine with two cores.
BOOT_SECONDS = 240


def up(lab: Lab, release: str, only: Collection[str], board: Board) -> None:
    """Bring the lab up; what runs already is left alone.

    Args:
        lab: The lab.
        release: Debian's code name for hosts that are made now.
        only: Names of the hosts wanted; all when empty.
        board: Where progress is shown.

    Raises:
        RackwrightError: Something is missing, cannot be built, or does not come up in 240 s.
    """
    hosts = chosen(lab, only)
    require_programs()
    with board.step("Docker") as step:
        notes = ["started" if ensure_daemon() else "answers", ensure_inotify()]
        step.say(", ".join(filter(None, notes)))
    refuse_other_release(hosts, release)
    images = _build_images(release, board)
    with board.step("Networks"), exclusive("shared"):
        for network in lab.networks:
            ensure_network(lab, network)
            if lab.closed:
                let_bridge_pass(network.name)
        ensure_shared(images["gateway"])
    public_key = access.ensure_key(lab)

    def bring_up(host: LabHost | None) -> list[str]:
        if host is None:
            with board.step("gateway") as step:
                step.say(ensure_gateway(lab, images["gateway"], RELEASES[0]))
                _wait_for_boot(lab.gateway_container)
            return []
        with board.step(host.name) as step:
            done = ensure_host(lab, host, images["host"], release)
            step.say(f"{done}, boots")
            state = _wait_for_boot(host.container)
            access.install_key(host, public_key)
            step.say(f"{host.address}  {done}, systemd {state}")
            return access.host_keys(host)

    keys = in_parallel([None, *hosts], bring_up)[1:]
    access.write_known_hosts(lab, {host.name: lines for host, lines in zip(hosts, keys, strict=True)})
    with board.step("SSH") as step:
        in_parallel(hosts, lambda host: _wait_for_ssh(lab, host))
        step.say(f"{len(hosts)} hosts answer")


def down(lab: Lab) -> int:
    """Remove everything of a lab, and what labs share when it was the last; returns how many containers went.

    Raises:
        RackwrightError: Docker does not answer, or refuses.
    """
    if shutil.which("docker") is None:
        shutil.rmtree(lab.directory, ignore_errors=True)
        return 0
    # What a stopped daemon keeps would come back with it.
    ensure_daemon()
    with exclusive("shared"):
        containers = names("container", lab.label)
        in_parallel(containers, _remove_container)
        for network in names("network", lab.label):
            forget_bridge(network)
            docker("network", "rm", network)
        for volume in names("volume", lab.label):
            docker("volume", "rm", "--force", volume)
        remove_shared_if_unused()
    shutil.rmtree(lab.directory, ignore_errors=True)
    return len(containers)


def purge() -> None:
    """Remove the images and the cache that labs share.

    Raises:
        RackwrightError: Another lab still uses them.
    """
    others = names("container", LAB_LABEL)
    if others:
        raise RackwrightError(f"other labs still run: {', '.join(others)}", hint="take them down first")
    listed = docker("image", "ls", "--quiet", "--filter", "label=rackwright.image").stdout.split()
    for image in sorted(set(listed)):
        docker("image", "rm", "--force", image)
    empty_cache()


def chosen(lab: Lab, only: Collection[str]) -> list[LabHost]:
    """Return the hosts of these names, or all when none is named.

    Raises:
        RackwrightError: A name is not in the inventory.
    """
    known = {host.name: host for host in lab.hosts}
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise RackwrightError(
            f"the inventory has no host {', '.join(unknown)}", hint=f"it has: {', '.join(known)}"
        )
    return [host for host in lab.hosts if not only or host.name in only]


def _build_images(release: str, board: Board) -> dict[str, str]:
    mirror = find_mirror()
    recipes = {
        "host": host_recipe(release, architecture(), mirror),
        "gateway": gateway_recipe(RELEASES[0], architecture(), mirror),
    }

    def build(name: str) -> str:
        with board.step(f"image {name}") as step:
            step.say(f"Debian {recipes[name].release}, from packages")
            built = ensure_image(recipes[name])
            step.say(f"Debian {recipes[name].release}, {'built' if built else 'there'}")
        return recipes[name].tag

    return dict(zip(recipes, in_parallel(list(recipes), build), strict=True))


def _wait_for_boot(container: str) -> str:
    """Wait until systemd has started everything; returns `running` or `degraded`."""
    end = time.monotonic() + BOOT_SECONDS
    state = ""
    while time.monotonic() < end:
        state = execute(container, ["systemctl", "is-system-running", "--wait"], check=False).strip()
        if state in {"running", "degraded"}:
            return state
        time.sleep(0.3)
    log = docker("logs", "--tail", "20", container, check=False)
    raise RackwrightError(
        f"{container} did not boot in {BOOT_SECONDS} s (systemd says: {state or 'nothing'})\n"
        f"{log.stdout}{log.stderr}"
    )


def _wait_for_ssh(lab: Lab, host: LabHost) -> None:
    end = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < end:
        if access.answers(lab, host):
            return
        time.sleep(0.5)
    command = " ".join(access.ssh_command(lab, host))
    raise RackwrightError(f"{host.name} does not answer SSH in {BOOT_SECONDS} s", hint=f"try: {command}")


def _remove_container(container: str) -> None:
    found = inspect("container", container)
    if found and found[0]["State"]["Running"]:
        # Ends open SSH sessions properly; a shared connection would otherwise hang until it times out.
        docker("exec", container, "systemctl", "kill", "ssh.service", check=False, timeout=15)
    docker("rm", "--force", "--volumes", container)
