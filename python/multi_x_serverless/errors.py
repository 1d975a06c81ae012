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
EXIT_INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


class MultiXServerlessError(Exception):
    """Base of all errors raised on purpose.

    Attributes:
        code: Stable identifier in ``kebab-case``.
        exit_code: What the command line exits with.
        remedy: What to do about it, for the table in ``docs/errors.md``, whose causes are the classes' first sentences.
            A message says the same of the case at hand.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = EXIT_FAILURE
    remedy: ClassVar[str] = ""

    @property
    def details(self) -> dict[str, str]:
        """What a program may want to know beside `code` and message; printed with ``--output json``."""
        return {}


class InvalidConfigurationError(MultiXServerlessError):
    """The project's configuration, or a file that it names, is refused.

    Args:
        message: What is wrong and what would be right, without the position.
        file: Path as the user wrote it.
        line: Line number from 1, when known.
    """

    code = "invalid-configuration"
    exit_code = EXIT_USAGE
    remedy = "Correct the named line of the file; docs/configuration.md lists every key and what it may hold."

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None) -> None:
        self.file = file
        self.line = line
        position = "" if file is None else (f"{file}: " if line is None else f"{file}:{line}: ")
        super().__init__(position + message)


class InvalidWorkflowError(InvalidConfigurationError):
    """The workflow's source cannot be turned into a graph (cycle, call in a loop, unreachable function...)."""

    code = "invalid-workflow"
    remedy = "Correct the source at the named line; docs/guide/workflows.md says how calls may be written."


class InvalidDocumentError(MultiXServerlessError):
    """A stored or passed document does not have the form its schema says.

    Args:
        document: Which document, for example ``plan``.
        path: Path of the offending field, for example ``hours[3].placement``.
        message: What is wrong.
    """

    code = "invalid-document"
    remedy = (
        "A document that you passed: correct the named field. A stored one: restore it, or make it anew with the "
        "command that writes it (deploy, data_sync, data_collect, solve)."
    )

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
    remedy = "Upgrade this installation to the version that wrote the document, or newer."


class InvalidProblemError(InvalidDocumentError):
    """The engine refuses a problem document.

    Args:
        path: Path of the offending field, for example ``nodes[2].memory_mb``; empty if there is none.
        message: What is wrong.
        reason: The engine's code, for example ``out-of-range``; `docs/problem-document.md` lists them.
    """

    code = "invalid-problem"
    exit_code = EXIT_USAGE
    remedy = "Correct the field of the document; the member reason of the error is one of the engine's codes below."

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
    remedy = "Name every node of the problem document once, each with a region that it may run in."

    def __init__(self, path: str, message: str) -> None:
        super().__init__("placement", path, message)


class UsageError(MultiXServerlessError):
    """An argument of a command or function is unusable."""

    code = "usage"
    exit_code = EXIT_USAGE
    remedy = "Call the command as its --help says."


class UnknownWorkflowError(MultiXServerlessError):
    """No workflow of that id is deployed."""

    code = "unknown-workflow"
    remedy = (
        "See 'list' for the ids of what is deployed, and whether --cloud, --state-dir, --profile and "
        "--system-region are those it was deployed with."
    )

    def __init__(self, workflow_id: str, known: tuple[str, ...] = (), unfinished: tuple[str, ...] = ()) -> None:
        self.workflow_id = workflow_id
        if workflow_id in unfinished:
            super().__init__(f"{unfinished_deployment(workflow_id)}.")
            return
        none = "none is deployed yet; 'multi_x_serverless deploy' makes one"
        hint = f"deployed are: {', '.join(known)}" if known else none
        begun = f"; deployments without an end: {', '.join(unfinished)}" if unfinished else ""
        super().__init__(f"there is no workflow '{workflow_id}': {hint}{begun}.")


def unfinished_deployment(workflow_id: str) -> str:
    """What to do about a first deployment that is noted as begun and not as done; a sentence without its dot."""
    return (
        f"{workflow_id} is not deployed yet: its first deployment is under way or did not reach its end. "
        "'multi_x_serverless deploy' in its project goes on with it, "
        f"'multi_x_serverless remove {workflow_id}' deletes what was made"
    )


class UnknownRunError(MultiXServerlessError):
    """No log and no dead letter of a deployed workflow knows the run."""

    code = "unknown-run"
    remedy = "Wait until the run has begun, and check the id; 'status WORKFLOW_ID' lists the last runs."

    def __init__(self, run_id: str, workflow_ids: tuple[str, ...] = ()) -> None:
        self.run_id = run_id
        where = f"the logs of {', '.join(workflow_ids)}" if workflow_ids else "any log: no workflow is deployed"
        super().__init__(
            f"there is no run '{run_id}' in {where}. A run that was only queued appears when it has begun."
        )


class WorkflowExistsError(MultiXServerlessError):
    """A thing that would be created is there already."""

    code = "already-exists"
    remedy = "Choose another name, or delete what is there."


class UnknownRegionError(MultiXServerlessError):
    """The code of a region that this program does not know."""

    code = "unknown-region"
    exit_code = EXIT_USAGE
    remedy = "Name a region as AWS does, for example us-east-1; the message says which there are."


