"""What hosts run goes on the oldest Python among them: 3.10, Ubuntu 22.04's."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import vermin

OLDEST = (3, 10)


def filters(root: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(f"filter_{name}", root / "plugins" / "filter" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def brought(root: Path) -> set[Path]:
    """The files of Python that modules and roles bring to hosts."""
    logs, backup, metrics = (filters(root, name) for name in ("logs", "backup", "metrics"))
    laid_down = [
        *logs.log_agent(list(logs.PROGRAMS)),
        *backup.backup_agent("", list(backup.PROGRAMS)),
        *metrics.host_metrics_files(""),
        *metrics.alert_relay_files(""),
    ]
    modules = (*root.glob("plugins/modules/*.py"), *root.glob("plugins/module_utils/**/*.py"))
    remote = (root / "tools/rackwright/remote" / name for name in ("entry.py", "lay_down.py"))
    return {*(Path(item["src"]) for item in laid_down if "src" in item), *modules, *remote}


def test_what_hosts_run_needs_no_newer_python(root: Path) -> None:
    files = brought(root)
    assert len(files) > 100, "modules and programs are somewhere else"
    needed = {path: vermin.detect(path.read_text(encoding="utf-8"))[1] for path in sorted(files)}
    newer = {str(path.relative_to(root)): least for path, least in needed.items() if least and least > OLDEST}
    assert newer == {}


def test_something_newer_is_seen() -> None:
    assert vermin.detect("from datetime import UTC\n")[1] > OLDEST
