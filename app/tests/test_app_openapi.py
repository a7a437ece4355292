"""Requests that schemathesis makes up from the OpenAPI document: no answer is a 5xx, none breaks it.

``OPENAPI_EXAMPLES`` says how many each operation gets: the usual few find what is plainly wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
from app_server import RunningApp

from rackwright_app.settings import Limits, Settings

EXAMPLES = os.environ.get("OPENAPI_EXAMPLES", "5")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def test_no_request_breaks_the_app_or_its_document(
    settings: Settings, start_app: Callable[[Settings], RunningApp], token: Callable[..., str], tmp_path: Path
) -> None:
    plenty = Limits(requests_per_hour=1_000_000, address_requests_per_hour=1_000_000)
    app = start_app(settings.model_copy(update={"limits": plenty}))
    headers = {"Authorization": f"Bearer {token(seconds=3600)}"}
    document = tmp_path / "openapi.json"
    document.write_text(httpx.get(f"{app.url}/api/openapi.json", headers=headers).text)
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", str(document), "--url", app.url]
    command += ["--header", f"Authorization: {headers['Authorization']}", "--checks", ",".join(CHECKS)]
    command += [
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        EXAMPLES,
        "--seed",
        "1",
        "--no-color",
        "--request-timeout",
        "30",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=3600)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert app.audit_lines(), "nothing was asked"
