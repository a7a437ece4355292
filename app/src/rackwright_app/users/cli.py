"""``rackwright-app user``: makes and changes users."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import click
import psycopg

from rackwright_app.database.pool import connection_parameters
from rackwright_app.settings import settings_or_exit
from rackwright_app.tokens import Role
from rackwright_app.users.passwords import MAXIMUM_CHARACTERS, MINIMUM_CHARACTERS, hashed

# No colon: what stands before one says where a name comes from (``oidc:``).
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}")
_ROLES = click.Choice([role.value for role in Role])


@click.group("user")
def command() -> None:
    """Make and change users."""


@command.command("add")
@click.argument("name")
@click.option("--role", type=_ROLES, default=Role.USER.value, show_default=True)
def add(name: str, role: str) -> None:
    """Make the user NAME; the password is the first line of standard input."""
    if not _NAME.fullmatch(name):
        raise click.BadParameter(f"{name!r}: letters, digits and ._@- make a name, 128 at most")
    kept = hashed(_password())
    try:
        _run("INSERT INTO users (name, role, password_hash) VALUES (%s, %s, %s)", (name, role, kept))
    except psycopg.errors.UniqueViolation:
        raise click.ClickException(f"there is a user {name} already") from None
    click.echo(f"{name} may sign in")


@command.command("password")
@click.argument("name")
def password(name: str) -> None:
    """Change the password of NAME to the first line of standard input; its pages must sign in again."""
    _changed(
        "UPDATE users SET password_hash = %s WHERE lower(name) = lower(%s) AND issuer IS NULL",
        (hashed(_password()), name),
    )
    _signed_out(name)


@command.command("role")
@click.argument("name")
@click.argument("role", type=_ROLES)
def role(name: str, role: str) -> None:
    """Give NAME another role; those of the identity provider have theirs from there."""
    _changed("UPDATE users SET role = %s WHERE lower(name) = lower(%s) AND issuer IS NULL", (role, name))


@command.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Shut NAME out; access tokens that it has hold for some minutes still."""
    _changed("UPDATE users SET disabled = true WHERE lower(name) = lower(%s)", (name,))
    _signed_out(name)


@command.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Let NAME in again."""
    _changed("UPDATE users SET disabled = false WHERE lower(name) = lower(%s)", (name,))


@command.command("list")
def listed() -> None:
    """List the users."""
    for name, role, disabled in _run("SELECT name, role, disabled FROM users ORDER BY lower(name)", ()):
        click.echo(f"{name}\t{role}\t{'disabled' if disabled else 'enabled'}")


def _password() -> str:
    """Reads a password from standard input: an argument would stand in the list of processes."""
    typed: str = (
        click.prompt("Password", hide_input=True, confirmation_prompt=True)
        if sys.stdin.isatty()
        else sys.stdin.readline().rstrip("\r\n")
    )
    if not MINIMUM_CHARACTERS <= len(typed) <= MAXIMUM_CHARACTERS:
        raise click.ClickException(f"a password has {MINIMUM_CHARACTERS} characters at least")
    return typed


def _signed_out(name: str) -> None:
    _run(
        "DELETE FROM refresh_tokens WHERE user_id IN (SELECT id FROM users WHERE lower(name) = lower(%s))",
        (name,),
    )


def _changed(statement: str, values: Sequence[object]) -> None:
    if not _run(f"{statement} RETURNING id", values):
        raise click.ClickException("there is no such user, or the identity provider decides that")


def _run(statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    parameters = connection_parameters(settings_or_exit().database)
    try:
        with psycopg.connect(**parameters, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []
    except psycopg.OperationalError as error:
        raise click.ClickException(f"the database cannot be asked: {str(error).strip()}") from None
