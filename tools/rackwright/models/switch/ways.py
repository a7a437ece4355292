"""How each engine holds its models, and so how another one takes a model's place there.

A value is that of the engine's variable in a site: one model, or a list of them. `also` names what an entry
answers to beside its name; `leaving` marks the worker that FastChat keeps until nobody asks for it any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rackwright.errors import RackwrightError

Entry: TypeAlias = Mapping[str, Any]
Value: TypeAlias = Any


@dataclass(frozen=True)
class Way:
    """An engine, as a switch sees it.

    Attributes:
        engine: Its name.
        variable: What a site says of its models: `<engine>_model` is one, the others are lists.
        files: What it reads: one GGUF file, or a directory of the form of Hugging Face.
        beside: Where the new model is proven: in a second container, or in the server itself, with the old.
        inner_port: Of the server in its container, which calls are led to.
        kept: What the new entry takes over from the old one: its place, not what belongs to the model.
    """

    engine: str
    variable: str
    files: Literal["gguf", "directory"]
    beside: Literal["container", "server"]
    inner_port: int
    kept: tuple[str, ...] = ()

    @property
    def second(self) -> str:
        """Name of the second container."""
        return f"{self.engine}_next"

    def container(self, number: int) -> str:
        """Return the name of the container of an instance."""
        return f"{self.engine}_{number}" if number else self.engine

    def entries(self, value: Value) -> list[Entry]:
        """Return the models of a value."""
        return [value] if isinstance(value, Mapping) else list(value or ())


WAYS: Mapping[str, Way] = {
    way.engine: way
    for way in (
        Way("llama_cpp", "llama_cpp_model", "gguf", "container", 8080),
        Way("ollama", "ollama_models", "gguf", "server", 11434),
        Way(
            "vllm",
            "vllm_instances",
            "directory",
            "container",
            8000,
            (
                *("gpus", "nodes", "tensor_parallel_size", "pipeline_parallel_size", "max_model_len"),
                *("max_num_seqs", "gpu_memory_utilization", "kv_cache_dtype", "dtype"),
            ),
        ),
        Way("fastchat", "fastchat_models", "directory", "server", 8000, ("gpus", "dtype", "load_8bit")),
        Way("localai", "localai_models", "gguf", "container", 8080, ("backend", "context")),
    )
}


def served(way: Way, value: Value) -> Entry:
    """Return the model that answers questions: the first that is not for embeddings.

    Raises:
        RackwrightError: There is none.
    """
    for entry in way.entries(value):
        if not entry.get("embedding") and not entry.get("leaving"):
            return entry
    raise RackwrightError(
        f"{way.variable} names no model that answers questions", hint="name one before those for embeddings"
    )


def instances(way: Way, value: Value) -> list[int]:
    """Return the numbers of the entries that serve the model that answers questions."""
    name = served(way, value)["name"]
    return [number for number, entry in enumerate(way.entries(value)) if entry["name"] == name]


def replaced(way: Way, value: Value, new: Entry) -> Value:
    """Return the value with another model in the place of the one that answers questions.

    Callers that still ask by the old name are answered until they are told.

    Args:
        way: The engine's.
        value: What is served.
        new: The new model: name, and where its files are.
    """
    old = served(way, value)
    # Another build of the same model has the same name.
    gone = {new["name"]} - {old["name"]}
    others = [entry for entry in way.entries(value) if not entry.get("leaving") and entry["name"] not in gone]
    also = {"also": [str(old["name"])]} if gone else {}

    def placed(entry: Entry) -> Entry:
        return {**{key: entry[key] for key in way.kept if key in entry}, **new, **also}

    if way.engine == "llama_cpp":
        return placed(old)
    if way.engine == "ollama":
        # Both are there by their own names; the first one is the site's.
        return [new, *(dict(entry) for entry in others)]
    if way.engine == "fastchat":
        entry = {key: item for key, item in placed(old).items() if key != "also"}
        rest = [dict(each) for each in others if each["name"] != old["name"]]
        return [entry, *rest, {**old, "leaving": True}]
    return [dict(placed(each) if each["name"] == old["name"] else each) for each in others]


def settled(way: Way, value: Value) -> Value:
    """Return the value once all callers ask by the new name."""
    if isinstance(value, Mapping):
        return value
    return [dict(entry) for entry in way.entries(value) if not entry.get("leaving")]


def entry_of(way: Way, name: str, path: str, sha256: str, size: int) -> Entry:
    """Return a model as the engine's variable has it.

    Args:
        way: The engine's.
        name: By which callers ask for it.
        path: Its GGUF file on the host, or the directory of its files.
        sha256: Of the GGUF file.
        size: Of all its files, in bytes.
    """
    if way.engine == "llama_cpp":
        return {"name": name, "path": path, "size": size}
    if way.engine == "fastchat":
        return {"name": name, "directory": path}
    return {"name": name, "path": path, **({"sha256": sha256} if way.files == "gguf" else {})}


def way_of(engine: str) -> Way:
    """Return an engine's way.

    Raises:
        RackwrightError: There is no such engine.
    """
    if engine not in WAYS:
        raise RackwrightError(f"there is no engine {engine!r}", hint=f"one of {', '.join(WAYS)}")
    return WAYS[engine]


def where_of(entry: Entry) -> str:
    """Return where a model's files are on its host; empty where the role brings them."""
    return str(entry.get("path") or entry.get("directory") or "")


def names_of(way: Way, value: Value) -> Sequence[str]:
    """Return the names of all models of a value."""
    return [str(entry["name"]) for entry in way.entries(value)]
