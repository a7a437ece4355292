"""The console API of the double, as far as setting Dify up asks it; its state is in the database."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import re
import secrets
import threading
from http.cookies import SimpleCookie
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from common import Handler, Json, RefusedError
from stores import database

PREFIX = "/console/api"
WORKSPACE = f"{PREFIX}/workspaces/current"
TENANT = "11111111-1111-1111-1111-111111111111"
LONGEST_NAME = 30


class State:
    """Accounts in their table, everything else as one document."""

    def __init__(self, release: str) -> None:
        self.release, self.lock = release, threading.RLock()
        self.initialised: set[str] = set()
        self.sessions: dict[str, str] = {}

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement; return its rows."""
        connection = database()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def read(self) -> Json:
        """Return the document."""
        found = self.run("SELECT state FROM documents LIMIT 1")
        return found[0][0] if found else {"models": [], "defaults": {}}

    def write(self, document: Json) -> None:
        """Keep the document."""
        self.run("DELETE FROM documents")
        self.run("INSERT INTO documents VALUES (%s)", json.dumps(document))


def daemon(method: str, path: str, body: bytes | None, kind: str) -> Json:
    """Ask the plugin daemon, with the key that lets the api in."""
    address = urlsplit(os.environ["PLUGIN_DAEMON_URL"])
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=300)
    headers = {"X-Api-Key": os.environ["PLUGIN_DAEMON_KEY"], "Content-Type": kind}
    connection.request(method, f"/plugin/{TENANT}/management{path}", body, headers)
    answer = connection.getresponse()
    found = json.loads(answer.read())
    if answer.status != http.client.OK or found.get("code", 0) != 0:
        raise RefusedError(400, {"code": "invalid_param", "message": found.get("message", ""), "status": 400})
    return dict(found["data"])


