"""The errors of the run-time SDK: one tree, stable codes, and the fields a program needs as attributes.

The SDK is packed alone into every function, so its tree is separate from the product's (`multi_x_serverless.errors`).
This module imports nothing: it is on the path of ``from multi_x_serverless import MultiXServerlessWorkflow``.
"""

from __future__ import annotations


class WorkflowError(Exception):
    """Base of everything the SDK raises on purpose.

    Attributes:
        code: Stable identifier in ``kebab-case``.
        remedy: What to do about it, for the table in ``docs/errors.md``.
    """

    code = "workflow"
    remedy = ""


class InvalidDefinitionError(WorkflowError):
    """The workflow's source declares something that cannot be deployed."""

    code = "invalid-definition"
    remedy = "Correct the named decorator or call in app.py, then deploy."


class UnsupportedFeatureError(WorkflowError):
    """A documented feature that this version does not offer yet."""

    code = "unsupported-feature"
    remedy = "Do without the feature, or with what the message names instead."


class OutsideRunError(WorkflowError):
    """An operation of a run was called where no run is under way (or in a thread that the run does not know)."""

    code = "outside-run"
    remedy = (
        "Call it in a function of the workflow while it runs, in its own thread; docs/guide/workflows.md has the rules."
    )


class NotASyncNodeError(WorkflowError):
    """`get_predecessor_data` was called by a node that joins nothing."""

    code = "not-a-sync-node"
    remedy = "Call get_predecessor_data only in a function that several calls lead to."


class CallSiteError(WorkflowError):
    """A call does not stand where the analysis of the source found one.

    Args:
        message: What is wrong and what would be right.
        file: File of the call, relative to the package root; empty if it lies outside.
        line: Line of the call.
    """

    code = "unknown-call-site"
    remedy = "Deploy again after each change of the source, and write calls as docs/guide/workflows.md says."

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        self.file = file
        self.line = line
        super().__init__(message)


class RepeatedCallError(CallSiteError):
    """One call site was reached twice in one invocation."""

    code = "repeated-call"
    remedy = "Write a call for each message: one call site sends at most one in an invocation."


class PayloadError(WorkflowError):
    """A payload cannot be sent or read."""

    code = "invalid-payload"
    remedy = "Send JSON values or bytes within the limits of docs/guide/workflows.md."


class InvalidObjectKeyError(WorkflowError):
    """The key of an object cannot be used."""

    code = "invalid-object-key"
    remedy = "Use a relative path without empty parts, as the message says."


class ObjectNotFoundError(WorkflowError):
    """There is no object of that key.

    Args:
        key: Its key.
        region: Region in which it was looked for; empty where none is meant.
        hint: What to do, the rest of the sentence.
    """

    code = "object-not-found"
    remedy = (
        "Write the object before it is read, or check its key; 'objects list WORKFLOW_ID' shows those that there are."
    )

    def __init__(self, key: str, *, region: str, hint: str = "") -> None:
        self.key = key
        self.region = region
        where = f" in {region}" if region else ""
        super().__init__(f"there is no object '{key}'{where}" + (f"; {hint}" if hint else ""))


class RejectedMessageError(WorkflowError):
    """A message is not for this function: damaged, forged, or of something else. Nothing was run.

    Args:
        reason: Short stable word, for example ``malformed``.
        detail: What exactly.
    """

    code = "rejected-message"
    remedy = (
        "Start runs with 'run' or as docs/guide/workflows.md says; messages of anybody else are refused on purpose."
    )

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"message rejected ({reason}): {detail}")


class OtherManifestError(WorkflowError):
    """A message was sent under another deployment of the workflow; it is left to the queue to bring it again."""

    code = "other-manifest"
    remedy = (
        "None is needed while a deployment is under way; a message of an earlier deployment that was given up is "
        "put back with 'redrive' or deleted with 'dead_letters --discard'."
    )


class ClaimHeldError(WorkflowError):
    """A second delivery of a sync node's message came while the first may still be at work; the queue tries again."""

    code = "claim-held"
    remedy = "None is needed: the queue delivers the message again."


class DamagedStateError(WorkflowError):
    """An item of the run's state does not have the form the protocol writes."""

    code = "damaged-state"
    remedy = "Start the run anew; if no other program writes to the framework's tables, report a defect."


class PackageError(WorkflowError):
    """The deployment package or the function's environment does not fit together."""

    code = "invalid-package"
    remedy = "Deploy the workflow again."


class BackendError(WorkflowError):
    """The cloud refused or failed an operation, after all retries that make sense.

    Args:
        message: What failed.
        operation: Name of the operation, for example ``publish``.
        region: Region it was for.
        outcome_unknown: Whether the operation may have taken effect all the same (the answer was lost).
    """

    code = "backend"
    remedy = (
        "See what the cloud said in the message; the message is delivered again, and 'redrive' puts back what was "
        "given up."
    )

    def __init__(self, message: str, *, operation: str, region: str, outcome_unknown: bool = False) -> None:
        self.operation = operation
        self.region = region
        self.outcome_unknown = outcome_unknown
        super().__init__(f"{operation} in {region} failed: {message}")
