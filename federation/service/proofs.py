"""What whoever holds a copy of an answer may have verified: is it what this node signed, and does it still stand?"""

from __future__ import annotations

from dataclasses import dataclass

from federation.client.verify import VerificationError, VerificationFault, VerifiedStatement, verify_statement
from federation.client.verify_file import FileUnreadable
from federation.release.proof import TooManyFiles
from federation.release.statement import Statement
from federation.service import recalls, releases
from federation.service.errors import ServiceCode, ServiceError
from federation.service.node import Node
from federation.service.recalls import RecallView

LONGEST_STATEMENT = 65_536
"""Characters."""
BUSY_SECONDS = 5


@dataclass(frozen=True, slots=True)
class ProofView:
    """What came of it: ``statement`` is what this node signed, or ``fault`` says why it is none of its statements.

    ``unreadable`` is a file that is damaged or of another format. ``table_checked`` says whether a table was held
    against the statement, ``recall`` what stands in its place since it was taken back.
    """

    statement: Statement | None = None
    table_checked: bool = False
    recall: RecallView | None = None
    fault: VerificationFault | None = None
    unreadable: bool = False


def prove(node: Node, content: bytes | None, statement: str | None) -> ProofView:
    """Verify a file with its statement in it or beside it, or a statement alone. Tells no more than what whoever asks
    holds already, and whether it was recalled.

    Raises:
        ServiceError: NOT_READY, too many files are being verified just now.
    """
    keys = node.signing_key.public_jwks()
    try:
        if content is not None:
            found = node.file_verifier.verify(content, statement, keys)
        else:
            found = verify_statement(statement or "", keys)
        if not releases.issued(node, found.payload):
            raise VerificationError(VerificationFault.NOT_ISSUED)
    except VerificationError as error:
        return ProofView(fault=error.fault)
    except FileUnreadable:
        return ProofView(unreadable=True)
    except TooManyFiles:
        detail = "other files are being checked just now: try again in a moment"
        raise ServiceError(ServiceCode.NOT_READY, detail, retry_after=BUSY_SECONDS) from None
    return _view(node, found)


def _view(node: Node, found: VerifiedStatement) -> ProofView:
    said = Statement.model_validate(found.payload)
    return ProofView(said, found.table_checked, recalls.recalled(node, said.release))