def hashed(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


class Console(Handler):
    """Its paths."""

    state: ClassVar[State]

    def cookie(self, name: str) -> str:
        found = SimpleCookie(self.headers.get("Cookie") or "").get(name)
        return found.value if found else ""

    def find(self, method: str, path: str) -> Any:  # noqa: ANN401 - as the base class's
        """Return who answers a path."""
        for wanted, pattern, answer, free in ROUTES:
            match = re.fullmatch(pattern, urlsplit(path).path)
            if wanted == method and match:
                if not free:
                    self.signed_in()
                return lambda handler, body: answer(handler, body, *match.groups())
        return None

    def unread(self, path: str) -> bool:
        """Tell which bodies are no JSON."""
        return path.endswith("/upload/pkg")

    def query(self, name: str) -> str:
        return parse_qs(urlsplit(self.path).query).get(name, [""])[0]

    def signed_in(self) -> None:
        token, csrf = self.cookie("__Host-access_token"), self.cookie("__Host-csrf_token")
        if not token or self.state.sessions.get(token) != csrf or self.headers.get("X-CSRF-Token") != csrf:
            raise RefusedError(401, {"code": "unauthorized", "message": "Unauthorized.", "status": 401})

    def with_cookies(self, status: int, body: Json, **cookies: str) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in cookies.items():
            self.send_header(
                "Set-Cookie",
                f"{name.replace('Host_', '__Host-')}={value}; Secure; HttpOnly; Path=/; SameSite=Lax",
            )
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _setup(handler: Console, _: Json) -> Json:
    done = handler.state.run("SELECT setup_at FROM dify_setups")
    return {"step": "finished", "setup_at": done[0][0].isoformat()} if done else {"step": "not_started"}


def _init(handler: Console, body: Json) -> None:
    if handler.state.run("SELECT 1 FROM dify_setups"):
        raise RefusedError(403, {"code": "already_setup", "message": "Dify has been successfully installed."})
    if body.get("password") != os.environ["INIT_PASSWORD"]:
        raise RefusedError(401, {"code": "init_validate_failed", "message": "Init validation failed."})
    session = secrets.token_hex(16)
    handler.state.initialised.add(session)
    handler.with_cookies(201, {"result": "success"}, session=session)


def _set_up(handler: Console, body: Json) -> None:
    state = handler.state
    if state.run("SELECT 1 FROM dify_setups"):
        raise RefusedError(403, {"code": "already_setup", "message": "Dify has been successfully installed."})
    if handler.cookie("session") not in state.initialised:
        raise RefusedError(
            401, {"code": "not_init_validated", "message": "Init validation has not been completed."}
        )
    if not re.match(r"^(?=.*[a-zA-Z])(?=.*\d).{8,}$", body["password"]) or len(body["name"]) > LONGEST_NAME:
        raise RefusedError(
            400, {"code": "invalid_param", "message": "Password must contain letters and numbers"}
        )
    state.run(
        "INSERT INTO accounts (email, name, password) VALUES (%s, %s, %s)",
        body["email"],
        body["name"],
        hashed(body["password"]),
    )
    state.run("INSERT INTO dify_setups (version) VALUES (%s)", state.release)
    handler.send(201, {"result": "success"})


def _login(handler: Console, body: Json) -> None:
    try:
        password = base64.b64decode(body["password"], validate=True).decode()
    except ValueError:
        raise RefusedError(
            401, {"code": "authentication_failed", "message": "Invalid encrypted data"}
        ) from None
    found = handler.state.run("SELECT password FROM accounts WHERE email = %s", body["email"])
    if not found or found[0][0] != hashed(password):
        raise RefusedError(401, {"code": "authentication_failed", "message": "Invalid email or password."})
    token, csrf = secrets.token_hex(16), secrets.token_hex(16)
    handler.state.sessions[token] = csrf
    handler.with_cookies(200, {"result": "success"}, Host_access_token=token, Host_csrf_token=csrf)


def _plugins(_handler: Console, _: Json) -> Json:
    return {"plugins": daemon("GET", "/list", None, "application/json")["list"]}


def _upload(handler: Console, _: Json) -> Json:
    size = int(handler.headers.get("Content-Length") or 0)
    kind = handler.headers.get("Content-Type") or ""
    return daemon("POST", "/install/upload/package", handler.rfile.read(size), kind)


def _install(_handler: Console, body: Json) -> Json:
    return daemon("POST", "/install/identifiers", json.dumps(body).encode(), "application/json")


def _uninstall(_handler: Console, body: Json) -> Json:
    daemon("POST", "/uninstall", json.dumps(body).encode(), "application/json")
    return {"success": True}


def _task(_handler: Console, _: Json, task: str) -> Json:
    return {"task": daemon("GET", f"/install/tasks/{task}", None, "application/json")}


def _models(handler: Console, _: Json, provider: str) -> Json:
    models = [model for model in handler.state.read()["models"] if model["provider"] == provider]
    return {"data": [{"model": model["model"], "model_type": model["model_type"]} for model in models]}


def _credential(handler: Console, _: Json, provider: str) -> Json:
    for model in handler.state.read()["models"]:
        if (model["provider"], model["model"]) == (provider, handler.query("model")):
            shown = {**model["credentials"], "api_key": "******"}
            return {
                "credentials": shown,
                "current_credential_id": model["id"],
                "current_credential_name": model["name"],
            }
    return {"credentials": {}, "current_credential_id": None, "current_credential_name": None}


def _save(handler: Console, body: Json, provider: str) -> None:
    if len(body.get("name") or "") > LONGEST_NAME:
        raise RefusedError(400, {"code": "invalid_param", "message": "name: at most 30 characters"})
    daemon("POST", "/validate", json.dumps({**body, "provider": provider}).encode(), "application/json")
    with handler.state.lock:
        document = handler.state.read()
        others = [
            model
            for model in document["models"]
            if (model["provider"], model["model"]) != (provider, body["model"])
        ]
        if handler.command == "POST" and len(others) != len(document["models"]):
            raise RefusedError(400, {"code": "invalid_param", "message": "Credential exists already"})
        kept = {
            "provider": provider,
            "id": secrets.token_hex(8),
            **{name: body[name] for name in ("model", "model_type", "name", "credentials")},
        }
        handler.state.write({**document, "models": [*others, kept]})
    handler.send(201, {"result": "success"})


def _remove(handler: Console, body: Json, provider: str) -> None:
    with handler.state.lock:
        document = handler.state.read()
        left = [
            model
            for model in document["models"]
            if (model["provider"], model["model"]) != (provider, body["model"])
        ]
        handler.state.write({**document, "models": left})
    handler.send(204, b"")


def _default(handler: Console, _: Json) -> Json:
    return {"data": handler.state.read()["defaults"].get(handler.query("model_type"))}


def _choose(handler: Console, body: Json) -> Json:
    document = handler.state.read()
    for setting in body["model_settings"]:
        document["defaults"][setting["model_type"]] = setting
    handler.state.write(document)
    return {"result": "success"}


_PROVIDER = rf"{WORKSPACE}/model-providers/(.+)/models"
# Method, path, who answers, whether without a session.
ROUTES: list[tuple[str, str, Any, bool]] = [
    ("GET", "/health", lambda handler, _: {"status": "ok", "version": handler.state.release}, True),
    ("GET", f"{PREFIX}/setup", _setup, True),
    ("POST", f"{PREFIX}/setup", _set_up, True),
    ("POST", f"{PREFIX}/init", _init, True),
    ("POST", f"{PREFIX}/login", _login, True),
    ("GET", f"{WORKSPACE}/plugin/list", _plugins, False),
    ("POST", f"{WORKSPACE}/plugin/upload/pkg", _upload, False),
    ("POST", f"{WORKSPACE}/plugin/install/pkg", _install, False),
    ("POST", f"{WORKSPACE}/plugin/uninstall", _uninstall, False),
    ("GET", rf"{WORKSPACE}/plugin/tasks/([^/]+)", _task, False),
    ("GET", f"{_PROVIDER}/credentials", _credential, False),
    ("POST", f"{_PROVIDER}/credentials", _save, False),
    ("PUT", f"{_PROVIDER}/credentials", _save, False),
    ("GET", _PROVIDER, _models, False),
    ("DELETE", _PROVIDER, _remove, False),
    ("GET", f"{WORKSPACE}/default-model", _default, False),
    ("POST", f"{WORKSPACE}/default-model", _choose, False),
]
