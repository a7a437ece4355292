"""Brings Kibana's saved objects in force: data views and searches, where they differ.

They are read by the export and written by the import, which Kibana documents as the way that lasts from one
version to the next. Both speak lines of JSON, an object each.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rackwright.logs.agent.client import Client
from rackwright.logs.agent.objects import RefusedError, holds
from rackwright.logs.agent.wire import UndeliveredError

_OK, _BAD_REQUEST = 200, 400
_WAIT_SECONDS = 300
# Kibana asks for it of whatever changes something, so that no page of somebody else's can.
_SENT = {"kbn-xsrf": "rackwright"}
_JSON = {**_SENT, "Content-Type": "application/json"}
_BOUNDARY = "rackwright-objects"
_FORM = {**_SENT, "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
# Text that holds JSON: Kibana may write it in another order.
_TEXTS = ("searchSourceJSON",)
USER = "kibana_provisioner"


def opened(value: object) -> object:
    """Return an object with the JSON within its texts read."""
    if isinstance(value, Mapping):
        return {
            key: json.loads(item) if key in _TEXTS and isinstance(item, str) else opened(item)
            for key, item in value.items()
        }
    return [opened(item) for item in value] if isinstance(value, list) else value


class Server:
    """The server, asked as the account that provisions it; with `check` nothing is written or waited for."""

    def __init__(self, url: str, directory: Path, authority: str, *, check: bool = False) -> None:
        self._check = check
        password = (directory / "provisioner.password").read_text(encoding="utf-8").strip()
        # Bodies are short, and a form is taken as it is.
        self._client = Client([url], authority, USER, password, compress=False)

    def wait(self) -> None:
        """Wait until it is there and lets the account in.

        Raises:
            RefusedError: It does not answer in time, or the password is not right.
        """
        ended = time.monotonic() + (0 if self._check else _WAIT_SECONDS)
        while True:
            try:
                status, answer = self._client.request("GET", "/api/status", b"", _SENT)
                if status == _OK:
                    # Who is not let in is told how it is, and no more.
                    if "version" in json.loads(answer):
                        return
                    raise RefusedError(f"the account {USER} is not let in: run the play of the log store")
                reason = f"it answers {status}"
            except (UndeliveredError, ValueError) as error:
                reason = str(error)
            if time.monotonic() > ended:
                raise RefusedError(f"the server does not answer: {reason}")
            time.sleep(2)

    def bring(self, wanted: Mapping[str, Any]) -> bool:
        """Bring one object in force; tell whether it had to be written, or would have to be."""
        if holds(opened(self._found(wanted)), opened(dict(wanted))):
            return False
        if self._check:
            return True
        head = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="objects.ndjson"\r\n'
            "Content-Type: application/ndjson\r\n\r\n"
        )
        body = f"{head}{json.dumps(wanted, ensure_ascii=False)}\n\r\n--{_BOUNDARY}--\r\n".encode()
        answer = self._asked("/api/saved_objects/_import?overwrite=true", body, _FORM)
        told = json.loads(answer)
        if not told.get("success"):
            raise RefusedError(f"{wanted['type']} {wanted['id']}: {json.dumps(told.get('errors'))[:500]}")
        return True

    def show_first(self, view: str) -> bool:
        """Have pages begin with a data view; tell whether they did not."""
        status, answer = self._client.request("GET", "/api/data_views/default", b"", _SENT)
        if status == _OK and json.loads(answer).get("data_view_id") == view:
            return False
        if self._check:
            return True
        body = json.dumps({"data_view_id": view, "force": True}).encode()
        self._asked("/api/data_views/default", body, _JSON)
        return True

    def _found(self, wanted: Mapping[str, Any]) -> object:
        body = json.dumps(
            {
                "objects": [{"type": wanted["type"], "id": wanted["id"]}],
                "excludeExportDetails": True,
                "includeReferencesDeep": False,
            }
        ).encode()
        status, answer = self._client.post("/api/saved_objects/_export", body, _JSON)
        if status == _BAD_REQUEST:
            # That is how it says that one is not there; what else is wrong, the import says.
            return None
        if status != _OK:
            raise RefusedError(f"_export: {status} {answer.decode('utf-8', 'replace')[:500]}")
        lines = answer.decode("utf-8").splitlines()
        return json.loads(lines[0]) if lines else None

    def _asked(self, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        status, answer = self._client.post(path, body, headers)
        if status != _OK:
            raise RefusedError(f"POST {path}: {status} {answer.decode('utf-8', 'replace')[:500]}")
        return answer


def main(arguments: list[str]) -> None:
    """Arguments: the URL with its path, the directory of objects.json, the authority's certificate.

    With `--check` behind them nothing is written.
    """
    url, directory, authority, *options = arguments
    server = Server(url, Path(directory), authority, check="--check" in options)
    objects = json.loads((Path(directory) / "objects.json").read_text(encoding="utf-8"))
    try:
        server.wait()
        changed = [f"{item['type']}/{item['id']}" for item in objects if server.bring(item)]
        if server.show_first(objects[0]["id"]):
            changed.append("default data view")
    except (RefusedError, UndeliveredError) as error:
        raise SystemExit(f"rackwright-kibana: {error}") from None
    for name in changed:
        sys.stdout.write(f"changed {name}\n")
