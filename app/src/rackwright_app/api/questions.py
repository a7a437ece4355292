"""What every text of a request must be, in whichever body it stands."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from pydantic import AfterValidator

from rackwright_app.api.access import Services
from rackwright_app.errors import ApiError


def _can_be_kept(value: str) -> str:
    if "\0" in value:
        raise ValueError("may not hold NUL characters")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair") from error
    return value


Text = Annotated[str, AfterValidator(_can_be_kept)]


def check_message(message: str, held: Services) -> None:
    """Refuses a message that is empty, too long, or holds what the site does not allow.

    Raises:
        ApiError: 400.
    """
    longest = held.settings.limits.message_characters
    if not message.strip():
        raise ApiError(HTTPStatus.BAD_REQUEST, "empty_message", "The message is empty.")
    if len(message) > longest:
        raise ApiError(
            HTTPStatus.BAD_REQUEST,
            "message_too_long",
            f"The message has {len(message)} characters; {longest} are allowed.",
        )
    held.input_check.check(message)
