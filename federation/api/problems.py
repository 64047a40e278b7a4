"""Errors as problem documents (RFC 9457): one shape for everything that goes wrong, and nothing else leaks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from federation.identity.principal import AuthenticationError, NotAdmitted, ProviderUnavailable
from federation.service.errors import Fault, ServiceCode, ServiceError
from federation.state.errors import (
    DecisionNotAllowed,
    NotFound,
    PlanChanged,
    StateError,
    StateUnavailable,
    TransitionNotAllowed,
)
from federation.wire.envelope import MessageRefused

MEDIA_TYPE = "application/problem+json"
CONTENT = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
"""What the API's documentation says of every error."""
log = structlog.get_logger(__name__)

STATUS: Mapping[ServiceCode, HTTPStatus] = {
    ServiceCode.BODY_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ServiceCode.COMPILER_BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    ServiceCode.COMPILER_TIMEOUT: HTTPStatus.UNPROCESSABLE_ENTITY,
    ServiceCode.CSRF_REFUSED: HTTPStatus.FORBIDDEN,
    ServiceCode.DECISION_NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    ServiceCode.DRY_RUN_FAILED: HTTPStatus.SERVICE_UNAVAILABLE,
    ServiceCode.IDEMPOTENCY_KEY_REUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    ServiceCode.IDENTITY_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ServiceCode.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    ServiceCode.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    ServiceCode.LOGIN_FAILED: HTTPStatus.FORBIDDEN,
    ServiceCode.MESSAGE_REFUSED: HTTPStatus.FORBIDDEN,
    ServiceCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    ServiceCode.NOT_ACCEPTABLE: HTTPStatus.NOT_ACCEPTABLE,
    ServiceCode.NOT_AUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    ServiceCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ServiceCode.NOT_PERMITTED: HTTPStatus.FORBIDDEN,
    ServiceCode.NOT_READY: HTTPStatus.SERVICE_UNAVAILABLE,
    ServiceCode.NOT_USABLE: HTTPStatus.CONFLICT,
    ServiceCode.PLAN_CHANGED: HTTPStatus.CONFLICT,
    ServiceCode.QUERY_REFUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    ServiceCode.RELEASE_RECALLED: HTTPStatus.GONE,
    ServiceCode.STATE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ServiceCode.TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
    ServiceCode.UNSUPPORTED_MEDIA_TYPE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ServiceCode.WRONG_STATE: HTTPStatus.CONFLICT,
}

TITLES: Mapping[ServiceCode, str] = {
    ServiceCode.BODY_TOO_LARGE: "The request is too large",
    ServiceCode.COMPILER_BUSY: "The node is busy",
    ServiceCode.COMPILER_TIMEOUT: "The query takes too long to check",
    ServiceCode.CSRF_REFUSED: "The form is not one of this session",
    ServiceCode.DECISION_NOT_ALLOWED: "This decision is not yours to take",
    ServiceCode.DRY_RUN_FAILED: "The dry run came to nothing",
    ServiceCode.IDEMPOTENCY_KEY_REUSED: "The Idempotency-Key belongs to another request",
    ServiceCode.IDENTITY_UNAVAILABLE: "The identity provider cannot be reached",
    ServiceCode.INTERNAL_ERROR: "Something went wrong at the node",
    ServiceCode.INVALID_REQUEST: "The request has mistakes",
    ServiceCode.LOGIN_FAILED: "The log-in did not succeed",
    ServiceCode.MESSAGE_REFUSED: "The message of another node is not accepted",
    ServiceCode.METHOD_NOT_ALLOWED: "The method is not allowed here",
    ServiceCode.NOT_ACCEPTABLE: "None of the accepted formats is offered",
    ServiceCode.NOT_AUTHENTICATED: "This needs a valid token",
    ServiceCode.NOT_FOUND: "There is no such thing here",
    ServiceCode.NOT_PERMITTED: "Your role does not allow this",
    ServiceCode.NOT_READY: "The node is not ready",
    ServiceCode.NOT_USABLE: "The request cannot be run now",
    ServiceCode.PLAN_CHANGED: "The plan is another one than was reviewed",
    ServiceCode.QUERY_REFUSED: "The query is refused",
    ServiceCode.RELEASE_RECALLED: "The release was recalled",
    ServiceCode.STATE_UNAVAILABLE: "The node's state cannot be reached",
    ServiceCode.TOO_MANY_REQUESTS: "Too many requests",
    ServiceCode.UNSUPPORTED_MEDIA_TYPE: "The content type is not supported",
    ServiceCode.WRONG_STATE: "The state does not allow this",
}

