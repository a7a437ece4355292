"""Runs the proof on a site, or reads what a watch has counted so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rackwright.errors import RackwrightError
from rackwright.operations.runner import EventHandler, Run, run_playbook
from rackwright.site.inventory import load_inventory

PROOF = "playbooks/airgap_proof.yml"
WATCH = "playbooks/airgap_watch.yml"
_TASK = "Count"


@dataclass(frozen=True)
class Sender:
    """Packets of one sender to one place outside.

    Attributes:
        account: Of the host, or `container`.
        who: The account's programs, or the container's name.
        to: Address.
        protocol: tcp or udp.
        port: Number.
        packets: How many.
    """

    account: str
    who: str
    to: str
    protocol: str
    port: str
    packets: int


@dataclass(frozen=True)
class HostCount:
    """What one host counted.

    Attributes:
        host: Its name.
        packets: To the outside, of any kind.
        names: Of these, questions for names.
        senders: Who sent them; so many are told apart, the counters count all.
        since: When it began to count, by its own clock; None: not known.
    """

    host: str
    packets: int
    names: int
    senders: tuple[Sender, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True)
class Proof:
    """What came out.

    Attributes:
        site: The site's name.
        source: Profile that it was installed from.
        manifest: Digest of the bundle; empty for another profile.
        begun: When the last of its hosts began to count: from then on all did.
        ended: When.
        idle_seconds: Of it without any question.
        hosts: One for each host that counted.
        missing: Hosts that did not, with the reason.
        stages: What was done meanwhile, with seconds.
        successful: Whether all of that ended well.
    """

    site: str
    source: str
    manifest: str
    begun: datetime
    ended: datetime
    idle_seconds: int
    hosts: tuple[HostCount, ...]
    missing: dict[str, str]
    successful: bool
    stages: tuple[str, ...] = field(default=())

    @property
    def packets(self) -> int:
        """Packets to the outside, of all hosts."""
        return sum(host.packets for host in self.hosts)

    @property
    def passed(self) -> bool:
        """Whether everything was done, every host counted, and nothing wanted to leave."""
        return self.successful and not self.missing and bool(self.hosts) and self.packets == 0


def prove(inventories: Sequence[Path], idle_seconds: int, *, on_event: EventHandler | None = None) -> Proof:
    """Install the site, use it, leave it alone, and count meanwhile.

    Args:
        inventories: Inventory sources.
        idle_seconds: How long it is left alone.
        on_event: Called with every event of the run, which takes an hour and more.

    Raises:
        RackwrightError: The run was refused before a host was asked.
    """
    stages = ("bundle onto the mirror", "installation", "smoke tests", f"{idle_seconds} s without a question")
    arguments = ["-e", f"airgap_idle_seconds={idle_seconds}"]
    return _proof(PROOF, inventories, arguments, idle_seconds, stages, on_event)


def read(inventories: Sequence[Path]) -> Proof:
    """Say what has been counted since `start`.

    Raises:
        RackwrightError: No host counts.
    """
    return _proof(
        WATCH, inventories, ["-e", "airgap_state=read"], 0, ("the time since the watch was started",)
    )


def start(inventories: Sequence[Path]) -> None:
    """Begin to count on every host.

    Raises:
        RackwrightError: A host does not.
    """
    run = run_playbook(WATCH, inventories, arguments=["-e", "airgap_state=started"])
    if not run.successful:
        _refuse(run)


def _proof(
    playbook: str,
    inventories: Sequence[Path],
    arguments: list[str],
    idle_seconds: int,
    stages: tuple[str, ...],
    on_event: EventHandler | None = None,
) -> Proof:
    inventory = load_inventory(inventories)
    variables = inventory.site_variables()
    source = str(variables["source_profile"])
    begun = datetime.now(UTC)
    run = run_playbook(playbook, inventories, on_event=on_event, arguments=arguments)
    counts = counts_of(run)
    if not counts:
        _refuse(run)
    counting = max((count.since for count in counts if count.since), default=begun)
    reached = {count.host for count in counts}
    missing = {
        name: "it did not say what it counted"
        for name in inventory.members("platform")
        if name not in reached
    }
    missing |= {result.host: result.message for result in run.recap.failed if result.host in missing}
    return Proof(
        site=str(variables["site_name"]),
        source=source,
        manifest=_manifest(str(variables["bundle_directory"])) if source == "bundle" else "",
        begun=counting,
        ended=datetime.now(UTC),
        idle_seconds=idle_seconds,
        hosts=tuple(counts),
        missing=missing,
        successful=run.successful,
        stages=stages,
    )


def counts_of(run: Run) -> list[HostCount]:
    """Return what the hosts of a run said that they counted."""
    found = {}
    for result in run.recap.results:
        said = result.result
        if "packets" in said and "names" in said:
            senders = tuple(_sender(each) for each in said.get("seen") or ())
            since = datetime.fromtimestamp(int(said["since"]), UTC) if said.get("since") else None
            found[result.host] = HostCount(
                result.host, int(said["packets"]), int(said["names"]), senders, since
            )
    return [found[name] for name in sorted(found)]


def _sender(said: dict[str, Any]) -> Sender:
    return Sender(
        str(said["account"]),
        str(said["who"]),
        str(said["to"]),
        str(said["protocol"]),
        str(said["port"]),
        int(said["packets"]),
    )


def _manifest(directory: str) -> str:
    from rackwright.bundle.manifest import read as read_manifest  # noqa: PLC0415

    return read_manifest(Path(directory)).digest


def _refuse(run: Run) -> None:
    text = "; ".join(f"{result.host}: {result.message}" for result in run.recap.failed)
    raise RackwrightError(
        f"nothing was counted: {text or run.status}", hint=f"the run's output is in {run.log}"
    )
