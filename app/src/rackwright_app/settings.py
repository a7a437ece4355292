"""What an operator can set, and where each value comes from.

Three sources, the first one wins: environment (``RACKWRIGHT_APP_DATABASE__HOST``), the secrets file (JSON:
a systemd credential of the name ``secrets.json``, else ``$RACKWRIGHT_APP_SECRETS``), the configuration file
(TOML, ``$RACKWRIGHT_APP_CONFIG``). They are merged key by key, so that a password may stand in another file
than the host it belongs to.
"""

from __future__ import annotations

import os
import sys
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

import click
from pydantic import (
    AnyHttpUrl,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    JsonConfigSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rackwright_app.input_rules import InputRules
from rackwright_app.rag.settings import Rag
from rackwright_app.section import Section
from rackwright_app.users.settings import Oidc, SignIn

DEFAULT_CONFIG = Path("/etc/rackwright/app/app.toml")
ENGINE_FILE = "engine.toml"
"""Beside the configuration file: the tables ``engine`` and ``rag``. Workers alone read them, so SIGHUP puts
another model into force and interrupts nobody."""
DEFAULT_SECRETS = Path("/etc/rackwright/app/secrets.json")
MINIMUM_KEY_BYTES = 32

Port = Annotated[int, Field(ge=1, le=65535)]


class Listen(Section):
    """An address and port to listen on."""

    host: str = "127.0.0.1"
    port: Port


class Tls(Section):
    """The certificate of both listeners; plain HTTP without one (tests only)."""

    certificate: Path
    key: Path


class Database(Section):
    """PostgreSQL, where conversations are kept."""

    host: str
    port: Port = 5432
    name: str
    user: str
    password: SecretStr = SecretStr("")
    sslmode: Literal["disable", "verify-ca", "verify-full"] = "verify-full"
    ca: Path | None = None
    pool_size: PositiveInt = 8
    timeout_seconds: PositiveFloat = 5

    @model_validator(mode="after")
    def _verified_tls_needs_a_ca(self) -> Self:
        if self.sslmode != "disable" and self.ca is None:
            raise ValueError(f"database.ca is needed with sslmode {self.sslmode}")
        return self


class Redis(Section):
    """Redis, where the limits are counted."""

    host: str
    port: Port = 6379
    number: Annotated[int, Field(ge=0)] = 0
    user: str = "app"
    password: SecretStr = SecretStr("")
    tls: bool = True
    ca: Path | None = None
    prefix: str = "rackwright:app:"
    timeout_seconds: PositiveFloat = 2

    @model_validator(mode="after")
    def _tls_needs_a_ca(self) -> Self:
        if self.tls and self.ca is None:
            raise ValueError("redis.ca is needed with tls = true")
        return self


class Engine(Section):
    """The model servers, any that speak OpenAI's protocol."""

    urls: Annotated[list[AnyHttpUrl], Field(min_length=1)]
    """Base addresses up to and with the version, e.g. ``http://10.0.0.1:8080/v1``; used in turn."""
    model: str
    api_key: SecretStr = SecretStr("")
    ca: Path | None = None
    connect_seconds: PositiveFloat = 5
    silence_seconds: PositiveFloat = 120
    """Longest wait for the next piece of an answer."""
    answer_seconds: PositiveFloat = 600
    """Longest answer as a whole."""
    cooldown_seconds: PositiveFloat = 15
    """How long an address that failed is asked last."""
    context_tokens: PositiveInt = 4096
    answer_tokens: PositiveInt = 1024
    system_prompt: str = ""


class Key(Section):
    """One key that signs tokens. Several stand side by side while one is rotated."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    secret: SecretStr

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value().encode()) < MINIMUM_KEY_BYTES:
            raise ValueError(f"a signing key needs at least {MINIMUM_KEY_BYTES} bytes")
        return value


class Tokens(Section):
    """How access tokens are checked (HS256)."""

    issuer: str = "rackwright"
    audience: str = "rackwright-app"
    leeway_seconds: Annotated[int, Field(ge=0, le=60)] = 5
    keys: Annotated[list[Key], Field(min_length=1)]
    """The first one signs, all of them verify."""

    @field_validator("keys")
    @classmethod
    def _ids_are_unique(cls, value: list[Key]) -> list[Key]:
        if len({key.id for key in value}) != len(value):
            raise ValueError("two keys carry the same id")
        return value


class Limits(Section):
    """What one caller may ask for."""

    requests_per_hour: PositiveInt = 100
    address_requests_per_hour: PositiveInt = 3_000
    """Of one address: an office may stand behind it."""
    message_characters: PositiveInt = 10_000
    body_bytes: PositiveInt = 262_144


class History(Section):
    """How much of a conversation goes along with a new message."""

    turns: Annotated[int, Field(ge=0)] = 10


class Audit(Section):
    """The audit file."""

    path: Path = Path("/var/log/rackwright-app/audit.log")
    text_characters: PositiveInt = 2_000
    """Longest text of one field of a body; the rest is counted, not kept."""
    body_bytes: PositiveInt = 1_048_576
    """Larger bodies are told by their size."""
    key: SecretStr = SecretStr("")
    """Chains the lines: without it a line that was removed is found as well, but could be forged anew."""


class Workflows(Section):
    """What a workflow may take."""

    seconds: PositiveFloat = 600
    render_seconds: PositiveFloat = 5
    render_memory_mb: Annotated[int, Field(ge=64)] = 256
    """Address space of the process that renders a step's templates."""


class Retention(Section):
    """How long things are kept, in days."""

    conversation_days: NonNegativeInt = 90
    """0: the database's own job forgets them."""
    audit_days: PositiveInt = 30
    """Of the table; the file is rotated by the host."""
    temporary_days: PositiveInt = 7


class Settings(BaseSettings):
    """All settings of the service."""

    model_config = SettingsConfigDict(
        env_prefix="RACKWRIGHT_APP_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    api: Listen = Listen(port=3001)
    metrics: Listen = Listen(port=9091)
    tls: Tls | None = None
    workers: PositiveInt = 1
    shutdown_seconds: PositiveInt = 25
    drain_seconds: Annotated[float, Field(ge=0, le=10)] = 2
    """How long before that every answer ends its connection."""
    keepalive_seconds: PositiveFloat = 15
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    trusted_proxies: list[IPv4Network | IPv6Network] = []
    database: Database
    redis: Redis
    engine: Engine
    tokens: Tokens
    limits: Limits = Limits()
    history: History = History()
    audit: Audit = Audit()
    input: InputRules = InputRules()
    rag: Rag = Rag()
    workflows: Workflows = Workflows()
    sign_in: SignIn = SignIn()
    oidc: Oidc | None = None
    retention: Retention = Retention()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic-settings' own
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Orders the sources: arguments, environment, secrets file, configuration file."""
        config = Path(os.environ.get("RACKWRIGHT_APP_CONFIG", DEFAULT_CONFIG))
        return (
            init_settings,
            env_settings,
            JsonConfigSettingsSource(settings_cls, _secrets_file()),
            TomlConfigSettingsSource(settings_cls, [config, config.with_name(ENGINE_FILE)]),
        )


def _secrets_file() -> Path:
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and (found := Path(credentials, DEFAULT_SECRETS.name)).exists():
        return found
    return Path(os.environ.get("RACKWRIGHT_APP_SECRETS", DEFAULT_SECRETS))


def load_settings() -> Settings:
    """Reads the settings from environment, credentials and configuration file.

    Returns:
        The settings, checked.

    Raises:
        pydantic.ValidationError: A value is missing, misspelt or out of range.
    """
    return Settings()


def settings_or_exit() -> Settings:
    """Reads the settings for a command; prints what is wrong with them, without values, and exits with 2."""
    try:
        return load_settings()
    except ValidationError as error:
        # Values are left out because they may be secrets.
        for problem in error.errors(include_input=False, include_url=False, include_context=False):
            click.echo(f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}", err=True)
        sys.exit(2)
