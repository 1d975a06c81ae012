"""`MultiXServerlessWorkflow`: what a developer writes a workflow with.

Importing this module costs next to nothing (it is in every function's cold start): whatever only a running function
needs is imported when it runs. That is why plain classes stand here where dataclasses would elsewhere.
"""

from __future__ import annotations

import sys

from multi_x_serverless.sdk.errors import InvalidDefinitionError, OutsideRunError, UnsupportedFeatureError
from multi_x_serverless.sdk.running import current_node

TYPE_CHECKING = False  # as typing.TYPE_CHECKING, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypeVar

    from multi_x_serverless.sdk.predecessors import PredecessorResult
    from multi_x_serverless.sdk.running import RunningNode

    AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

LONGEST_NAME = 64
"""Longest name of a workflow or a function (a Lambda function's name has at most 64 characters)."""

_CONSIDERS_ASYNC = 0x80 | 0x100 | 0x200  # inspect.CO_COROUTINE, CO_ITERABLE_COROUTINE, CO_ASYNC_GENERATOR
_REGION_SETTINGS = ("allowed_regions", "disallowed_regions", "providers")


class _NoPayload:
    """Default of `payload`: nothing is passed, which differs from passing `None`."""

    def __repr__(self) -> str:
        return "None"


_NO_PAYLOAD = _NoPayload()


class WorkflowFunction:
    """A registered function of a workflow; do not change it.

    Attributes:
        name: Its name in the workflow.
        function: The decorated Python function.
        entry_point: Whether runs start with it.
        regions_and_providers: Its own settings over the workflow's; `None` for none.
        environment_variables: Its own environment variables over the workflow's, as (key, value).
        delivery: Delivery guarantee of its messages.
    """

    __slots__ = ("delivery", "entry_point", "environment_variables", "function", "name", "regions_and_providers")

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        entry_point: bool,
        regions_and_providers: Mapping[str, Any] | None,
        environment_variables: tuple[tuple[str, str], ...],
        delivery: str,
    ) -> None:
        self.name = name
        self.function = function
        self.entry_point = entry_point
        self.regions_and_providers = regions_and_providers
        self.environment_variables = environment_variables
        self.delivery = delivery

    def __repr__(self) -> str:
        return f"WorkflowFunction(name={self.name!r}, entry_point={self.entry_point!r}, delivery={self.delivery!r})"


