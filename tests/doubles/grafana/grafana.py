"""A double of Grafana (`grafana server`, `grafana cli`), for tests of the role. Not Grafana.

It takes the settings and files that Grafana documents and refuses others, and answers the part of its HTTP
API that the role and its tests use. Dashboards are read whenever they are asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import ssl
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

from common import Handler, Json, RefusedError, documented, fail, parse_arguments, say, serve
from files import dashboards, datasources, providers, settings

VERSION = "11.6.0-double"
OPEN = frozenset({"/api/health", "/login", "/"})


class Store:
    """Accounts, in a file: {login: {id, hash, role, admin}}."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "double.json"
        self.lock = threading.RLock()

    def read(self) -> dict[str, Json]:
        """Return all accounts."""
        found: dict[str, Json] = json.loads(self.path.read_text()) if self.path.is_file() else {}
        return found

    def write(self, accounts: dict[str, Json]) -> None:
        """Keep all accounts."""
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(accounts), encoding="utf-8")
        new.replace(self.path)


def hashed(password: str) -> str:
    """Return what is kept of a password."""
    return hashlib.sha256(f"double:{password}".encode()).hexdigest()


class Grafana(Handler):
    """Its API."""

    settings: ClassVar[dict[str, str]] = {}
    store: Any = None
    known: ClassVar[Json] = {}
    provisioning = Path("/etc/grafana/provisioning")
    sources: ClassVar[dict[str, Json]] = {}

    def do_PATCH(self) -> None:  # noqa: N802 - the base class's name
        """Answer."""
        self._answer("PATCH")

    def account(self) -> Json:
        """Return who asks.

        Raises:
            RefusedError: Nobody that is known.
        """
        kind, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if kind == "Basic":
            login, _, password = base64.b64decode(token).decode().partition(":")
            found: Json | None = self.store.read().get(login)
            if found is not None and found["hash"] == hashed(password):
                return {**found, "login": login}
        raise RefusedError(401, {"message": "Invalid username or password"})

    def allowed(self, path: str) -> None:
        """Let nobody in without an account."""
        if path in OPEN or self.settings.get("auth.anonymous.enabled") == "true":
            return
        account = self.account()
        if path.startswith(("/api/admin/", "/api/users/", "/api/org/users")) and not account["admin"]:
            raise RefusedError(403, {"message": "You'll need additional permissions to perform this action"})

    def find(self, method: str, path: str) -> Any:  # noqa: ANN401 - one of ROUTES
        """Return who answers."""
        for wanted, pattern, function in ROUTES:
            if wanted == method and (found := re.fullmatch(pattern, path)):
                return lambda handler, body: function(handler, body, *found.groups())
        return None

    def dashboards(self) -> dict[str, Json]:
        """Return what lies on the disk now."""
        return dashboards(providers(self.known["dashboards"], self.provisioning / "dashboards"))


def _health(*_: object) -> Json:
    return {"database": "ok", "version": VERSION, "commit": "double"}


def _login_page(handler: Grafana, _: Json) -> None:
    handler.send(200, b"<!doctype html><title>Grafana (double)</title>", "text/html")


def _login(handler: Grafana, body: Json) -> Json:
    found = handler.store.read().get(body.get("user", ""))
    if found is None or found["hash"] != hashed(str(body.get("password", ""))):
        raise RefusedError(401, {"message": "Invalid username or password"})
    return {"message": "Logged in", "redirectUrl": "/"}


def _user(handler: Grafana, _: Json) -> Json:
    account = handler.account()
    return {"login": account["login"], "id": account["id"], "isGrafanaAdmin": account["admin"]}


def _members(handler: Grafana, _: Json) -> None:
    found = [
        {"userId": account["id"], "login": login, "role": account["role"]}
        for login, account in handler.store.read().items()
    ]
    handler.send(200, found)


def _create(handler: Grafana, body: Json) -> Json:
    with handler.store.lock:
        accounts = handler.store.read()
        if body["login"] in accounts:
            raise RefusedError(412, {"message": f"user '{body['login']}' already exists"})
        number = max((account["id"] for account in accounts.values()), default=0) + 1
        role = handler.settings.get("users.auto_assign_org_role", "Viewer")
        made = {"id": number, "hash": hashed(body["password"]), "role": role, "admin": False}
        handler.store.write({**accounts, body["login"]: made})
    return {"id": number, "message": "User created"}


def _change(handler: Grafana, number: str, **values: object) -> None:
    with handler.store.lock:
        accounts = handler.store.read()
        for account in accounts.values():
            if account["id"] == int(number):
                account.update(values)
                handler.store.write(accounts)
                return
    raise RefusedError(404, {"message": "user not found"})


def _set_password(handler: Grafana, body: Json, number: str) -> Json:
    _change(handler, number, hash=hashed(body["password"]))
    return {"message": "User password updated"}


def _set_role(handler: Grafana, body: Json, number: str) -> Json:
    if body.get("role") not in {"Viewer", "Editor", "Admin"}:
        raise RefusedError(400, {"message": "Invalid role specified"})
    _change(handler, number, role=body["role"])
    return {"message": "Organization user updated"}


def _reload(handler: Grafana, _: Json) -> Json:
    type(handler).sources = datasources(handler.known["datasources"], handler.provisioning / "datasources")
    return {"message": "Datasources config reloaded"}


