"""Keeps what Jinja made of a template's text: Ansible has the same texts compiled for every task and host.

Made for ansible-core 2.19; with another version nothing is done here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ansible._internal._templating import _jinja_bits
from ansible.release import __version__ as ansible_version

VERSION = "2.19."
# Texts that are rendered once, such as long messages, need not stay for ever.
MOST = 5000
# All that a compiled text depends on beside the text: two environments that agree here make the same of it.
_SETTINGS = (
    *("block_start_string", "block_end_string", "variable_start_string", "variable_end_string"),
    *("comment_start_string", "comment_end_string", "line_statement_prefix", "line_comment_prefix"),
    *("trim_blocks", "lstrip_blocks", "newline_sequence", "keep_trailing_newline", "optimized", "autoescape"),
)


def install() -> None:
    """Keep what is compiled from now on, in this process and in those it forks."""
    environment = _jinja_bits.AnsibleEnvironment
    if ansible_version.startswith(VERSION) and not hasattr(environment.compile, "__wrapped__"):
        environment.compile = _keeping(environment.compile)


def _keeping(compile_anew: Callable[..., Any]) -> Callable[..., Any]:
    kept: dict[tuple[Any, ...], Any] = {}

    @wraps(compile_anew)
    def compile_once(environment: Any, source: Any, *given: Any, **named: Any) -> Any:  # noqa: ANN401
        # A tree is an expression's; with Ansible's debugging of templates every compilation leaves a file.
        if not isinstance(source, str) or environment._debuggable_template_source:  # noqa: SLF001 - Ansible's own
            return compile_anew(environment, source, *given, **named)
        context = _jinja_bits._TemplateCompileContext.current(optional=True)  # noqa: SLF001 - as above
        escaped = bool(context and context.escape_backslashes)
        agreed = [getattr(environment, name) for name in _SETTINGS]
        asked = (str(source), given, tuple(sorted(named.items())), escaped)
        key = (*asked, type(environment), tuple(environment.extensions), *agreed)
        try:
            return kept[key]
        except (KeyError, TypeError):
            made = compile_anew(environment, source, *given, **named)
        if len(kept) >= MOST:
            kept.clear()
        kept[key] = made
        return made

    return compile_once
