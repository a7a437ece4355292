"""Starts one of the modules beside this file; this is what the hosts run.

The arguments come on standard input, as JSON. Ansible's own loader does what AnsiballZ does around a module.
"""

from __future__ import annotations

import os
import sys

# Modules whose base is module_utils/rackwright/lean.py: they load what is Ansible's only when they need it.
LEAN = ("host_facts", "service_probe")


def main() -> None:
    """Run the module that the command line names."""
    try:
        os.getcwd()  # noqa: PTH109 - pathlib takes longer to load
    except OSError:
        os.chdir("/")
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - as above
    sys.path.insert(0, here)
    name = sys.argv.pop(1)
    # Importable only now.
    if name in LEAN:
        _lean(name)
    from ansible.module_utils._internal._ansiballz import _loader  # noqa: PLC0415

    _loader.run_module(
        json_params=sys.stdin.buffer.read(),
        profile="legacy",
        module_fqn=f"ansible.legacy.{name}",
        modlib_path=here,
        extensions={},
    )


def _lean(name: str) -> None:
    from ansible.module_utils.rackwright import lean  # noqa: PLC0415 - as above

    lean.given = sys.stdin.buffer.read()
    try:
        __import__(f"ansible.legacy.{name}", fromlist=["main"]).main()
    except Exception as error:  # noqa: BLE001 - whatever it is; a module that ends raises SystemExit
        from ansible.module_utils._internal._ansiballz import _loader  # noqa: PLC0415 - as above

        _loader._handle_exception(error, "legacy")  # noqa: SLF001 - what Ansible does around a module


if __name__ == "__main__":
    main()
