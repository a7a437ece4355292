"""The words of a text, for the search by keywords and the ranking by them.

PostgreSQL knows no words of Chinese, Japanese or Korean, which are written without spaces; here their
characters count in pairs, the usual way without a dictionary. So one index serves all languages.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

_RUNS = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af]+|[^\W_]+(?:['’-][^\W_]+)*")
_WORD_CHARACTERS = 64


def words_of(text: str) -> list[str]:
    """Returns the words of a text in their order, in lower case; of CJK runs each pair of neighbours."""
    found: list[str] = []
    for run in _RUNS.findall(unicodedata.normalize("NFKC", text).lower()):
        if _is_cjk(run[0]):
            found += ["".join(pair) for pair in pairwise(run)] or [run]
        else:
            found.append(_stem(run[:_WORD_CHARACTERS]))
    return found


def _stem(word: str) -> str:
    """Takes the commonest English endings off: `disks` finds `disk`."""
    word = word.removesuffix("'s").removesuffix("’s")
    if len(word) > 4 and word.endswith("ies"):  # noqa: PLR2004 - a word of its own must be left
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):  # noqa: PLR2004
        return word[:-1]
    return word


def _is_cjk(character: str) -> bool:
    return character >= "\u3040" and not character.isascii()
