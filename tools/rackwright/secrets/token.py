"""Access tokens for the app's API, as the app verifies them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import jwt

from rackwright.errors import RackwrightError

ISSUER = "rackwright"
AUDIENCE = "rackwright-app"
ROLES = ("user", "admin")
_LONGEST_USER = 128


def access_token(secret: str, *, user: str, role: str = "user", hours: float = 12) -> str:
    """Return a JWT (HS256) with the claims sub, role, iss, aud, iat, exp and jti.

    Args:
        secret: The site's jwt_secret.
        user: The subject; 1 to 128 printable characters.
        role: One of ROLES.
        hours: How long it is valid.

    Raises:
        RackwrightError: The user, the role or the validity is not allowed.
    """
    if not user.strip() or len(user) > _LONGEST_USER or not user.isprintable():
        raise RackwrightError(
            f"user {user!r}: must be 1 to {_LONGEST_USER} printable characters", exit_code=2
        )
    if role not in ROLES:
        raise RackwrightError(f"role {role!r}: must be one of {', '.join(ROLES)}", exit_code=2)
    if hours <= 0:
        raise RackwrightError(f"hours {hours}: must be more than 0", exit_code=2)
    now = datetime.now(UTC)
    claims = {
        "sub": user,
        "role": role,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + timedelta(hours=hours),
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode(claims, secret, algorithm="HS256")
