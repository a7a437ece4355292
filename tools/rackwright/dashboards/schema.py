"""Whether a dashboard is one by Grafana's published schema, as its library (grafana-foundation-sdk) has it.

The library's classes are generated from that schema (kinds/dashboard and the plugins' panelcfg and dataquery
files of grafana/grafana). Its own reader passes over what it does not know, so the types are compared here.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import re
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any

from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import dashboard as grafana

_MODELS = "grafana_foundation_sdk.models"
_WRITTEN = re.compile(r'"(\w+)"\]? ?[:=] self\.(\w+)')
Found = Iterator[str]


def problems(content: object, *, strict: bool = True) -> list[str]:
    """Return what in a dashboard is not as the schema says, each with its place.

    Args:
        content: the dashboard, as JSON has it.
        strict: whether a key that the schema does not know is one as well: a newer Grafana may know it.
    """
    return list(_Comparison(strict).against(grafana.Dashboard, content, "dashboard"))


class _Comparison:
    """Walks through a value beside the type that it should have."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict

    def against(self, wanted: Any, value: object, at: str) -> Found:  # noqa: ANN401 - any type
        """Yield what a value has against a type."""
        arguments = typing.get_args(wanted)
        match typing.get_origin(wanted) or wanted:
            case typing.Union | UnionType():
                yield from self._one_of(arguments, value, at)
            case kind if kind is list:
                yield from self._list(arguments[0], value, at)
            case kind if kind is dict:
                yield from self._mapping(arguments[1], value, at)
            case typing.Literal:
                yield from _among(arguments, value, at)
            case _:
                yield from self._single(wanted, value, at)

    def _single(self, wanted: Any, value: object, at: str) -> Found:  # noqa: ANN401
        if wanted in {Any, object}:
            return
        if issubclass(wanted, enum.Enum):
            yield from _among([member.value for member in wanted], value, at)
        elif wanted is Dataquery:
            yield from self._query(value, at)
        elif hasattr(wanted, "from_json"):
            yield from self._record(wanted, value, at)
        elif not _plain(wanted, value):
            yield f"{at} is {value!r}: it must be {wanted.__name__}"

    def _list(self, wanted: Any, value: object, at: str) -> Found:  # noqa: ANN401
        if not isinstance(value, list):
            yield f"{at} must be a list, not {value!r}"
            return
        for number, item in enumerate(value):
            yield from self.against(wanted, item, f"{at}[{number}]")

    def _mapping(self, wanted: Any, value: object, at: str) -> Found:  # noqa: ANN401
        if not isinstance(value, Mapping):
            yield f"{at} must be an object, not {value!r}"
            return
        for key, item in value.items():
            yield from self.against(wanted, item, f"{at}.{key}")

    def _one_of(self, kinds: tuple[Any, ...], value: object, at: str) -> Found:
        """Yield nothing when one of the kinds fits, else what the nearest has against it."""
        if value is None and NoneType in kinds:
            return
        found = [list(self.against(kind, value, at)) for kind in kinds if kind is not NoneType]
        if all(found):
            yield from min(found, key=len)

    def _record(self, wanted: type, value: object, at: str) -> Found:
        if not isinstance(value, Mapping):
            yield f"{at} must be an object, not {value!r}"
            return
        fields = _fields(wanted)
        for key, item in value.items():
            if key in fields:
                yield from self.against(fields[key], item, f"{at}.{key}")
            elif self.strict:
                yield f"{at}.{key} is no field of {wanted.__name__}"
        if wanted is grafana.Panel:
            yield from self._plugin(value, at)

    def _plugin(self, panel: Mapping[str, Any], at: str) -> Found:
        """Yield what a panel's plugin has against its options, which the dashboard's schema leaves open."""
        model = _model(panel.get("type"))
        defaults = (panel.get("fieldConfig") or {}).get("defaults") or {}
        parts = (
            ("Options", panel.get("options"), f"{at}.options"),
            ("FieldConfig", defaults.get("custom"), f"{at}.fieldConfig.defaults.custom"),
        )
        for kind, value, place in parts:
            if value is not None and hasattr(model, kind):
                yield from self.against(getattr(model, kind), value, place)

    def _query(self, value: object, at: str) -> Found:
        if not isinstance(value, Mapping):
            yield f"{at} must be an object, not {value!r}"
            return
        source = value.get("datasource")
        model = _model(source.get("type") if isinstance(source, Mapping) else None)
        if hasattr(model, "Dataquery"):
            yield from self.against(model.Dataquery, value, at)


def _among(allowed: typing.Collection[object], value: object, at: str) -> Found:
    if value not in allowed:
        yield f"{at} is {value!r}: it must be one of {', '.join(map(repr, allowed))}"


def _plain(wanted: type, value: object) -> bool:
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))


@cache
def _fields(wanted: Any) -> dict[str, Any]:  # noqa: ANN401 - one of the library's classes
    """Return the types of a class's fields, by their names in JSON."""
    hints = typing.get_type_hints(wanted)
    written = _WRITTEN.findall(inspect.getsource(wanted.to_json))
    return {key: hints[attribute] for key, attribute in written}


@cache
def _model(name: object) -> Any:  # noqa: ANN401 - a module of the library
    """Return the library's module of a plugin, None where it has none."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z]+", name):
        return None
    try:
        return importlib.import_module(f"{_MODELS}.{name}")
    except ModuleNotFoundError:
        return None
