"""nginx before the page, as the edge serves it: nothing but its own files may load, `/api/` is the app's."""

from __future__ import annotations

import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from certificates import Certificate
from stores import free_port

from rackwright.frontend.build import build_page

POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors 'none'"
EDGE = """
{user} daemon off; pid {directory}/pid; error_log {directory}/error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  include /etc/nginx/mime.types; access_log off; client_max_body_size 50m;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/f;
  uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  server {{
    listen 127.0.0.1:{port}{tls}; root {directory}/page;
    add_header Content-Security-Policy "{policy}" always;
    location / {{ try_files $uri /index.html; }}
    location /api/ {{ proxy_pass {app}; proxy_buffering off; proxy_http_version 1.1; }}
  }}
}}
"""
# As root its workers would be another user, who may not read the test's directory.
AS_ROOT = "user root;" if os.geteuid() == 0 else ""


@contextmanager
def served(
    app: str, directory: Path, port: int | None = None, tls: Certificate | None = None
) -> Iterator[int]:
    """Serves the page of an app; yields the port on loopback."""
    with tarfile.open(build_page().archive) as packed:
        packed.extractall(directory / "page", filter="data")
    listening = port or free_port()
    with_tls = f" ssl; ssl_certificate {tls.certificate}; ssl_certificate_key {tls.key}" if tls else ""
    configuration = directory / "nginx.conf"
    configuration.write_text(
        EDGE.format(directory=directory, port=listening, tls=with_tls, policy=POLICY, app=app, user=AS_ROOT)
    )
    nginx = subprocess.Popen(["nginx", "-c", str(configuration), "-e", str(directory / "error.log")])
    time.sleep(0.5)
    try:
        yield listening
    finally:
        nginx.terminate()
        nginx.wait(10)
