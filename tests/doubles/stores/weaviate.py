"""A double of Weaviate (`weaviate --host … --port …`), for tests of the app, the role and of backups.

Paths and bodies are those of https://docs.weaviate.io/weaviate/api/rest and its GraphQL's; keys, users and
lists those of the pages on authentication and authorization.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable
from http.server import ThreadingHTTPServer
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
    serve,
)
from graphql import Field, WrongQueryError, parsed
from vectors import Collections, check_configuration, chosen, nearest

VERSION = "1.40.4-double"
FREE = frozenset({"/v1/.well-known/ready", "/v1/.well-known/live", "/v1"})
PREFIXES = (
    "API_", "AUTHENTICATION_", "AUTHORIZATION_", "AUTOSCHEMA_", "BACKUP_", "CLUSTER_", "DISABLE_", "DISK_",
    "ENABLE_", "LIMIT_", "LOG_", "MEMORY_", "PERSISTENCE_", "PROMETHEUS_", "QUERY_", "RAFT_",
)  # fmt: skip
TRUE = frozenset({"on", "enabled", "1", "true"})
_CLASS = re.compile(r"^[A-Z][_0-9A-Za-z]*$")


def refused(status: int, message: str) -> RefusedError:
    """Return an error in the program's form."""
    return RefusedError(status, {"error": [{"message": message}]})


class Weaviate(Handler):
    """Its REST API and GraphQL."""

    collections: Any = None
    users: ClassVar[dict[str, str]] = {}
    admins: ClassVar[list[str] | None] = None
    readers: ClassVar[list[str]] = []
    anonymous: ClassVar[bool] = True

    def allowed(self, path: str) -> None:
        """Ask for a key; readers may only look."""
        if path in FREE:
            return
        key = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        user = self.users.get(key, "")
        if not user and (key or not self.anonymous):
            raise RefusedError(401, {"code": 401, "message": "unauthorized: invalid api key"})
        if self.admins is None or user in self.admins:
            return
        looks = self.command == "GET" or path == "/v1/graphql"
        if not (looks and user in self.readers):
            raise refused(403, f"authorization, forbidden action: user '{user}' has insufficient permissions")

    def find(self, method: str, path: str) -> Callable[[Handler, Json], object] | None:
        """Return who answers a path."""
        for wanted, pattern, answer in ROUTES:
            match = re.fullmatch(pattern, path)
            if wanted == method and match:
                return lambda _, body, answer=answer, match=match: answer(self, body, *match.groups())
        return None

    def wanted(self, name: str) -> Json:
        """Return a class that must be there."""
        found: Json | None = self.collections.read(name)
        if found is None:
            raise refused(422, f"class {name} not found in schema")
        return found


def meets(where: Json, properties: Json) -> bool:
    """Tell whether an object meets a filter."""
    operator = where.get("operator")
    if operator in {"And", "Or"}:
        answers = [meets(one, properties) for one in where["operands"]]
        return all(answers) if operator == "And" else any(answers)
    if operator != "Equal":
        raise refused(422, f"unsupported operator {operator}")
    value = next(where[key] for key in where if key.startswith("value"))
    (name,) = where["path"]
    return bool(properties.get(name) == value)


def _create(handler: Weaviate, body: Json) -> Json:
    name = str(body.get("class", ""))
    if not _CLASS.match(name):
        raise refused(422, f"'{name}' is not a valid class name")
    with handler.collections.lock:
        if handler.collections.read(name) is not None:
            raise refused(422, f"class name {name} already exists")
        handler.collections.write(name, {"name": name, "about": body, "points": {}})
    return body


def _class(handler: Weaviate, _: Json, name: str) -> Json:
    found = handler.collections.read(name)
    if found is None:
        raise RefusedError(404, {})
    about: Json = found["about"]
    return about


def _drop(handler: Weaviate, _: Json, name: str) -> None:
    handler.collections.remove(name)
    handler.send(200, b"")


def _schema(handler: Weaviate, _: Json) -> Json:
    return {"classes": [handler.wanted(name)["about"] for name in handler.collections.names()]}


def _batch(handler: Weaviate, body: Json) -> None:
    results = []
    with handler.collections.lock:
        touched: dict[str, Json] = {}
        for one in body["objects"]:
            known = touched.setdefault(one["class"], handler.wanted(one["class"]))
            size = next((len(point["vector"]) for point in known["points"].values()), len(one["vector"]))
            result: Json = {"status": "SUCCESS"}
            if len(one["vector"]) != size:
                message = (
                    f"new node has a vector with length {len(one['vector'])}. Existing nodes have {size}"
                )
                result = {"status": "FAILED", "errors": {"error": [{"message": message}]}}
            else:
                known["points"][one["id"]] = {"vector": one["vector"], "payload": one["properties"]}
            results.append({**one, "result": result})
        for name, content in touched.items():
            handler.collections.write(name, content)
    # A list, which the base class does not know as an answer.
    handler.send(200, results)


def _batch_delete(handler: Weaviate, body: Json) -> Json:
    match = body["match"]
    with handler.collections.lock:
        found = handler.wanted(match["class"])
        gone = chosen(found["points"], lambda payload: meets(match["where"], payload))
        for key in gone:
            del found["points"][key]
        handler.collections.write(match["class"], found)
    return {"match": match, "results": {"matches": len(gone), "successful": len(gone), "failed": 0}}


