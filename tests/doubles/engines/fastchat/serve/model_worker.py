"""A double of `python3 -m fastchat.serve.model_worker`: reads the model's config.json, and no weights.

What a test wants of a model stands in config.json under `double`: says (a word that every answer begins
with), load_seconds, token_seconds, fails (what loading ends with).
"""

from __future__ import annotations

import json
import threading
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from common import Handler, Json, embedding_of, say, words_for

from fastchat.called import called, post, seconds

INTERVAL = seconds("FASTCHAT_WORKER_HEART_BEAT_INTERVAL", 45)
CONTEXT = 2048


class Worker:
    """One model."""

    def __init__(self, args: Any) -> None:  # noqa: ANN401 - a namespace
        self.controller, self.address = args.controller_address, args.worker_address
        path = Path(args.model_path)
        if not (path / "config.json").is_file():
            raise OSError(f"{path} is no local folder with a config.json, and nothing is fetched")
        if args.device == "cuda" and not Path("/dev/nvidia0").exists():
            raise RuntimeError("Found no NVIDIA driver on your system.")
        self.names = args.model_names.split(",") if args.model_names else [path.name]
        self.wanted: Json = json.loads((path / "config.json").read_text()).get("double", {})
        time.sleep(self.wanted.get("load_seconds", 0))
        if self.wanted.get("fails"):
            raise RuntimeError(self.wanted["fails"])
        self.room = threading.Semaphore(int(args.limit_worker_concurrency))
        self.lock, self.busy = threading.Lock(), 0
        self._register()
        threading.Thread(target=self._beat, daemon=True).start()

    def status(self) -> Json:
        """Return what it says of itself."""
        return {"model_names": self.names, "speed": 1, "queue_length": self.busy}

    def answer(self, body: Json) -> Iterator[Json]:
        """Return an answer in growing parts, as FastChat does."""
        with self.lock:
            self.busy += 1
        try:
            with self.room:
                yield from self._words(body)
        finally:
            with self.lock:
                self.busy -= 1

    def _words(self, body: Json) -> Iterator[Json]:
        limit = int(body.get("max_new_tokens") or 16)
        words = [
            *([self.wanted["says"]] if "says" in self.wanted else []),
            *words_for(body["prompt"], limit),
        ][:limit]
        asked = len(body["prompt"].split()) or 1
        for number in range(1, len(words) + 1):
            time.sleep(self.wanted.get("token_seconds", 0))
            usage = {"prompt_tokens": asked, "completion_tokens": number, "total_tokens": asked + number}
            text, last = " ".join(words[:number]), number == len(words)
            yield {"text": text, "error_code": 0, "usage": usage, "finish_reason": "length" if last else None}

    def _register(self) -> None:
        told = {"worker_name": self.address, "check_heart_beat": True, "multimodal": False}
        post(f"{self.controller}/register_worker", told | {"worker_status": self.status()})

    def _beat(self) -> None:
        while True:
            time.sleep(INTERVAL)
            try:
                beat = {"worker_name": self.address, "queue_length": self.busy}
                if not post(f"{self.controller}/receive_heart_beat", beat, 5)["exist"]:
                    self._register()
            except (OSError, urllib.error.URLError) as error:
                say(f"heart beat error: {error}")


worker: Any = None


def _stream(handler: Handler, body: Json) -> None:
    handler.send_parts((json.dumps(part).encode() + b"\0" for part in worker.answer(body)), "text/plain")


def _embeddings(_: Handler, body: Json) -> Json:
    count = sum(len(text.split()) for text in body["input"])
    return {"embedding": [embedding_of(text) for text in body["input"]], "token_num": count}


class App(Handler):
    """Its API."""


App.routes = {
    ("POST", "/worker_get_status"): lambda *_: worker.status(),
    ("POST", "/worker_generate"): lambda _, body: list(worker.answer(body))[-1],
    ("POST", "/worker_generate_stream"): _stream,
    ("POST", "/worker_get_embeddings"): _embeddings,
    ("POST", "/count_token"): lambda _, body: {"count": len(body["prompt"].split()), "error_code": 0},
    ("POST", "/worker_get_conv_template"): lambda *_: {"conv": {"name": "double", "stop_str": None}},
    ("POST", "/model_details"): lambda *_: {"context_length": CONTEXT},
}


def create_model_worker() -> tuple[Any, Worker]:
    """Read the arguments and load the model."""
    defaults = {
        "port": "21002",
        "worker_address": "http://localhost:21002",
        "controller_address": "http://localhost:21001",
        "model_path": "lmsys/vicuna-7b-v1.5",
        "model_names": "",
        "device": "cuda",
        "limit_worker_concurrency": "5",
    }
    args = called("model_worker", **defaults)
    return args, Worker(args)


if __name__ == "__main__":
    args, worker = create_model_worker()
    uvicorn.run(App, host=args.host, port=args.port, log_level="info")
