"""Qdrant: a snapshot of each collection through its API, and its recovery from it."""

from __future__ import annotations

import json
import shutil
import ssl
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from rackwright.backup.agent import archive
from rackwright.backup.agent.files import Held
from rackwright.backup.agent.shell import CHUNK, Failed

SECONDS = 1800


def send(store: dict[str, Any], out: IO[bytes], held: Held) -> None:
    """Have the server make a snapshot of each collection, and send them."""
    with ExitStack() as stack:
        made: list[tuple[str, str]] = []
        points: dict[str, int] = {}
        for name in _names(store):
            snapshot = _ask(store, "POST", f"/collections/{_quoted(name)}/snapshots")["name"]
            at = f"/collections/{_quoted(name)}/snapshots/{_quoted(snapshot)}"
            stack.callback(_ask, store, "DELETE", at)
            points[name] = _points(store, name)
            made.append((name, at))
        held()
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/lib/rackwright")))
        items: list[tuple[str, Path]] = []
        for name, at in made:
            path = place / f"{len(items)}.snapshot"
            with _open(store, "GET", at) as answer, path.open("wb") as file:
                shutil.copyfileobj(answer, file, CHUNK)
            items.append((f"{name}.snapshot", path))
        archive.send(out, items, {"kind": "qdrant", "points": points})


def receive(store: dict[str, Any], source: IO[bytes]) -> dict[str, Any]:
    """Recover each collection from its snapshot; collections that the backup does not have stay."""
    with tempfile.TemporaryDirectory(dir="/var/lib/rackwright") as held:
        manifest = archive.receive(source, Path(held))
        for name in manifest["points"]:
            body = (Path(held) / f"{name}.snapshot").read_bytes()
            edge = "rackwright-snapshot-boundary"
            head = (
                f'--{edge}\r\nContent-Disposition: form-data; name="snapshot"; filename="{name}.snapshot"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n"
            )
            payload = head.encode() + body + f"\r\n--{edge}--\r\n".encode()
            _ask(
                store,
                "POST",
                f"/collections/{_quoted(name)}/snapshots/upload?priority=snapshot&wait=true",
                payload,
                f"multipart/form-data; boundary={edge}",
            )
    points = {name: _points(store, name) for name in manifest["points"]}
    wrong = {name: count for name, count in points.items() if count != manifest["points"][name]}
    if wrong:
        raise Failed(f"collections have other numbers of points than their backup: {wrong}")
    return {"kind": "qdrant", "points": points}


def _names(store: dict[str, Any]) -> list[str]:
    return sorted(entry["name"] for entry in _ask(store, "GET", "/collections")["collections"])


def _points(store: dict[str, Any], name: str) -> int:
    answer = _ask(store, "POST", f"/collections/{_quoted(name)}/points/count", b'{"exact": true}')
    return int(answer["count"])


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _open(
    store: dict[str, Any], method: str, path: str, body: bytes | None = None, kind: str = "application/json"
) -> Any:  # noqa: ANN401 - what urllib returns has no public name
    request = urllib.request.Request(  # noqa: S310 - the scheme is the catalogue's
        store["url"] + path, data=body, method=method, headers={"Content-Type": kind}
    )
    if store.get("api_key_file"):
        request.add_header("api-key", Path(store["api_key_file"]).read_text(encoding="utf-8").strip())
    context = ssl.create_default_context(cafile=store["ca"]) if store["url"].startswith("https") else None
    try:
        return urllib.request.urlopen(request, timeout=SECONDS, context=context)  # noqa: S310
    except (urllib.error.URLError, OSError) as error:
        raise Failed(f"Qdrant does not do {method} {path}: {error}") from error


def _ask(
    store: dict[str, Any], method: str, path: str, body: bytes | None = None, kind: str = "application/json"
) -> Any:  # noqa: ANN401 - JSON
    with _open(store, method, path, body, kind) as answer:
        return json.load(answer)["result"]