_BY_STATUS = {
    400: ServiceCode.INVALID_REQUEST,
    404: ServiceCode.NOT_FOUND,
    405: ServiceCode.METHOD_NOT_ALLOWED,
    415: ServiceCode.UNSUPPORTED_MEDIA_TYPE,
}

_STATES: Mapping[type[StateError], ServiceCode] = {
    DecisionNotAllowed: ServiceCode.DECISION_NOT_ALLOWED,
    NotFound: ServiceCode.NOT_FOUND,
    PlanChanged: ServiceCode.PLAN_CHANGED,
    StateUnavailable: ServiceCode.STATE_UNAVAILABLE,
    TransitionNotAllowed: ServiceCode.WRONG_STATE,
}


class PositionModel(BaseModel):
    """A place in the SQL as typed."""

    line: int = Field(description="Line, from 1.")
    column: int = Field(description="Column, from 1.")
    offset: int = Field(description="Characters before it.")


class FaultModel(BaseModel):
    """One thing that is wrong."""

    code: str = Field(description="Stable code, see the list of codes.")
    message: str
    remedy: str = Field("", description="What to do instead.")
    rule: str = Field("", description="The rule that decided, in the user's words.")
    pointer: str | None = Field(None, description="JSON pointer into the request body.")
    position: PositionModel | None = None
    suggestion: str | None = Field(None, description="SQL that the compiler would accept.")


