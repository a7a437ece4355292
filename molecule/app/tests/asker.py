"""Runs on the app's host, in its environment: sends what is on standard input, prints what came back."""

import json
import sys
import threading
import time

import httpx

work = json.load(sys.stdin)
client = httpx.Client(
    base_url=work["url"],
    verify="/etc/rackwright/tls/ca.pem",
    headers={"Authorization": f"Bearer {work['token']}"},
    timeout=110,
)


def send(request: dict[str, object]) -> dict[str, object]:
    """Sends one request."""
    files = {"file": (str(request["file"]), str(request["text"]).encode())} if "file" in request else None
    answer = client.request(
        str(request.get("method", "POST")), str(request["path"]), json=request.get("json"), files=files
    )
    return {"status": answer.status_code, "body": answer.text}


def load(seconds: float) -> list[dict[str, object]]:
    """Asks without a pause, each time over a connection of its own, from four threads."""
    end = time.monotonic() + seconds
    answers: list[dict[str, object]] = []

    def ask() -> None:
        while time.monotonic() < end:
            try:
                answer = httpx.get(f"{work['url']}/health", verify="/etc/rackwright/tls/ca.pem", timeout=60)
                answers.append({"status": answer.status_code})
            except httpx.HTTPError as error:
                answers.append({"status": repr(error)})

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


json.dump(
    load(work["seconds"]) if "seconds" in work else [send(each) for each in work["requests"]], sys.stdout
)
