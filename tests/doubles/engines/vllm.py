"""A double of vLLM's server (`python3 -m vllm.entrypoints.openai.api_server`), for tests of the role."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

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

VERSION = "0.0.0-double"
WEIGHTS = (".safetensors", ".bin", ".gguf", ".pt")
PREFIXES = ("VLLM_", "HF_", "TRANSFORMERS_", "OLLAMA_")


class Vllm(Handler):
    """Its API."""

    names: tuple[str, ...] = ()
    key = ""
    longest = 4096
    voice = ""
    counted: ClassVar[dict[str, int]] = {"requests": 0, "tokens": 0}
    lock = threading.Lock()

    def allowed(self, path: str) -> None:
        """Ask for the key below /v1, and nowhere else, as vLLM does."""
        if self.key and path.startswith("/v1") and self.headers.get("Authorization") != f"Bearer {self.key}":
            raise RefusedError(401, {"error": "Unauthorized"})


def _self(handler: Handler) -> Vllm:
    assert isinstance(handler, Vllm)
    return handler


def _wanted(handler: Handler, body: Json) -> Json:
    vllm, model = _self(handler), body.get("model")
    if model not in vllm.names:
        message = f"The model `{model}` does not exist."
        raise RefusedError(
            404, {"error": {"message": message, "type": "NotFoundError", "param": "model", "code": 404}}
        )
    asked = int(body.get("max_tokens") or 1)
    if asked > vllm.longest:
        message = f"'max_tokens' is too large: {asked}; this model's maximum context length is {vllm.longest}"
        raise RefusedError(
            400, {"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400}}
        )
    return body


def _counted(handler: Handler, answer: Json) -> Json:
    vllm = _self(handler)
    with vllm.lock:
        vllm.counted["requests"] += 1
        vllm.counted["tokens"] += answer["usage"].get("completion_tokens", 0)
    return answer


def _models(handler: Handler, _: Json) -> Json:
    vllm = _self(handler)
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": "vllm", "max_model_len": vllm.longest}
        for name in vllm.names
    ]
    return {"object": "list", "data": data}


def _chat(handler: Handler, body: Json) -> object:
    body = _wanted(handler, body)
    voice = _self(handler).voice
    answer = _counted(handler, openai_chat(body, voice=voice))
    if not body.get("stream"):
        return answer
    handler.send_parts(openai_stream(body, voice), "text/event-stream; charset=utf-8")
    return None


def _metrics(handler: Handler, _: Json) -> None:
    vllm = _self(handler)
    name = vllm.names[0]
    lines = [
        "# TYPE vllm:num_requests_running gauge",
        f'vllm:num_requests_running{{model_name="{name}"}} 0.0',
        "# TYPE vllm:generation_tokens_total counter",
        f'vllm:generation_tokens_total{{model_name="{name}"}} {float(vllm.counted["tokens"])}',
        "# TYPE vllm:request_success_total counter",
        f'vllm:request_success_total{{model_name="{name}"}} {float(vllm.counted["requests"])}',
    ]
    handler.send(200, ("\n".join(lines) + "\n").encode(), "text/plain; version=0.0.4; charset=utf-8")


ROUTES: dict[tuple[str, str], Callable[[Handler, Json], object]] = {
    ("GET", "/health"): lambda handler, _: handler.send(200, b""),
    ("GET", "/version"): lambda *_: {"version": VERSION},
    ("GET", "/metrics"): _metrics,
    ("GET", "/v1/models"): _models,
    ("POST", "/v1/chat/completions"): _chat,
    ("POST", "/v1/completions"): lambda handler, body: _counted(
        handler, openai_chat(_wanted(handler, body), "text_completion")
    ),
    ("POST", "/v1/embeddings"): lambda handler, body: _counted(
        handler, openai_embeddings(_wanted(handler, body))
    ),
}


def load(path: str) -> Json:
    """Return a model's configuration; end as vLLM does when it is no directory with a model."""
    directory = Path(path)
    if not directory.is_dir():
        fail(f"OSError: {path} is not a local folder and HF_HUB_OFFLINE=1 forbids to look for it elsewhere")
    configuration = directory / "config.json"
    if not configuration.is_file():
        fail(f"OSError: {path} does not appear to have a file named config.json")
    if not any(file.suffix in WEIGHTS for file in directory.iterdir()):
        fail(f"RuntimeError: Cannot find any model weights with `{path}`")
    found: Json = json.loads(configuration.read_text(encoding="utf-8"))
    return found


def main(arguments: list[str], environ: dict[str, Any]) -> None:
    """Run the server."""
    known = documented("vllm")
    given = parse_arguments(known["arguments"], arguments)
    check_environment(known["environment"], PREFIXES, environ)
    model = load(given.get("--model", ""))
    longest = int(given.get("--max-model-len") or model.get("max_position_embeddings", 4096))
    trained = int(model.get("max_position_embeddings", longest))
    if longest > trained:
        fail(f"ValueError: max_model_len ({longest}) is greater than the derived max_model_len ({trained})")
    share = float(given.get("--gpu-memory-utilization") or 0.9)
    if not 0 < share <= 1:
        fail(f"ValueError: GPU memory utilization must be less than 1.0. Got {share}.")
    parts = int(given.get("--tensor-parallel-size") or 1)
    if int(model.get("num_attention_heads", parts)) % parts:
        fail(f"ValueError: attention heads must be divisible by tensor parallel size ({parts}).")
    Vllm.names = tuple((given.get("--served-model-name") or given["--model"]).split())
    Vllm.voice = voice_of(Path(given["--model"]))
    Vllm.key = environ.get("VLLM_API_KEY") or given.get("--api-key", "")
    Vllm.longest = longest
    Vllm.routes = ROUTES
    serve(Vllm, int(given.get("--port") or 8000))


if __name__ == "__main__":
    main(sys.argv[1:], dict(os.environ))
