"""A site's status for people: a table of services, then alerts and GPUs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rackwright.operations.health import ServiceHealth
from rackwright.operations.status import Gpu, Status

# Below this the certificate's renewal by the next `apply` is overdue (the tls role renews at 30 days).
_CERTIFICATE_WARNING_DAYS = 25
_COLUMNS = (("host", "left"), ("service", "left"), ("", "left"), ("latency", "right"), ("cert", "right"))
_LONG_VERSION = 26


def as_view(found: Status) -> RenderableType:
    """Return everything."""
    return Group(as_table(found.services), Text(""), *_more(found))


def as_table(services: Sequence[ServiceHealth]) -> Table:
    """Return the services."""
    versions = any(entry.version for entry in services)
    table = Table(box=None, padding=(0, 2), show_edge=False)
    for column, justify in _COLUMNS:
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    if versions:
        table.add_column("version", no_wrap=True, overflow="ellipsis", max_width=_LONG_VERSION)
    table.add_column("detail", overflow="fold")
    for entry in services:
        mark = Text("ok", style="green") if entry.ok else Text("FAILED", style="bold red")
        latency = f"{entry.latency_ms:.0f} ms" if entry.latency_ms is not None else ""
        days = Text("" if entry.certificate_days is None else f"{entry.certificate_days} d")
        if entry.certificate_days is not None and entry.certificate_days < _CERTIFICATE_WARNING_DAYS:
            days.stylize("bold yellow")
        version = (
            [Text(entry.version, style="yellow" if entry.as_pinned is False else "")] if versions else []
        )
        table.add_row(entry.host, entry.service, mark, latency, days, *version, _detail(entry))
    return table


def _detail(entry: ServiceHealth) -> Text:
    found = Text(entry.detail)
    if entry.as_pinned is False:
        found.append(f"\npinned to {entry.pinned or 'another'}", style="yellow")
    return found


def _more(found: Status) -> Iterator[Text]:
    bad = sum(not entry.ok for entry in found.services)
    well = f"{len(found.services) - bad} of {len(found.services)} services are well"
    yield Text(well, style="bold red" if bad else "green")
    if found.alerts is None:
        yield Text(f"alerts: not known, {found.unmeasured}", style="dim")
    elif not found.alerts:
        yield Text("alerts: none fires", style="green")
    else:
        yield Text(f"alerts: {len(found.alerts)} firing", style="bold red")
        for alert in found.alerts:
            where = " ".join(filter(None, (alert.host, alert.service)))
            yield Text(f"  {alert.severity}: {alert.name} {where}", style="red")
    for gpu in found.gpus:
        yield Text(f"GPU {gpu.gpu} of {gpu.host}: {_gpu(gpu)}")


def _gpu(gpu: Gpu) -> str:
    parts = [
        f"{gpu.celsius:.0f} °C" if gpu.celsius is not None else "",
        f"{gpu.load:.0f} % load" if gpu.load is not None else "",
        f"{gpu.memory:.0f} % of its memory" if gpu.memory is not None else "",
    ]
    return ", ".join(filter(None, parts))
