"""What a message must be, in whichever body it stands."""

from __future__ import annotations

from http import HTTPStatus

from rackwright_app.api.access import Services
from rackwright_app.errors import ApiError


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
