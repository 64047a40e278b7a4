"""The notebook client: imports httpx, pyarrow and joserfc alone.

from federation.client import connect

node = connect("https://node.example", client_id="dashboard", client_secret=…)
answer = node.request(sql, purpose="skills planning", agreement="gm_skills").fetch()
"""

from federation.client.errors import (
    FederationError,
    NodeUnreachable,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    NotUsable,
    QueryRefused,
    Recalled,
    RunFailed,
    TooManyRequests,
)
from federation.client.result import Result
from federation.client.session import Session, connect
from federation.client.verify import VerificationError

__all__ = [
    "FederationError",
    "NodeUnreachable",
    "NotAuthenticated",
    "NotFound",
    "NotPermitted",
    "NotUsable",
    "QueryRefused",
    "Recalled",
    "Result",
    "RunFailed",
    "Session",
    "TooManyRequests",
    "VerificationError",
    "connect",
]