class NotEnoughDataError(MultiXServerlessError):
    """A step needs what an earlier step of the loop has not produced yet."""

    code = "not-enough-data"
    exit_code = EXIT_FAILURE
    remedy = (
        "Do the earlier step that the message names (setup_tables, run, data_sync or data_collect), then try again."
    )


class SignalSourceError(MultiXServerlessError):
    """A source of signals (an API, a feed, a file of the user's) did not give what it was asked for.

    Args:
        message: What failed and, where there is a way, what mends it.
        reason: One of ``unauthorized`` (no or a wrong key, or a plan that does not cover it), ``quota`` (asked too
            often), ``unavailable`` (no answer, or an error of the server), ``unreadable`` (an answer of another form),
            ``absurd`` (a value outside of what is possible), ``unknown`` (the source knows no such thing).
    """

    code = "signal-source"
    remedy = (
        "By the member reason. unauthorized: set the right key. quota, unavailable: try again later, the last good "
        "value stays in use. unreadable, absurd, unknown: correct the file or address that was named as a source."
    )

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
    remedy = "Choose another point or placement, or loosen the hard limit that the message names."


class NothingToDoError(MultiXServerlessError):
    """The command found nothing that it should do; no state was changed."""

    code = "nothing-to-do"
    exit_code = EXIT_NOTHING_TO_DO
    remedy = "None is needed."


class NotConfirmedError(MultiXServerlessError):
    """The answer to the question before something is deleted or replaced was no; nothing was changed."""

    code = "not-confirmed"
    remedy = "Answer yes, or give --yes before the command."


class NoSpaceError(MultiXServerlessError):
    """A file or standard output took no more bytes: the disk is full, or a quota is used up."""

    code = "no-space"
    remedy = "Make room and run the command again; what was done before it stays as it is."


class StateDirectoryBusyError(MultiXServerlessError):
    """Another command holds the state directory of the embedded cloud."""

    code = "state-busy"
    remedy = "Wait until the named process has ended, or use another --state-dir."


class CorruptedStateError(MultiXServerlessError):
    """What is stored (the embedded cloud's database, an item of a table, an object) is damaged or incomplete."""

    code = "corrupted-state"
    remedy = (
        "Restore what the message names from a backup. Where there is none: on the embedded cloud use another "
        "--state-dir and deploy anew; on AWS 'doctor' says what is affected."
    )


class CloudError(MultiXServerlessError):
    """A cloud refused or failed an operation.

    Args:
        message: What failed and what to do.
        operation: Name of the operation, for example ``create_function``.
        region: Region in which it failed, if it has one.
        retryable: Whether trying again may help.
    """

    code = "cloud"
    remedy = (
        "See what the cloud said in the message, and run 'doctor'. What passes (throttling, no connection) was "
        "tried again already: try later."
    )

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
    remedy = "Run 'deploy' to make what is missing, or 'doctor' to see what else is."


class ObjectNotFoundError(MultiXServerlessError):
    """A workflow has no object of some key."""

    code = "object-not-found"
    remedy = "See 'objects list WORKFLOW_ID' for the keys that there are."

    def __init__(self, workflow_id: str, keys: tuple[str, ...], *, region: str) -> None:
        self.workflow_id = workflow_id
        self.keys = keys
        self.region = region
        named = ", ".join(f"'{key}'" for key in keys)
        super().__init__(
            f"workflow '{workflow_id}' has no object {named} in {region}; "
            f"'multi_x_serverless objects list {workflow_id}' shows those that there are."
        )


class DocumentTooLargeError(CloudError):
    """A document does not fit into one item of a table, even compressed; nothing was written."""

    code = "document-too-large"
    remedy = "Make the workflow smaller: fewer nodes, or shorter environment variables."


class ConflictError(MultiXServerlessError):
    """Another writer changed the same thing meanwhile (compare-and-set failed); nothing was overwritten."""

    code = "conflict"
    remedy = "Wait until the other command has ended, then try again."


class DeploymentError(MultiXServerlessError):
    """A deployment, migration or removal did not reach its end; the message says in which state it left things."""

    code = "deployment"
    remedy = "Remove the cause that the message names and run the same command again: it goes on from where it stopped."


class OutOfTimeError(MultiXServerlessError):
    """The time that work may take was nearly over, so it stopped; what was done is kept, and the next call goes on."""

    code = "out-of-time"
    remedy = "None is needed: the next call goes on. If it never ends, give the command or the function more time."


class JobFailedError(MultiXServerlessError):
    """A job of the framework in the cloud did not reach its end; its log says why."""

    code = "job-failed"
    remedy = "Run the command of the job by hand to see what is wrong with the named workflow."


class UnsupportedError(MultiXServerlessError):
    """A documented feature that this version does not offer (on this cloud)."""

    code = "unsupported"
    remedy = "Do what the message names instead."


class WorkInterruptedError(KeyboardInterrupt):
    """Ctrl-C while something was changed. Not in the tree: it is no error, and nobody but the roof handles it.

    Attributes:
        left: In which state things are now and how to go on, as the rest of a sentence.
    """

    def __init__(self, left: str) -> None:
        self.left = left
        super().__init__(left)
