"""A person or program at a node: reads the catalogue, checks, asks, decides and fetches."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from federation.client.check import Check
from federation.client.device import DeviceCode
from federation.client.login import TOKEN, person_tokens, program_tokens
from federation.client.request import Request
from federation.client.result import Result, fetch_release
from federation.client.tokens import FormTokens, Tokens
from federation.client.transport import DEMO_GRANT, Transport


def connect(
    url: str,
    *,
    client_id: str | None = None,
    client_secret: str | None = None,
    person: str | None = None,
    acting_for: str | None = None,
    http: httpx.Client | None = None,
    show: Callable[[DeviceCode], None] | None = print,
) -> Session:
    """Log in at a node.

    With neither credentials nor a person, it is the log-in that was kept from an earlier time or from
    ``federation login``; where there is none, a code is shown with which you log in in a browser.

    Args:
        url: the node's address.
        client_id: with ``client_secret``, the credentials of a program.
        person: at a demonstration node, the name of one of its demo persons.
        acting_for: the body to act for by delegation, where it is not your own.
        http: an httpx client with its base URL set, for proxies and certificates of your own.
        show: shows the code; None where nobody is there to read it.

    Raises:
        ValueError: credentials and a person are given, or half the credentials.
        NodeUnreachable: the node, or its identity provider, does not answer.
        NotAuthenticated: they do not accept what is given, or nobody logged in.
    """
    if (client_id is None) != (client_secret is None) or (person is not None and client_id is not None):
        raise ValueError("give client_id and client_secret, or person, or none of them")
    client = http or httpx.Client(base_url=url, timeout=httpx.Timeout(60.0, connect=5.0))
    tokens: Tokens
    if person is not None:
        tokens = FormTokens(client, TOKEN, {"grant_type": DEMO_GRANT, "client_id": "demo", "person": person})
    elif client_id is not None:
        tokens = program_tokens(client, client_id, client_secret or "")
    else:
        tokens = person_tokens(client, url, show)
    session = Session(Transport(client, tokens, acting_for=acting_for))
    session.whoami()
    return session


class Session:
    """What ``connect`` returns. Usable as a context manager."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def whoami(self) -> Mapping[str, Any]:
        """The name, body and roles under which the node knows you, and for how long it lets a source work for you."""
        return self._transport.get("/v1/me")

    # the catalogue

    def catalogue(self, search: str = "") -> list[Mapping[str, Any]]:
        """The datasets whose description or variables hold every word of ``search``."""
        found: list[Mapping[str, Any]] = self._transport.get("/v1/catalogue/datasets", search=search)[
            "datasets"
        ]
        return found

    def dataset(self, name: str) -> Mapping[str, Any]:
        """One dataset with its variables, its terms and its known limits."""
        return self._transport.get(f"/v1/catalogue/datasets/{name}")

    def codes(
        self, codelist: str, search: str = "", level: str = "", limit: int = 100
    ) -> list[Mapping[str, Any]]:
        """The codes of a code list whose code or name holds ``search``."""
        path = f"/v1/catalogue/codelists/{codelist}"
        found: list[Mapping[str, Any]] = self._transport.get(path, search=search, level=level, limit=limit)[
            "codes"
        ]
        return found

    def agreements(self) -> list[Mapping[str, Any]]:
        """The agreements that your body is party to, with the purposes that they permit."""
        found: list[Mapping[str, Any]] = self._transport.get("/v1/catalogue/agreements")["agreements"]
        return found

    def standard_queries(self) -> list[Mapping[str, Any]]:
        """The queries that custodians published for your body, with every value of their parameters."""
        found: list[Mapping[str, Any]] = self._transport.get("/v1/standard-queries")["queries"]
        return found

    # asking

    def ask(self, query: str) -> Request:
        """A request for a standard query, which nobody has to decide on: run it with values for its parameters."""
        path = f"/v1/standard-queries/{query}/requests"
        return Request(self._transport, self._transport.post(path, None, key=uuid.uuid4().hex))

    def check(
        self,
        sql: str,
        *,
        purpose: str | None = None,
        agreement: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Check:
        """What would become of a query: nothing is asked, nothing is run."""
        body = {"sql": sql, "purpose": purpose, "agreement": agreement, "parameters": parameters or {}}
        return Check.read(sql, self._transport.post("/v1/check", body, sql=sql))

    def request(
        self,
        sql: str,
        *,
        purpose: str,
        agreement: str,
        parameters: Mapping[str, Any] | None = None,
        justification: str | None = None,
        supersedes: str | None = None,
        idempotency_key: str | None = None,
    ) -> Request:
        """Ask for a query to be approved. A standing rule that covers it approves it at once.

        Args:
            justification: what the answer is for, in your own words, for whoever decides.
            supersedes: an approved request of your own whose place this one takes once it is approved.

        Raises:
            QueryRefused: the compiler refuses it; every reason, with its place.
        """
        body = {
            "sql": sql,
            "purpose": purpose,
            "agreement": agreement,
            "parameters": parameters or {},
            "justification": justification,
            "supersedes": supersedes,
        }
        answer = self._transport.post("/v1/requests", body, sql=sql, key=idempotency_key or uuid.uuid4().hex)
        return Request(self._transport, answer)

    def draft(
        self,
        sql: str,
        *,
        purpose: str | None = None,
        agreement: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        justification: str | None = None,
        supersedes: str | None = None,
    ) -> Request:
        """Keep a question for later (``Request.submit``). Nobody is asked, and it may have mistakes."""
        body = {
            "sql": sql,
            "purpose": purpose,
            "agreement": agreement,
            "parameters": parameters or {},
            "justification": justification,
            "supersedes": supersedes,
            "draft": True,
        }
        return Request(self._transport, self._transport.post("/v1/requests", body, key=uuid.uuid4().hex))

    def requests(self, state: str | None = None, limit: int = 50) -> list[Request]:
        """Requests that you may see, newest first."""
        options = {"limit": limit} if state is None else {"limit": limit, "state": state}
        return [
            Request(self._transport, item)
            for item in self._transport.get("/v1/requests", **options)["requests"]
        ]

    def get_request(self, request: str) -> Request:
        return Request(self._transport, self._transport.get(f"/v1/requests/{request}"))

    # fetching

    def release(self, release: str) -> Result:
        """A released answer, with its statement."""
        return fetch_release(self._transport, release)

    def download(self, release: str, media_type: str) -> bytes:
        """A released table as the node sends it: as JSON, CSV, Arrow IPC or Parquet."""
        return self._transport.send("GET", f"/v1/releases/{release}", headers={"Accept": media_type}).content

    def statement(self, release: str) -> str:
        """The signed statement that goes with a release, for formats that it does not travel in."""
        return self._transport.send("GET", f"/v1/releases/{release}/statement").text

    def crate(self, release: str) -> bytes:
        """A release as a Five Safes RO-Crate, a ZIP archive."""
        return self._transport.send("GET", f"/v1/releases/{release}/crate").content

    def recalls(self, release: str = "") -> list[Mapping[str, Any]]:
        """What was recalled, newest first; of one release where it is named."""
        options = {"release": release} if release else {}
        found: list[Mapping[str, Any]] = self._transport.get("/v1/recalls", **options)["recalls"]
        return found

    def register(
        self, search: str = "", body: str = "", dataset: str = "", limit: int = 100, offset: int = 0
    ) -> list[Mapping[str, Any]]:
        """Which bodies had which approved questions answered, under which authority, latest first: those that have
        every word of ``search``, of one body and about one dataset where these are named."""
        options: dict[str, str | int] = {
            "search": search,
            "body": body,
            "dataset": dataset,
            "limit": limit,
            "offset": offset,
        }
        found: list[Mapping[str, Any]] = self._transport.get("/v1/register", **options)["entries"]
        return found

    def keys(self) -> Mapping[str, Any]:
        """The node's public keys, a JWK Set."""
        return self._transport.get("/v1/keys")

    def verify(self, statement: str) -> Mapping[str, Any]:
        """Have the node check a statement; offline, use ``federation.client.verify``."""
        return self._transport.post("/v1/verify", {"statement": statement})

    # deciding, for custodians

    def take_up(self, request: str) -> Request:
        """Begin to review: who asked sees it."""
        return self._decide(request, "take-up", {})

    def evidence(self, request: str) -> Mapping[str, Any]:
        """What there is to decide by: earlier releases and decisions, and dry runs of your body's data."""
        return self._transport.get(f"/v1/requests/{request}/evidence")

    def dry_run(self, request: str, parameters: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Look at what the data gives before deciding, for your body's datasets alone. Nothing is released.

        Args:
            parameters: a value from its domain for each parameter; one with a single value needs none.
        """
        path, body = f"/v1/requests/{request}/dry-run", {"parameters": dict(parameters or {})}
        # A run is waited for in short calls; this is one call, which may take as long as the node lets a source work.
        longer = float(self.whoami()["run_seconds"])
        return self._transport.post(path, body, key=uuid.uuid4().hex, longer=longer)

    def approve(
        self,
        request: str,
        *,
        reason: str,
        plan_digest: str,
        conditions: str | None = None,
        maximum_runs: int | None = None,
    ) -> Request:
        """Approve a request for your body's datasets. ``plan_digest`` names what you reviewed.

        Args:
            conditions: what the requester has to accept before anything runs.
            maximum_runs: how many releases it is good for.
        """
        body = {
            "reason": reason,
            "plan_digest": plan_digest,
            "conditions": conditions,
            "maximum_runs": maximum_runs,
        }
        return self._decide(request, "approve", body)

    def refuse(self, request: str, *, reason: str, code: str = "other") -> Request:
        """Refuse; ``code`` says what kind of reason it is."""
        return self._decide(request, "refuse", {"reason": reason, "code": code})

    def send_back(self, request: str, *, reason: str) -> Request:
        """Return a request with comments, to be changed and submitted again."""
        return self._decide(request, "return", {"reason": reason})

    def suspend(self, request: str, *, reason: str) -> Request:
        """Stop the use of an approval for a time."""
        return self._decide(request, "suspend", {"reason": reason})

    def resume(self, request: str, *, reason: str) -> Request:
        """Let an approval be used again that your body suspended."""
        return self._decide(request, "resume", {"reason": reason})

    def revoke(self, request: str, *, reason: str) -> Request:
        """Take an approval back for good."""
        return self._decide(request, "revoke", {"reason": reason})

    def recall(self, release: str, *, reason: str) -> Mapping[str, Any]:
        """Take a wrong release of your body's data back, for good."""
        path = f"/v1/releases/{release}/recall"
        return self._transport.post(path, {"reason": reason}, key=uuid.uuid4().hex)

    def _decide(self, request: str, act: str, body: Mapping[str, Any]) -> Request:
        path = f"/v1/requests/{request}/{act}"
        return Request(self._transport, self._transport.post(path, body, key=uuid.uuid4().hex))

    # talking

    def comments(self, kind: str, subject: str) -> list[Mapping[str, Any]]:
        """What was said about a ``request``, a ``dataset`` or a ``release``, in order."""
        found: list[Mapping[str, Any]] = self._transport.get(f"/v1/comments/{kind}/{subject}")["comments"]
        return found

    def comment(self, kind: str, subject: str, text: str) -> Mapping[str, Any]:
        """Say something about it. It stays; who is concerned is told that there is something."""
        path = f"/v1/comments/{kind}/{subject}"
        return self._transport.post(path, {"text": text}, key=uuid.uuid4().hex)

    def notices(self, limit: int = 100) -> list[Mapping[str, Any]]:
        """What you were told, newest first."""
        found: list[Mapping[str, Any]] = self._transport.get("/v1/notices", limit=limit)["notices"]
        return found

    def subscribe(self, email: str | None = None) -> Mapping[str, Any]:
        """Be told from now on, in a feed whose address is shown this once, and by e-mail with an address."""
        return self._transport.put("/v1/notices/subscription", {"email": email})

    # accounting for the node, for auditors

    def audit_events(self, after: int = 0, limit: int = 100, subject: str = "") -> list[Mapping[str, Any]]:
        """Events after number ``after``, in order; of one request, run or release where ``subject`` names it."""
        options: dict[str, str | int] = {"after": after, "limit": limit}
        if subject:
            options["subject"] = subject
        found: list[Mapping[str, Any]] = self._transport.get("/v1/audit/events", **options)["events"]
        return found

    def verify_audit(self, checkpoint: str | None = None) -> Mapping[str, Any]:
        """Whether the audit chain is whole, also since ``checkpoint`` where one is given."""
        return self._transport.post("/v1/audit/verification", {"checkpoint": checkpoint})

    def audit_export(self) -> bytes:
        """The whole audit trail as JSON lines, to be kept and verified elsewhere."""
        return self._transport.send("GET", "/v1/audit/export").content

    def audit_checkpoint(self) -> Mapping[str, Any]:
        """The head of the audit chain, signed, to keep elsewhere."""
        return self._transport.post("/v1/audit/checkpoints", {})

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