class MultiXServerlessWorkflow:
    """A named, versioned workflow.

    Args:
        name: Letters, digits, `-` and `_`, at most 64 characters, beginning with a letter.
        version: Three numbers, for example ``0.0.1``.
        delivery: Delivery guarantee of the functions that do not name their own (`serverless_function`).

    Raises:
        InvalidDefinitionError: Name, version or delivery cannot be used.

    Example:
        >>> workflow = MultiXServerlessWorkflow(name="thumbnails", version="0.0.1")
        >>> @workflow.serverless_function(name="resize", entry_point=True)
        ... def resize(event):
        ...     workflow.invoke_serverless_function(store, {"size": event["size"]})
        >>> @workflow.serverless_function(name="store")
        ... def store(event): ...
    """

    def __init__(self, name: str, version: str, delivery: str | None = None) -> None:
        _check_name(name, "workflow")
        _check_delivery(delivery, f"workflow '{name}'")
        if not _is_version(version):
            raise InvalidDefinitionError(
                f"workflow '{name}' has version {version!r}; it must be three numbers in a string, for example '0.0.1'"
            )
        self._name = name
        self._version = version
        self._delivery = delivery or "at_least_once"
        self._functions: dict[str, WorkflowFunction] = {}

    def __repr__(self) -> str:
        return f"MultiXServerlessWorkflow(name={self._name!r}, version={self._version!r})"

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._name

    @property
    def version(self) -> str:
        """The workflow's version."""
        return self._version

    @property
    def id(self) -> str:
        """``<name>-<version>``: what commands call the workflow."""
        return f"{self._name}-{self._version}"

    @property
    def functions(self) -> dict[str, WorkflowFunction]:
        """The registered functions by name, in order of definition (a copy)."""
        return dict(self._functions)

    @property
    def run_id(self) -> str:
        """Id of the run that is under way.

        Raises:
            OutsideRunError: None is.
        """
        return self._running("run_id").run_id

    def serverless_function(
        self,
        name: str | None = None,
        entry_point: bool = False,
        regions_and_providers: Mapping[str, Any] | None = None,
        environment_variables: Sequence[Mapping[str, str]] | None = None,
        delivery: str | None = None,
    ) -> Callable[[AnyFunction], AnyFunction]:
        """Make a Python function a function of the workflow; it stays the function it was.

        It takes one argument, the payload of the call (`None` if none was passed), or none.

        Args:
            name: Its name in the workflow; the Python function's own name if missing.
            entry_point: Whether runs start with it; exactly one function of a workflow is the entry.
            regions_and_providers: ``allowed_regions``, ``disallowed_regions`` and ``providers`` for this function,
                over the workflow's configuration.
            environment_variables: ``[{"key": ..., "value": ...}]`` for this function, over the workflow's.
            delivery: ``"at_least_once"``, the default: after a failure or a repeated delivery the function may run
                again, and what it calls then goes out again. ``"exactly_once"``: once the function has returned it
                never runs again for the same message, and what follows in the run follows from that one return; its
                calls leave when it has returned, and each start costs three small writes to a table. The workflow's
                if missing. A sync node starts once in any case.

        Raises:
            InvalidDefinitionError: An argument cannot be used, or contradicts another function's.
            UnsupportedFeatureError: A kind of function that this version does not offer.
        """
        if callable(name):
            raise InvalidDefinitionError("write @workflow.serverless_function(name=...), with parentheses")
        if not isinstance(entry_point, bool):
            raise InvalidDefinitionError(f"entry_point is {entry_point!r}; it must be True or False")

        def register(function: AnyFunction) -> AnyFunction:
            function_name = getattr(function, "__name__", "") if name is None else name
            _check_name(function_name, "function")
            _check_function(function, function_name)
            _check_settings(regions_and_providers, function_name)
            _check_delivery(delivery, f"function '{function_name}'")
            self._check_place(function_name, entry_point)
            self._functions[function_name] = WorkflowFunction(
                function_name,
                function,
                entry_point=entry_point,
                regions_and_providers=regions_and_providers,
                environment_variables=_variables(environment_variables, function_name),
                delivery=delivery or self._delivery,
            )
            return function

        return register

    def invoke_serverless_function(
        self, function: Callable[..., Any], payload: Any = _NO_PAYLOAD, conditional: bool = True
    ) -> None:
        """Call another function of the workflow; it runs elsewhere, and this call does not wait for it.

        Several calls go out in parallel. The calling function is finished only when all of them are accepted.

        Args:
            function: The decorated function to call.
            payload: A JSON value or bytes; if missing, nothing is passed and the function receives `None`.
            conditional: If false the call does not happen, as if it stood under an ``if`` that was not taken.

        Raises:
            OutsideRunError: No run is under way here.
            InvalidDefinitionError: `function` is no function of this workflow.
            CallSiteError: The call stands where the analysis at deployment found none, or is repeated.
            PayloadError: The payload is neither JSON nor bytes.
        """
        from multi_x_serverless.sdk.payload import ABSENT_PAYLOAD, Payload  # noqa: PLC0415 - only when running

        node = self._running("invoke_serverless_function")
        sent = ABSENT_PAYLOAD if isinstance(payload, _NoPayload) else Payload.of(payload)
        frame = sys._getframe(1)  # noqa: SLF001 - the documented way to a caller's line
        node.call(self._name_of(function), sent, bool(conditional), frame)

    def get_predecessor_data(self) -> list[Any]:
        """What the calls of this sync node passed: one value per call that happened, in edge order.

        Raises:
            OutsideRunError: No run is under way here.
            NotASyncNodeError: The function that runs joins nothing.
        """
        return [result.payload for result in self.get_predecessor_results()]

    def get_predecessor_results(self) -> tuple[PredecessorResult, ...]:
        """As `get_predecessor_data`, with the sender of each value.

        Raises:
            OutsideRunError: No run is under way here.
            NotASyncNodeError: The function that runs joins nothing.
        """
        return self._running("get_predecessor_data").predecessor_results()

    def read_object(self, key: str) -> bytes:
        """Read one of the workflow's objects, which lie in its home region wherever this function runs.

        ``multi_x_serverless objects put`` stores objects from outside, `write_object` from within.

        Args:
            key: A relative path, at most 512 characters.

        Raises:
            OutsideRunError: No run is under way here.
            InvalidObjectKeyError: The key cannot be used.
            ObjectNotFoundError: There is no object of that key.
            BackendError: The home region does not answer.
        """
        return self._running("read_object").read_object(key)

    def write_object(self, key: str, body: bytes) -> None:
        """Store an object of the workflow in its home region, replacing any of the same key.

        It is there for every later `read_object` of any run, and stays until it is deleted.

        Args:
            key: A relative path, at most 512 characters. It should follow from the input or the run's id: a function
                may run again after a failure, and then writes the same object again.
            body: Its content.

        Raises:
            OutsideRunError: No run is under way here.
            InvalidObjectKeyError: The key cannot be used.
            PayloadError: `body` is not bytes.
            BackendError: The home region does not take it.
        """
        self._running("write_object").write_object(key, body)

    def _running(self, operation: str) -> RunningNode:
        node = current_node.get()
        if node is None or node.workflow_id != self.id:
            raise OutsideRunError(
                f"'{operation}' of workflow '{self.id}' was used where none of its runs is under way: use it inside "
                "a function of the workflow, in the thread that the function was started in"
            )
        return node

    def _name_of(self, function: object) -> str:
        candidate = function
        while candidate is not None:
            for registered in self._functions.values():
                if registered.function is candidate:
                    return registered.name
            # Another decorator may stand above ours; functools.wraps leads back.
            candidate = getattr(candidate, "__wrapped__", None)
        raise InvalidDefinitionError(
            f"{function!r} is no function of workflow '{self.id}'; pass a function that is decorated with "
            "@workflow.serverless_function(...)"
        )

    def _check_place(self, name: str, entry_point: bool) -> None:
        if name in self._functions:
            raise InvalidDefinitionError(f"workflow '{self.id}' has two functions named '{name}'; rename one")
        entries = [other.name for other in self._functions.values() if other.entry_point]
        if entry_point and entries:
            raise InvalidDefinitionError(
                f"workflow '{self.id}' has two entry points, '{entries[0]}' and '{name}'; only one may start a run"
            )


