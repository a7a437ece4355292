"""A plan, or what a run did, for people: the summary first, then host by host."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from rackwright.plan.model import INTERRUPTING, Difference, Downtime, HostPlan, Item, Plan, ServicePlan

# More items of one kind and action than this are told in one line.
_TOLD_ONE_BY_ONE = 4
_NAMED = 3
_STYLES = {
    "created": "green",
    "installed": "green",
    "allowed": "green",
    "issued": "green",
    "started": "green",
    "enabled": "green",
    "removed": "red",
    "denied": "red",
    "stopped": "red",
    "disabled": "red",
    "restarted": "bold yellow",
    "recreated": "bold yellow",
}
_PLURALS = {"database": "database objects", "firewall": "flows"}


def print_plan(console: Console, plan: Plan, *, diff: bool = False) -> None:
    """Print a plan.

    Args:
        console: where to.
        plan: what would change.
        diff: whether to show the contents of every file in full.
    """
    _print_head(console, plan)
    for host in plan.hosts:
        if host.items:
            console.print()
            for line in host_lines(host, diff=diff):
                console.print(line, soft_wrap=True)
    unchanged = [host.name for host in plan.hosts if not host.items]
    if unchanged and plan.changes:
        console.print(Text.assemble("\n", ("nothing to do on ", "dim"), ", ".join(unchanged)))


def _print_head(console: Console, plan: Plan) -> None:
    hosts = f"{len(plan.hosts)} host{_s(len(plan.hosts))}"
    if not plan.changes and not plan.troubles:
        console.print(Text.assemble(("Nothing to do", "bold green"), f": {hosts} as the inventory says."))
    elif plan.changes:
        there = sum(bool(host.items) for host in plan.hosts)
        on = f"on {there} of {hosts}" if there != len(plan.hosts) else f"on {hosts}"
        console.print(Text(f"{plan.changes} change{_s(plan.changes)} {on}", style="bold"))
        steps = ((INTERRUPTING, "restart"), (("reloaded",), "reload"), (("started",), "start"))
        counted = [(plan.counted(*actions), word) for actions, word in steps]
        told = ", ".join(f"{number} {word}{_s(number)}" for number, word in counted if number)
        console.print(Text.assemble(("  services  ", "dim"), told or "none is restarted or reloaded"))
        console.print(Text.assemble(("  downtime  ", "dim"), _longest(plan.downtimes)))
        for entry in plan.downtimes:
            console.print(_downtime(entry), soft_wrap=True)
        console.print(Text.assemble(("  reboots   ", "dim"), ", ".join(plan.reboots) or "none"))
    for note in plan.notes:
        console.print(Text.assemble(("  note      ", "dim"), note), soft_wrap=True)
    for trouble in plan.troubles:
        console.print(
            Text.assemble(
                (f"{trouble.kind.upper()} ", "bold red"),
                (trouble.host, "bold"),
                f"  {trouble.task}\n",
                (trouble.message, "red"),
            )
        )


def _longest(downtimes: Sequence[Downtime]) -> str:
    return f"at most about {_seconds(downtimes[0].seconds)} of one service" if downtimes else "none"


def _downtime(entry: Downtime) -> Text:
    affects = ""
    if entry.affects:
        affects = f"; {', '.join(entry.affects)} {'waits' if len(entry.affects) == 1 else 'wait'} for it"
    return Text.assemble(
        "            ",
        (f"{entry.service} on {entry.host}", "yellow"),
        f"  about {_seconds(entry.seconds)}{affects} ",
        (f"({entry.basis})", "dim"),
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004 - tenths of long times are noise


def host_lines(host: HostPlan, *, diff: bool = False) -> Iterator[Text]:
    """Tell one host: a line for its name, one per service, one per item or group of like items."""
    count = len(host.items)
    yield Text.assemble((host.name, "bold"), (f"  {count} change{_s(count)}", "dim"))
    for part in host.services:
        yield Text(f"  {part.service}", style="cyan")
        yield from _service_lines(part, diff)


def _service_lines(part: ServicePlan, diff: bool) -> Iterator[Text]:
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in part.items:
        groups.setdefault((item.kind, item.action), []).append(item)
    for (kind, action), items in groups.items():
        if len(items) > _TOLD_ONE_BY_ONE and kind != "unit" and not diff:
            names = ", ".join(item.name for item in items[:_NAMED])
            more = f" and {len(items) - _NAMED} more"
            plural = _PLURALS.get(kind, f"{kind.replace('_', ' ')}s")
            yield _line(action, f"{len(items)} {plural}", f"{names}{more}")
            continue
        for item in items:
            yield _line(action, f"{kind.replace('_', ' ')} {item.name}", _detail(item))
            if diff and item.diff is not None:
                yield from diff_lines(item.diff)


def _line(action: str, name: str, detail: str) -> Text:
    return Text.assemble(
        "    ",
        (f"{action:<10}", _STYLES.get(action, "yellow")),
        name,
        (f"  {detail}" if detail else "", "dim"),
    )


def _detail(item: Item) -> str:
    """Say why, without what the action says already, and how much of a file."""
    said = item.detail.removeprefix(item.action).removeprefix(", ") if item.kind != "unit" else item.detail
    if said == "content":
        said = ""
    # Of a directory or a link the difference is its kind and its rights.
    if (
        item.diff is None
        or item.kind not in ("file", "firewall")
        or "absent\n" in (item.diff.before, item.diff.after)
    ):
        return said
    plus, minus = counted_lines(item.diff)
    return f"{said}, +{plus} -{minus} lines" if said else f"+{plus} -{minus} lines"


def counted_lines(diff: Difference) -> tuple[int, int]:
    """Return how many lines are added and removed."""
    lines = list(difflib.ndiff(diff.before.splitlines(), diff.after.splitlines()))
    return sum(line.startswith("+ ") for line in lines), sum(line.startswith("- ") for line in lines)


def diff_lines(diff: Difference) -> Iterator[Text]:
    """Return the difference as a unified diff, without its two lines of names."""
    lines = difflib.unified_diff(diff.before.splitlines(), diff.after.splitlines(), lineterm="", n=2)
    for number, line in enumerate(lines):
        if number > 1:
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            yield Text(f"        {line}", style=style)


def _s(number: int) -> str:
    return "" if number == 1 else "s"
