"""What is switched to: a build that hosts can get, as the engine's variable has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rackwright.models.model import Models
from rackwright.models.store.files import StoreError
from rackwright.models.store.modelfile import said_of
from rackwright.models.store.places import build_of, check_licence
from rackwright.models.switch.ways import Entry, Way, entry_of, where_of

# The host's store where the site does not say otherwise: the default of roles/models.
DIRECTORY = "/var/lib/rackwright/model-store"
# What an engine takes beside weights of which nothing is known but their size; roles/llama_cpp refuses less.
_PROGRAM_MB = 64


@dataclass(frozen=True)
class Target:
    """A model to serve.

    Attributes:
        entry: As the engine's variable has it.
        build: {model, quantisation}; None where a role brings the file.
        size: Of its files in bytes; None where nobody here knows.
    """

    entry: Entry
    build: Mapping[str, str] | None
    size: int | None = None

    @property
    def name(self) -> str:
        """The name that callers ask for it by."""
        return str(self.entry["name"])


def places_of(variables: Mapping[str, Any]) -> list[str]:
    """Return where a site's hosts get models from: the store first, then folders and mirrors."""
    own = [str(variables["models_store"])] if variables.get("models_store") else []
    sources = variables.get("known_model_sources") or variables.get("model_sources") or []
    folders = [str(each["path"]) for each in sources if each["kind"] == "folder"]
    return own + folders + [str(each["url"]) for each in sources if each["kind"] == "mirror"]


def target_of(way: Way, name: str, quantisation: str | None, variables: Mapping[str, Any]) -> Target:
    """Return the model that a name stands for.

    Args:
        way: The engine's.
        name: The model.
        quantisation: Its build; None for the first there is that the engine can read.
        variables: A host's.

    Raises:
        StoreError: It is nowhere, its licence is not accepted, or the engine cannot read it.
    """
    build = build_of(name, quantisation, places_of(variables))
    check_licence(build, variables.get("models_accept_licences") or ())
    files = sorted(build["files"], key=lambda each: str(each["path"]))
    gguf = [each for each in files if each["path"].endswith(".gguf")]
    directory = PurePosixPath(str(variables.get("models_directory") or DIRECTORY))
    tree = directory / "trees" / str(build["model"]) / str(build["quantisation"])
    if way.files == "gguf":
        _readable(way, build, gguf)
        files, path, sha256 = gguf, str(tree / gguf[0]["path"]), str(gguf[0]["sha256"])
    elif any(each["path"] == "config.json" for each in files):
        path, sha256 = str(tree), ""
    else:
        raise StoreError(
            f"{name} in {build['quantisation']} has no config.json, so it is none that {way.engine} reads",
            hint="take a build of safetensors: `rackwright models list`, and --quantisation",
        )
    size = sum(int(each["size"]) for each in files)
    entry = entry_of(way, str(build["model"]), path, sha256, size)
    if way.engine == "ollama":
        entry = {**entry, **said_of(build["files"])}
    return Target(entry, {"model": str(build["model"]), "quantisation": str(build["quantisation"])}, size)


def _readable(way: Way, build: Mapping[str, Any], gguf: list[dict[str, Any]]) -> None:
    if not gguf:
        raise StoreError(
            f"{build['model']} in {build['quantisation']} has no GGUF file, which is what {way.engine} reads",
            hint="take a GGUF build: `rackwright models list`, and --quantisation",
        )
    if len(gguf) > 1 and way.engine != "llama_cpp":
        raise StoreError(
            f"{build['model']} in {build['quantisation']} is in {len(gguf)} files, and {way.engine} takes"
            " one",
            hint="join them with `llama-gguf-split --merge` and import the result, or take llama_cpp",
        )


def standing(entry: Entry, variables: Mapping[str, Any]) -> Target:
    """Return a model that is served already: of which build it is, and how large, as far as that is known."""
    path = where_of(entry)
    size = int(entry["size"]) if entry.get("size") else None
    for wanted in variables.get("models_wanted") or ():
        build = {"model": str(wanted["model"]), "quantisation": str(wanted.get("quantisation"))}
        if f"/{build['model']}/{build['quantisation']}" in path:
            return Target(entry, build, size)
    source = Path(str(entry.get("source") or entry.get("file") or ""))
    if size is None and source.is_file():
        size = source.stat().st_size
    return Target(entry, None, size)


def need_mb(target: Target, models: Models, engine: str, context: int, parallel: int) -> int | None:
    """Return the memory that an engine needs for a model, in MB; None where nothing is known of it.

    The planner counts a model of the catalogue; of another one the size of its files is known, nothing more.
    """
    from rackwright.models.devices import Machine, parse_gpus  # noqa: PLC0415 - only where it is asked
    from rackwright.models.engines import ENGINES  # noqa: PLC0415
    from rackwright.models.fit import Wish, attempts  # noqa: PLC0415

    build = target.build
    if build and build["model"] in models.models and build["quantisation"] in models.quantisations:
        model = models.models[build["model"]]
        wish = Wish(context, parallel, engine, build["quantisation"]).within(model)
        # An engine that knows no processors is asked for a GPU that is large enough for anything.
        machine = Machine(None, 0) if ENGINES[engine].cpu else Machine(parse_gpus("h200"), 0)
        for plan in attempts(models, build["model"], machine, wish):
            return plan.memory.total_mib
    return None if target.size is None else -(-target.size // 2**20) + _PROGRAM_MB
