"""How `rackwright models` prints what it has found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from rackwright.cli.tables import console
from rackwright.models.devices import Machine
from rackwright.models.fit import Misfit, Plan, Wish
from rackwright.models.model import Model, Models
from rackwright.models.report import Row
from rackwright.models.serving import Serving, serving
from rackwright.tiers.model import Tier

MIB_PER_GIB = 1024
THOUSAND = 1024


def models_table(models: Mapping[str, Model]) -> Table:
    """Return the models as a table."""
    table = Table(title=f"{len(models)} models", title_justify="left", title_style="bold")
    table.add_column("Model", style="bold", no_wrap=True)
    table.add_column("Parameters", justify="right", no_wrap=True)
    table.add_column("Context", justify="right")
    table.add_column("For")
    table.add_column("Builds", overflow="fold", style="cyan")
    table.add_column("Licence", overflow="fold", style="dim")
    for key, model in models.items():
        table.add_row(
            key,
            _parameters(model),
            _tokens(model.context),
            ", ".join(model.purposes),
            " ".join(model.builds),
            model.licence,
        )
    return table


def print_fit(
    models: Models,
    machines: Mapping[str, Machine],
    reports: Mapping[str, Sequence[Row]],
    wish: Wish,
    tier: Tier | None,
    explain: bool,
) -> None:
    """Print what fits each machine, and what its tier would serve there."""
    out = console()
    for host, rows in reports.items():
        machine = machines[host]
        if any(isinstance(row.result, Plan) for row in rows):
            out.print(_fit_table(host, machine, rows, wish))
        if any(isinstance(row.result, Misfit) for row in rows):
            out.print(_misfit_table(rows))
        if explain:
            for row in rows:
                if isinstance(row.result, Plan):
                    out.print(_explain_table(row.key, row.result))
        if tier is not None:
            _print_serving(serving(tier, machine, models, wish.share))


def _fit_table(host: str, machine: Machine, rows: Sequence[Row], wish: Wish) -> Table:
    what = machine.gpus.text if machine.gpus else f"{machine.ram_mib} MiB of memory, no GPU"
    title = f"{host + ': ' if host else ''}{what}; {wish.parallel} requests of up to {wish.context} tokens"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("Model", style="bold", no_wrap=True)
    table.add_column("How", style="cyan", no_wrap=True)
    table.add_column("GPUs", justify="right")
    table.add_column("GiB" if machine.gpus is None else "GiB each", justify="right", no_wrap=True)
    table.add_column("Context\nup to", justify="right", no_wrap=True)
    table.add_column("Requests\nup to", justify="right", no_wrap=True)
    table.add_column("tokens/s\nat most", justify="right", no_wrap=True)
    for row in rows:
        if isinstance(row.result, Plan):
            table.add_row(row.key, *_plan_cells(row, row.result))
    return table


def _misfit_table(rows: Sequence[Row]) -> Table:
    table = Table(title="Do not fit", title_justify="left", title_style="bold")
    table.add_column("Model", style="bold", no_wrap=True)
    table.add_column("Why", overflow="fold")
    table.add_column("What would do", overflow="fold", style="yellow")
    for row in rows:
        if isinstance(row.result, Misfit):
            table.add_row(row.key, row.result.reason, "\n".join(change.text for change in row.changes[:3]))
    return table


def _plan_cells(row: Row, plan: Plan) -> tuple[str, ...]:
    service, bounds = plan.service, row.limits
    used, there = plan.memory.total_mib / MIB_PER_GIB, plan.available_mib / MIB_PER_GIB
    return (
        f"{service.quantisation} {service.engine.name}",
        str(service.gpus) if service.gpus else "-",
        f"{used:.1f} of {there:.1f}",
        _tokens(bounds.context) if bounds else "",
        str(bounds.parallel) if bounds else "",
        str(plan.speed.value) if plan.speed else "",
    )


def _explain_table(key: str, plan: Plan) -> Table:
    table = Table(title=key, title_justify="left", title_style="bold")
    table.add_column("Part", style="bold")
    table.add_column("MiB", justify="right", style="cyan")
    for column in ("Rule", "From", "Source"):
        table.add_column(column, overflow="fold", style="dim" if column != "Rule" else "")
    parts = dict(plan.memory.parts)
    for name, part in {**parts, **({"speed": plan.speed} if plan.speed else {})}.items():
        inputs = ", ".join(f"{name} {value}" for name, value in part.inputs.items())
        table.add_row(name, str(part.value), part.rule, inputs, part.source)
    table.add_section()
    table.add_row("total", str(plan.memory.total_mib), f"of {plan.available_mib} MiB", "", "")
    return table


def _print_serving(found: Serving) -> None:
    out, choice = console(), found.choice
    mark = "[bold green]tier:[/bold green]" if choice.plan else "[bold red]tier:[/bold red]"
    for reason in choice.reasons:
        out.print(f"{mark} {reason}")
    for warning in choice.warnings:
        out.print(f"[bold yellow]warning:[/bold yellow] {warning}")
    for change in choice.changes:
        out.print(f"  for {choice.wanted}: {change.text}")
    for each in found.placed:
        if each.role == "model":
            continue
        where = f"on GPU {', '.join(map(str, each.gpus))}" if each.gpus else "in the machine's memory"
        service = each.plan.service
        how = f"{each.plan.key} in {service.quantisation} by {service.engine.name}"
        out.print(f"[bold green]beside it:[/bold green] {how}, {where}: {each.plan.memory.total_mib} MiB")
    for key, reason in found.missing.items():
        if key != choice.wanted:
            out.print(f"[bold yellow]warning:[/bold yellow] {key} has no place: {reason}")


def _parameters(model: Model) -> str:
    total, active = model.parameters.total, model.parameters.active
    return f"{total:g} B" + (f" ({active:g} B)" if active < total else "")


def _tokens(number: int) -> str:
    return f"{number // THOUSAND}k" if number >= THOUSAND and number % THOUSAND == 0 else str(number)
