"""A double of Qdrant (`qdrant --config-path …`), for tests of the role and of backups."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import yaml
from common import (
    Handler,
    Json,
    RefusedError,
    check_environment,
    documented,
    fail,
    parse_arguments,
    say,
    serve,
)
from vectors import Collections, check_configuration, chosen, nearest

VERSION = "1.0.0-double"
FREE = frozenset({"/", "/healthz", "/livez", "/readyz"})
WRITES = frozenset({"PUT", "DELETE", "PATCH"})
READING_POSTS = ("/points/search", "/points/query", "/points/scroll", "/points/count", "/points")


def _ok(result: object) -> Json:
    return {"result": result, "status": "ok", "time": 0.0}


class Qdrant(Handler):
    """Its REST API."""

    configuration: ClassVar[Json] = {}
    collections: Any = None
    snapshots = Path("/qdrant/snapshots")

    def allowed(self, path: str) -> None:
        """Ask for the key everywhere but at the health checks."""
        service = self.configuration["service"]
        if not service.get("api_key") or path in FREE:
            return
        shown = self.headers.get("api-key") or (self.headers.get("Authorization") or "").removeprefix(
            "Bearer "
        )
        reading = self.command not in WRITES and (self.command == "GET" or path.endswith(READING_POSTS))
        if shown == service["api_key"]:
            return
        if shown and shown == service.get("read_only_api_key"):
            if not reading:
                raise RefusedError(403, {"status": {"error": "Forbidden: Global manage access is required"}})
            return
        raise RefusedError(
            401, {"status": {"error": "Must provide an API key or an Authorization bearer token"}}
        )

    def find(self, method: str, path: str) -> Any:  # noqa: ANN401 - as the base class's
        """Return who answers a path."""
        for wanted, pattern, answer in ROUTES:
            match = re.fullmatch(pattern, path)
            if wanted == method and match:
                return lambda handler, body: answer(handler, body, *match.groups())
        return None

    def wanted(self, name: str) -> Json:
        """Return a collection that must be there."""
        found: Json | None = self.collections.read(name)
        if found is None:
            raise RefusedError(404, {"status": {"error": f"Not found: Collection `{name}` doesn't exist!"}})
        return found


def _create(handler: Qdrant, body: Json, name: str) -> Json:
    if handler.collections.read(name) is not None:
        raise RefusedError(409, {"status": {"error": f"Wrong input: Collection `{name}` already exists!"}})
    vectors = body.get("vectors")
    if not isinstance(vectors, dict) or vectors.get("distance") not in {
        "Cosine",
        "Dot",
        "Euclid",
        "Manhattan",
    }:
        raise RefusedError(400, {"status": {"error": "Format error in JSON body: vectors"}})
    storage = handler.configuration.get("storage", {})
    replicas = storage.get("collection", {}).get("replication_factor", 1)
    index = storage.get("hnsw_index", {})
    hnsw = {"m": index.get("m", 16), "ef_construct": index.get("ef_construct", 100)}
    hnsw["full_scan_threshold"] = index.get("full_scan_threshold_kb", 10000)
    params = {"vectors": vectors, "replication_factor": body.get("replication_factor", replicas)}
    optimizer = storage.get("optimizers", {})
    about = {
        "params": params,
        "hnsw_config": {**hnsw, **body.get("hnsw_config", {})},
        "optimizer_config": optimizer,
    }
    handler.collections.write(name, {"name": name, "about": about, "points": {}})
    return _ok(True)


def _collection(handler: Qdrant, _: Json, name: str) -> Json:
    found = handler.wanted(name)
    count = len(found["points"])
    return _ok({"status": "green", "points_count": count, "segments_count": 1, "config": found["about"]})


def _upsert(handler: Qdrant, body: Json, name: str) -> Json:
    with handler.collections.lock:
        found = handler.wanted(name)
        size = found["about"]["params"]["vectors"]["size"]
        for point in body.get("points", []):
            if len(point["vector"]) != size:
                message = (
                    f"Wrong input: Vector dimension error: expected dim: {size}, got {len(point['vector'])}"
                )
                raise RefusedError(400, {"status": {"error": message}})
            found["points"][str(point["id"])] = {**point, "payload": point.get("payload") or {}}
        handler.collections.write(name, found)
    return _ok({"operation_id": 0, "status": "completed"})


def _meets(condition: Json, payload: Json) -> bool:
    """Tell whether a payload meets a filter: `must` with `match` of a value, or of any of several."""
    unknown = set(condition) - {"must"}
    if unknown:
        raise RefusedError(400, {"status": {"error": f"Format error in JSON body: {sorted(unknown)}"}})
    for one in condition.get("must", []):
        match, value = one["match"], payload.get(one["key"])
        if value not in (match["any"] if "any" in match else [match["value"]]):
            return False
    return True


def _hits(handler: Qdrant, body: Json, name: str, vector: list[float]) -> list[Json]:
    condition = body.get("filter") or {}
    points = chosen(handler.wanted(name)["points"], lambda payload: _meets(condition, payload))
    hits = nearest(points, vector, int(body.get("limit") or 10))
    return [
        {"id": points[key]["id"], "version": 0, "score": score}
        | ({"payload": points[key]["payload"]} if body.get("with_payload") else {})
        for key, score in hits
    ]


def _search(handler: Qdrant, body: Json, name: str) -> Json:
    return _ok(_hits(handler, body, name, body["vector"]))


def _query(handler: Qdrant, body: Json, name: str) -> Json:
    return _ok({"points": _hits(handler, body, name, body["query"])})


def _scroll(handler: Qdrant, _: Json, name: str) -> Json:
    return _ok({"points": list(handler.wanted(name)["points"].values()), "next_page_offset": None})


def _delete_points(handler: Qdrant, body: Json, name: str) -> Json:
    with handler.collections.lock:
        found = handler.wanted(name)
        keys = [str(key) for key in body.get("points", [])]
        if "filter" in body:
            keys += chosen(found["points"], lambda payload: _meets(body["filter"], payload))
        for key in keys:
            found["points"].pop(key, None)
        handler.collections.write(name, found)
    return _ok({"operation_id": 0, "status": "completed"})


def _delete(handler: Qdrant, _: Json, name: str) -> Json:
    return _ok(handler.collections.remove(name))


def _describe(path: Path) -> Json:
    made = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(path.stat().st_mtime))
    return {"name": path.name, "creation_time": made, "size": path.stat().st_size, "checksum": None}


def _make_snapshot(handler: Qdrant, _: Json, name: str) -> Json:
    place = handler.snapshots / name
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{name}-{time.time_ns()}.snapshot"
    path.write_text(json.dumps(handler.wanted(name)), encoding="utf-8")
    return _ok(_describe(path))


def _list_snapshots(handler: Qdrant, _: Json, name: str) -> Json:
    handler.wanted(name)
    return _ok([_describe(path) for path in sorted((handler.snapshots / name).glob("*.snapshot"))])


def _snapshot(handler: Qdrant, name: str, file: str) -> Path:
    path = handler.snapshots / name / file
    if not path.is_file():
        raise RefusedError(404, {"status": {"error": f"Not found: Snapshot {file} not found"}})
    return path


def _get_snapshot(handler: Qdrant, _: Json, name: str, file: str) -> None:
    handler.send(200, _snapshot(handler, name, file).read_bytes(), "application/octet-stream")


def _delete_snapshot(handler: Qdrant, _: Json, name: str, file: str) -> Json:
    _snapshot(handler, name, file).unlink()
    return _ok(True)


def _recovered(handler: Qdrant, name: str, content: bytes) -> Json:
    try:
        found = json.loads(content)
    except ValueError:
        raise RefusedError(400, {"status": {"error": "Service internal error: invalid snapshot"}}) from None
    handler.collections.write(name, {**found, "name": name})
    return _ok(True)


def _recover(handler: Qdrant, body: Json, name: str) -> Json:
    path = Path(str(body["location"]).removeprefix("file://"))
    if not path.is_file():
        raise RefusedError(400, {"status": {"error": f"Bad request: Snapshot file {path} does not exist"}})
    return _recovered(handler, name, path.read_bytes())


def _upload(handler: Qdrant, _: Json, name: str) -> Json:
    size = int(handler.headers.get("Content-Length") or 0)
    boundary = (handler.headers.get("Content-Type") or "").partition("boundary=")[2].strip('"').encode()
    for part in handler.rfile.read(size).split(b"--" + boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if b'name="snapshot"' in head:
            return _recovered(handler, name, content.removesuffix(b"\r\n"))
    raise RefusedError(400, {"status": {"error": "Bad request: no snapshot in the form"}})


def _metrics(handler: Qdrant, _: Json) -> None:
    names = handler.collections.names()
    text = f'app_info{{name="qdrant",version="{VERSION}"}} 1\ncollections_total {len(names)}\n'
    handler.send(200, text.encode(), "text/plain")


def _cluster(handler: Qdrant, _: Json) -> Json:
    enabled = handler.configuration.get("cluster", {}).get("enabled", False)
    return _ok({"status": "enabled" if enabled else "disabled"})


_NAME = "/collections/([^/]+)"
ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/", lambda *_: {"title": "qdrant - vector search engine", "version": VERSION}),
    *(("GET", path, lambda handler, _: handler.send(200, b"healthz check passed")) for path in FREE - {"/"}),
    ("GET", "/metrics", _metrics),
    ("GET", "/cluster", _cluster),
    (
        "GET",
        "/collections",
        lambda handler, _: _ok({"collections": [{"name": name} for name in handler.collections.names()]}),
    ),
    ("PUT", _NAME, _create),
    ("GET", _NAME, _collection),
    ("DELETE", _NAME, _delete),
    ("PUT", f"{_NAME}/points", _upsert),
    (
        "PUT",
        f"{_NAME}/index",
        lambda handler, _, name: (handler.wanted(name), _ok({"status": "completed"}))[1],
    ),
    ("POST", f"{_NAME}/points/delete", _delete_points),
    ("POST", f"{_NAME}/points/search", _search),
    ("POST", f"{_NAME}/points/query", _query),
    ("POST", f"{_NAME}/points/scroll", _scroll),
    (
        "POST",
        f"{_NAME}/points/count",
        lambda handler, _, name: _ok({"count": len(handler.wanted(name)["points"])}),
    ),
    ("POST", f"{_NAME}/snapshots", _make_snapshot),
    ("GET", f"{_NAME}/snapshots", _list_snapshots),
    ("PUT", f"{_NAME}/snapshots/recover", _recover),
    ("POST", f"{_NAME}/snapshots/upload", _upload),
    ("GET", f"{_NAME}/snapshots/([^/]+)", _get_snapshot),
    ("DELETE", f"{_NAME}/snapshots/([^/]+)", _delete_snapshot),
]


def main(arguments: list[str], environ: dict[str, str]) -> None:
    """Run the server."""
    known = documented("qdrant")
    given = parse_arguments(known["arguments"], arguments)
    check_environment((), ("QDRANT_", "QDRANT__"), environ)
    path = Path(given.get("--config-path", ""))
    if not path.is_file():
        fail(f'configuration file "{path}" not found')
    configuration: Json = yaml.safe_load(path.read_text(encoding="utf-8"))
    check_configuration(known["configuration"], configuration)
    service, tls = configuration.get("service", {}), configuration.get("tls", {})
    clustered = configuration.get("cluster", {}).get("enabled", False)
    if clustered and not (given.get("--uri") or given.get("--bootstrap")):
        fail("Can't initialize consensus: --uri or --bootstrap is needed when the cluster is enabled")
    for wanted in [tls.get(name) for name in ("cert", "key", "ca_cert")] if service.get("enable_tls") else []:
        try:
            Path(wanted).read_bytes()
        except OSError as error:
            fail(f"TLS config error: {error}")
    Qdrant.configuration = configuration
    Qdrant.collections = Collections(Path(configuration["storage"]["storage_path"]) / "collections")
    Qdrant.snapshots = Path(configuration["storage"]["snapshots_path"])
    say(f"cluster {'at ' + given.get('--uri', '') if clustered else 'disabled'}")
    certificate = (tls["cert"], tls["key"]) if service.get("enable_tls") else None
    serve(Qdrant, int(service.get("http_port", 6333)), tls=certificate)


if __name__ == "__main__":
    main(sys.argv[1:], dict(os.environ))
