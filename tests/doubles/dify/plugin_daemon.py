"""A double of Dify's plugin daemon: packages in, plugins installed by the real `uv`."""

from __future__ import annotations

import json
import os
import re
import secrets
import ssl
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

from common import Handler, Json, RefusedError, fail, say, serve
from packages import BadPackageError, Opened, opened, read_key
from release import check
from runtime import InstallError, install
from stores import cache, database, key

LARGEST = int(os.environ.get("MAX_PLUGIN_PACKAGE_SIZE", "52428800"))
UV = "/usr/bin/uv"


def ok(data: object) -> Json:
    return {"code": 0, "message": "success", "data": data}


def refused(message: str) -> RefusedError:
    return RefusedError(400, {"code": -400, "message": message, "data": None})


class Daemon(Handler):
    """Its management API; what is installed is in its database."""

    keys: ClassVar[list[tuple[int, int]]] = []
    waiting: ClassVar[dict[str, Opened]] = {}
    tasks: ClassVar[dict[str, Json]] = {}

    def allowed(self, path: str) -> None:
        """Let in who has the key."""
        if path.startswith("/plugin/") and self.headers.get("X-Api-Key") != os.environ["SERVER_KEY"]:
            raise RefusedError(401, {"code": -401, "message": "unauthorized", "data": None})

    def find(self, method: str, path: str) -> Any:  # noqa: ANN401 - as the base class's
        """Return who answers a path."""
        for wanted, pattern, answer in ROUTES:
            match = re.fullmatch(pattern, path)
            if wanted == method and match:
                return lambda handler, body: answer(handler, body, *match.groups())
        return None


def installed() -> list[Json]:
    """Return what the database says is installed."""
    with database() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT identifier, id FROM plugin_installations ORDER BY identifier")
        rows = cursor.fetchall()
    return [
        {"plugin_unique_identifier": name, "plugin_id": name.partition(":")[0], "installation_id": number}
        for name, number in rows
    ]


def _upload(handler: Daemon, _: Json) -> Json:
    size = int(handler.headers.get("Content-Length") or 0)
    boundary = (handler.headers.get("Content-Type") or "").partition("boundary=")[2].encode()
    form = handler.rfile.read(size)
    head, _, rest = form.partition(b"\r\n\r\n")
    if b"filename=" not in head:
        raise refused("no package in the form")
    try:
        package = opened(rest.rpartition(b"\r\n--" + boundary + b"--")[0], LARGEST)
    except BadPackageError as error:
        raise refused(str(error)) from error
    if os.environ["FORCE_VERIFYING_SIGNATURE"] == "true" and not package.signed_by(Daemon.keys):
        raise refused(
            "plugin verification has been enabled, and the plugin you want to install has a bad signature"
        )
    Daemon.waiting[package.identifier] = package
    return ok({"unique_identifier": package.identifier, "manifest": package.manifest, "verification": None})


def _install(_handler: Daemon, body: Json) -> Json:
    task = secrets.token_hex(8)
    names = body["plugin_unique_identifiers"]
    Daemon.tasks[task] = {"id": task, "status": "running", "plugins": [{"message": ""}]}
    threading.Thread(target=_work, args=(task, names), daemon=True).start()
    return ok({"all_installed": False, "task_id": task})


def _work(task: str, names: list[str]) -> None:
    try:
        for name in names:
            package = Daemon.waiting[name]
            place = install(
                package, Path(os.environ["PLUGIN_WORKING_PATH"]), UV, "/usr/bin/python3", os.environ
            )
            kept = Path(os.environ["PLUGIN_STORAGE_LOCAL_ROOT"], os.environ["PLUGIN_INSTALLED_PATH"])
            kept.mkdir(parents=True, exist_ok=True)
            (kept / package.identifier.replace("/", "_")).write_text(str(place), encoding="utf-8")
            with database() as connection, connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO plugin_installations VALUES (%s, %s)",
                    (secrets.token_hex(8), package.identifier),
                )
        Daemon.tasks[task] |= {"status": "success"}
    except (InstallError, OSError, KeyError) as error:
        say(f"task {task}: {error}")
        Daemon.tasks[task] |= {"status": "failed", "plugins": [{"message": str(error)}]}


def _task(_handler: Daemon, _: Json, task: str) -> Json:
    return ok(Daemon.tasks[task])


def _uninstall(_handler: Daemon, body: Json) -> Json:
    with database() as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM plugin_installations WHERE id = %s", (body["plugin_installation_id"],))
    return ok(True)


def _validate(_handler: Daemon, body: Json) -> Json:
    """Ask the endpoint for its models, as the provider's plugin does something like it to validate."""
    wanted = body["provider"].rpartition("/")[0]
    if not any(plugin["plugin_id"] == wanted for plugin in installed()):
        raise refused(f"plugin {wanted} not found")
    told = body["credentials"]
    request = urllib.request.Request(  # noqa: S310 - what the provider was told
        f"{told['endpoint_url'].rstrip('/')}/models", headers={"Authorization": f"Bearer {told['api_key']}"}
    )
    # The authority that the daemon was given: plugins inherit its variables.
    trust = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    https = told["endpoint_url"].startswith("https")
    try:
        with urllib.request.urlopen(request, timeout=30, context=trust if https else None) as answer:  # noqa: S310
            names = [model["id"] for model in json.loads(answer.read())["data"]]
    except (OSError, ValueError) as error:
        raise refused(f"An error occurred during credentials validation: {error}") from error
    if body["model"] not in names:
        raise refused(f"the endpoint serves {', '.join(names)}, not {body['model']}")
    return ok({"result": True})


def _metrics(handler: Daemon, _: Json) -> None:
    text = f"# TYPE plugin_daemon_plugins gauge\nplugin_daemon_plugins {len(installed())}\n"
    handler.send(200, text.encode(), "text/plain")


_MANAGEMENT = "/plugin/[^/]+/management"
ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/health/check", lambda *_: {"status": "ok"}),
    ("GET", "/metrics/", _metrics),
    ("GET", f"{_MANAGEMENT}/list", lambda *_: ok({"list": installed()})),
    ("POST", f"{_MANAGEMENT}/install/upload/package", _upload),
    ("POST", f"{_MANAGEMENT}/install/identifiers", _install),
    ("GET", rf"{_MANAGEMENT}/install/tasks/([^/]+)", _task),
    ("POST", f"{_MANAGEMENT}/uninstall", _uninstall),
    ("POST", f"{_MANAGEMENT}/validate", _validate),
    (
        "GET",
        "/e/([^/]+)",
        lambda handler, _, hook: {"hook": hook, "url": handler.headers.get("Dify-Hook-Url")},
    ),
]


def main() -> None:
    """Run the server."""
    check("plugin_daemon", os.environ)
    if os.environ["DB_SSL_MODE"] not in ("disable", "require"):
        fail("DBSslMode: oneof=disable require")
    with database() as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS plugin_installations (id text PRIMARY KEY, identifier text UNIQUE)"
        )
    cache().set(key("double:daemon"), "1")
    if os.environ.get("THIRD_PARTY_SIGNATURE_VERIFICATION_ENABLED") == "true":
        paths = os.environ["THIRD_PARTY_SIGNATURE_VERIFICATION_PUBLIC_KEYS"].split(",")
        Daemon.keys = [read_key(Path(path)) for path in paths]
    serve(Daemon, 5002)


if __name__ == "__main__":
    main()
