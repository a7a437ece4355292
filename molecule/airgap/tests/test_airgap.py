"""A site out of a bundle: nothing left it, nothing else is believed, what would leave is named."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machines import PROJECT, SOURCES, Machines

MADE = PROJECT / ".lab/molecule-airgap"
BUNDLE = MADE / "bundle"
SOURCE_ARGUMENTS = [part for source in SOURCES for part in ("-i", str(source))]
MIRROR = "10.63.40.11:8481"


def run(program: str, *arguments: str, seconds: int = 900) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=seconds)


def rackwright(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("rackwright", *arguments)


def play(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("ansible-playbook", *SOURCE_ARGUMENTS, *arguments)


def signer() -> str:
    return (MADE / "bundle-signer").read_text().strip()


def counted_at_the_gateway(machines: Machines) -> int:
    """Packets that any machine has sent to somewhere outside the lab since the gateway's start."""
    command = [
        "docker",
        "exec",
        machines.lab.gateway_container,
        "nft",
        "list",
        "table",
        "inet",
        "rackwright_lab",
    ]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return int(re.search(r"counter outside \{\s*packets (\d+)", listed)[1])


@contextmanager
def changed(path: Path, content: bytes | None) -> Iterator[None]:
    """A file with another content, or none, for a while."""
    before = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        path.write_bytes(before)


def test_no_packet_left_while_the_site_was_installed(machines: Machines) -> None:
    assert counted_at_the_gateway(machines) == 0


def test_the_lab_has_no_way_out(machines: Machines) -> None:
    listed = subprocess.run(
        ["docker", "network", "inspect", *(network.name for network in machines.lab.networks)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(network["Internal"] for network in json.loads(listed.stdout))


def test_an_image_is_pulled_from_the_mirror_by_its_digest(machines: Machines) -> None:
    listed = json.loads(rackwright("bundle", "show", str(BUNDLE), "--kind", "image", "--json").stdout)
    manifest = next(entry["sha256"] for entry in listed if "/manifests/" in entry["path"])
    name = f"{MIRROR}/rackwright/llama-cpp@sha256:{manifest}"
    machines.inside("app1", f"docker pull --quiet {name}")
    other = manifest[:-1] + ("0" if manifest[-1] != "0" else "1")
    assert "ok" not in machines.inside("app1", f"docker pull {name[:-64]}{other} && echo ok", check=False)


def test_a_host_takes_no_index_that_another_key_signed_or_none(machines: Machines) -> None:
    """The mirror itself need not be trusted: what it changes, hosts refuse."""
    place = "/srv/rackwright-bundle/tree/apt/debian-13/amd64"
    refresh = "rm -rf /var/lib/apt/lists/*; apt-get -q update -o APT::Update::Error-Mode=any && echo ok"
    assert machines.inside("app1", refresh).endswith("ok")
    # The name gets a file of its own; the content that it was linked to stays as it is.
    spoil = "rm Release && sed 's/Label.*/Label: other/' /root/kept > Release"
    machines.inside("ops1", f"cd {place} && cp Release /root/kept && {spoil}")
    try:
        assert not machines.inside("app1", refresh, check=False).endswith("ok")
    finally:
        machines.inside("ops1", f"cp /root/kept {place}/Release")
    assert machines.inside("app1", refresh).endswith("ok")


def test_a_bundle_that_is_not_whole_changes_no_host() -> None:
    listed = json.loads(rackwright("bundle", "show", str(BUNDLE), "--kind", "package", "--json").stdout)
    entry = listed[0]
    content = BUNDLE / "objects" / entry["sha256"][:2] / entry["sha256"]
    flipped = bytearray(content.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    for damage, told in ((None, "missing"), (bytes(flipped), "another content")):
        with changed(content, damage):
            looked = rackwright("bundle", "verify", str(BUNDLE), "--signer", signer())
            assert looked.returncode == 1
            assert f"{entry['path']}: {told}" in looked.stdout
            refused = play("site.yml")
            assert refused.returncode != 0
            assert entry["path"] in refused.stdout
            assert "no host has been touched" in refused.stdout
            assert "PLAY [Look at the hosts]" not in refused.stdout


def test_a_bundle_of_another_key_changes_no_host() -> None:
    refused = play("site.yml", "-e", f"bundle_signer={signer()[::-1]}")
    assert refused.returncode != 0
    refused = rackwright("bundle", "verify", str(BUNDLE), "--signer", signer()[::-1])
    assert refused.returncode == 1
    assert f"signed by {signer()}, the site trusts" in refused.stderr


def test_a_control_node_is_made_of_the_bundle_alone(machines: Machines) -> None:
    """On the machine outside all zones, as bare as an installer leaves it; it has no way out either."""
    container = machines.containers["outside1"]
    subprocess.run(["docker", "cp", str(BUNDLE), f"{container}:/srv/bundle"], check=True, timeout=300)
    wrong = machines.inside(
        "outside1", f"/srv/bundle/setup-control-node --signer {'0' * 40} 2>&1", check=False
    )
    assert "nothing was changed" in wrong
    subprocess.run(
        ["docker", "exec", container, "/srv/bundle/setup-control-node", "--signer", signer()],
        check=True,
        capture_output=True,
        timeout=600,
    )
    assert "rackwright" in machines.inside("outside1", "/opt/rackwright/.venv/bin/rackwright --version")
    built = "cd /opt/rackwright && .venv/bin/rackwright bundle verify /srv/bundle --signer "
    assert "whole" in machines.inside("outside1", built + signer())


def test_nothing_leaves_while_it_runs_and_what_would_is_named(machines: Machines) -> None:
    assert rackwright("airgap", "start", *SOURCE_ARGUMENTS).returncode == 0
    used = rackwright("smoke", *SOURCE_ARGUMENTS)
    assert used.returncode == 0, used.stdout + used.stderr
    report = MADE / "proof"
    proof = rackwright("airgap", "read", *SOURCE_ARGUMENTS, "--report", str(report))
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "passed: 4 hosts counted" in proof.stdout
    assert counted_at_the_gateway(machines) == 0
    # Planted: a question for a name, and a call home, by an account that is not root's.
    for call in ("echo x > /dev/udp/192.0.2.53/53", "exec 3<>/dev/tcp/198.51.100.7/443"):
        machines.inside("data1", f"timeout 3 runuser -u postgres -- bash -c '{call}'", check=False)
    proof = rackwright("airgap", "read", *SOURCE_ARGUMENTS, "--json")
    assert proof.returncode == 1
    told = json.loads(proof.stdout)
    assert not told["passed"]
    host = next(each for each in told["hosts"] if each["host"] == "data1")
    assert host["names"] >= 1
    seen = {(each["account"], each["to"], each["port"]) for each in host["senders"]}
    assert ("postgres", "198.51.100.7", "443") in seen
    assert ("postgres", "192.0.2.53", "53") in seen
    assert all(each["packets"] == 0 for each in told["hosts"] if each["host"] != "data1")
