"""Metrics as Prometheus' text format has them, and the files in which the node exporter finds them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Family:
    """One metric with its samples: labels as sorted pairs -> value."""

    name: str
    help: str
    kind: str = "gauge"
    samples: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)

    def set(self, value: float, **labels: str) -> None:
        """Set the sample with these labels."""
        self.samples[tuple(sorted(labels.items()))] = value


@dataclass
class Histogram:
    """How often something took how long: cumulative buckets, sum and count, by labels."""

    name: str
    help: str
    bounds: tuple[float, ...]
    buckets: dict[tuple[tuple[str, str], ...], list[int]] = field(default_factory=dict)
    sums: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)

    def observe(self, value: float, **labels: str) -> None:
        """Count one more."""
        key = tuple(sorted(labels.items()))
        counts = self.buckets.setdefault(key, [0] * (len(self.bounds) + 1))
        counts[next((at for at, bound in enumerate(self.bounds) if value <= bound), len(self.bounds))] += 1
        self.sums[key] = self.sums.get(key, 0.0) + value


def rendered(families: Iterable[Family | Histogram]) -> str:
    """Return the text of some metrics."""
    lines: list[str] = []
    for family in families:
        if isinstance(family, Family):
            lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
            lines += [
                f"{family.name}{_labels(dict(key))} {value:.17g}" for key, value in family.samples.items()
            ]
            continue
        lines += [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} histogram"]
        for key, counts in family.buckets.items():
            total = 0
            for bound, count in zip((*map(str, family.bounds), "+Inf"), counts, strict=True):
                total += count
                lines.append(f"{family.name}_bucket{_labels({**dict(key), 'le': bound})} {total}")
            lines.append(f"{family.name}_sum{_labels(dict(key))} {family.sums[key]:.17g}")
            lines.append(f"{family.name}_count{_labels(dict(key))} {total}")
    return "\n".join(lines) + "\n" if lines else ""


def write(path: Path, text: str) -> None:
    """Replace a file in one step: the node exporter never reads half of it."""
    waiting = path.with_suffix(".tmp")
    waiting.write_text(text, encoding="utf-8")
    os.chmod(waiting, 0o644)  # noqa: PTH101 - one call on a path that was just written
    waiting.replace(path)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    shown = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{shown}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
