"""A double of Elasticsearch: its configuration, security, objects, and `_bulk`. No Elasticsearch is in it."""

from __future__ import annotations

import base64
import fnmatch
import gzip
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, ClassVar

import yaml
from common import Handler, Json, RefusedError, check_environment, documented, fail, say, serve
from lines import Lines, mapping_problem
from objects import check, refuse, shown
from query_told import searched
from statistics_told import health, node_stats

HOME = Path(os.environ.get("DOUBLE_HOME", "/usr/share/elasticsearch"))
KINDS = "_ilm/policy|_index_template|_snapshot|_slm/policy|_security/role|_security/user"


class State:
    """Objects and users, kept in one file."""

    def __init__(self, path: Path, password: str) -> None:
        self._path = path
        self.objects: Json = json.loads(path.read_text()) if path.is_file() else {}
        # The administrator's password counts at the first start alone.
        self.objects.setdefault("passwords", {"elastic": password})
        self.keep()

    def keep(self) -> None:
        """Write them."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self.objects))
        fresh.replace(self._path)

    def of(self, kind: str) -> Json:
        """Return the objects of a kind, by name."""
        found: Json = self.objects.setdefault(kind, {})
        return found


class Elasticsearch(Handler):
    """Its REST API."""

    state: ClassVar[Any] = None
    lines: ClassVar[Any] = None
    known: ClassVar[Json] = {}
    user = ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep still: its own log is read by what it serves."""

    def allowed(self, path: str) -> None:  # noqa: ARG002 - the base class asks with it
        """Ask for a user and a password."""
        kind, _, token = (self.headers.get("Authorization") or "").partition(" ")
        user, _, password = (
            base64.b64decode(token).decode().partition(":") if kind == "Basic" else ("", "", "")
        )
        if not user or self.state.objects["passwords"].get(user) != password:
            raise refuse("missing authentication credentials for REST request", "security_exception", 401)
        self.user = user

    def privileged(self, index: str | None, *privileges: str) -> None:
        """Refuse a user whose roles do not let them; `index` None asks for the administrator."""
        if self.user == "elastic":
            return
        roles = self.state.of("_security/user").get(self.user, {}).get("roles", [])
        for role in roles:
            for entry in self.state.of("_security/role").get(role, {}).get("indices", []):
                if (
                    index
                    and any(fnmatch.fnmatch(index, name) for name in entry["names"])
                    and {
                        "all",
                        *privileges,
                    }
                    & set(entry["privileges"])
                ):
                    return
        raise refuse(f"action is unauthorized for user [{self.user}]", "security_exception", 403)

    def unread(self, path: str) -> bool:
        """Bulk bodies are lines."""
        return path == "/_bulk" or bool(re.search("gzip", self.headers.get("Content-Encoding") or ""))

    def find(self, method: str, path: str) -> Any:  # noqa: ANN401 - as the base class's
        """Return who answers a path."""
        for wanted, pattern, answer in ROUTES:
            match = re.fullmatch(pattern, path)
            if wanted == method and match:
                return lambda handler, body: answer(handler, body, *match.groups())
        return None


def _bulk(handler: Elasticsearch, _: Json) -> Json:
    raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    if handler.headers.get("Content-Encoding") == "gzip":
        raw = gzip.decompress(raw)
    if "application/x-ndjson" not in (handler.headers.get("Content-Type") or "") or not raw.endswith(b"\n"):
        raise refuse("The bulk request must be terminated by a newline [\\n]", "illegal_argument_exception")
    given = [json.loads(line) for line in raw.splitlines()]
    items: list[Json] = []
    wanted: list[tuple[int, str, str, Json]] = []
    for action, content in zip(given[::2], given[1::2], strict=True):
        (operation, about) = next(iter(action.items()))
        if operation != "create":
            raise refuse(f"the double takes create, not {operation}", "illegal_argument_exception")
        handler.privileged(about["_index"], "create_doc", "create", "index", "write")
        problem = mapping_problem(content, mapping_of(handler, about["_index"]))
        items.append({"_index": about["_index"], "_id": about["_id"], "status": 400 if problem else 201})
        if problem:
            items[-1]["error"] = {"type": problem, "reason": problem}
        else:
            wanted.append((len(items) - 1, about["_index"], about["_id"], content))
    made = handler.lines.create([(index, number, content) for _, index, number, content in wanted])
    for (at, *_rest), new in zip(wanted, made, strict=True):
        if not new:
            error = {"type": "version_conflict_engine_exception", "reason": "document already exists"}
            items[at] |= {"status": 409, "error": error}
    return {"errors": any("error" in item for item in items), "items": [{"create": item} for item in items]}


def mapping_of(handler: Elasticsearch, index: str) -> Json:
    """Return the mapping that the templates give an index."""
    for template in handler.state.of("_index_template").values():
        if any(fnmatch.fnmatch(index, pattern) for pattern in template["index_patterns"]):
            found: Json = template["template"]["mappings"]
            return found
    raise refuse(f"no such index [{index}] and no template for it", "index_not_found_exception", 404)


def _put(handler: Elasticsearch, body: Json, kind: str, name: str) -> Json:
    handler.privileged(None)
    check(kind, body, handler.known)
    if kind == "_security/user":
        handler.state.objects["passwords"][name] = body["password"]
    handler.state.of(kind)[name] = {key: value for key, value in body.items() if key != "password"}
    handler.state.keep()
    return {"acknowledged": True}


