"""Users and the refresh tokens of their pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from rackwright_app.database.pool import Pool

# Two tabs of a page may use the same token at the same moment.
_GRACE_SECONDS = 10


@dataclass(frozen=True)
class User:
    """Someone who may sign in."""

    id: int
    name: str
    role: str
    password_hash: str
    disabled: bool
    created_at: datetime


_USER = "id, name, role, password_hash, disabled, created_at"


class Users:
    """Reads and writes users."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, name: str) -> User | None:
        """Returns a user by name, whatever its case."""
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(User)) as cursor,
        ):
            await cursor.execute(
                f"SELECT {_USER} FROM users WHERE lower(name) = lower(%s)",  # noqa: S608 - a constant
                (name.replace("\0", ""),),
            )
            return await cursor.fetchone()

    async def keep_refresh(self, user: User, digest: bytes, family: str | None, *, seconds: int) -> None:
        """Keeps a refresh token, of a new family or of the one that it continues."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO refresh_tokens (digest, family, user_id, expires_at)"
                " VALUES (%s, coalesce(%s::uuid, gen_random_uuid()), %s, now() + make_interval(secs => %s))",
                (digest, family, user.id, seconds),
            )

    async def use_refresh(self, digest: bytes) -> tuple[User, str] | None:
        """Uses a refresh token up.

        One that was used before has been stolen from somebody: then the whole family ends, and both must sign
        in again.

        Returns:
            Its user and family; None when it does not hold.
        """
        async with self._pool.connection() as connection, connection.transaction():
            found = await connection.execute(
                "SELECT family::text, user_id, expires_at > now() AS fresh,"
                " used_at < now() - make_interval(secs => %s) AS stale"
                " FROM refresh_tokens WHERE digest = %s FOR UPDATE",
                (_GRACE_SECONDS, digest),
            )
            row = await found.fetchone()
            if row is None:
                return None
            if row["stale"]:
                await connection.execute("DELETE FROM refresh_tokens WHERE family = %s", (row["family"],))
                return None
            await connection.execute(
                "UPDATE refresh_tokens SET used_at = coalesce(used_at, now()) WHERE digest = %s", (digest,)
            )
            async with connection.cursor(row_factory=class_row(User)) as cursor:
                await cursor.execute(
                    f"SELECT {_USER} FROM users WHERE id = %s AND NOT disabled",  # noqa: S608 - a constant
                    (row["user_id"],),
                )
                user = await cursor.fetchone()
            return (user, row["family"]) if user is not None and row["fresh"] else None

    async def end_refresh(self, digest: bytes) -> None:
        """Ends the family of a refresh token."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "DELETE FROM refresh_tokens WHERE family IN"
                " (SELECT family FROM refresh_tokens WHERE digest = %s)",
                (digest,),
            )
