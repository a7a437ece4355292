"""A site as Traefik is told of it: settings of the role, and what the double makes of them."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
DOUBLE = ROOT / "tests/doubles/traefik"
TRY = ROOT / "roles/traefik/files/rackwright-traefik-try"
DOMAIN = "lab.example.internal"
EVERYBODY = ["0.0.0.0/0", "::/0"]


def route(path: str, **changes: object) -> dict[str, Any]:
    """One route to the app."""
    usual = {"path": path, "exact": False, "upstream": "app_api", "networks": ["127.0.0.0/30"]}
    return usual | {"limit": "api", "websocket": False, "page": False, "log": True} | changes


def site(name: str, *routes: dict[str, Any], **changes: object) -> dict[str, Any]:
    """One site."""
    return {"name": name, "page": False, "client_certificate": False, "routes": list(routes)} | changes


def settings(**changes: object) -> dict[str, Any]:
    """The role's settings, with every kind of route."""
    usual = {
        "domain": DOMAIN,
        "listen": {name: {"address": "127.0.0.1", "port": 0} for name in ("http", "https", "metrics")},
        "sites": [
            site(
                "api",
                route("/api/chat", exact=True, limit="chat"),
                route("/health", exact=True, networks=EVERYBODY, limit="none", log=False),
                route("/api/admin/", networks=["192.0.2.0/24"]),
                route("/api/"),
                route("/v1/", limit="model"),
            ),
            site("ai", route("/api/"), page=True),
            site("dify", route("/", limit="none", websocket=True, page=True)),
            site("monitoring", route("/", page=True), client_certificate=True),
        ],
        "upstreams": {
            "app_api": {"servers": [{"address": "127.0.0.1", "port": 1}], "tls_name": "", "health": "/health"}
        },
        "trusted_proxies": ["127.0.0.9/32"],
        "cors_origins": ["https://portal.example.internal"],
        "api_rate": 100,
        "api_burst": 100,
        "chat_burst": 20,
        "model_rate": 10,
        "model_burst": 10,
        "connections_per_address": 256,
        "upload_limit_mb": 1,
        "hsts_seconds": 31_536_000,
        "maintenance": {"enabled": False},
        "connect_timeout": 5,
        "read_timeout": 30,
        "ca": "/nowhere/ca.pem",
        "challenges": "/var/lib/rackwright-acme/www",
        "files": "http://127.0.0.1:1",
        "tls": ["/nowhere/edge.pem"],
        "client_authority": "/nowhere/clients.pem",
        "metrics_callers": ["127.0.0.0/8"],
    }
    return usual | changes


def program(directory: Path) -> Path:
    """Pack the double as a release, and take its program out."""
    subprocess.run([sys.executable, DOUBLE / "release.py", directory], check=True)
    release = yaml.safe_load((directory / "release.yml").read_text())
    with tarfile.open(release["source"]) as archive:
        archive.extract("traefik", directory, filter="data")
    path = directory / "traefik"
    if not Path("/usr/bin/python3").exists():
        path.write_bytes(f"#!{sys.executable} -I\n".encode() + path.read_bytes().partition(b"\n")[2])
    path.chmod(0o755)
    return path


def documented() -> Mapping[str, Any]:
    """What the double knows of Traefik's reference."""
    found: Mapping[str, Any] = yaml.safe_load((DOUBLE / "traefik.documented.yml").read_text())
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]
