"""A double of Kibana: its configuration, its state, saved objects by export and import. No Kibana is in it.

It asks the Elasticsearch of its configuration who somebody is and what they may do, as Kibana does. Saved
objects are in a file of the container, not in Elasticsearch: a container that is made anew has none.
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import sys
import tempfile
import urllib.error
import urllib.request
from email.parser import BytesParser
from pathlib import Path
from typing import Any, ClassVar

import yaml
from common import Handler, Json, RefusedError, documented, fail, say, serve
from objects import refuse

_LEAST_KEY = 32


class Elasticsearch:
    """The server behind it, asked with somebody's own header."""

    def __init__(self, settings: Json) -> None:
        self._url = settings["elasticsearch.hosts"][0]
        self._context = ssl.create_default_context(
            cafile=settings["elasticsearch.ssl.certificateAuthorities"][0]
        )
        self._context.check_hostname = settings["elasticsearch.ssl.verificationMode"] == "full"
        token = f"{settings['elasticsearch.username']}:{settings['elasticsearch.password']}"
        self.own = f"Basic {base64.b64encode(token.encode()).decode()}"

    def ask(self, path: str, header: str, body: Json | None = None) -> Json | None:
        """Return the answer; None for who is not let in."""
        request = urllib.request.Request(  # noqa: S310 - the site's own address
            f"{self._url}{path}", None if body is None else json.dumps(body).encode()
        )
        request.add_header("Authorization", header)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=10) as answer:  # noqa: S310
                found: Json = json.load(answer)
                return found
        except urllib.error.HTTPError:
            return None

    def reaches(self) -> bool:
        """Tell whether it answers Kibana's own account."""
        try:
            return self.ask("/_security/_authenticate", self.own) is not None
        except OSError:
            return False


class Kibana(Handler):
    """Its HTTP API, below its path."""

    base: ClassVar[str] = ""
    known: ClassVar[Json] = {}
    behind: ClassVar[Any] = None
    # Its own folder is the image's, which this double is not.
    store: ClassVar[Path] = Path(tempfile.gettempdir()) / "double-kibana.json"

    def objects(self) -> Json:
        """Return what is saved: {"type/id": object, "default": the first data view}."""
        found: Json = json.loads(self.store.read_text()) if self.store.is_file() else {}
        return found

    def keep(self, objects: Json) -> None:
        """Save it."""
        new = self.store.with_suffix(".new")
        new.write_text(json.dumps(objects))
        new.replace(self.store)

    def may(self, privilege: str) -> bool:
        """Tell whether who asks has a privilege of Kibana; also whether anybody asks."""
        header = self.headers.get("Authorization") or ""
        wanted = {"application": "kibana-.kibana", "resources": ["*"], "privileges": [privilege]}
        found = self.behind.ask("/_security/user/_has_privileges", header, {"application": [wanted]})
        return bool(found and found["has_all_requested"])

    def allowed(self, path: str) -> None:
        """Let only those in whom Elasticsearch knows, to what their roles let them do."""
        if path == f"{self.base}/api/status":
            return
        header = self.headers.get("Authorization") or ""
        if not header or self.behind.ask("/_security/_authenticate", header) is None:
            raise refuse("Unauthorized", "security_exception", 401)
        changes = self.command == "POST" and not path.endswith("/_export")
        if self.command == "POST" and not self.headers.get("kbn-xsrf"):
            raise refuse("Request must contain a kbn-xsrf header.", "bad_request")
        if not self.may("all" if changes else "read"):
            raise refuse("Forbidden", "security_exception", 403)

    def find(self, method: str, path: str) -> Any:  # noqa: ANN401 - one of ROUTES
        """Return who answers; nothing is outside its path."""
        return ROUTES.get((method, path.removeprefix(self.base))) if path.startswith(self.base) else None


def _status(handler: Kibana, _: Json) -> None:
    level = "available" if handler.behind.reaches() else "unavailable"
    told: Json = {"status": {"overall": {"level": level}}}
    if (handler.headers.get("Authorization") or "") and handler.may("read"):
        told |= {"name": "double", "version": {"number": "8.19.0-double"}}
    handler.send(200 if level == "available" else 503, told)


def _export(handler: Kibana, body: Json) -> None:
    unknown = set(body) - {"objects", "type", "excludeExportDetails", "includeReferencesDeep", "search"}
    if unknown:
        raise refuse(f"[request body.{min(unknown)}]: definition for this key is missing", "bad_request")
    saved = handler.objects()
    missing = [one for one in body["objects"] if f"{one['type']}/{one['id']}" not in saved]
    if missing:
        raise RefusedError(
            400, {"message": "Error fetching objects to export", "attributes": {"objects": missing}}
        )
    lines = [json.dumps(saved[f"{one['type']}/{one['id']}"]) for one in body["objects"]]
    handler.send(200, "\n".join(lines).encode(), "application/ndjson")


