"""YAML for Ansible in which text is text: a model's template (`{{ .Prompt }}`) is none of Ansible's."""

from __future__ import annotations

from typing import Any

import yaml

from rackwright.site.plain import plain

_TAG = "!unsafe"
_MARKS = ("{{", "{%", "{#")


class _Dumper(yaml.SafeDumper):
    """Marks what Ansible would otherwise take for a template of its own."""


class _Loader(yaml.SafeLoader):
    """Reads what `_Dumper` wrote."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    tag = _TAG if any(mark in value for mark in _MARKS) else "tag:yaml.org,2002:str"
    return dumper.represent_scalar(tag, value)


def _read(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Dumper.add_representer(str, _text)
_Loader.add_constructor(_TAG, _read)


def dump(values: object) -> str:
    """Return values as YAML that Ansible reads as they are."""
    return yaml.dump(plain(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def load(text: str) -> Any:  # noqa: ANN401 - whatever was written
    """Return what `dump` wrote."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader that knows one tag more
