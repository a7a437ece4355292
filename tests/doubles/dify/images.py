"""What tests/doubles/build.py packs for Dify: several images in one archive, which share their one layer.

Told of them are `images` as roles/dify takes them, and `next` and `broken`: the api's image of two further
releases. Squid in them is Debian's, the real one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from rackwright.foundry.package import packed

FACTS = Path(__file__).parents[2] / "data/dify/release.yml"
ROOT = "usr/lib/dify-doubles"
PACKAGES = ("python3", "python3-yaml", "python3-psycopg2", "python3-redis", "python3-venv", "curl", "squid")
# Image -> what it starts.
STARTS = {
    "api": ["api.py", "1.17.0"],
    "api-next": ["api.py", "1.17.1"],
    "api-broken": ["api.py", "1.18.0-broken"],
    "web": ["web.py"],
    "plugin_daemon": ["plugin_daemon.py"],
    "sandbox": ["sandbox.py"],
    "ssrf_proxy": [],
}
CONFIGS = {
    name: {"Entrypoint": ["/usr/bin/python3", f"/{ROOT}/{start[0]}", *start[1:]]} if start else {}
    for name, start in STARTS.items()
}
# What the release's own health checks are called in its images.
CELERY = "#!/bin/sh\n# A double of Celery's command, as far as a health check asks it.\ntest -e /tmp/ready\n"
NODE = "#!/bin/sh\n# A double of Node, as far as a health check asks it.\nexec curl -sf -o /dev/null http://127.0.0.1:3000/\n"


PLUGIN = "openai_api_compatible.difypkg"
# Debian's, in the image; the release's has 3.12.
PYTHON = "3.13"


def plugin() -> bytes:
    """Return a package that stands for the provider's, with a requirement from an index."""
    manifest = {
        "version": "0.0.1", "type": "plugin", "author": "double", "name": "openai_api_compatible",
        "label": {"en_US": "A double of the provider"}, "description": {"en_US": "A double"},
        "icon": "icon.svg", "created_at": "2026-01-01T00:00:00Z", "resource": {"memory": 1048576},
        "plugins": {"models": ["provider/openai_api_compatible.yaml"]},
        "meta": {"version": "0.0.1", "arch": ["amd64", "arm64"],
                 "runner": {"language": "python", "version": PYTHON, "entrypoint": "main"}},
    }  # fmt: skip
    files = {
        "manifest.yaml": yaml.safe_dump(manifest).encode(),
        "main.py": b"import yaml\n",
        "provider/openai_api_compatible.yaml": b"provider: openai_api_compatible\n",
        "_assets/icon.svg": b"<svg/>",
        "requirements.txt": b"PyYAML>=6\n",
    }
    return packed(files, b"")


def uv() -> bytes:
    """Return the real program, from the package of the tests."""
    return Path(sys.executable).with_name("uv").read_bytes()


def added_files() -> dict[str, tuple[bytes, int]]:
    """Return what goes into the images beside the system and the doubles: path -> content and mode."""
    facts = yaml.safe_load(FACTS.read_text(encoding="utf-8"))
    return {
        f"{ROOT}/release.json": (json.dumps(facts).encode(), 0o644),
        "usr/bin/celery": (CELERY.encode(), 0o755),
        "usr/bin/node": (NODE.encode(), 0o755),
        "usr/bin/uv": (uv(), 0o755),
    }


def told(images: dict[str, dict[str, object]], target: Path) -> dict[str, object]:
    """Write the plugin's package beside the images; return what a role is told of them."""
    (target / PLUGIN).write_bytes(plugin())
    return {
        "images": {name: images[name] for name in ("api", "web", "plugin_daemon", "sandbox", "ssrf_proxy")},
        "next": images["api-next"],
        "broken": images["api-broken"],
    }
