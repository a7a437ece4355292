"""The planner beside figures that others publish: how far it is off, in a table for the documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from rackwright.models.engines import ENGINES
from rackwright.models.memory import Service, cache_bytes_per_token, memory
from rackwright.models.model import Models
from rackwright.models.weights import weights
from rackwright.site.variables import Strict

What = Literal["weights", "cache", "served", "benchmark", "tokens"]
UNITS = {"GB": 1e9, "GiB": 2.0**30, "MiB": 2.0**20, "KiB": 1024.0}
MIB = 2**20
# What the project aims at.
AIM = 0.10


class Figure(Strict):
    """One published number."""

    model: str
    quantisation: str
    published: Annotated[float, Field(gt=0)]
    context: Annotated[int, Field(ge=1)] | None = None
    why: str = Field(default="", description="Why the planner is further off than it aims to be.")


class Publication(Strict):
    """Numbers of one kind from one source."""

    source: str
    what: What
    unit: Literal["GB", "GiB", "MiB", "KiB"]
    engine: str = "ollama"
    context: Annotated[int, Field(ge=1)] = 2048
    parallel: Annotated[int, Field(ge=1)] = 1
    gpus: Annotated[int, Field(ge=1)] = 1
    figures: Annotated[list[Figure], Field(min_length=1)]


@dataclass(frozen=True)
class Comparison:
    """One number and the planner's, in the publication's unit."""

    publication: Publication
    figure: Figure
    planned: float

    @property
    def deviation(self) -> float:
        """The planner's over the published, less one."""
        return self.planned / self.figure.published - 1


def compare(models: Models, path: Path) -> list[Comparison]:
    """Return the planner's number for each published one.

    Raises:
        pydantic.ValidationError: The file has another form.
        KeyError: It names a model or a quantisation that there is none of.
    """
    import yaml  # noqa: PLC0415 - only the documents' generator and a test read this file

    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    publications = TypeAdapter(list[Publication]).validate_python(data)
    return [
        Comparison(publication, figure, _bytes(models, publication, figure) / UNITS[publication.unit])
        for publication in publications
        for figure in publication.figures
    ]


def table(comparisons: list[Comparison]) -> str:
    """Return the comparisons as a Markdown table."""
    return "\n".join(_lines(comparisons))


def _bytes(models: Models, publication: Publication, figure: Figure) -> float:
    model = models.models[figure.model]
    quantisation = models.quantisations[figure.quantisation]
    context = figure.context or publication.context
    service = Service(
        ENGINES[publication.engine],
        figure.quantisation,
        context,
        publication.parallel,
        "f16",
        publication.gpus,
    )
    on_disk = weights(model, figure.quantisation, quantisation).total
    match publication.what:
        case "weights":
            return on_disk / publication.gpus
        case "tokens":
            return cache_bytes_per_token(model, service) / publication.gpus
        case "benchmark":
            return on_disk + cache_bytes_per_token(model, service) * context
        case "cache":
            return memory(model, quantisation, service).mib("cache") * MIB
        case "served":
            return memory(model, quantisation, service).total_mib * MIB


_WHAT = {
    "weights": "weights",
    "cache": "cache",
    "served": "served",
    "benchmark": "weights and cache",
    "tokens": "cache of a token",
}


def _lines(comparisons: list[Comparison]) -> Iterator[str]:
    sources = list(dict.fromkeys(each.publication.source for each in comparisons))
    yield "| model | build | what | published | planner | deviation | source |"
    yield "| --- | --- | --- | ---: | ---: | ---: | --- |"
    for each in comparisons:
        publication, figure = each.publication, each.figure
        what = _WHAT[publication.what]
        if publication.what in {"cache", "benchmark"}:
            what += f", {figure.context or publication.context} tokens"
        if publication.gpus > 1:
            what += f", on each of {publication.gpus} GPUs"
        why = f": {figure.why}" if figure.why else ""
        yield (
            f"| {figure.model} | {figure.quantisation} | {what} | {figure.published:g} {publication.unit}"
            f" | {_rounded(each.planned)} {publication.unit} | {100 * each.deviation:+.1f} %{why}"
            f" | {sources.index(publication.source) + 1} |"
        )
    yield ""
    for number, source in enumerate(sources, 1):
        yield f"{number}. {source}"


def _rounded(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - three digits tell enough
