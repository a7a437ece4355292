"""How the tests reach the plugins: Ansible loads them by path, so they have no name to import them by."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

import ansible.module_utils
import pytest
from ansible.module_utils.testing import patch_module_args

PLUGINS = Path(__file__).parents[2] / "plugins"

Result: TypeAlias = dict[str, Any]
Load: TypeAlias = Callable[[str, str], ModuleType]
RunModule: TypeAlias = Callable[..., Result]

# On a target, and in Ansible's own packing of modules, this directory is part of the package.
if str(PLUGINS / "module_utils") not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(str(PLUGINS / "module_utils"))


def _load(kind: str, name: str) -> ModuleType:
    title = f"rackwright_plugins_{kind}_{name}"
    if title not in sys.modules:
        spec = importlib.util.spec_from_file_location(title, PLUGINS / kind / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[title] = module
        spec.loader.exec_module(module)
    return sys.modules[title]


def _run_module(name: str, arguments: dict[str, Any], *, check: bool = False, diff: bool = False) -> Result:
    settings = {"_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_no_log": True}
    output = io.StringIO()
    with (
        patch_module_args({**arguments, **settings}),
        contextlib.redirect_stdout(output),
        pytest.raises(SystemExit),
    ):
        _load("modules", name).main()
    result: Result = json.loads(output.getvalue())
    result["failed"] = bool(result.get("failed"))
    return result


@pytest.fixture(scope="session")
def load() -> Load:
    """Load a plugin: kind (modules, action) and name."""
    return _load


@pytest.fixture(scope="session")
def run_module() -> RunModule:
    """Run a module as Ansible does and hand back its result."""
    return _run_module
