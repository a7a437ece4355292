"""A double of `ollama serve`, for tests of the role: its API and its store, no model."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from common import (
    Handler,
    Json,
    RefusedError,
    check_environment,
    documented,
    embedding_of,
    fail,
    openai_chat,
    openai_embeddings,
    openai_stream,
    prompt_of,
    serve,
    voice_of,
    words_for,
)

VERSION = "0.0.0-double"
TIME = "2026-01-01T00:00:00Z"
GGUF = b"GGUF"
BOOLEAN = {"0", "1", "true", "false"}
DEFAULT_REGISTRY = "registry.ollama.ai"


def full(name: str) -> str:
    """Return a name with its tag."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


class Store:
    """OLLAMA_MODELS: blobs by digest, and a manifest for each model."""

    def __init__(self, root: Path) -> None:
        self.blobs, self.manifests = root / "blobs", root / "manifests"
        for directory in (self.blobs, self.manifests):
            directory.mkdir(parents=True, exist_ok=True)

    def blob(self, digest: str) -> Path:
        """Return where a blob is."""
        return self.blobs / digest.replace(":", "-")

    def manifest(self, name: str) -> Path:
        """Return where a model's manifest is; each name has its own directory, as in Ollama."""
        model, _, tag = full(name).rpartition(":")
        return self.manifests / DEFAULT_REGISTRY / "library" / model.replace("/", "_") / tag

    def models(self) -> dict[str, Json]:
        """Return all models by name."""
        found = (json.loads(path.read_text()) for path in sorted(self.manifests.rglob("*")) if path.is_file())
        return {model["name"]: model for model in found}

    def read(self, name: str) -> Json:
        """Return a model, or refuse as Ollama does."""
        path = self.manifest(name)
        if not name or not path.is_file():
            raise RefusedError(404, {"error": f"model '{name}' not found"})
        found: Json = json.loads(path.read_text())
        return found

    def write(self, model: Json) -> None:
        """Keep a model; its digest is that of all that was said of it."""
        said = json.dumps(model, sort_keys=True).encode()
        path = self.manifest(model["name"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**model, "digest": hashlib.sha256(said).hexdigest()}))


class Ollama(Handler):
    """Its API."""

    store: Store
    mirror = ""
    loaded: ClassVar[dict[str, Json]] = {}

    def find(self, method: str, path: str) -> Callable[[Handler, Json], object] | None:
        if path.startswith("/api/blobs/"):
            digest = path.rpartition("/")[2]
            return {"HEAD": partial(_head_blob, digest), "POST": partial(_post_blob, digest)}.get(method)
        if method == "GET" and path.startswith("/v1/models/"):
            name = path.removeprefix("/v1/models/")
            return lambda handler, _: _openai_model(_self(handler).store.read(name))
        return self.routes.get((method, path))


def _self(handler: Handler) -> Ollama:
    assert isinstance(handler, Ollama)
    return handler


def _head_blob(digest: str, handler: Handler, _: Json) -> None:
    handler.send(200 if _self(handler).store.blob(digest).is_file() else 404, b"")


def _post_blob(digest: str, handler: Handler, _: Json) -> None:
    store, left = _self(handler).store, int(handler.headers.get("Content-Length") or 0)
    draft, found = store.blobs / f".{digest}.part", hashlib.sha256()
    with draft.open("wb") as file:
        while left and (part := handler.rfile.read(min(left, 65536))):
            file.write(part)
            found.update(part)
            left -= len(part)
    if f"sha256:{found.hexdigest()}" != digest:
        draft.unlink()
        raise RefusedError(
            400, {"error": f'digest mismatch, expected "{digest}", got "sha256:{found.hexdigest()}"'}
        )
    draft.rename(store.blob(digest))
    handler.send(201, b"")


def _details() -> Json:
    return {
        "parent_model": "", "format": "gguf", "family": "double", "families": ["double"],
        "parameter_size": "0", "quantization_level": "F32",
    }  # fmt: skip


def _listed(model: Json) -> Json:
    return {
        "name": model["name"], "model": model["name"], "modified_at": TIME, "size": model["size"],
        "digest": model["digest"], "details": _details(),
    }  # fmt: skip


def _tags(handler: Handler, _: Json) -> Json:
    return {"models": [_listed(model) for model in _self(handler).store.models().values()]}


def _show(handler: Handler, body: Json) -> Json:
    model = _self(handler).store.read(str(body.get("model") or body.get("name") or ""))
    parameters = [
        f"{key} {json.dumps(value)}"
        for key, values in (model.get("parameters") or {}).items()
        for value in (values if isinstance(values, list) else [values])
    ]
    lines = [f"FROM {model['from']}", f'TEMPLATE """{model.get("template", "")}"""']
    lines += [f"PARAMETER {line}" for line in parameters]
    return {
        "modelfile": "\n".join(lines), "parameters": "\n".join(parameters), "details": _details(),
        "template": model.get("template", ""), "system": model.get("system", ""),
        "license": model.get("license", ""), "model_info": {}, "capabilities": ["completion"],
    }  # fmt: skip


