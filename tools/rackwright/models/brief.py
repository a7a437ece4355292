"""The short forms of group_vars/all/models.yml: it is read in every run, so that it says nothing twice."""

from __future__ import annotations

from collections.abc import Mapping

# A build that can be had from the model's `gguf` repository alone.
ONLY_GGUF = "gguf"


def written_out(model: object, formats: Mapping[str, str]) -> object:
    """Return a model's data with its short forms written out; what is no mapping is left for the type check.

    Args:
        model: The data.
        formats: Quantisation -> format of its files.
    """
    if not isinstance(model, Mapping):
        return model
    full = {name: value for name, value in model.items() if name != "gguf"}
    parameters = full.get("parameters")
    if isinstance(parameters, int | float):
        full["parameters"] = {"total": float(parameters), "active": float(parameters)}
    if isinstance(full.get("builds"), Mapping):
        repository = model.get("gguf")
        full["builds"] = {
            name: _build(name, value, repository if formats.get(name) == "gguf" else None)
            for name, value in full["builds"].items()
        }
    return full


def _build(name: str, value: object, repository: object) -> object:
    if value == ONLY_GGUF and repository is not None:
        value = {}
    elif isinstance(value, str):
        value = {"ollama" if ":" in value else "hub": value}
    if repository is None or not isinstance(value, Mapping):
        return value
    return {**value, "hub": repository, "files": f"*{name}*.gguf"}
