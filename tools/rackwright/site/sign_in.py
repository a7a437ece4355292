"""The identity provider that a site's users sign in at (group_vars/all/sign_in.yml): types and rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rackwright.site.addresses import Address, Network

Https = Annotated[str, Field(pattern=r"^(https://[^/?#\s]+[^?#\s]*)?$")]


class SignInProvider(BaseModel):
    """An identity provider that speaks OpenID Connect.

    Attributes:
        issuer: Its `iss`, exactly; empty for none.
        networks: Where it is; opened for the app's hosts.
        ports: Its ports; empty for the issuer's.
        address: Its address, for hosts that ask no resolver.
        authority: PEM file of the authority of its certificate; empty for the site's own.
        client: What it knows this site as; empty when the page does not sign in there.
        audience: The `aud` of its access tokens that the API takes; empty for none.
        jwks_url: Where its keys are, if not where its discovery document says.
        algorithms: How it signs.
        scopes: What is asked for.
        user_claim: What users are called by.
        role_claim: Where their roles or groups are.
        roles: What those mean here.
        others: What users without any of them are.
        hours: After so long it is asked again.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    issuer: Https = ""
    networks: list[Network] = Field(default=[])
    ports: list[Annotated[int, Field(ge=1, le=65535)]] = Field(default=[])
    address: Address | Literal[""] = ""
    authority: str = ""
    client: str = ""
    audience: str = ""
    jwks_url: Https = ""
    algorithms: list[Literal["RS256", "ES256", "EdDSA"]] = Field(default=["RS256"], min_length=1)
    scopes: list[str] = Field(default=["openid", "profile"])
    user_claim: Annotated[str, Field(min_length=1)] = "preferred_username"
    role_claim: Annotated[str, Field(min_length=1)] = "roles"
    roles: dict[str, Literal["user", "admin"]] = Field(default={"rackwright-admin": "admin"})
    others: Literal["user", "none"] = "user"
    hours: Annotated[int, Field(ge=1, le=168)] = 12

    @model_validator(mode="after")
    def _complete(self) -> SignInProvider:
        if not self.issuer:
            if self.model_fields_set - {"issuer"}:
                raise ValueError("issuer is missing, the https:// address that the provider's tokens name")
            return self
        if not self.networks:
            raise ValueError("networks is missing: the firewall lets the app's hosts reach it nowhere else")
        if not self.client and not self.audience:
            raise ValueError("client (for the page) or audience (for tokens of its own) must be given")
        if "openid" not in self.scopes:
            raise ValueError("scopes must hold openid: without it a provider says nothing of who signed in")
        if self.others == "none" and not self.roles:
            raise ValueError("roles is empty and others none: nobody could sign in")
        return self