def _create(handler: Handler, body: Json) -> None:
    store = _self(handler).store
    known = set(documented("ollama")["create"])
    if unknown := sorted(set(body) - known):
        raise RefusedError(400, {"error": f"the documentation of /api/create has no {', '.join(unknown)}"})
    name, files = full(str(body.get("model") or "")), body.get("files") or {}
    if not files and not body.get("from"):
        raise RefusedError(400, {"error": "neither 'from' or 'files' was specified"})
    model: Json = {"name": name, "size": 0, "from": body.get("from", "")}
    if files:
        digest = next(iter(files.values()))
        blob = store.blob(digest)
        if not blob.is_file():
            raise RefusedError(400, {"error": f"blob {digest} not found"})
        with blob.open("rb") as content:
            if content.read(len(GGUF)) != GGUF:
                raise RefusedError(400, {"error": "invalid file magic"})
        model |= {"size": blob.stat().st_size, "from": str(blob)}
    else:
        model = {**store.read(str(body["from"])), "name": name}
        model.pop("digest")
    model |= {key: body[key] for key in ("template", "system", "license", "parameters") if key in body}
    store.write(model)
    _progress(
        handler, body, [{"status": "parsing GGUF"}, {"status": "writing manifest"}, {"status": "success"}]
    )


def _progress(handler: Handler, body: Json, steps: list[Json]) -> None:
    if body.get("stream") is False:
        handler.send(200, steps[-1])
    else:
        handler.send_parts((json.dumps(step).encode() + b"\n" for step in steps), "application/x-ndjson")


def _pull(handler: Handler, body: Json) -> None:
    """Fetch a GGUF file from the mirror that the test gave, and from nowhere else."""
    ollama, name = _self(handler), full(str(body.get("model") or ""))
    registry = (
        name.partition("/")[0] if "." in name.partition("/")[0] or ":" in name.partition("/")[0] else ""
    )
    if not ollama.mirror or (registry or DEFAULT_REGISTRY) not in ollama.mirror:
        place = registry or DEFAULT_REGISTRY
        steps = [
            {"status": "pulling manifest"},
            {"error": f"pull model manifest: dial tcp: lookup {place}: no such host"},
        ]
        handler.send_parts((json.dumps(step).encode() + b"\n" for step in steps), "application/x-ndjson")
        return
    with urllib.request.urlopen(f"{ollama.mirror}/{name.replace(':', '-')}.gguf", timeout=30) as answer:  # noqa: S310
        content = answer.read()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    ollama.store.blob(digest).write_bytes(content)
    ollama.store.write({"name": name, "size": len(content), "from": str(ollama.store.blob(digest))})
    part = {
        "status": f"pulling {digest[7:19]}",
        "digest": digest,
        "total": len(content),
        "completed": len(content),
    }
    _progress(handler, body, [{"status": "pulling manifest"}, part, {"status": "success"}])


def _load(handler: Handler, body: Json) -> Json:
    ollama = _self(handler)
    model = ollama.store.read(str(body.get("model") or ""))
    if not Path(model["from"]).is_file():
        raise RefusedError(500, {"error": f"model '{model['name']}': its blob is gone"})
    limit = int(os.environ.get("OLLAMA_MAX_LOADED_MODELS") or 3)
    ollama.loaded.pop(model["name"], None)
    ollama.loaded[model["name"]] = model
    while len(ollama.loaded) > limit:
        ollama.loaded.pop(next(iter(ollama.loaded)))
    return model


def _made(body: Json, model: Json, key: str) -> Iterator[Json]:
    limit = int((body.get("options") or {}).get("num_predict", 16))
    words = words_for(prompt_of(body), 16 if limit < 0 else limit)
    head: Json = {"model": model["name"], "created_at": TIME}

    def said(text: str) -> Json:
        return {"message": {"role": "assistant", "content": text}} if key == "message" else {"response": text}

    if body.get("stream") is not False:
        for word in words:
            yield {**head, **said(f"{word} "), "done": False}
    counts = {
        "total_duration": 1,
        "load_duration": 1,
        "prompt_eval_count": 1,
        "eval_count": len(words),
        "eval_duration": 1,
    }
    text = " ".join(words) if body.get("stream") is False else ""
    yield {**head, **said(text), "done": True, "done_reason": "stop", **counts}


