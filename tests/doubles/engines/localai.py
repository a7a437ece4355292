"""A double of `local-ai run`, for tests of the role: its variables, its models' configuration and its API."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from common import (
    Handler,
    Json,
    RefusedError,
    check_environment,
    documented,
    fail,
    openai_chat,
    openai_embeddings,
    openai_stream,
    parse_arguments,
    serve,
    voice_of,
)

GGUF = b"GGUF"
# What the image brings: the double computes with nothing.
BACKENDS = frozenset({"llama-cpp"})
_IMAGE = ("PYTHONPATH", "PYTHONUNBUFFERED", "DOUBLE_DOCUMENTED")
PUBLIC = ("/readyz", "/healthz")


def of(*names: str, default: str = "") -> str:
    """Return a variable by the first of its names that is set."""
    return next((os.environ[name] for name in names if os.environ.get(name)), default)


class LocalAI(Handler):
    """Its API."""

    keys: ClassVar[list[str]] = []
    models: ClassVar[dict[str, Json]] = {}
    root = Path("/models")
    ready = threading.Event()
    asked: ClassVar[dict[str, int]] = {}

    def find(self, method: str, path: str) -> Callable[[Handler, Json], object] | None:
        """Only after the key was looked at."""
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if path not in PUBLIC and self.keys and given not in self.keys:
            about = {
                "code": 401,
                "message": "An authentication key is required",
                "type": "authentication_error",
            }
            raise RefusedError(401, {"error": about})
        self.asked[path] = self.asked.get(path, 0) + 1
        return self.routes.get((method, path))


def _model(body: Json) -> Json:
    found = LocalAI.models.get(str(body.get("model") or ""))
    if found is not None and "alias" in found:
        found = LocalAI.models[found["alias"]]
    if found is None:
        message = f"model {body.get('model')!r} not found. To see available models, call GET /v1/models"
        raise RefusedError(404, {"error": {"code": 404, "message": message, "type": "not_found_error"}})
    return found


def _readyz(handler: Handler, _: Json) -> None:
    if LocalAI.ready.is_set():
        handler.send(200, b"")
    else:
        handler.send(503, {"status": "starting", "reason": "startup preload in progress"})


def _chat(handler: Handler, body: Json) -> Json | None:
    model = _model(body)
    if model.get("embeddings"):
        raise RefusedError(500, {"error": {"code": 500, "message": "the model makes embeddings", "type": ""}})
    voice = voice_of(LocalAI.root / model["parameters"]["model"])
    if not body.get("stream"):
        return openai_chat(body, voice=voice)
    handler.send_parts(openai_stream(body, voice), "text/event-stream")
    return None


def _completions(_: Handler, body: Json) -> Json:
    _model(body)
    return openai_chat(body, "text_completion")


def _embeddings(_: Handler, body: Json) -> Json:
    if not _model(body).get("embeddings"):
        raise RefusedError(
            500, {"error": {"code": 500, "message": "the model makes no embeddings", "type": ""}}
        )
    return openai_embeddings(body)


def _models(_: Handler, __: Json) -> Json:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in sorted(LocalAI.models)]}


def _metrics(handler: Handler, _: Json) -> None:
    lines = ["# TYPE api_call histogram"]
    lines += [
        f'api_call_count{{method="POST",path="{path}"}} {count}' for path, count in LocalAI.asked.items()
    ]
    handler.send(200, "\n".join([*lines, ""]).encode(), "text/plain; version=0.0.4")


LocalAI.routes = {
    ("GET", "/healthz"): lambda handler, _: handler.send(200, b""),
    ("GET", "/readyz"): _readyz,
    ("GET", "/metrics"): _metrics,
    ("GET", "/v1/models"): _models,
    ("POST", "/v1/chat/completions"): _chat,
    ("POST", "/v1/completions"): _completions,
    ("POST", "/v1/embeddings"): _embeddings,
}


def read_models(path: Path, root: Path, known: Json) -> dict[str, Json]:
    """Return the models of a file of configurations; end at what is not documented, or a missing file."""
    # The role writes it as JSON, which is YAML too.
    found = {}
    for entry in json.loads(path.read_text(encoding="utf-8")):
        if unknown := sorted(set(entry) - set(known["model"])):
            fail(f"{path}: unknown fields of a model: {', '.join(unknown)}")
        if unknown := sorted(set(entry.get("parameters", {})) - set(known["parameters"])):
            fail(f"{path}: unknown parameters: {', '.join(unknown)}")
        if unknown := sorted(
            {str(word).partition(":")[0] for word in entry.get("options", [])} - set(known["options"])
        ):
            fail(f"{path}: unknown options: {', '.join(unknown)}")
        found[entry["name"]] = entry
        if "alias" in entry:
            continue
        if entry.get("backend", "llama-cpp") not in BACKENDS:
            fail(f"backend not found: {entry['backend']}")
        file = root / entry["parameters"]["model"]
        if not file.is_file() or file.open("rb").read(len(GGUF)) != GGUF:
            fail(f"could not load model: {file} is no GGUF file")
    check_aliases(path, found)
    return found


def check_aliases(path: Path, found: dict[str, Json]) -> None:
    """End at an alias with settings of its own, or of what is no model."""
    for entry in (entry for entry in found.values() if "alias" in entry):
        if set(entry) != {"name", "alias"} or "alias" in found.get(entry["alias"], entry):
            fail(f"{path}: {entry['name']} is no alias of a model of this file")


def prepare(arguments: list[str]) -> int:
    """Read arguments and variables; returns the port."""
    known = documented("localai")
    if arguments[:1] != ["run"]:
        fail(f"error: unexpected argument {arguments[:1]}")
    parse_arguments(known["arguments"], arguments[1:])
    check_environment([*known["environment"], *_IMAGE], ("",), os.environ)
    for name in ("LOCALAI_GALLERIES", "LOCALAI_BACKEND_GALLERIES"):
        if json.loads(os.environ.get(name, '["the internet"]')):
            fail(f"{name}: dial tcp: lookup: no such host")
    root = Path(of("LOCALAI_MODELS_PATH", "MODELS_PATH", default="/models"))
    LocalAI.root = root
    configured = of("LOCALAI_MODELS_CONFIG_FILE", "CONFIG_FILE")
    LocalAI.models = read_models(Path(configured), root, known) if configured else {}
    keys = Path(of("LOCALAI_CONFIG_DIR", default="/configuration")) / "api_keys.json"
    LocalAI.keys = [word for word in of("LOCALAI_API_KEY", "API_KEY").split(",") if word]
    LocalAI.keys += json.loads(keys.read_text()) if keys.is_file() else []
    for name in of("LOCALAI_LOAD_TO_MEMORY", "LOAD_TO_MEMORY").split(","):
        if name and name not in LocalAI.models:
            fail(f"model {name} not found")
    return int(of("LOCALAI_ADDRESS", "ADDRESS", default=":8080").rpartition(":")[2])


if __name__ == "__main__":
    listening = prepare(sys.argv[1:])
    LocalAI.ready.set()
    serve(LocalAI, listening)
