"""A measured load for people: a table, and what it means in a sentence."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from rackwright.bench.inference import Percentiles, Promise, Result, Step


def as_table(result: Result) -> Table:
    """Return the steps, one a line."""
    table = Table(box=None, padding=(0, 1), show_edge=False)
    table.add_column("users", justify="right")
    table.add_column("requests", justify="right")
    table.add_column("first token, s\nP50 / P95 / P99", justify="right", no_wrap=True)
    table.add_column("answer, s\nP50 / P95 / P99", justify="right", no_wrap=True)
    table.add_column("tokens/s a user\nP50 / P95 / P99", justify="right", no_wrap=True)
    table.add_column("tokens/s\nall", justify="right", no_wrap=True)
    table.add_column("errors")
    for step in result.steps:
        table.add_row(
            str(step.users),
            str(step.requests),
            _figures(step.first_token, 2),
            _figures(step.answer, 2),
            _figures(step.speed, 1),
            f"{step.throughput:.1f}",
            _errors(step),
        )
    return table


def sentences(result: Result) -> list[str]:
    """Return what the figures mean, beside what the tier promises."""
    last, promise = result.steps[-1], result.promise
    wanted = (
        f"the tier {result.tier} promises a first token within {promise.first_token_seconds:g} s (P95) and "
        f"{promise.tokens_per_second:g} tokens/s, for {result.tier_users} users"
    )
    if result.kept:
        said = [f"kept with {last.users} users at a time: {wanted}"]
    else:
        said = [f"not kept with {last.users} users at a time: {_why(last, promise)}; {wanted}"]
        held = [step.users for step in result.steps if step.keeps(promise)]
        if held:
            said.append(f"it held with up to {max(held)} users at a time")
    if not result.complete:
        said.append(f"{last.users} users are fewer than the tier's {result.tier_users}: this proves less")
    if result.target == "engine":
        said.append("the site has no model route: one engine alone was asked")
    return said


def _why(step: Step, promise: Promise) -> str:
    if step.failed:
        return f"{step.failed} of {step.requests} requests failed ({_errors(step).plain})"
    if step.first_token is None or step.speed is None:
        return "no answer had tokens enough to measure"
    why = []
    if step.first_token.p95 > promise.first_token_seconds:
        why.append(f"the first token took {step.first_token.p95:.2f} s (P95)")
    if step.speed.p50 < promise.tokens_per_second:
        why.append(f"answers came at {step.speed.p50:.1f} tokens/s")
    return " and ".join(why)


def _figures(found: Percentiles | None, digits: int) -> str:
    if found is None:
        return "-"
    return " / ".join(f"{figure:.{digits}f}" for figure in (found.p50, found.p95, found.p99))


def _errors(step: Step) -> Text:
    if not step.errors:
        return Text("none", style="green")
    return Text(", ".join(f"{count} {kind}" for kind, count in step.errors.items()), style="bold red")
