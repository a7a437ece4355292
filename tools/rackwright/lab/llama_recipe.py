"""The model server's container image: llama.cpp from Debian testing, the only release that has it."""

from __future__ import annotations

from rackwright.lab.mirror import Mirror
from rackwright.lab.recipe import ImageFile, Recipe

NAME = "llama-cpp"
PACKAGE = "llama.cpp-tools"
DEFAULT_SUITE = "forky"
UID = 10001
# Where the build leaves the name of what it installed.
VERSION_FILE = "/usr/share/rackwright/package-version"

# What a server that runs one program never reads.
_LEFT_OUT = ("/usr/share/man", "/usr/share/doc", "/usr/share/locale", "/usr/share/info", "/usr/share/lintian")
_USERS = f"""\
root:x:0:0:root:/root:/usr/sbin/nologin
llama:x:{UID}:{UID}:llama-server:/nonexistent:/usr/sbin/nologin
"""
_GROUPS = f"root:x:0:\nllama:x:{UID}:\n"


def llama_recipe(suite: str, architecture: str, mirror: Mirror) -> Recipe:
    """Return the recipe of the model server's image.

    The image has curl beside the server, for health checks from inside; no package manager.

    Args:
        suite: Debian's testing or unstable, by code name.
        architecture: Debian's name of it.
        mirror: Where packages come from.
    """
    return Recipe(
        name=NAME,
        release=suite,
        architecture=architecture,
        # A mirror may hold a testing release past its date; its signature is checked all the same.
        sources=(f"deb [check-valid-until=no] {mirror.main} {suite} main",),
        packages=(PACKAGE, "curl"),
        files=(ImageFile("/etc/passwd", _USERS, 0o644), ImageFile("/etc/group", _GROUPS, 0o644)),
        commands=(
            f"mkdir -p /usr/share/rackwright && dpkg-query -W {PACKAGE} | cut -f2 >{VERSION_FILE}",
            "rm -rf /var/cache/* /var/lib/apt /var/log/* /usr/libexec/*/ggml /usr/share/bash-completion",
        ),
        variant="essential",
        options=tuple(f"--dpkgopt=path-exclude={path}/*" for path in _LEFT_OUT),
    )


def image_config() -> dict[str, object]:
    """Return what the container runs, as whom, and on which port (the OCI image configuration's `config`)."""
    return {
        "User": f"{UID}:{UID}",
        "ExposedPorts": {"8080/tcp": {}},
        # The container's own network is the boundary: what is published is the host's business.
        "Env": ["PATH=/usr/bin:/bin", "LLAMA_ARG_HOST=0.0.0.0", "LLAMA_ARG_PORT=8080"],
        "Entrypoint": ["/usr/bin/llama-server"],
        "WorkingDir": "/",
        "Labels": {"rackwright.image": NAME},
    }
