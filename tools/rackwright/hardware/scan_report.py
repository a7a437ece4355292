"""A scan for people and for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from rackwright.hardware.model import Hardware
from rackwright.hardware.scan import HostScan
from rackwright.hardware.store import shown
from rackwright.hardware.summary import data_filesystem, network_mbps

_STYLES = {
    "new": "green",
    "changed": "yellow",
    "unchanged": "dim",
    "unreachable": "bold red",
    "failed": "bold red",
}
_MOST_CHANGES = 20


def hosts_table(found: Sequence[HostScan]) -> Table:
    """Return one line per host."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False)
    table.add_column("host", style="bold", no_wrap=True)
    table.add_column("system", overflow="fold")
    table.add_column("cores (threads)", justify="right", overflow="fold", max_width=9)
    table.add_column("RAM", justify="right", no_wrap=True)
    table.add_column("disks", overflow="fold")
    table.add_column("GPUs", overflow="fold")
    table.add_column("network", overflow="fold")
    table.add_column("file", no_wrap=True)
    for scan in found:
        status = Text(scan.status, style=_STYLES[scan.status])
        if scan.hardware is None:
            table.add_row(scan.host, "", "", "", "", "", "", status)
        else:
            table.add_row(scan.host, *_cells(scan.hardware), status)
    return table


def _cells(hardware: Hardware) -> tuple[str, ...]:
    system, cpu = hardware.system, hardware.cpu
    kind = "" if system.virtualization == "none" else f"\n{system.virtualization}"
    threads = "" if cpu.threads == cpu.cores else f" ({cpu.threads})"
    return (
        f"{system.distribution} {system.version or system.codename}{kind}",
        f"{cpu.cores}{threads}",
        gigabytes(hardware.memory_mb),
        "\n".join(_disks(hardware)) or "none seen",
        "\n".join(_gpus(hardware)) or "none",
        _network(hardware),
    )


def gigabytes(mebibytes: int) -> str:
    """Return an amount of memory in GB of 1024 MiB, without a fraction where it is large."""
    size = mebibytes / 1024
    return f"{size:.0f} GB" if size >= 10 else f"{size:.1f} GB"  # noqa: PLR2004 - two digits are enough


def _size(gigabytes_: int) -> str:
    return f"{gigabytes_ / 1000:.1f} TB" if gigabytes_ >= 1000 else f"{gigabytes_} GB"  # noqa: PLR2004


def _disks(hardware: Hardware) -> Iterator[str]:
    counts = Counter((disk.kind, disk.size_gb) for disk in hardware.disks)
    yield from (f"{_times(count)}{_size(size)} {kind}" for (kind, size), count in counts.items())
    data = data_filesystem(hardware)
    if data:
        yield f"{_size(data.free_mb // 1024)} free on {data.mount}"


def _gpus(hardware: Hardware) -> Iterator[str]:
    counts = Counter((gpu.model, gpu.vram_mb, gpu.mig) for gpu in hardware.gpus)
    for (model, memory, mig), count in counts.items():
        # Some names have the memory already: A100 PCIe 40GB.
        vram = f" {gigabytes(memory)}" if memory and "GB" not in model else ""
        yield f"{_times(count)}{model}{vram}{', MIG' if mig else ''}"
    joined = "NVSwitch" if hardware.nvswitch else ""
    if not joined and any(gpu.nvlink_peers for gpu in hardware.gpus):
        joined = "NVLink"
    drivers = sorted({gpu.driver or "" for gpu in hardware.gpus})
    driver = f"driver {', '.join(filter(None, drivers))}" if any(drivers) else "no driver"
    if drivers:
        yield ", ".join(filter(None, [joined, driver]))


def _network(hardware: Hardware) -> str:
    speed = network_mbps(hardware)
    if speed is None:
        return "?" if hardware.network else "none"
    return f"{speed / 1000:g} Gbit/s" if speed >= 1000 else f"{speed} Mbit/s"  # noqa: PLR2004


def _times(count: int) -> str:
    return f"{count} x " if count > 1 else ""


def notes(found: Sequence[HostScan]) -> Iterator[Text]:
    """Yield what changed, what is odd, and which hosts were not read."""
    new = [scan for scan in found if scan.status == "new"]
    if new:
        names = ", ".join(scan.host for scan in new)
        yield Text(f"\nnew: {_short_path(new[0].path.parents[1])}/<host>/hardware.yml of {names}")
    for scan in found:
        if scan.changes:
            yield Text(f"\n{scan.host}: {_short_path(scan.path)}", style="bold")
        for change in scan.changes[:_MOST_CHANGES]:
            yield Text(f"  {change.path}: {shown(change.old)} -> {shown(change.new)}")
        if len(scan.changes) > _MOST_CHANGES:
            yield Text(f"  and {len(scan.changes) - _MOST_CHANGES} more")
    for scan in found:
        for finding in scan.findings:
            yield Text.assemble(
                ("\nwarning ", "bold yellow"), f"{scan.host}: {finding.found}\n  needed: {finding.needed}\n",
                f"  mend:   {finding.mend}",
            )  # fmt: skip
        if not scan.read:
            yield Text.assemble((f"\n{scan.status} ", "bold red"), f"{scan.host}: {scan.message}")


def _short_path(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def to_json(found: Sequence[HostScan], *, written: bool) -> dict[str, Any]:
    """Return the scan for machines."""
    return {
        "ok": all(scan.read for scan in found),
        "written": written and any(scan.status in {"new", "changed"} for scan in found),
        "hosts": [
            {
                "host": scan.host,
                "status": scan.status,
                "path": str(scan.path),
                "message": scan.message,
                "changes": [asdict(change) for change in scan.changes],
                "findings": [finding.as_dict() for finding in scan.findings],
                "hardware": scan.hardware.model_dump() if scan.hardware else None,
            }
            for scan in found
        ],
    }
