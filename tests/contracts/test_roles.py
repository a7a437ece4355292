"""What every role keeps to, whoever writes it (docs/architecture.md)."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

STAGES = ["preflight", "install", "configure", "service", "verify"]
SECRET = re.compile(r"(password|passphrase|secret|api_key|token)$")


def load(path: Path) -> Any:  # noqa: ANN401 - whatever YAML says
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def options(role: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for entry in load(role / "meta/argument_specs.yml")["argument_specs"].values():
        found |= entry.get("options") or {}
    return found


def nested(prefix: str, given: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, option in given.items():
        yield f"{prefix}{name}", option
        yield from nested(f"{prefix}{name}.", option.get("options") or {})


def defaults(role: Path) -> dict[str, Any]:
    path = role / "defaults/main.yml"
    return (load(path) or {}) if path.is_file() else {}


def test_it_has_a_spec_and_says_what_it_is_for(role: Path) -> None:
    assert load(role / "meta/argument_specs.yml")["argument_specs"]["main"]["short_description"]
    assert (role / "README.md").is_file()


def test_every_option_has_type_and_description(role: Path) -> None:
    bare = [
        path
        for path, option in nested("", options(role))
        if not ("type" in option and option.get("description"))
    ]
    assert bare == []


def test_its_variables_carry_its_name(role: Path) -> None:
    foreign = [name for name in options(role) if not name.startswith(f"{role.name}_")]
    assert foreign == []


def test_spec_and_defaults_agree(role: Path) -> None:
    """The spec's default is documentation only, so it must say what defaults/main.yml does."""
    spec, given = options(role), defaults(role)
    public = {name: value for name, value in given.items() if not name.startswith(f"__{role.name}_")}
    assert sorted(set(public) - set(spec)) == [], "in defaults/main.yml, but not in the spec"
    promised = {name for name, option in spec.items() if "default" in option}
    assert sorted(promised - set(public)) == [], "has a default in the spec alone: it would be undefined"
    assert sorted(name for name in public if spec[name].get("required")) == [], (
        "required, yet it has a default"
    )
    for name, value in public.items():
        # A default that is worked out from something else is described in the spec, not repeated.
        if "default" in spec[name] and not (isinstance(value, str) and "{{" in value):
            assert spec[name]["default"] == value, f"{name}: the spec says another default"


def test_secrets_have_no_default_and_are_not_logged(role: Path) -> None:
    for path, option in nested("", options(role)):
        if SECRET.search(path) and option.get("type", "str") == "str":
            assert option.get("no_log"), f"{path} would be logged"
            assert "default" not in option, f"{path} has a default"


def test_main_only_imports_the_stages_in_order_with_their_tags(role: Path) -> None:
    stages = []
    for task in load(role / "tasks/main.yml"):
        stage = task["ansible.builtin.import_tasks"].removesuffix(".yml")
        stages.append(stage)
        assert task["tags"] == [role.name, f"{role.name}_{stage}"]
        assert set(task) <= {"name", "ansible.builtin.import_tasks", "tags"}
    assert all(STAGES.index(before) < STAGES.index(after) for before, after in pairwise(stages))


def tasks(role: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    def walk(entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for entry in entries:
            yield entry
            for key in ("block", "rescue", "always"):
                yield from walk(entry.get(key) or [])

    for path in sorted((role / "tasks").rglob("*.yml")):
        for task in walk(load(path) or []):
            yield path, task


def test_tasks_use_no_shortcut(role: Path) -> None:
    for path, task in tasks(role):
        where = f"{path.name}: {task.get('name')}"
        assert not task.get("ignore_errors"), where
        for module in ("ansible.builtin.command", "ansible.builtin.shell", "ansible.builtin.raw"):
            assert module not in task or "changed_when" in task, (
                f"{where}: {module} needs an honest changed_when"
            )
        assert "ansible.builtin.include_role" not in task, f"{where}: a tag would not reach the tasks inside"


def test_it_knows_nothing_of_other_hosts(role: Path) -> None:
    """Plays wire roles together; a role that looks around cannot be used elsewhere."""
    for path in sorted(role.rglob("*")):
        if path.suffix in {".yml", ".j2"} and path.parent.name != "meta":
            text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
            assert not re.search(r"\b(hostvars|groups\[|groups\.|host_plan)\b", text), path


def test_templates_have_the_managed_header_and_no_time(role: Path) -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(role.rglob("*.j2"))}
    included = set(re.findall(r"{%-?\s*(?:include|import|from)\s+['\"]([^'\"]+)", "".join(texts.values())))
    for path, text in texts.items():
        part = str(path.relative_to(role / "templates")) in included
        # JSON and Redis' ACL files have no comments.
        if not part and not path.name.endswith((".json.j2", ".acl.j2")):
            assert "ansible_managed" in text, f"{path} has no managed header"
        assert not re.search(r"ansible_date_time|now\(|strftime", text), f"{path} would differ with every run"
