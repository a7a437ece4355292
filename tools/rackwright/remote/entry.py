"""Starts one of the modules beside this file; this is what the hosts run.

The arguments come on standard input, as JSON. Ansible's own loader does what AnsiballZ does around a module.
"""

from __future__ import annotations

import os
import sys


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
    from ansible.module_utils._internal._ansiballz import _loader  # noqa: PLC0415

    _loader.run_module(
        json_params=sys.stdin.buffer.read(),
        profile="legacy",
        module_fqn=f"ansible.legacy.{name}",
        modlib_path=here,
        extensions={},
    )


if __name__ == "__main__":
    main()