def _import(handler: Kibana, _: Json) -> Json:
    kind = handler.headers.get("Content-Type") or ""
    raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    parts = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw).get_payload()
    assert isinstance(parts, list)
    if not str(parts[0].get_filename()).endswith(".ndjson"):
        raise refuse("Invalid file extension", "bad_request")
    payload = parts[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    saved = handler.objects()
    given = [json.loads(line) for line in payload.decode().splitlines() if line.strip()]
    errors = [problem for one in given if (problem := _problem(one, saved, handler.known))]
    if "overwrite=true" not in handler.path:
        errors += [
            {"type": one["type"], "id": one["id"], "error": {"type": "conflict"}}
            for one in given
            if f"{one['type']}/{one['id']}" in saved
        ]
    if not errors:
        for one in given:
            version = {"coreMigrationVersion": "8.8.0", "typeMigrationVersion": "8.0.0", "managed": False}
            saved[f"{one['type']}/{one['id']}"] = {**version, **one, "updated_at": "2026-01-01T00:00:00Z"}
        handler.keep(saved)
    return {"success": not errors, "successCount": 0 if errors else len(given), "errors": errors}


def _problem(one: Json, saved: Json, known: Json) -> Json | None:
    """Return why an object is not taken."""
    about = {"type": one["type"], "id": one["id"]}
    if one["type"] not in known["types"]:
        return {**about, "error": {"type": "unsupported_type"}}
    unknown = set(one["attributes"]) - set(known["types"][one["type"]])
    if unknown or set(one) - {"type", "id", "attributes", "references"}:
        return {**about, "error": {"type": "unknown", "message": f"not documented: {sorted(unknown)}"}}
    references = {entry["name"]: f"{entry['type']}/{entry['id']}" for entry in one["references"]}
    missing = [place for place in references.values() if place not in saved]
    if missing:
        return {**about, "error": {"type": "missing_references", "references": missing}}
    meta = one["attributes"].get("kibanaSavedObjectMeta")
    if meta:
        source = json.loads(meta["searchSourceJSON"])
        if source["indexRefName"] not in references or source["query"]["language"] not in {"kuery", "lucene"}:
            return {**about, "error": {"type": "unknown", "message": "a search without its data view"}}
    return None


def _default(handler: Kibana, _: Json) -> Json:
    return {"data_view_id": handler.objects().get("default", "")}


def _set_default(handler: Kibana, body: Json) -> Json:
    if set(body) - {"data_view_id", "force"}:
        raise refuse("[request body]: definition for this key is missing", "bad_request")
    handler.keep({**handler.objects(), "default": body["data_view_id"]})
    return {"acknowledged": True}


ROUTES: dict[tuple[str, str], Any] = {
    ("GET", "/api/status"): _status,
    ("POST", "/api/saved_objects/_export"): _export,
    ("POST", "/api/saved_objects/_import"): _import,
    ("GET", "/api/data_views/default"): _default,
    ("POST", "/api/data_views/default"): _set_default,
}


def main(arguments: list[str]) -> None:
    """Run the server as the image's own program does: with the files that the role names."""
    known = documented("kibana")
    settings: Json = {}
    if len(arguments) % 2 or set(arguments[::2]) - {"--config", "-c"}:
        fail(f"unknown argument: {' '.join(arguments)}")
    for path in arguments[1::2]:
        settings |= yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    unknown = sorted(set(settings) - set(known["settings"]))
    if unknown:
        fail(f"Unknown configuration key(s): {unknown[0]}")
    if not re.search(r"--max-old-space-size=\d+", os.environ.get("NODE_OPTIONS", "")):
        fail("the heap of Node.js has no bound")
    for name in ("xpack.security.encryptionKey", "xpack.encryptedSavedObjects.encryptionKey"):
        if len(str(settings.get(name, ""))) < _LEAST_KEY:
            fail(f"[{name}]: value has length less than {_LEAST_KEY}")
    if settings.get("elasticsearch.username") == "elastic":
        fail('[config validation of [elasticsearch].username]: value of "elastic" is forbidden')
    base = str(settings.get("server.basePath", ""))
    if base.endswith("/") or not str(settings["server.publicBaseUrl"]).endswith(base):
        fail("[server.publicBaseUrl]: must contain the [server.basePath]")
    if settings.get("i18n.locale", "en") not in known["locales"]:
        fail(f"[i18n.locale]: {settings['i18n.locale']}")
    Kibana.known, Kibana.base, Kibana.behind = known, base, Elasticsearch(settings)
    say(f"a double, for {settings['elasticsearch.hosts'][0]}")
    tls = (settings["server.ssl.certificate"], settings["server.ssl.key"])
    serve(Kibana, int(settings.get("server.port", 5601)), tls=tls)


if __name__ == "__main__":
    main(sys.argv[1:])
