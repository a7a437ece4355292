"""Who somebody is here, by what the identity provider says of them."""

from __future__ import annotations

from collections.abc import Mapping

from rackwright_app.errors import UnauthorizedError
from rackwright_app.tokens import SUBJECT_CHARACTERS, Role
from rackwright_app.users.settings import Oidc

PREFIX = "oidc:"
"""Users of the provider are others than the app's own of the same name."""


def name_of(settings: Oidc, claims: Mapping[str, object]) -> str:
    """Returns what a user of the provider is called here.

    Raises:
        UnauthorizedError: The claims hold no name that could be one.
    """
    name = claims.get(settings.user_claim) or claims.get("sub")
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise UnauthorizedError("subject", "The token is not valid.")
    called = f"{PREFIX}{name}"
    if len(called) > SUBJECT_CHARACTERS:
        raise UnauthorizedError("subject", "The token is not valid.")
    return called


def role_of(settings: Oidc, claims: Mapping[str, object]) -> Role:
    """Returns the highest role that the provider's roles or groups give.

    Raises:
        UnauthorizedError: They give none.
    """
    held = claim(claims, settings.role_claim)
    names = held if isinstance(held, list) else [held]
    roles = {settings.roles[name] for name in names if isinstance(name, str) and name in settings.roles}
    if settings.others != "none":
        roles.add(settings.others)
    if not roles:
        raise UnauthorizedError("role", "This account may not use the service.")
    return Role.ADMIN if Role.ADMIN.value in roles else Role.USER


def claim(claims: Mapping[str, object], path: str) -> object:
    """Returns a claim by its name, or by a path of names into objects; None where there is none."""
    if path in claims:
        return claims[path]
    found: object = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
