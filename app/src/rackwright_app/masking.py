"""Masks personal data and secrets in what is written down.

The rules of the platform: a phone number keeps its first three and last four digits (138****5678), an
identity card number its first six and last four, an e-mail address its first two characters; a password, key
or token keeps nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

HIDDEN = "***"

# Word sequences of a key's name, so that `accessToken` and `client_secret` are met but `max_tokens` is not.
_SECRET_NAMES = (
    ("password",),
    ("passwd",),
    ("pwd",),
    ("secret",),
    ("token",),
    ("api", "key"),
    ("apikey",),
    ("authorization",),
)
_PHONE_NAMES = (("phone",), ("mobile",))
_CARD_NAMES = (("id", "card"), ("idcard",), ("id", "number"))
_MAIL_NAMES = (("email",), ("mail",), ("e", "mail"))

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

# Every pattern is bounded and anchored by what may not stand before it: the time is linear in the text's
# length.
_CARD = re.compile(
    r"(?<![0-9A-Za-z])(\d{6})((?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(\d{3}[0-9Xx])(?![0-9A-Za-z])"
)
_PHONE = re.compile(r"(?<!\d)((?:\+?86[- ]?)?1[3-9]\d)([- ]?)(\d{4})([- ]?)(\d{4})(?!\d)")
_MAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])([A-Za-z0-9._%+-]{1,64})(@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})(?![A-Za-z0-9-])"
)
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*")
_API_KEY = re.compile(r"(?<![A-Za-z0-9_-])(?:sk|pk|rk|ghp|xox[abp])[-_][A-Za-z0-9_-]{16,}")


def mask_text(text: str) -> str:
    """Masks phone numbers, identity card numbers, e-mail addresses, tokens and API keys within a text.

    Args:
        text: Any text.

    Returns:
        The text, everything else in it unchanged.
    """
    text = _JWT.sub(HIDDEN, text)
    text = _API_KEY.sub(HIDDEN, text)
    text = _CARD.sub(lambda found: f"{found[1]}********{found[3]}", text)
    text = _PHONE.sub(lambda found: f"{found[1]}{found[2]}****{found[4]}{found[5]}", text)
    return _MAIL.sub(lambda found: _mask_mail(found[1], found[2]), text)


def mask_value(value: object, *, longest: int | None = None) -> object:
    """Masks a JSON value: by the names of its keys, and by pattern in every text.

    Args:
        value: What ``json.loads`` returned.
        longest: Characters of a text that are kept; what is cut off is counted. Masking comes first, so that
            a cut cannot split a number past recognition.

    Returns:
        A new value of the same form.
    """
    if isinstance(value, str):
        return _shorten(mask_text(value), longest)
    if isinstance(value, Mapping):
        return {mask_text(str(key)): _mask_field(str(key), item, longest) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [mask_value(item, longest=longest) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        # A phone number sent as a number is one all the same.
        masked = mask_text(str(value))
        return value if masked == str(value) else masked
    return value


def _mask_field(name: str, value: object, longest: int | None) -> object:
    mask = _rule(name)
    if mask is None or value is None or isinstance(value, bool):
        return mask_value(value, longest=longest)
    if isinstance(value, str | int | float):
        return _shorten(mask(str(value)), longest)
    # A sensitive key over a list or an object: all of its leaves are sensitive.
    if isinstance(value, Mapping):
        return {str(key): _mask_field(name, item, longest) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_mask_field(name, item, longest) for item in value]
    return HIDDEN


def _rule(name: str) -> Callable[[str], str] | None:
    words = tuple(word.lower() for word in _WORDS.findall(name))
    for names, mask in (
        (_SECRET_NAMES, _hide),
        (_PHONE_NAMES, _mask_phone),
        (_CARD_NAMES, _mask_card),
        (_MAIL_NAMES, _mask_mail_field),
    ):
        if any(_holds(words, wanted) for wanted in names):
            return mask
    return None


def _holds(words: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words)))


def _hide(_text: str) -> str:
    return HIDDEN


def _mask_phone(text: str) -> str:
    return _keep_ends(text, 3, 4, "****")


def _mask_card(text: str) -> str:
    return _keep_ends(text, 6, 4, "********")


def _mask_mail_field(text: str) -> str:
    local, at, domain = text.partition("@")
    return _mask_mail(local, at + domain) if at else HIDDEN


def _mask_mail(local: str, rest: str) -> str:
    # Of a name this short two characters would be all of it.
    kept = 2 if len(local) > 2 else 1  # noqa: PLR2004 - the rule's own number
    return f"{local[:kept]}{HIDDEN}{rest}"


def _keep_ends(text: str, first: int, last: int, middle: str) -> str:
    # A value in such a field that is too short for the rule would be shown whole.
    return text[:first] + middle + text[-last:] if len(text) > first + last else HIDDEN


def _shorten(text: str, longest: int | None) -> str:
    if longest is None or len(text) <= longest:
        return text
    return f"{text[:longest]}… (+{len(text) - longest})"