def _talk(key: str, handler: Handler, body: Json) -> None:
    model = _load(handler, body)
    handler.send_parts(
        (json.dumps(part).encode() + b"\n" for part in _made(body, model, key)), "application/x-ndjson"
    )


def _embed(handler: Handler, body: Json) -> Json:
    model, given = _load(handler, body), body.get("input")
    texts = [given] if isinstance(given, str) else list(given or [])
    return {
        "model": model["name"],
        "embeddings": [embedding_of(text) for text in texts],
        "prompt_eval_count": len(texts),
    }


def _voice(model: Json) -> str:
    return voice_of(Path(model["from"]))


def _openai(body: Json, handler: Handler) -> Json:
    try:
        body = {**body, "voice": _voice(_load(handler, body))}
    except RefusedError as refused:
        about = {"message": refused.body["error"], "type": "not_found_error", "param": None, "code": None}
        raise RefusedError(404, {"error": about}) from None
    return body


def _openai_model(model: Json) -> Json:
    return {"id": model["name"], "object": "model", "created": 0, "owned_by": "library"}


def _chat_v1(handler: Handler, body: Json) -> object:
    body = _openai(body, handler)
    voice = body["voice"]
    if not body.get("stream"):
        return openai_chat(body, voice=voice)
    handler.send_parts(openai_stream(body, voice), "text/event-stream")
    return None


def _delete(handler: Handler, body: Json) -> Json:
    store = _self(handler).store
    store.manifest(store.read(str(body.get("model") or ""))["name"]).unlink()
    return {}


def _copy(handler: Handler, body: Json) -> Json:
    store = _self(handler).store
    model = {**store.read(str(body.get("source") or "")), "name": full(str(body.get("destination") or ""))}
    model.pop("digest")
    store.write(model)
    return {}


def _ps(handler: Handler, _: Json) -> Json:
    models = _self(handler).loaded.values()
    return {
        "models": [
            {**_listed(model), "expires_at": TIME, "size_vram": 0, "context_length": 0} for model in models
        ]
    }


ROUTES: dict[tuple[str, str], Callable[[Handler, Json], object]] = {
    ("GET", "/"): lambda handler, _: handler.send(200, b"Ollama is running", "text/plain"),
    ("GET", "/api/version"): lambda *_: {"version": VERSION},
    ("GET", "/api/tags"): _tags,
    ("GET", "/api/ps"): _ps,
    ("POST", "/api/show"): _show,
    ("POST", "/api/create"): _create,
    ("POST", "/api/copy"): _copy,
    ("POST", "/api/pull"): _pull,
    ("DELETE", "/api/delete"): _delete,
    ("POST", "/api/chat"): partial(_talk, "message"),
    ("POST", "/api/generate"): partial(_talk, "response"),
    ("POST", "/api/embed"): _embed,
    ("GET", "/v1/models"): lambda handler, _: {
        "object": "list", "data": [_openai_model(model) for model in _self(handler).store.models().values()]
    },
    ("POST", "/v1/chat/completions"): _chat_v1,
    ("POST", "/v1/completions"): lambda handler, body: openai_chat(_openai(body, handler), "text_completion"),
    ("POST", "/v1/embeddings"): lambda handler, body: openai_embeddings(_openai(body, handler)),
}  # fmt: skip


def check(environ: dict[str, str], known: Json) -> None:
    """End when the environment is not what Ollama documents."""
    check_environment(known["environment"], ("OLLAMA_",), environ)
    for name, about in known["environment"].items():
        value, kind = environ.get(name), (about or {}).get("kind")
        if value is None:
            continue
        if kind == "int" and not value.isdigit():
            fail(f"{name}={value}: not a number")
        if kind == "bool" and value.lower() not in BOOLEAN:
            fail(f"{name}={value}: not a boolean")
        if kind == "duration" and not value.rstrip("hms").lstrip("-").replace(".", "").isdigit():
            fail(f"{name}={value}: not a duration")
        if (about or {}).get("choices") and value not in about["choices"]:
            fail(f"{name}={value}: not one of {', '.join(about['choices'])}")


def main(arguments: list[str], environ: dict[str, Any]) -> None:
    """Run `ollama serve`."""
    if arguments != ["serve"]:
        fail(f"ollama {' '.join(arguments)}: the double knows `serve` alone")
    check(environ, documented("ollama"))
    host, _, port = environ.get("OLLAMA_HOST", "127.0.0.1:11434").rpartition(":")
    Ollama.store = Store(Path(environ.get("OLLAMA_MODELS") or Path(environ["HOME"]) / ".ollama/models"))
    Ollama.mirror = environ.get("DOUBLE_MIRROR", "")
    Ollama.routes = ROUTES
    serve(Ollama, int(port), host)


if __name__ == "__main__":
    main(sys.argv[1:], dict(os.environ))
