"""Vector stores without snapshots of their own: files of one moment, and how many entries were in them.

The door before the server is closed, so that nobody writes between the count and the copy. A restore counts
again, through the same API, and compares.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from rackwright.backup.agent import archive, files
from rackwright.backup.agent.files import Held
from rackwright.backup.agent.shell import Failed, run

# An index of many vectors is read into memory as a whole before it answers.
START_SECONDS = 900
# What was made a moment ago is on its way into memory; a point's writers wait no longer than five minutes.
COUNT_SECONDS = 60
ASK_SECONDS = 120
# A server that answers may still read its log; wrong counts that stay the same for so long are what it has.
REST_SECONDS = 120
# The app's user of Milvus, which also may count.
MILVUS_USER = "rackwright"
# Collection -> entries; None for one that is not in memory, and so cannot be counted.
Entries = dict[str, int | None]


class _AwayError(Exception):
    """The server does not answer, or not yet with all it has."""


def send(store: dict[str, Any], out: IO[bytes], held: Held) -> None:
    """Count the entries behind a closed door, copy the files while the server stands still, and send them."""
    with ExitStack() as stack:
        with _closed(store["door"]):
            entries = _counted(store)
            kept = files.copies(store, stack)
        held()
        archive.send(out, kept, {"kind": "vectors", "entries": entries})


def receive(store: dict[str, Any], source: IO[bytes]) -> dict[str, Any]:
    """Put the files of a backup in their place, and compare the entries with its manifest.

    Raises:
        Failed: A collection is missing, or has another number of entries.
    """
    with _closed(store["door"]):
        manifest = files.put(store, source)
        entries = _found_again(store, manifest["entries"])
        return {"kind": "vectors", "entries": entries, "files": len(manifest["files"])}


def _found_again(store: dict[str, Any], wanted: Entries) -> Entries:
    """Wait until the store has what its backup had, or its counts have come to rest at something else."""
    ends = rests = time.monotonic() + START_SECONDS
    before = ""
    while True:
        try:
            found = _entries(store)
        except _AwayError as error:
            said, rests = str(error), ends
        else:
            wrong = sorted(name for name, count in wanted.items() if found.get(name) != count)
            if not wrong:
                return found
            said = ", ".join(f"{name} has {found.get(name)}, not {wanted[name]}" for name in wrong)
            if said != before:
                rests = min(ends, time.monotonic() + REST_SECONDS)
        if time.monotonic() > rests:
            raise Failed(f"the store is not what its backup says: {said}")
        before = said
        time.sleep(1)


def _counted(store: dict[str, Any]) -> Entries:
    ends = time.monotonic() + COUNT_SECONDS
    while True:
        try:
            return _entries(store)
        except _AwayError as error:
            if time.monotonic() > ends:
                raise Failed(
                    f"{store['name']} cannot be counted: {error}", "a backup is made of a server that answers"
                ) from error
        time.sleep(1)


def _entries(store: dict[str, Any]) -> Entries:
    return DIALECTS[store["dialect"]](store)


@contextmanager
def _closed(door: str) -> Iterator[None]:
    """Let nobody in, and in again whatever happens; a door that was closed stays so."""
    units = [f"{door}.socket", f"{door}.service"]
    was = run(["systemctl", "is-active", "--quiet", units[0]], check=False).returncode == 0
    if was:
        run(["systemctl", "stop", *units])
    try:
        yield
    finally:
        if was:
            run(["systemctl", "start", *units])


def _ask(store: dict[str, Any], path: str, body: object = None, user: str = "") -> Any:  # noqa: ANN401 - JSON
    key = Path(store["api_key_file"]).read_text(encoding="utf-8").strip()
    request = urllib.request.Request(  # noqa: S310 - the scheme is the catalogue's
        store["url"] + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {user}{key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ASK_SECONDS) as answer:  # noqa: S310
            return json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise _AwayError(f"{path}: {error}") from error


def _milvus(store: dict[str, Any]) -> Entries:
    def asked(what: str, **body: object) -> Any:  # noqa: ANN401 - JSON
        answer = _ask(store, f"/v2/vectordb/{what}", body, f"{MILVUS_USER}:")
        if answer.get("code") not in (0, 200):
            raise _AwayError(f"{what}: {answer.get('code')} {answer.get('message', '')}")
        return answer.get("data")

    found: Entries = {}
    for name in asked("collections/list"):
        state = asked("collections/get_load_state", collectionName=name)["loadState"]
        if state == "LoadStateLoading":
            raise _AwayError(f"{name} is being loaded")
        if state != "LoadStateLoaded":
            found[name] = None
            continue
        counting = {"filter": "", "outputFields": ["count(*)"], "consistencyLevel": "Strong"}
        (row,) = asked("entities/query", collectionName=name, **counting)
        found[name] = int(row["count(*)"])
    return found


def _weaviate(store: dict[str, Any]) -> Entries:
    classes = [one["class"] for one in _ask(store, "/v1/schema")["classes"]]
    found: Entries = {}
    for name in classes:
        query = f"{{ Aggregate {{ {name} {{ meta {{ count }} }} }} }}"
        answer = _ask(store, "/v1/graphql", {"query": query})
        if answer.get("errors"):
            raise _AwayError(f"{name}: {answer['errors'][0].get('message')}")
        found[name] = int(answer["data"]["Aggregate"][name][0]["meta"]["count"])
    return found


DIALECTS: dict[str, Callable[[dict[str, Any]], Entries]] = {"milvus": _milvus, "weaviate": _weaviate}
