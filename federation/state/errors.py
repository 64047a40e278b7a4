"""What can go wrong with a node's state. Every error has a stable ``code`` and never holds a data value."""

from __future__ import annotations

from typing import ClassVar


class StateError(Exception):
    """Root of the errors of this package."""

    code: ClassVar[str] = "state_error"


class NotFound(StateError):
    """No such request, run or release."""

    code = "not_found"


class TransitionNotAllowed(StateError):
    """The life cycle has no such step from the present state, or somebody else took it first."""

    code = "transition_not_allowed"


class DecisionNotAllowed(StateError):
    """The person or rule may not decide on this request."""

    code = "decision_not_allowed"


class PlanChanged(StateError):
    """A decision names another plan digest than the request's: what was reviewed is not what would run."""

    code = "plan_changed"


class LeaseLost(StateError):
    """The run is no longer held by this claim: it was requeued, cancelled or finished. Its result is dropped."""

    code = "lease_lost"


class RunCancelled(StateError):
    """Cancellation was asked for before the run finished: nothing is released."""

    code = "run_cancelled"


class NotReleasable(StateError):
    """The approval was withdrawn while the run was going: nothing is released."""

    code = "not_releasable"


class AlreadyReleased(StateError):
    """The run has a release already. A run releases once."""

    code = "already_released"


class PartitionsExhausted(StateError):
    """The release would exceed the number of partitions that the profile allows of one population."""

    code = "partitions_exhausted"


class PartRecalled(StateError):
    """Another node recalled what it had given for the release: nothing is released."""

    code = "part_recalled"


class RosterTaken(StateError):
    """A joint count was asked for with other nodes before; the difference would be the part of those left out."""

    code = "joint_roster_taken"


class StateUnavailable(StateError):
    """The database could not be read or written (busy, full, damaged). Nothing was changed."""

    code = "state_unavailable"


class StateConflict(StateError):
    """A constraint of the schema refuses the change: a duplicate, a missing reference, an append-only row."""

    code = "state_conflict"


class SchemaUnknown(StateError):
    """The database was written by a newer version of this software."""

    code = "schema_unknown"


class NodeAlreadyRunning(StateError):
    """Another process serves the same state directory."""

    code = "node_already_running"


class PrivateFileError(StateError):
    """A file with a secret is missing, damaged, or readable by others than its owner."""

    code = "private_file_unsafe"