def _got(handler: Weaviate, asked: Field) -> list[Json]:
    points = handler.wanted(asked.name)["points"]
    if "where" in asked.arguments:
        points = chosen(points, lambda payload: meets(asked.arguments["where"], payload))
    hits = nearest(points, asked.arguments["nearVector"]["vector"], int(asked.arguments.get("limit", 25)))
    rows = []
    for key, likeness in hits:
        row: Json = {}
        for one in asked.fields:
            more = {"id": key, "distance": 1 - likeness}
            row[one.name] = (
                {part.name: more[part.name] for part in one.fields}
                if one.name == "_additional"
                else points[key]["payload"].get(one.name)
            )
        rows.append(row)
    return rows


def _graphql(handler: Weaviate, body: Json) -> Json:
    data: Json = {}
    try:
        for kind in parsed(body["query"]):
            for asked in kind.fields:
                if kind.name == "Get":
                    answer: list[Json] = _got(handler, asked)
                else:
                    answer = [{"meta": {"count": len(handler.wanted(asked.name)["points"])}}]
                data.setdefault(kind.name, {})[asked.name] = answer
    except WrongQueryError as error:
        return {"data": None, "errors": [{"message": str(error)}]}
    except RefusedError as error:
        return {"data": None, "errors": error.body["error"]}
    return {"data": data}


def _meta(handler: Weaviate, _: Json) -> Json:
    del handler
    return {"hostname": "http://[::]:8080", "modules": {}, "version": VERSION}


class Metrics(Handler):
    """The port of its metrics, which asks for nothing."""

    def find(self, method: str, path: str) -> Callable[[Handler, Json], object] | None:
        """Answer the one path."""
        if (method, path) != ("GET", "/metrics"):
            return None
        names = Weaviate.collections.names()
        sizes = {name: len(Weaviate.collections.read(name)["points"]) for name in names}
        counts = [
            f'object_count{{class_name="{name}",shard_name="a"}} {size}' for name, size in sizes.items()
        ]
        text = "\n".join([f'weaviate_build_info{{version="{VERSION}"}} 1', *counts, ""])
        return lambda handler, _: handler.send(200, text.encode(), "text/plain")


_NAME = "/v1/schema/([^/]+)"
ROUTES: list[tuple[str, str, Any]] = [
    *(("GET", path, lambda handler, _: handler.send(200, b"")) for path in FREE),
    ("GET", "/v1/meta", _meta),
    ("GET", "/v1/schema", _schema),
    ("POST", "/v1/schema", _create),
    ("GET", _NAME, _class),
    ("DELETE", _NAME, _drop),
    ("POST", "/v1/batch/objects", _batch),
    ("DELETE", "/v1/batch/objects", _batch_delete),
    ("POST", "/v1/graphql", _graphql),
]


def _who(configuration: Json, environ: dict[str, str]) -> None:
    """Read keys, users and lists from the file, and what variables say in their place."""
    told = configuration.get("authentication", {})
    keys = dict(told.get("apikey", {}))
    if environ.get("AUTHENTICATION_APIKEY_ENABLED", "") in TRUE:
        keys = {"enabled": True}
        for name, variable in (("allowed_keys", "ALLOWED_KEYS"), ("users", "USERS")):
            keys[name] = environ.get(f"AUTHENTICATION_APIKEY_{variable}", "").split(",")
    if keys.get("enabled"):
        if len(keys["allowed_keys"]) != len(keys["users"]):
            fail("length of users and keys must match, alternatively provide single user for all keys")
        Weaviate.users = dict(zip(keys["allowed_keys"], keys["users"], strict=True))
    anonymous = environ.get("AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED")
    Weaviate.anonymous = (
        anonymous in TRUE
        if anonymous is not None
        else bool(told.get("anonymous_access", {}).get("enabled", not keys))
    )
    if not (Weaviate.anonymous or Weaviate.users):
        fail("no authentication scheme configured, you must select at least one")
    listed = configuration.get("authorization", {}).get("admin_list", {})
    if listed.get("enabled"):
        Weaviate.admins, Weaviate.readers = listed.get("users", []), listed.get("read_only_users", [])
        if set(Weaviate.admins) & set(Weaviate.readers):
            fail("admin list: subject is present in both admin and read-only list")


def main(arguments: list[str], environ: dict[str, str]) -> None:
    """Run the server."""
    known = documented("weaviate")
    given = parse_arguments(known["arguments"], arguments)
    check_environment(known["environment"], PREFIXES, environ)
    configuration: Json = {}
    if "--config-file" in given:
        path = Path(given["--config-file"])
        if not path.is_file():
            fail(f"config file {path} not found")
        configuration = yaml.safe_load(path.read_text(encoding="utf-8"))
        check_configuration(known["configuration"], configuration)
    _who(configuration, environ)
    if "PERSISTENCE_DATA_PATH" not in environ:
        fail("persistence.dataPath must be set")
    Weaviate.collections = Collections(Path(environ["PERSISTENCE_DATA_PATH"]) / "classes")
    if environ.get("PROMETHEUS_MONITORING_ENABLED", "") in TRUE:
        port = int(environ.get("PROMETHEUS_MONITORING_PORT", "2112"))
        numbers = ThreadingHTTPServer(("0.0.0.0", port), Metrics)  # noqa: S104 - in a container
        threading.Thread(target=numbers.serve_forever, daemon=True).start()
    serve(Weaviate, int(given.get("--port", "8080")), given.get("--host", "0.0.0.0"))  # noqa: S104


if __name__ == "__main__":
    main(sys.argv[1:], dict(os.environ))
