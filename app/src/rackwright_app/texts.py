"""What every text of a request must be."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def _can_be_kept(value: str) -> str:
    if "\0" in value:
        raise ValueError("may not hold NUL characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair") from error
    return value


Text = Annotated[str, AfterValidator(_can_be_kept)]
