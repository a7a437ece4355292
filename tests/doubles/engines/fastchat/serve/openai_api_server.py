"""A double of `python3 -m fastchat.serve.openai_api_server`: asks controller and worker as the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import uvicorn
from common import Handler, Json, RefusedError, event, prompt_of

from fastchat.called import called, parts, post, seconds

TIMEOUT = seconds("FASTCHAT_WORKER_API_TIMEOUT", 100)
app_settings = SimpleNamespace(controller_address="http://localhost:21001", api_keys=None)
_NO_KEY = {"message": "", "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}


def _controller(path: str, body: Json | None = None) -> Any:  # noqa: ANN401 - whatever JSON says
    return post(f"{app_settings.controller_address}{path}", body)


def _error(code: int, message: str) -> RefusedError:
    return RefusedError(400, {"object": "error", "message": message, "code": code})


def _worker(body: Json) -> str:
    models = _controller("/list_models")["models"]
    if body.get("model") not in models:
        raise _error(40301, f"Only {'&&'.join(models)} allowed now, your model {body.get('model')}")
    if body.get("max_tokens") is not None and body["max_tokens"] <= 0:
        raise _error(40302, f"{body['max_tokens']} is less than the minimum of 1 - 'max_tokens'")
    address: str = _controller("/get_worker_address", {"model": body["model"]})["address"]
    if not address:
        raise RefusedError(500, {"detail": f"No available worker for {body['model']}"})
    return address


def _asked(body: Json, worker: str) -> Json:
    prompt = prompt_of(body)
    post(f"{worker}/worker_get_conv_template", {"model": body["model"]})
    context = post(f"{worker}/model_details", {"model": body["model"]})["context_length"]
    count = post(f"{worker}/count_token", {"model": body["model"], "prompt": prompt})["count"]
    length = min(body.get("max_tokens") or 1024 * 1024, context - count)
    if length <= 0:
        raise _error(40303, f"This model's maximum context length is {context} tokens.")
    return {"model": body["model"], "prompt": prompt, "max_new_tokens": length, "echo": False}


def _whole(_: Handler, body: Json, chat: bool) -> Json:
    worker = _worker(body)
    made = post(f"{worker}/worker_generate", _asked(body, worker), TIMEOUT)
    choice: Json = {"index": 0, "finish_reason": made["finish_reason"]}
    choice |= {"message": {"role": "assistant", "content": made["text"]}} if chat else {"text": made["text"]}
    kind = "chat.completion" if chat else "text_completion"
    return {
        "id": "double-1",
        "object": kind,
        "model": body["model"],
        "choices": [choice],
        "usage": made["usage"],
    }


def _stream(worker: str, asked: Json) -> Iterator[bytes]:
    def chunk(delta: Json, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        head = {"id": "double-1", "object": "chat.completion.chunk", "model": asked["model"]}
        return event(head | {"choices": [choice]})

    yield chunk({"role": "assistant"})
    before = ""
    for part in parts(f"{worker}/worker_generate_stream", asked, TIMEOUT):
        yield chunk({"content": part["text"][len(before) :]}, part["finish_reason"])
        before = part["text"]
    yield b"data: [DONE]\n\n"


def _chat(handler: Handler, body: Json) -> Json | None:
    if not body.get("stream"):
        return _whole(handler, body, chat=True)
    worker = _worker(body)
    handler.send_parts(_stream(worker, _asked(body, worker)), "text/event-stream; charset=utf-8")
    return None


def _embeddings(_: Handler, body: Json) -> Json:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    made = post(f"{_worker(body)}/worker_get_embeddings", {"model": body["model"], "input": texts})
    data = [
        {"object": "embedding", "embedding": one, "index": at} for at, one in enumerate(made["embedding"])
    ]
    usage = {"prompt_tokens": made["token_num"], "total_tokens": made["token_num"]}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def _models(_: Handler, __: Json) -> Json:
    _controller("/refresh_all_workers")
    names = sorted(_controller("/list_models")["models"])
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "owned_by": "fastchat"} for name in names],
    }


class App(Handler):
    """Its API."""

    def find(self, method: str, path: str) -> Callable[[Handler, Json], object] | None:
        """Only after the key was looked at."""
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if path.startswith("/v1/") and app_settings.api_keys and given not in app_settings.api_keys:
            raise RefusedError(401, {"detail": {"error": _NO_KEY}})
        return super().find(method, path)


App.routes = {
    ("GET", "/v1/models"): _models,
    ("POST", "/v1/chat/completions"): _chat,
    ("POST", "/v1/completions"): lambda handler, body: _whole(handler, body, chat=False),
    ("POST", "/v1/embeddings"): _embeddings,
}
app = App


def create_openai_api_server() -> SimpleNamespace:
    """Read the arguments."""
    args = called("openai_api_server", port="8000", controller_address="http://localhost:21001", api_keys="")
    app_settings.controller_address = args.controller_address
    app_settings.api_keys = args.api_keys.split(",") if args.api_keys else None
    return args


if __name__ == "__main__":
    args = create_openai_api_server()
    uvicorn.run(app, host=args.host, port=args.port, log_level="info")