class Problem(BaseModel):
    """A problem document (RFC 9457). ``errors`` collects every fault that was found."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    instance: str
    errors: list[FaultModel] = []

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "type": "urn:devolved-federation:problem:query_refused",
                    "title": "The query is refused",
                    "status": 422,
                    "code": "query_refused",
                    "detail": "there is no column `regoin`",
                    "instance": "/v1/requests",
                    "errors": [
                        {
                            "code": "unknown_column",
                            "message": "there is no column `regoin`",
                            "remedy": "did you mean `region`?",
                            "rule": "every name resolves to a column of the catalogue",
                            "pointer": "/sql",
                            "position": {"line": 1, "column": 8, "offset": 7},
                        }
                    ],
                }
            ]
        }
    }


def fault_model(fault: Fault) -> FaultModel:
    position = fault.position
    return FaultModel(
        code=fault.code,
        message=fault.message,
        remedy=fault.remedy,
        rule=fault.rule,
        pointer=fault.pointer,
        position=None
        if position is None
        else PositionModel(line=position.line, column=position.column, offset=position.offset),
        suggestion=fault.suggestion,
    )


def problem(
    path: str,
    code: ServiceCode,
    detail: str,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response for one error."""
    status = STATUS[code]
    document = Problem(
        type=f"urn:devolved-federation:problem:{code}",
        title=TITLES[code],
        status=status,
        code=code,
        detail=detail,
        instance=path,
        errors=[fault_model(fault) for fault in faults],
    )
    return JSONResponse(
        document.model_dump(exclude_none=True), status, dict(headers or {}), media_type=MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    """Have every error of ``app`` answered with a problem document."""

    @app.exception_handler(ServiceError)
    async def _service(request: Request, error: ServiceError) -> JSONResponse:
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return problem(request.url.path, error.code, error.detail, error.faults, headers)

    @app.exception_handler(AuthenticationError)
    async def _authentication(request: Request, error: AuthenticationError) -> JSONResponse:
        fault = Fault(
            str(error.fault), str(error), "log in again, or take a new token from where the last one was"
        )
        challenge = {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{error}"'}
        return problem(request.url.path, ServiceCode.NOT_AUTHENTICATED, str(error), (fault,), challenge)

    @app.exception_handler(NotAdmitted)
    async def _admission(request: Request, error: NotAdmitted) -> JSONResponse:
        fault = Fault(str(error.fault), error.fault.meaning, error.fault.remedy)
        return problem(request.url.path, ServiceCode.NOT_PERMITTED, error.fault.meaning, (fault,))

    @app.exception_handler(ProviderUnavailable)
    async def _provider(request: Request, _: ProviderUnavailable) -> JSONResponse:
        detail = "the identity provider does not answer: try again, and tell its keeper if that lasts"
        return problem(
            request.url.path, ServiceCode.IDENTITY_UNAVAILABLE, detail, headers={"Retry-After": "10"}
        )

    @app.exception_handler(MessageRefused)
    async def _message(request: Request, error: MessageRefused) -> JSONResponse:
        faults = (Fault(str(error.fault), error.fault.meaning),)
        return problem(request.url.path, ServiceCode.MESSAGE_REFUSED, error.fault.meaning, faults)

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
        # Where a value may be of several types, each type that it is not is one error at the same place.
        faults = tuple(dict.fromkeys(_validation_fault(item) for item in error.errors()))
        detail = "; ".join(fault.message for fault in faults)
        return problem(request.url.path, ServiceCode.INVALID_REQUEST, detail, faults)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = _BY_STATUS.get(error.status_code, ServiceCode.INTERNAL_ERROR)
        # The framework answers 400 for one thing alone: a body that it can't decode, or that is nested too deeply.
        detail = _UNREADABLE if error.status_code == HTTPStatus.BAD_REQUEST else TITLES[code].lower()
        return problem(request.url.path, code, detail, headers=error.headers)

    @app.exception_handler(StateError)
    async def _state(request: Request, error: StateError) -> JSONResponse:
        code = _STATES.get(type(error))
        if code is None:
            return unforeseen(request.url.path, error)
        headers = {"Retry-After": "5"} if code is ServiceCode.STATE_UNAVAILABLE else {}
        return problem(request.url.path, code, str(error), headers=headers)


class LastResort:
    """Answers what no handler foresaw, and keeps the text of such an error out of answers and logs: it may hold
    anything, a data value included. Only its class and place are logged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:  # noqa: BLE001
            response = unforeseen(scope.get("path", ""), error)
            if scope["type"] == "http" and not started:
                await response(scope, receive, send)


def unforeseen(path: str, error: BaseException) -> JSONResponse:
    """The answer to an error that nobody foresaw, under a number that the operator finds in the log."""
    incident = uuid.uuid4().hex[:12]
    log.error("unforeseen_error", incident=incident, kind=type(error).__name__, where=_place(error))
    detail = f"an unforeseen error; the node's operator finds it in the log as incident {incident}"
    return problem(path, ServiceCode.INTERNAL_ERROR, detail)


def _validation_fault(item: Mapping[str, Any]) -> Fault:
    """What pydantic found, without the value that it found it in."""
    kind, place = str(item["type"]), item["loc"]
    if kind == "json_invalid":
        return Fault(f"invalid_{kind}", f"the body is not JSON, from character {place[-1]} on")
    text = _IN_WORDS.get(kind, item["msg"])
    if place[:2] == ("body", "parameters") and len(place) >= VALUE_STEPS and place[-1] != "[key]":
        # Further steps name the types that a value may have, or the item of a list of values.
        place, kind, text = place[:VALUE_STEPS], "value", _VALUE
    pointer = "/" + "/".join(str(step) for step in place[1:]) if place and place[0] == "body" else None
    name = ".".join(str(step) for step in place[1:]) or str(place[0])
    return Fault(f"invalid_{kind}", f"{name}: {text}", pointer=pointer)


VALUE_STEPS = len(("body", "parameters", "name"))
_VALUE = "should be a text, a number, or where a request gives its domain a list of them"
_UNREADABLE = "the body is not JSON in UTF-8, or is nested too deeply"
_IN_WORDS = {"missing": "is missing", "extra_forbidden": "there is no such field"}
"""Where the library's own words speak of its machinery."""


def _place(error: BaseException) -> str:
    """File and line where the error was raised, without the source line."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '')}:{trace.tb_lineno}"
