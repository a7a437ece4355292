"""What the routes ask of the request: its caller and the services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from rackwright_app.chat import Chat
from rackwright_app.database.conversations import Conversations
from rackwright_app.database.documents import Documents
from rackwright_app.health import HealthChecks
from rackwright_app.input_rules import InputCheck
from rackwright_app.rag.library import Library
from rackwright_app.rag.retrieval import Retrieval
from rackwright_app.settings import Settings
from rackwright_app.tokens import Principal
from rackwright_app.users.provider_sign_in import ProviderSignIn
from rackwright_app.users.sign_in import SignInService
from rackwright_app.workflow.run import WorkflowRunner


@dataclass(frozen=True)
class Services:
    """What one worker holds open."""

    settings: Settings
    conversations: Conversations
    chat: Chat
    health: HealthChecks
    input_check: InputCheck
    documents: Documents
    library: Library
    retrieval: Retrieval
    workflows: WorkflowRunner
    sign_in: SignInService
    provider_sign_in: ProviderSignIn | None


# The gate has checked the token before a route is chosen; this one tells the OpenAPI document about it.
documented_bearer = Depends(HTTPBearer(auto_error=False, bearerFormat="JWT"))


def _caller(request: Request) -> Principal:
    return cast("Principal", request.state.principal)


def _services(request: Request) -> Services:
    return cast("Services", request.app.state.services)


Caller = Annotated[Principal, Depends(_caller)]
Held = Annotated[Services, Depends(_services)]