def _datasources(handler: Grafana, _: Json) -> None:
    keys = ("uid", "name", "type", "url", "isDefault", "jsonData")
    handler.send(
        200,
        [
            {key: item.get(key) for key in keys} | {"readOnly": not item.get("editable", False)}
            for item in handler.sources.values()
        ],
    )


def _search(handler: Grafana, _: Json) -> None:
    found = [
        {"uid": uid, "title": entry["dashboard"]["title"], "type": "dash-db", "folderTitle": entry["folder"]}
        for uid, entry in handler.dashboards().items()
    ]
    handler.send(200, sorted(found, key=lambda entry: entry["title"]))


def _dashboard(handler: Grafana, _: Json, uid: str) -> Json:
    entry = handler.dashboards().get(uid)
    if entry is None:
        raise RefusedError(404, {"message": "Dashboard not found"})
    return {"meta": {"provisioned": True, "folderTitle": entry["folder"]}, "dashboard": entry["dashboard"]}


def _save(*_: object) -> Json:
    raise RefusedError(400, {"message": "Cannot save provisioned dashboard", "status": "plugin-dashboard"})


def _proxy(handler: Grafana, _: Json, uid: str, path: str) -> None:
    """Pass a question on to a datasource, with its certificate, verified by its authority."""
    source = handler.sources.get(uid)
    if source is None:
        raise RefusedError(404, {"message": "Data source not found"})
    context = None
    with tempfile.TemporaryDirectory() as work:
        if source["url"].startswith("https"):
            secrets = source["secureJsonData"]
            context = ssl.create_default_context(cadata=secrets["tlsCACert"])
            if source["jsonData"].get("tlsAuth"):
                files = {name: Path(work) / name for name in ("tlsClientCert", "tlsClientKey")}
                for name, file in files.items():
                    file.write_text(secrets[name], encoding="utf-8")
                context.load_cert_chain(files["tlsClientCert"], files["tlsClientKey"])
        question = handler.path.partition("?")[2]
        request = urllib.request.Request(f"{source['url'].rstrip('/')}/{path}?{question}")  # noqa: S310
        if source.get("basicAuth"):
            token = f"{source['basicAuthUser']}:{source['secureJsonData']['basicAuthPassword']}".encode()
            request.add_header("Authorization", f"Basic {base64.b64encode(token).decode()}")
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:  # noqa: S310
                handler.send(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            handler.send(error.code, error.read())
        except OSError as error:
            raise RefusedError(502, {"message": f"Bad gateway: {error}"}) from None


ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/api/health", _health),
    ("GET", "/login", _login_page),
    ("POST", "/login", _login),
    ("GET", "/api/user", _user),
    ("GET", "/api/org/users", _members),
    ("PATCH", "/api/org/users/([0-9]+)", _set_role),
    ("POST", "/api/admin/users", _create),
    ("PUT", "/api/admin/users/([0-9]+)/password", _set_password),
    ("POST", "/api/admin/provisioning/datasources/reload", _reload),
    ("GET", "/api/datasources", _datasources),
    ("GET", "/api/datasources/proxy/uid/([^/]+)/(.*)", _proxy),
    ("GET", "/api/search", _search),
    ("GET", "/api/dashboards/uid/([^/]+)", _dashboard),
    ("POST", "/api/dashboards/db", _save),
]


def reset_password(arguments: list[str], store: Store) -> None:
    """Do what `grafana cli admin reset-admin-password --password-from-stdin` does."""
    words = [word for word in arguments if not word.startswith("--homepath")]
    if "--homepath" in arguments:
        words.remove(arguments[arguments.index("--homepath") + 1])
    if words != ["admin", "reset-admin-password", "--password-from-stdin"]:
        fail(f"cli: not documented, or with the password among its words: {' '.join(words)}")
    password = sys.stdin.readline().rstrip("\n")
    accounts = store.read()
    accounts["admin"]["hash"] = hashed(password)
    store.write(accounts)
    say("Admin password changed successfully")


def main(arguments: list[str], environ: dict[str, str]) -> None:
    """Run the server, or the command."""
    known = documented("grafana")
    found = settings(known["settings"], environ)
    store = Store(Path(found.get("paths.data", "/var/lib/grafana")))
    if arguments[:1] == ["cli"]:
        reset_password(arguments[1:], store)
        return
    if arguments[:1] != ["server"]:
        fail(f"unknown command: {' '.join(arguments[:1])}")
    parse_arguments(known["arguments"]["server"], arguments[1:])
    if not store.read():
        admin = {"id": 1, "hash": hashed(found["security.admin_password"]), "role": "Admin", "admin": True}
        store.write({found.get("security.admin_user", "admin"): admin})
    Grafana.settings, Grafana.store, Grafana.known = found, store, known
    Grafana.provisioning = Path(found["paths.provisioning"])
    Grafana.sources = datasources(known["datasources"], Grafana.provisioning / "datasources")
    home = found.get("dashboards.default_home_dashboard_path")
    if home and not Path(home).is_file():
        say(f"level=error msg=no home dashboard file={home}")
    tls = (
        (found["server.cert_file"], found["server.cert_key"])
        if found.get("server.protocol") == "https"
        else None
    )
    serve(Grafana, int(found.get("server.http_port", "3000")), tls=tls)


if __name__ == "__main__":
    main(sys.argv[1:], dict(os.environ))
