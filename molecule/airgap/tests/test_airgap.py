"""A site out of a bundle: nothing left it, nothing else is believed, what would leave is named."""

import json
import shlex
import subprocess
import time
from datetime import datetime

from closed import BUNDLE, MADE, changed, counted_at_the_gateway, named, play, rackwright, signer
from machines import Machines

MIRROR = "10.63.40.11:8481"
# Of the control node that is made of the bundle: it is the one host.
SITE = """---
all:
  vars:
    site_name: carried
    domain: carried.internal
    tier: entry
    zones: {{ops: {{cidr: "{address}/32"}}}}
    management_sources: ["{address}/32"]
    client_networks: ["{address}/32"]
    package_proxy: ""
    dns_servers: []
    ntp_servers: []
    source_profile: bundle
    bundle_directory: /srv/bundle
    bundle_signer: {signer}
  children:
    zone_ops: {{hosts: {{control: {{ansible_host: "{address}", ansible_connection: local}}}}}}
    platform: {{children: {{zone_ops: {{}}}}}}
    mirror: {{hosts: {{control: {{}}}}}}
"""
REFRESH = "rm -rf /var/lib/apt/lists/*; apt-get -q update -o APT::Update::Error-Mode=any && echo ok"


def test_the_proof_in_one_run(machines: Machines) -> None:
    """The site's first run was the proof (prepare.yml); two further runs came after it."""
    told = json.loads((MADE / "proof/airgap.json").read_text())
    assert told["verdict"] == "passed: 4 hosts counted, and no packet wanted to leave the site"
    assert told["packets"] == 0
    assert told["source"] == "bundle"
    # Hosts were bare when they began to count.
    begun = datetime.fromisoformat(told["begun"]).timestamp()
    for host, package in (("app1", "docker.io"), ("data1", "redis-server"), ("edge1", "nginx")):
        assert int(machines.inside(host, f"stat -c %Y /var/lib/dpkg/info/{package}.list")) > begun
    since = json.loads(rackwright("airgap", "read", *named(), "--json").stdout)
    assert since["passed"]
    assert since["begun"] == told["begun"]
    # The gateway, which nobody on the hosts can tell anything, has counted since it was there.
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


def on_the_mirror(machines: Machines, name: str, change: str, refused: str) -> None:
    """Changes a file of the mirror for a while: a host takes it before and after, and not meanwhile."""
    tree = "/srv/rackwright-bundle/tree"
    assert machines.inside("app1", refused).endswith("ok")
    # The name gets a file of its own; the content that it was linked to stays as it is.
    machines.inside("ops1", f"cd {tree} && cp {name} /root/kept && rm {name} && {change}")
    try:
        assert not machines.inside("app1", refused, check=False).endswith("ok")
    finally:
        machines.inside("ops1", f"cp /root/kept {tree}/{name} && chmod 644 {tree}/{name}")
    assert machines.inside("app1", refused).endswith("ok")


def test_a_host_takes_no_index_that_was_changed_or_is_not_signed(machines: Machines) -> None:
    """The mirror itself need not be trusted: what it changes, hosts refuse."""
    release = "apt/debian-13/amd64/Release"
    on_the_mirror(machines, release, f"sed 's/Label.*/Label: other/' /root/kept > {release}", REFRESH)
    on_the_mirror(machines, f"{release}.gpg", "true", REFRESH)


def test_a_host_takes_no_package_that_was_changed(machines: Machines) -> None:
    listed = json.loads(rackwright("bundle", "show", str(BUNDLE), "--kind", "package", "--json").stdout)
    entry = min(listed, key=lambda each: each["size"])
    fetch = f"cd /tmp && rm -f *.deb && apt-get -q download {entry['name']} && test -s *.deb && echo ok"
    # As long as before: its size gives nothing away.
    flip = "b = bytearray(open('/root/kept', 'rb').read()); b[-9] ^= 1; open(sys.argv[1], 'wb').write(b)"
    change = f"python3 -c {shlex.quote('import sys; ' + flip)} {entry['path']}"
    on_the_mirror(machines, entry["path"], change, fetch)


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
    # It runs a playbook: a site of its own, whose mirror it is itself.
    site = SITE.format(address=machines.addresses["outside1"], signer=signer())
    machines.inside("outside1", "mkdir -p /srv/site && cat > /srv/site/hosts.yml", data=site)
    commands = "rackwright secrets init -i /srv/site && rackwright bundle serve -i /srv/site"
    serve = ["bash", "-c", f"cd /opt/rackwright && PATH=$PWD/.venv/bin:$PATH && {commands}"]
    done = subprocess.run(
        ["docker", "exec", container, *serve], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "control serves it" in done.stdout
    served = f"https://{machines.addresses['outside1']}:8481/apt/debian-13/amd64/Release"
    ask = (
        f"import ssl, urllib.request as r; c = ssl.create_default_context(cafile='/srv/site/pki/ca.pem'); "
        f"print(r.urlopen('{served}', context=c).read().decode())"
    )
    assert "Label: Rackwright bundle" in machines.inside("outside1", f"python3 -c {shlex.quote(ask)}")
    assert counted_at_the_gateway(machines) == 0


def test_nothing_leaves_when_hosts_start_again(machines: Machines) -> None:
    """What a host counted is lost with its restart, and it says so; the gateway counts on."""
    subprocess.run(
        ["docker", "update", "--restart", "unless-stopped", machines.containers["app1"]],
        check=True,
        capture_output=True,
        timeout=60,
    )
    machines.inside("app1", "systemctl reboot", check=False)
    time.sleep(10)
    waiting = time.monotonic() + 300
    while rackwright("health", *named()).returncode and time.monotonic() < waiting:
        time.sleep(10)
    used = rackwright("smoke", *named())
    assert used.returncode == 0, used.stdout + used.stderr
    lost = rackwright("airgap", "read", *named())
    assert lost.returncode == 1
    assert "app1: no count" in lost.stdout
    assert counted_at_the_gateway(machines) == 0


def test_nothing_leaves_while_it_is_backed_up_restored_and_used(machines: Machines) -> None:
    assert rackwright("airgap", "start", *named()).returncode == 0
    kept = rackwright("backup", *named(), "--json")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert {"data1/postgresql", "data1/redis"} <= {each["store"] for each in json.loads(kept.stdout)}
    back = rackwright("restore", *named(), "--confirm", machines.site.name)
    assert back.returncode == 0, back.stdout + back.stderr
    used = rackwright("smoke", *named())
    assert used.returncode == 0, used.stdout + used.stderr
    proof = rackwright("airgap", "read", *named())
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert "passed: 4 hosts counted" in proof.stdout
    assert counted_at_the_gateway(machines) == 0


def test_what_would_leave_is_named(machines: Machines) -> None:
    """Planted: a question for a name, and a call home, by an account that is not root's."""
    for call in ("echo x > /dev/udp/192.0.2.53/53", "exec 3<>/dev/tcp/198.51.100.7/443"):
        machines.inside("data1", f"timeout 3 runuser -u postgres -- bash -c '{call}'", check=False)
    proof = rackwright("airgap", "read", *named(), "--json")
    assert proof.returncode == 1
    told = json.loads(proof.stdout)
    assert not told["passed"]
    host = next(each for each in told["hosts"] if each["host"] == "data1")
    assert host["names"] >= 1
    seen = {(each["account"], each["to"], each["port"]) for each in host["senders"]}
    assert ("postgres", "198.51.100.7", "443") in seen
    assert ("postgres", "192.0.2.53", "53") in seen
    assert all(each["packets"] == 0 for each in told["hosts"] if each["host"] != "data1")
