"""Read the models: shape by pydantic, then the rules that span several keys. All findings at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TypeVar

from pydantic import TypeAdapter

from rackwright.catalogue.findings import Finding, FindingsError, short
from rackwright.catalogue.load import parse
from rackwright.errors import RackwrightError
from rackwright.models.brief import written_out
from rackwright.models.count import active_count, billions, count
from rackwright.models.model import MODEL_KEY, Architecture, Model, Models, Quantisation
from rackwright.site.paths import repository_root

# How far the parameters counted from an architecture may be from the published ones: vendors round.
TOLERANCE = 0.025
ACTIVE_TOLERANCE = 0.1

T = TypeVar("T")

_DOCS = "docs/models.md"
_MODEL = TypeAdapter(Model)
_QUANTISATION = TypeAdapter(Quantisation)


def load_models(models: object, quantisations: object) -> Models:
    """Return what the variables `models` and `model_quantisations` hold.

    Raises:
        FindingsError: Anything in them is wrong; holds every finding.
    """
    findings: list[Finding] = []
    known = _parse_all(_QUANTISATION, "model_quantisations", quantisations, findings)
    formats = {name: each.format for name, each in known.items()}
    written = models
    if isinstance(models, Mapping):
        written = {key: written_out(model, formats) for key, model in models.items()}
    parsed = _parse_all(_MODEL, "models", written, findings)
    for key, model in parsed.items():
        findings += _findings(key, model, known)
    if findings:
        raise FindingsError(findings)
    return Models(parsed, known)


def models_of(variables: Mapping[str, object]) -> Models:
    """Return the models that a site's variables hold.

    Raises:
        FindingsError: Anything in them is wrong.
    """
    return load_models(variables.get("models"), variables.get("model_quantisations"))


@lru_cache(maxsize=1)
def project_models() -> Models:
    """Return the models of this repository's own group_vars, without an inventory.

    Raises:
        FindingsError: Anything in the file is wrong.
    """
    # A command that has an inventory needs no YAML of its own.
    from rackwright.site.yaml_files import read_yaml  # noqa: PLC0415

    return models_of(read_yaml(repository_root() / "group_vars" / "all" / "models.yml"))


def find_model(models: Models, key: str) -> Model:
    """Return a model by its key.

    Raises:
        RackwrightError: There is none; the hint names what comes nearest.
    """
    model = models.models.get(key)
    if model is None:
        near = difflib.get_close_matches(key, models.models, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`rackwright models list` has all"
        raise RackwrightError(f"there is no model {key!r}", hint=hint)
    return model


def _parse_all(
    adapter: TypeAdapter[T], variable: str, value: object, findings: list[Finding]
) -> dict[str, T]:
    if not isinstance(value, Mapping) or not value:
        findings.append(
            Finding(variable, short(value), "it must be a mapping by key", f"{_DOCS} has the keys")
        )
        return {}
    parsed: dict[str, T] = {}
    for key, data in value.items():
        wrong: list[Finding] = []
        item = parse(adapter, f"{variable}.{key}", data, wrong)
        findings += [_with_docs(finding) for finding in wrong]
        if item is not None:
            parsed[str(key)] = item
    return parsed


def _with_docs(finding: Finding) -> Finding:
    return Finding(
        finding.variable, finding.value, finding.rule, finding.hint.replace("docs/catalogue.md", _DOCS)
    )


def _findings(key: str, model: Model, quantisations: Mapping[str, Quantisation]) -> Iterator[Finding]:
    at = f"models.{key}"
    if not re.fullmatch(MODEL_KEY, key):
        yield Finding(
            at,
            key,
            "a key has small letters, digits and dots, in parts joined by -",
            f"write {key.lower()!r}",
        )
    for name, build in model.builds.items():
        if name not in quantisations:
            yield Finding(
                f"{at}.builds.{name}",
                name,
                "it must be one of model_quantisations",
                f"the quantisations: {', '.join(quantisations)}",
            )
        if not build.names():
            yield Finding(
                f"{at}.builds.{name}",
                "(empty)",
                "a build can be had from somewhere",
                "write `ollama`, `hub`, `huggingface` or `modelscope`",
            )
    yield from _architecture_findings(f"{at}.architecture", model.architecture)
    yield from _parameter_findings(f"{at}.parameters", model)


def _architecture_findings(at: str, shape: Architecture) -> Iterator[Finding]:
    if shape.heads % shape.kv_heads:
        yield Finding(
            f"{at}.kv_heads",
            str(shape.kv_heads),
            f"it must divide the {shape.heads} heads",
            "take num_key_value_heads of the model's config.json",
        )
    for name, layers in (
        ("window", shape.window.layers if shape.window else 0),
        ("linear", shape.linear.layers if shape.linear else 0),
        ("experts", shape.experts.dense_layers if shape.experts else 0),
    ):
        if layers > shape.layers:
            yield Finding(
                f"{at}.{name}",
                str(layers),
                f"the model has {shape.layers} layers",
                "count them in the model's config.json",
            )
    if shape.experts and shape.experts.active > shape.experts.count:
        yield Finding(
            f"{at}.experts.active",
            str(shape.experts.active),
            f"there are {shape.experts.count} experts",
            "take num_experts_per_tok of the model's config.json",
        )


def _parameter_findings(at: str, model: Model) -> Iterator[Finding]:
    total = billions(count(model).total)
    # Vendors count what one token uses with the embeddings or without them.
    active = active_count(model)
    ends = (billions(active.total - active.embedding - active.output - active.other), billions(active.total))
    published = model.parameters
    for name, given, low, high in (
        ("total", published.total, total * (1 - TOLERANCE), total * (1 + TOLERANCE)),
        ("active", published.active, ends[0] * (1 - ACTIVE_TOLERANCE), ends[1] * (1 + ACTIVE_TOLERANCE)),
    ):
        if not low <= given <= high:
            yield Finding(
                f"{at}.{name}",
                f"{given:g}",
                f"the architecture has {low:.2f} to {high:.2f} billion parameters",
                "one of the two is wrong: compare with the model's config.json",
            )
