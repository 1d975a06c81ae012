"""The one tree of errors that the product raises on purpose.

Every error carries a stable ``code`` (documented, tested, printed with ``--output json``), the exit code of the
command line, and a one-sentence message that says what is wrong and what would be right. Anything that is raised
and is not in this tree is a defect.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_NOTHING_TO_DO = 3
EXIT_INFEASIBLE = 4


class MultiXServerlessError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        code: Stable identifier in ``kebab-case``.
        exit_code: What the command line exits with.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = EXIT_FAILURE

    @property
    def details(self) -> dict[str, str]:
        """What a program may want to know beside `code` and message; printed with ``--output json``."""
        return {}


class InvalidConfigurationError(MultiXServerlessError):
    """The configuration file (or a document of the same standing) is refused.

    Args:
        message: What is wrong and what would be right, without the position.
        file: Path as the user wrote it.
        line: Line number from 1, when known.
    """

    code = "invalid-configuration"
    exit_code = EXIT_USAGE

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None) -> None:
        self.file = file
        self.line = line
        position = "" if file is None else (f"{file}: " if line is None else f"{file}:{line}: ")
        super().__init__(position + message)


class InvalidWorkflowError(InvalidConfigurationError):
    """The workflow's source cannot be turned into a graph (cycle, call in a loop, unreachable function...)."""

    code = "invalid-workflow"


class InvalidDocumentError(MultiXServerlessError):
    """A stored or passed document does not have the form its schema says.

    Args:
        document: Which document, for example ``plan``.
        path: Path of the offending field, for example ``hours[3].placement``.
        message: What is wrong.
    """

    code = "invalid-document"

    def __init__(self, document: str, path: str, message: str) -> None:
        self.document = document
        self.path = path
        super().__init__(f"{document} document, field {path}: {message}" if path else f"{document} document: {message}")

    @property
    def details(self) -> dict[str, str]:
        """The document and the path of the field."""
        return {"document": self.document, "path": self.path}


class NewerSchemaError(InvalidDocumentError):
    """A document was written by a newer version of the product and is not guessed at."""

    code = "newer-schema"


