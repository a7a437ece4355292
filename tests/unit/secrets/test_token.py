from datetime import UTC, datetime, timedelta

import jwt
import pytest

from rackwright.errors import RackwrightError
from rackwright.secrets.token import access_token

SECRET = "s" * 64


def claims(token: str, secret: str = SECRET) -> dict[str, object]:
    decoded: dict[str, object] = jwt.decode(
        token,
        secret,
        algorithms=["HS256"],
        audience="rackwright-app",
        issuer="rackwright",
        options={"require": ["sub", "role", "iss", "aud", "iat", "exp", "jti"]},
    )
    return decoded


def test_the_token_carries_what_the_app_verifies() -> None:
    found = claims(access_token(SECRET, user="ann", role="admin", hours=2))

    assert (found["sub"], found["role"]) == ("ann", "admin")
    end = datetime.fromtimestamp(float(str(found["exp"])), UTC)
    assert abs(end - datetime.now(UTC) - timedelta(hours=2)) < timedelta(seconds=10)


def test_each_token_is_one_of_its_own() -> None:
    assert len({claims(access_token(SECRET, user="ann"))["jti"] for _ in range(5)}) == 5


def test_another_secret_does_not_verify() -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        claims(access_token(SECRET, user="ann"), "t" * 64)


@pytest.mark.parametrize(
    "change",
    [{"user": ""}, {"user": " "}, {"user": "a\nb"}, {"user": "a" * 129}, {"role": "root"}, {"hours": 0}],
)
def test_unsound_input_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RackwrightError):
        access_token(**{"secret": SECRET, "user": "ann", **change})  # type: ignore[arg-type]
