"""Runs in FastChat's containers beside FastChat: starts the API with its key, tells health, drains workers.

Python 3.8 and FastChat's own packages are all that may be counted on.
"""

# ruff: noqa: INP001 - brought into containers as it is, no package
from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any

KEY = Path("/run/secrets/api_key")
# A worker that made a token once since its start is asked for its status from then on.
PROVED = Path("/tmp/proved")  # noqa: S108 - the container's own, forgotten with it
# For a token, and for everything else.
PATIENCE, SHORTLY = 25, 4


def post(url: str, body: dict[str, Any], seconds: int = SHORTLY) -> Any:  # noqa: ANN401 - whatever JSON says
    """Send JSON, return what comes back as JSON."""
    request = urllib.request.Request(  # noqa: S310 - the role's addresses
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310 - as above
        return json.loads(answer.read() or b"null")


def api(*arguments: str) -> None:
    """Run the API server with the key of the secret.

    Its own --api-keys would show the key in the process list, and in its log, which tells the arguments.
    """
    import uvicorn  # noqa: PLC0415 - only the API needs it, and not to tell health
    from fastchat.serve import openai_api_server as server  # noqa: PLC0415 - as above

    sys.argv = ["openai_api_server", *arguments]
    args = server.create_openai_api_server()
    server.app_settings.api_keys = [KEY.read_text().strip()]
    uvicorn.run(server.app, host=args.host, port=args.port, log_level="info")


def api_health(address: str) -> str:
    """The API answers, and wants a key. Its list of models would have the controller ask all workers."""
    try:
        urllib.request.urlopen(address + "/v1/models", timeout=SHORTLY)  # noqa: S310 - the role's address
    except urllib.error.HTTPError as error:
        return "" if error.code == HTTPStatus.UNAUTHORIZED else f"HTTP status {error.code}"
    return "it answers without a key"


def controller_health(address: str) -> str:
    """The controller answers."""
    with urllib.request.urlopen(address + "/test_connection", timeout=SHORTLY) as answer:  # noqa: S310 - as above
        return "" if b"success" in answer.read() else "an unknown answer"


def worker_health(local: str, name: str, controller: str, model: str, kind: str) -> str:
    """The worker made a token since its start, and its controller knows it."""
    status = post(local + "/worker_get_status", {})
    if not PROVED.exists():
        fault = _embedding(local, model) if kind == "embeddings" else _token(local, model)
        if fault:
            return fault
        PROVED.touch()
    beat = {"worker_name": name, "queue_length": status["queue_length"]}
    if not post(controller + "/receive_heart_beat", beat)["exist"]:
        # A controller that was started anew knows nobody.
        _register(controller, name, status)
    return ""


def _token(local: str, model: str) -> str:
    wanted = {"model": model, "prompt": "Hello", "temperature": 0.0, "max_new_tokens": 1, "echo": False}
    made = post(local + "/worker_generate", wanted, PATIENCE)
    tokens = (made.get("usage") or {}).get("completion_tokens", 0)
    return "" if made.get("error_code") == 0 and tokens else "no token: {}".format(made.get("text", made))


def _embedding(local: str, model: str) -> str:
    made = post(local + "/worker_get_embeddings", {"model": model, "input": ["Hello"]}, PATIENCE)
    return "" if made.get("embedding") else "no embedding: {}".format(made.get("text", made))


def _register(controller: str, name: str, status: dict[str, Any]) -> None:
    told = {"worker_name": name, "check_heart_beat": True, "worker_status": status, "multimodal": False}
    post(controller + "/register_worker", told)


def drain(controller: str, *workers: str) -> None:
    """Send no more requests to workers: FastChat has no word for it, but one without models is not asked."""
    for name in workers:
        _register(controller, name, {"model_names": [], "speed": 1, "queue_length": 0})


def refresh(controller: str) -> None:
    """Forget workers that are gone."""
    post(controller + "/refresh_all_workers", {}, PATIENCE)


CHECKS = {"api-health": api_health, "controller-health": controller_health, "worker-health": worker_health}


def main(command: str, *rest: str) -> None:
    """Do what the first argument says."""
    if command in CHECKS:
        try:
            wrong = CHECKS[command](*rest)
        except (OSError, ValueError, KeyError) as error:
            wrong = str(error) or type(error).__name__
        if wrong:
            sys.exit(wrong)
    else:
        {"api": api, "drain": drain, "refresh": refresh}[command](*rest)


if __name__ == "__main__":
    main(*sys.argv[1:])
