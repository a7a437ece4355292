"""Ollama's models: which files a host needs, and what is asked of the server for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rackwright.errors import RackwrightError

Model = Mapping[str, Any]
# What a Modelfile says beside the model itself.
_SETTINGS = ("template", "system", "license", "parameters")


def full_name(name: str) -> str:
    """Return a model's name with its tag, as Ollama lists it."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def brought_files(models: Sequence[Model], directory: str) -> list[dict[str, str]]:
    """Return the model files that come from elsewhere, as items of `artifact`; each file once."""
    found = {}
    for model in models:
        if model.get("source"):
            dest = file_of(model, directory)
            found[dest] = {"dest": dest, "source": str(model["source"]), "sha256": str(model["sha256"])}
    return list(found.values())


def wanted_models(models: Sequence[Model], directory: str) -> list[dict[str, Any]]:
    """Return what the module `ollama_models` is asked for.

    Raises:
        RackwrightError: A name that is given twice, or a model with several places to come from, or none.
    """
    wanted: dict[str, dict[str, Any]] = {}
    for model in models:
        name = full_name(str(model["name"]))
        places = [key for key in ("source", "path", "pull") if model.get(key)]
        if name in wanted:
            raise RackwrightError(f"ollama_models: {name} is named twice", hint="leave one entry")
        if len(places) != 1:
            raise RackwrightError(
                f"ollama_models: {name} has {' and '.join(places) or 'no place to come from'}",
                hint="give it one of source, path (each with sha256) or pull",
            )
        entry: dict[str, Any] = {"name": name}
        if places == ["pull"]:
            if settings := [key for key in _SETTINGS if model.get(key)]:
                raise RackwrightError(
                    f"ollama_models: {name} is pulled with its own {', '.join(settings)}",
                    hint="leave them out, or bring the model as a file",
                )
            entry["pull"] = str(model["pull"])
        else:
            entry |= {"file": file_of(model, directory), "sha256": str(model.get("sha256", "")).lower()}
            entry |= {key: model[key] for key in _SETTINGS if model.get(key)}
        wanted[name] = entry
    return list(wanted.values())


def asked_model(models: Sequence[Model]) -> str:
    """Return the model that is asked for a token: the first that answers questions; empty for none."""
    return next((str(model["name"]) for model in models if not model.get("embedding")), "")


def file_of(model: Model, directory: str) -> str:
    """Return where a model's file is on the host; named by its content, as those of other engines."""
    if model.get("path"):
        return str(model["path"])
    plain = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in str(model["name"]))
    return f"{directory}/models/{plain}-{str(model['sha256'])[:12]}.gguf"