def _get(handler: Elasticsearch, _: Json, kind: str, name: str) -> Json:
    handler.privileged(None)
    if name not in handler.state.of(kind):
        raise RefusedError(
            404, {} if kind.startswith("_security") else {"error": f"{name} not found", "status": 404}
        )
    return shown(kind, name, handler.state.of(kind)[name])


def _password(handler: Elasticsearch, body: Json, name: str) -> Json:
    handler.privileged(None)
    if name not in (*handler.known["built_in_users"], *handler.state.of("_security/user")):
        raise refuse(f"user [{name}] does not exist", "validation_exception")
    handler.state.objects["passwords"][name] = body["password"]
    handler.state.keep()
    return {}


def _search(handler: Elasticsearch, body: Json, pattern: str) -> Json:
    handler.privileged(pattern.replace("*", "0"), "read")
    if "query" in body:
        return searched(handler.lines, body, pattern)
    found = handler.lines.found(pattern, int(body.get("search_after", [0])[0]), int(body.get("size", 10)))
    hits = [
        {"_index": place, "_id": number, "_source": content, "sort": [at]}
        for at, place, number, content in found
    ]
    return {"hits": {"total": {"value": handler.lines.count(pattern), "relation": "eq"}, "hits": hits}}


def _count(handler: Elasticsearch, _: Json, pattern: str) -> Json:
    handler.privileged(pattern.replace("*", "0"), "read")
    return {"count": handler.lines.count(pattern)}


def _has_privileges(handler: Elasticsearch, body: Json) -> Json:
    """Of applications alone: what roles of ours say, and the built-in ones."""
    wanted = {name for entry in body["application"] for name in entry["privileges"]}
    roles = handler.state.of("_security/user").get(handler.user, {}).get("roles", [])
    has = {"all", "read"} if handler.user == "elastic" or "kibana_admin" in roles else set()
    for role in roles:
        for entry in handler.state.of("_security/role").get(role, {}).get("applications", []):
            has |= set(entry["privileges"])
    return {"username": handler.user, "has_all_requested": wanted <= has}


ROUTES: list[tuple[str, str, Any]] = [
    (
        "GET",
        "/",
        lambda *_: {
            "name": "double",
            "cluster_name": "double",
            "cluster_uuid": "double",
            "version": {
                "number": "8.19.0",
                "build_flavor": "double",
                "lucene_version": "9.12.0",
                "build_date": "2026-01-01T00:00:00Z",
            },
            "tagline": "You Know, for Search",
        },
    ),
    ("GET", "/_security/_authenticate", lambda handler, _: {"username": handler.user}),
    ("GET", "/_cluster/health", health),
    ("GET", "/_nodes/_local/stats", node_stats),
    ("POST", "/_security/user/_has_privileges", _has_privileges),
    ("PUT", "/_security/user/([^/]+)/_password", _password),
    ("POST", "/_bulk", _bulk),
    ("PUT", f"/({KINDS})/([^/]+)", _put),
    ("GET", f"/({KINDS})/([^/]+)", _get),
    ("POST", "/([^/_][^/]*)/_search", _search),
    ("GET", "/([^/_][^/]*)/_count", _count),
]


def main(environ: dict[str, str]) -> None:
    """Run the server as the image's own program does: with what the role gives it."""
    known = documented("elasticsearch")
    check_environment(known["environment"], ("ES_", "ELASTIC_", "KEYSTORE_"), environ)
    settings = yaml.safe_load((HOME / "config/elasticsearch.yml").read_text(encoding="utf-8"))
    unknown = sorted(set(settings) - set(known["settings"]))
    if unknown:
        fail(f"unknown setting [{unknown[0]}] please check that any required plugins are installed")
    heap = re.findall(r"-Xm[sx](\d+)m", environ.get("ES_JAVA_OPTS", ""))
    if len(heap) != 2 or heap[0] != heap[1]:
        fail("initial heap size not equal to maximum heap size")
    file = Path(environ.get("ELASTIC_PASSWORD_FILE", "/nonexistent"))
    if file.is_file() and file.stat().st_mode & 0o077:
        fail(f"File {file} from ELASTIC_PASSWORD_FILE must have file permissions 400 or 600")
    password = (
        file.read_text(encoding="utf-8").strip() if file.is_file() else environ.get("ELASTIC_PASSWORD", "")
    )
    if not settings.get("xpack.security.enabled") or not settings.get("xpack.security.http.ssl.enabled"):
        fail(
            "the double is there to prove security: xpack.security.enabled and http.ssl.enabled must be true"
        )
    data = HOME / "data"
    Elasticsearch.known = known
    Elasticsearch.state = State(data / "objects.json", password)
    Elasticsearch.lines = Lines(data / "lines.sqlite")
    say(f"a double, {settings['cluster.name']}")
    tls = (settings["xpack.security.http.ssl.certificate"], settings["xpack.security.http.ssl.key"])
    serve(Elasticsearch, int(settings.get("http.port", 9200)), tls=tls)


if __name__ == "__main__":
    main({**os.environ} if len(sys.argv) else {})
