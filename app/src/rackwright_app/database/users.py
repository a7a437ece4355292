"""Users and the refresh tokens of their pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.errors import UniqueViolation
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
    password_hash: str | None
    disabled: bool
    created_at: datetime


@dataclass(frozen=True)
class Family:
    """The refresh tokens that descend from one sign-in.

    Attributes:
        id: Its id; None for one that begins.
        ends_at: When it ends, however often it is used; None for never.
    """

    id: str | None = None
    ends_at: datetime | None = None


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

    async def of_provider(self, issuer: str, subject: str, name: str, role: str) -> User | None:
        """Returns a user of an identity provider, made when seen for the first time, with the role of now.

        A name stays whose it was first, since conversations are kept by it: somebody who is given a name that
        another person had at the provider is not that person.

        Returns:
            The user; None when the name is somebody else's.
        """
        try:
            async with (
                self._pool.connection() as connection,
                connection.cursor(row_factory=class_row(User)) as cursor,
            ):
                await cursor.execute(
                    "INSERT INTO users (name, role, issuer, subject) VALUES (%s, %s, %s, %s)"  # noqa: S608
                    " ON CONFLICT (issuer, subject) WHERE issuer IS NOT NULL"
                    f" DO UPDATE SET role = excluded.role RETURNING {_USER}",
                    (name, role, issuer, subject),
                )
                return await cursor.fetchone()
        except UniqueViolation:
            return None

    async def keep_refresh(self, user: User, digest: bytes, family: Family, *, seconds: int) -> None:
        """Keeps a refresh token, of a new family or of the one that it continues."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO refresh_tokens (digest, family, user_id, expires_at, ends_at)"
                " VALUES (%s, coalesce(%s::uuid, gen_random_uuid()), %s,"
                " least(now() + make_interval(secs => %s), %s), %s)",
                (digest, family.id, user.id, seconds, family.ends_at, family.ends_at),
            )

    async def use_refresh(self, digest: bytes) -> tuple[User, Family] | None:
        """Uses a refresh token up.

        One that was used before has been stolen from somebody: then the whole family ends, and both must sign
        in again.

        Returns:
            Its user and family; None when it does not hold.
        """
        async with self._pool.connection() as connection, connection.transaction():
            found = await connection.execute(
                "SELECT family::text, user_id, ends_at, expires_at > now() AS fresh,"
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
            if user is None or not row["fresh"]:
                return None
            return user, Family(row["family"], row["ends_at"])

    async def end_refresh(self, digest: bytes) -> None:
        """Ends the family of a refresh token."""
        async with self._pool.connection() as connection:
            await connection.execute(
                "DELETE FROM refresh_tokens WHERE family IN"
                " (SELECT family FROM refresh_tokens WHERE digest = %s)",
                (digest,),
            )