class InvalidProblemError(InvalidDocumentError):
    """The engine refuses a problem document.

    Args:
        path: Path of the offending field, for example ``nodes[2].memory_mb``; empty if there is none.
        message: What is wrong.
        reason: The engine's code, for example ``out-of-range``; `docs/problem-document.md` lists them.
    """

    code = "invalid-problem"
    exit_code = EXIT_USAGE

    def __init__(self, path: str, message: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__("problem", path, message)

    @property
    def details(self) -> dict[str, str]:
        """The document, the path of the field and the engine's code."""
        return {**super().details, "reason": self.reason}


class InvalidPlacementError(InvalidDocumentError):
    """A placement does not fit the problem: a node is missing or unknown, or may not run in its region.

    Args:
        path: Where in the placement; empty if it is not about one entry.
        message: What is wrong.
    """

    code = "invalid-placement"
    exit_code = EXIT_USAGE

    def __init__(self, path: str, message: str) -> None:
        super().__init__("placement", path, message)


class UsageError(MultiXServerlessError):
    """An argument of a command or function is unusable."""

    code = "usage"
    exit_code = EXIT_USAGE


class UnknownWorkflowError(MultiXServerlessError):
    """No workflow of that id is deployed."""

    code = "unknown-workflow"

    def __init__(self, workflow_id: str, known: tuple[str, ...] = ()) -> None:
        self.workflow_id = workflow_id
        hint = f"deployed are: {', '.join(known)}" if known else "none is deployed yet; 'deploy' makes one"
        super().__init__(f"there is no workflow '{workflow_id}': {hint}.")


class UnknownRunError(MultiXServerlessError):
    """No log and no dead letter of a deployed workflow knows the run."""

    code = "unknown-run"

    def __init__(self, run_id: str, workflow_ids: tuple[str, ...] = ()) -> None:
        self.run_id = run_id
        where = f"the logs of {', '.join(workflow_ids)}" if workflow_ids else "any log: no workflow is deployed"
        super().__init__(
            f"there is no run '{run_id}' in {where}. A run that was only queued appears when it has begun."
        )


class WorkflowExistsError(MultiXServerlessError):
    """A thing that would be created is there already."""

    code = "already-exists"


class UnknownRegionError(MultiXServerlessError):
    """A region code that the data does not know."""

    code = "unknown-region"
    exit_code = EXIT_USAGE


class NotEnoughDataError(MultiXServerlessError):
    """A step needs what an earlier step of the loop has not produced yet."""

    code = "not-enough-data"
    exit_code = EXIT_FAILURE


class SignalSourceError(MultiXServerlessError):
    """A source of signals (an API, a feed, a file of the user's) did not give what it was asked for.

    Args:
        message: What failed and, where there is a way, what mends it.
        reason: One of ``unauthorized`` (no or a wrong key, or a plan that does not cover it), ``quota`` (asked too
            often), ``unavailable`` (no answer, or an error of the server), ``unreadable`` (an answer of another form),
            ``absurd`` (a value outside of what is possible), ``unknown`` (the source knows no such thing).
    """

    code = "signal-source"

    def __init__(self, message: str, *, reason: str) -> None:
        self.reason = reason
        super().__init__(message)

    @property
    def details(self) -> dict[str, str]:
        """Why."""
        return {"reason": self.reason}


class LimitsNotMetError(MultiXServerlessError):
    """A placement that was asked for breaks a hard limit, or there is none that keeps them; nothing was changed."""

    code = "limits-not-met"
    exit_code = EXIT_INFEASIBLE


class NothingToDoError(MultiXServerlessError):
    """The command found nothing that it should do; no state was changed."""

    code = "nothing-to-do"
    exit_code = EXIT_NOTHING_TO_DO


class NotConfirmedError(MultiXServerlessError):
    """The answer to the question before a deletion was no; nothing was changed."""

    code = "not-confirmed"


class StateDirectoryBusyError(MultiXServerlessError):
    """Another command holds the state directory of the embedded cloud."""

    code = "state-busy"


class CorruptedStateError(MultiXServerlessError):
    """The embedded cloud's database cannot be read."""

    code = "corrupted-state"


class CloudError(MultiXServerlessError):
    """A cloud refused or failed an operation.

    Args:
        message: What failed and what to do.
        operation: Name of the operation, for example ``create_function``.
        region: Region in which it failed, if it has one.
        retryable: Whether trying again may help.
    """

    code = "cloud"

    def __init__(
        self, message: str, *, operation: str = "", region: str | None = None, retryable: bool = False
    ) -> None:
        self.operation = operation
        self.region = region
        self.retryable = retryable
        super().__init__(message)


class ResourceNotFoundError(CloudError):
    """A named cloud resource does not exist."""

    code = "resource-not-found"


class ObjectNotFoundError(MultiXServerlessError):
    """A workflow has no object of some key."""

    code = "object-not-found"

    def __init__(self, workflow_id: str, keys: tuple[str, ...], *, region: str) -> None:
        self.workflow_id = workflow_id
        self.keys = keys
        self.region = region
        named = ", ".join(f"'{key}'" for key in keys)
        super().__init__(
            f"workflow '{workflow_id}' has no object {named} in {region}; "
            f"'objects list {workflow_id}' shows those that there are."
        )


class DocumentTooLargeError(CloudError):
    """A document does not fit into one item of a table, even compressed; nothing was written."""

    code = "document-too-large"


class ConflictError(MultiXServerlessError):
    """Another writer changed the same thing meanwhile (compare-and-set failed); nothing was overwritten."""

    code = "conflict"


class DeploymentError(MultiXServerlessError):
    """A deployment, migration or removal did not reach its end; the message says in which state it left things."""

    code = "deployment"


class OutOfTimeError(MultiXServerlessError):
    """Work was stopped before its time was over; what was done is kept, and the next call goes on from there."""

    code = "out-of-time"


class JobFailedError(MultiXServerlessError):
    """A job of the framework in the cloud did not reach its end; its log says why."""

    code = "job-failed"


class UnsupportedError(MultiXServerlessError):
    """A documented feature that this version does not offer (on this cloud)."""

    code = "unsupported"
