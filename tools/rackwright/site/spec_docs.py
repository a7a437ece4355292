"""Tables as Markdown: of roles from their argument specs, of the site's variables, of the models' sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from rackwright.confinement.overview import confinement_table
from rackwright.errors import RackwrightError
from rackwright.hardware.gpu_table import gpus_table
from rackwright.hardware.gpus import known_gpus
from rackwright.models.catalogue import project_models
from rackwright.models.published import compare
from rackwright.models.published import table as comparison_table
from rackwright.site.plain import Value
from rackwright.site.variables import variables_table

BEGIN = "<!-- spec:begin -->"
END = "<!-- spec:end -->"
_MARKUP = re.compile(r"\b[BCIMOPUV]\(([^)]*)\)")
_SHORTEST_DEFAULT = 60


def role_table(spec: Mapping[str, Value]) -> str:
    """Return the table of a role's options, nested ones with their path.

    Args:
        spec: The content of meta/argument_specs.yml.
    """
    rows = ["| Variable | Type | Default | Meaning |", "| --- | --- | --- | --- |"]
    for name, entry in spec["argument_specs"].items():
        if name != "main":
            rows.append(f"| **entry point `{name}`** | | | {_text(entry.get('short_description', ''))} |")
        rows += [
            f"| `{path}` | {kind} | {default} | {text} |"
            for path, kind, default, text in _options("", entry.get("options") or {})
        ]
    if len(rows) == len(("head", "rule")):
        return "This role has no variables.\n"
    return "\n".join(rows) + "\n"


def _options(prefix: str, options: Mapping[str, Value]) -> Iterator[tuple[str, str, str, str]]:
    for name, option in options.items():
        path = f"{prefix}{name}"
        kind = option.get("type", "str")
        if kind == "list" and "elements" in option:
            kind = f"list of {option['elements']}"
        text = _text(option.get("description", ""))
        if "choices" in option:
            text += f" One of {', '.join(f'`{choice}`' for choice in option['choices'])}."
        if option.get("no_log"):
            text += " Secret."
        yield path, kind, _default(option), text.strip()
        if option.get("options"):
            step = "[]." if option.get("type") == "list" else "."
            yield from _options(f"{path}{step}", option["options"])


def _default(option: Mapping[str, Value]) -> str:
    if option.get("required"):
        return "required"
    if "default" not in option:
        return ""
    default = option["default"]
    text = str(default).lower() if isinstance(default, bool) else str(default)
    if text == "":
        return "empty"
    if len(text) > _SHORTEST_DEFAULT:
        return "see defaults/main.yml"
    return f"`{text}`".replace("|", "\\|")


def _text(description: Value) -> str:
    joined = " ".join(description) if isinstance(description, list) else str(description)
    # Ansible's own markup, C(…) and its like, is code here.
    marked = _MARKUP.sub(r"`\1`", " ".join(joined.split()))
    # Inside of code `<` stands for itself.
    parts = marked.split("`")
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts).replace("|", "\\|")


def documents(root: Path) -> dict[Path, str]:
    """Return every document with a generated table, as it should be.

    These are the roles' READMEs, docs/variables.md, docs/models.md, docs/scan.md and docs/hardening.md.

    Args:
        root: The repository.

    Raises:
        RackwrightError: A role with a spec has no README, or one of them lacks the markers.
    """
    tables = {
        path.parents[1] / "README.md": role_table(yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in sorted(root.glob("roles/*/meta/argument_specs.yml"))
    }
    tables[root / "docs/variables.md"] = variables_table()
    published = root / "tests/data/models/published.yml"
    if published.is_file():
        tables[root / "docs/models.md"] = comparison_table(compare(project_models(), published)) + "\n"
    scan = root / "docs/scan.md"
    if scan.is_file():
        tables[scan] = gpus_table(known_gpus())
    hardening = root / "docs/hardening.md"
    if hardening.is_file():
        tables[hardening] = confinement_table(root)
    tables |= _of_alerts(root)
    return {path: _between_markers(path, table) for path, table in tables.items()}


def _of_alerts(root: Path) -> dict[Path, str]:
    """Return the generated parts of the pages on alerts, where the repository has them."""
    page = root / "docs/alerts.md"
    if not page.is_file():
        return {}
    from rackwright.alerts.docs import alerts_page, receivers_table, thresholds_table  # noqa: PLC0415

    return {
        page: f"{thresholds_table(root)}\n{alerts_page(root)}",
        root / "docs/observability.md": receivers_table(),
    }


def _between_markers(path: Path, table: str) -> str:
    hint = f"write it with the two lines {BEGIN} and {END}; `rackwright docs` fills in the table between them"
    if not path.is_file():
        raise RackwrightError(f"{path} is missing", hint=hint)
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise RackwrightError(f"{path} must have one line {BEGIN} and one line {END} after it", hint=hint)
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"


def stale(root: Path) -> list[Path]:
    """Return the documents whose table is not what it should be."""
    return [path for path, text in documents(root).items() if path.read_text(encoding="utf-8") != text]


def write(root: Path) -> list[Path]:
    """Write every table that is out of date; return what was changed."""
    changed = stale(root)
    wanted = documents(root)
    for path in changed:
        path.write_text(wanted[path], encoding="utf-8")
    return changed