def _check_name(name: object, kind: str) -> None:
    if (
        not isinstance(name, str)
        or not name.isascii()
        or not name[:1].isalpha()
        or not name.replace("-", "").replace("_", "").isalnum()
        or len(name) > LONGEST_NAME
    ):
        raise InvalidDefinitionError(
            f"{name!r} is no name for a {kind}; use letters, digits, '-' and '_', beginning with a letter, at most "
            f"{LONGEST_NAME} characters"
        )


def _is_version(version: object) -> bool:
    numbers = version.split(".") if isinstance(version, str) else []
    return len(numbers) == 3 and all(0 < len(part) <= 6 and part.isascii() and part.isdigit() for part in numbers)


def _check_function(function: object, name: str) -> None:
    if not callable(function):
        raise InvalidDefinitionError(f"'{name}' decorates {function!r}, which is no function")
    code = getattr(function, "__code__", None)
    if code is None:
        return
    if code.co_flags & _CONSIDERS_ASYNC:
        raise UnsupportedFeatureError(
            f"function '{name}' is 'async def'; write it as a plain function that calls asyncio.run(...) itself"
        )
    required = code.co_argcount - len(getattr(function, "__defaults__", None) or ())
    if required > 1:
        raise InvalidDefinitionError(
            f"function '{name}' needs {required} arguments; it is given one, the payload (pass several values as a "
            "dictionary)"
        )


def _check_settings(settings: object, name: str) -> None:
    if settings is None:
        return
    if not isinstance(settings, dict):
        raise InvalidDefinitionError(
            f"regions_and_providers of function '{name}' is {settings!r}; it must be a dictionary with the keys "
            f"{', '.join(_REGION_SETTINGS)}"
        )
    unknown = [key for key in settings if key not in _REGION_SETTINGS]
    if unknown:
        raise InvalidDefinitionError(
            f"regions_and_providers of function '{name}' has the unknown key {unknown[0]!r}; known are "
            f"{', '.join(_REGION_SETTINGS)}"
        )


def _check_delivery(delivery: object, who: str) -> None:
    if delivery not in (None, "at_least_once", "exactly_once"):
        raise InvalidDefinitionError(
            f"{who} asks for delivery {delivery!r}; known are 'at_least_once' and 'exactly_once'"
        )


def _variables(variables: object, name: str) -> tuple[tuple[str, str], ...]:
    if variables is None:
        return ()
    problem = (
        f"environment_variables of function '{name}' must be a list of dictionaries with exactly 'key' and 'value', "
        "both strings"
    )
    if not isinstance(variables, list | tuple):
        raise InvalidDefinitionError(f"{problem}; it is {variables!r}")
    pairs: dict[str, str] = {}
    for entry in variables:
        if not isinstance(entry, dict) or set(entry) != {"key", "value"}:
            raise InvalidDefinitionError(f"{problem}; one is {entry!r}")
        key, value = entry["key"], entry["value"]
        if not isinstance(key, str) or not isinstance(value, str) or not key:
            raise InvalidDefinitionError(f"{problem}; one is {entry!r}")
        if key in pairs:
            raise InvalidDefinitionError(f"environment_variables of function '{name}' names '{key}' twice")
        pairs[key] = value
    return tuple(pairs.items())
