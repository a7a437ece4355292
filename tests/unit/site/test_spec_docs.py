from pathlib import Path
from typing import Any

import pytest

from rackwright.errors import RackwrightError
from rackwright.site.spec_docs import role_table, stale, write
from rackwright.site.variables import SiteVariables, variables_table

SPEC: dict[str, Any] = {
    "argument_specs": {
        "main": {
            "options": {
                "x_port": {"type": "int", "default": 80, "description": "The port, see C(x_hosts)."},
                "x_hosts": {
                    "type": "list",
                    "elements": "dict",
                    "required": True,
                    "description": ["Hosts.", "Each <name>."],
                    "options": {"name": {"required": True, "description": "Its name | alias."}},
                },
                "x_mode": {"choices": ["on", "off"], "default": "", "description": "What it does."},
                "x_password": {"required": True, "no_log": True, "description": "A password."},
                "x_flag": {"type": "bool", "default": True, "description": "A flag."},
            }
        }
    }
}


def test_role_table() -> None:
    assert role_table(SPEC).splitlines()[2:] == [
        "| `x_port` | int | `80` | The port, see `x_hosts`. |",
        "| `x_hosts` | list of dict | required | Hosts. Each &lt;name>. |",
        "| `x_hosts[].name` | str | required | Its name \\| alias. |",
        "| `x_mode` | str | empty | What it does. One of `on`, `off`. |",
        "| `x_password` | str | required | A password. Secret. |",
        "| `x_flag` | bool | `true` | A flag. |",
    ]


def test_a_role_without_options() -> None:
    assert "no variables" in role_table({"argument_specs": {"main": {}}})


def test_variables_table_has_every_variable() -> None:
    table = variables_table()
    for name, info in SiteVariables.model_fields.items():
        assert f"| `{name}` |" in table
        assert info.description, f"{name} has no description"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    role = tmp_path / "roles/x"
    (role / "meta").mkdir(parents=True)
    (role / "meta/argument_specs.yml").write_text(
        "argument_specs: {main: {options: {x_a: {description: First.}}}}\n", encoding="utf-8"
    )
    (role / "README.md").write_text(
        "# x\n\n<!-- spec:begin -->\n<!-- spec:end -->\nAfter.\n", encoding="utf-8"
    )
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/variables.md").write_text("<!-- spec:begin --><!-- spec:end -->", encoding="utf-8")
    return tmp_path


def test_writing_once_is_enough(root: Path) -> None:
    readme = root / "roles/x/README.md"
    assert stale(root) == [readme, root / "docs/variables.md"]
    assert write(root) == [readme, root / "docs/variables.md"]
    text = readme.read_text(encoding="utf-8")
    assert "| `x_a` | str |  | First. |" in text
    assert text.startswith("# x\n")
    assert text.endswith("<!-- spec:end -->\nAfter.\n")
    assert stale(root) == write(root) == []


@pytest.mark.parametrize(
    "text", ["no markers", "<!-- spec:end --><!-- spec:begin -->", "<!-- spec:begin -->" * 2]
)
def test_a_readme_without_its_markers(root: Path, text: str) -> None:
    (root / "roles/x/README.md").write_text(text, encoding="utf-8")
    with pytest.raises(RackwrightError, match=r"README\.md must have one line"):
        stale(root)


def test_a_role_without_a_readme(root: Path) -> None:
    (root / "roles/x/README.md").unlink()
    with pytest.raises(RackwrightError, match="missing"):
        stale(root)
