"""A site with no way out, as its tests use it: its bundle, its operator's commands, what would leave it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from machines import PROJECT, SOURCES, Machines

MADE = PROJECT / ".lab" / f"molecule-{SOURCES[-1].parent.name.replace('_', '-')}"
BUNDLE = MADE / "bundle"


def named(sources: Iterable[Path] = SOURCES) -> list[str]:
    """Inventory sources, as commands take them."""
    return [part for source in sources for part in ("-i", str(source))]


def run(program: str, *arguments: str, seconds: int = 1800) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    # The key of whoever builds; who only checks has no use for it.
    environment = {**os.environ, "RACKWRIGHT_BUNDLE_KEY": str(MADE / "key")}
    return subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=seconds, env=environment
    )


def rackwright(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("rackwright", *arguments)


def play(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run("ansible-playbook", *named(), *arguments)


def signer() -> str:
    return (MADE / "bundle-signer").read_text().strip()


def counted_at_the_gateway(machines: Machines) -> int:
    """Packets that any machine has sent to somewhere outside the lab since the gateway's start."""
    table = ["nft", "list", "table", "inet", "rackwright_lab"]
    command = ["docker", "exec", machines.lab.gateway_container, *table]
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
