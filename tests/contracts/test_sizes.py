"""Files stay small enough to read in one sitting, and the tables in the documents are up to date."""

import re
from pathlib import Path

import pytest

from rackwright.site.spec_docs import stale

LIMITS = [
    ("tools/**/*.py", 300),
    ("plugins/**/*.py", 300),
    ("app/**/*.py", 300),
    ("roles/*/tasks/**/*.yml", 120),
    ("playbooks/**/*.yml", 120),
    ("roles/*/templates/**/*.j2", 150),
]


@pytest.mark.parametrize(("pattern", "limit"), LIMITS, ids=[pattern for pattern, _ in LIMITS])
def test_size(root: Path, pattern: str, limit: int) -> None:
    found = {
        str(path.relative_to(root)): len(path.read_text(encoding="utf-8").splitlines())
        for path in root.glob(pattern)
        if path.is_file() and "build" not in path.relative_to(root).parts
    }
    assert found, f"nothing is at {pattern}"
    assert {name: lines for name, lines in found.items() if lines > limit} == {}


def test_generated_tables_are_up_to_date(root: Path) -> None:
    assert [str(path.relative_to(root)) for path in stale(root)] == [], "run `rackwright docs`"


def test_every_suppression_names_its_rule(root: Path) -> None:
    """`noqa` and `type: ignore` name what they allow; whole files are not exempted."""
    blanket = re.compile(
        r"#\s*(noqa(?!: [A-Z]+\d+)|type: ignore(?!\[)|ruff: noqa|mypy: ignore-errors|flake8: noqa)"
    )
    found = [
        f"{path.relative_to(root)}:{number}"
        for folder in ("tools", "plugins", "app", "tests", "molecule")
        for path in sorted((root / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if blanket.search(line) and path != Path(__file__)
    ]
    assert found == []
