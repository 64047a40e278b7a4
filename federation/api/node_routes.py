"""Routes that need no token: health, metrics, keys, and the built-in identity's token endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import func, select

from federation.api.dependencies import NodeDep, anybody
from federation.api.metrics import Metrics
from federation.identity.builtin import DEMO_GRANT, NOTICE, BuiltinIdentity, TokenResponse
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.state.errors import StateError
from federation.state.lifecycle import RunState
from federation.state.models import Run

router = APIRouter(dependencies=[Depends(anybody)])
probes = APIRouter(tags=["node"])


@dataclass(frozen=True, slots=True)
class Health:
    status: str
    node: str


@probes.get("/healthz")
async def healthz(node: NodeDep) -> Health:
    """The process answers."""
    return Health("ok", node.settings.node)


@probes.get("/readyz")
def readyz(node: NodeDep) -> Health:
    """The node can do its work: its state can be read."""
    try:
        with node.database.read() as session:
            session.execute(select(1))
    except StateError:
        raise ServiceError(
            ServiceCode.NOT_READY, "the state database cannot be read", retry_after=5
        ) from None
    return Health("ready", node.settings.node)


@probes.get("/metrics", response_class=Response)
def metrics(node: NodeDep, request: Request) -> Response:
    """Prometheus metrics: counts and durations, no identifiers."""
    found = cast(Metrics, request.app.state.metrics)
    with node.database.read() as session:
        rows = session.execute(select(Run.state, func.count()).group_by(Run.state)).all()
    counts = {row[0]: row[1] for row in rows}
    for state in RunState:
        found.runs.labels(str(state)).set(counts.get(state, 0))
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/keys", tags=["releases"])
def keys(node: NodeDep) -> dict[str, Any]:
    """The public keys (JWK Set) with which the node's statements are verified."""
    return node.signing_key.public_jwks()


@router.get("/.well-known/oauth-authorization-server", tags=["identity"])
def metadata(node: NodeDep) -> dict[str, Any]:
    """Where tokens come from (RFC 8414)."""
    issuer = _issuer(node)
    grants = ["client_credentials", *([DEMO_GRANT] if issuer.persons else [])]
    url = node.settings.public_url
    return {
        "issuer": url,
        "token_endpoint": f"{url}/oauth/token",
        "grant_types_supported": grants,
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "notice": NOTICE,
    }


@router.get("/.well-known/oauth-protected-resource", tags=["identity"])
def protected_resource(node: NodeDep) -> dict[str, Any]:
    """Who issues the tokens that the API takes (RFC 9728), and what clients of this node tell them."""
    url, provider = node.settings.public_url, node.settings.identity.provider
    found: dict[str, Any] = {"resource": url, "bearer_methods_supported": ["header"]}
    if provider is None:
        return found | {"authorization_servers": [url]}
    found |= {
        "authorization_servers": [provider.issuer],
        "scopes_supported": list(provider.scopes),
        "authorization_parameters": provider.parameters,
    }
    device = provider.device_client_id
    return found if device is None else found | {"device_client_id": device}


TOKEN_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"type": "string"},
                        "client_id": {"type": "string"},
                        "client_secret": {"type": "string"},
                        "person": {"type": "string"},
                    },
                },
                "examples": {
                    "program": {
                        "value": {
                            "grant_type": "client_credentials",
                            "client_id": "dashboard",
                            "client_secret": "…",
                        }
                    },
                    "demo person": {
                        "value": {"grant_type": DEMO_GRANT, "client_id": "demo", "person": "pat"}
                    },
                },
            }
        },
    }
}


async def _form(request: Request) -> dict[str, str]:
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str)}


@router.post("/oauth/token", tags=["identity"], openapi_extra=TOKEN_BODY)
def token(node: NodeDep, request: Request, form: dict[str, str] = Depends(_form)) -> JSONResponse:  # noqa: B008
    """An access token (RFC 6749). The built-in identity is for demonstrations and tests only."""
    issuer = _issuer(node)
    uri = f"{node.settings.public_url}/oauth/token"
    answer: TokenResponse = issuer.token(
        uri, form, {"Authorization": request.headers.get("authorization", "")}
    )
    return JSONResponse(dict(answer.body), answer.status, dict(answer.headers))


def _issuer(node: Node) -> BuiltinIdentity:
    if node.token_issuer is None:
        raise ServiceError(ServiceCode.NOT_FOUND, "this node issues no tokens")
    return node.token_issuer
