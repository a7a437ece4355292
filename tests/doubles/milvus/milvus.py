"""`milvus run standalone`: the real server, and before it the layer that speaks REST v2.

The server has another port for gRPC than the image's, where the layer listens. It reads no user.yaml yet,
which later releases lay over milvus.yaml by themselves: that is done here. A key that milvus.yaml does not
have ends it, and so does a server that ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import yaml
from common import fail, say, serve
from milvus_rest import Rest

CONFIGS = Path(os.environ.get("MILVUSCONF", "/milvus/configs"))
PROGRAM = Path(os.environ.get("DOUBLE_PROGRAM", "/milvus/bin/milvus"))
PORT, BEHIND = int(os.environ.get("DOUBLE_PORT", "19530")), int(os.environ.get("DOUBLE_BEHIND", "19540"))


def laid_over(known: Any, given: Any, at: str = "") -> Any:  # noqa: ANN401 - YAML
    """Return a configuration with another over it; end at a key that the server's own does not have."""
    if not isinstance(given, dict):
        return given
    for key, value in given.items():
        if not isinstance(known, dict) or key not in known:
            fail(f"user.yaml: unknown key {at}{key}")
        known[key] = laid_over(known[key], value, f"{at}{key}.")
    return known


def configured() -> Path:
    """Write what the server reads; return the directory."""
    directory = Path(tempfile.mkdtemp(prefix="milvus-configs-"))
    known = yaml.safe_load((CONFIGS / "milvus.yaml").read_text(encoding="utf-8"))
    user = CONFIGS / "user.yaml"
    if user.is_file():
        known = laid_over(known, yaml.safe_load(user.read_text(encoding="utf-8")))
    (directory / "milvus.yaml").write_text(yaml.safe_dump(known), encoding="utf-8")
    shutil.copy(CONFIGS / "glog.conf", directory)
    return directory


def main(arguments: list[str]) -> None:
    """Run both until asked to stop."""
    if arguments != ["run", "standalone"]:
        fail(f"milvus {' '.join(arguments)}: only `run standalone` is known here")
    environment = {**os.environ, "PROXY_PORT": str(BEHIND), "MILVUSCONF": str(configured())}
    server = subprocess.Popen([str(PROGRAM), *arguments], env=environment)

    def watch() -> None:
        status = server.wait()
        say(f"the server ended with {status}")
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    Rest.connect(f"127.0.0.1:{BEHIND}")
    serve(Rest, PORT)
    server.terminate()
    # It writes what it holds; who started the container says how long that may take.
    sys.exit(0 if server.wait() in {0, -signal.SIGTERM, 143} else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
