"""One run of a workflow under test, delivered message by message."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.sdk.application import Application, Package
from multi_x_serverless.sdk.envelope import decode_envelope, new_trigger
from multi_x_serverless.sdk.objects import workflow_object_key, workflow_object_prefix
from multi_x_serverless.sdk.payload import Payload
from multi_x_serverless.sdk.plan_replica import PlanReplica
from multi_x_serverless.sdk.records import parse_line
from multi_x_serverless.sdk.routing import Router
from multi_x_serverless.sdk.tables import PLAN_DOCUMENT, PLAN_REPLICAS
from multi_x_serverless.testing.memory_cloud import (
    RETRIES,
    START_TIME,
    InlineExecutor,
    MemoryBackend,
    QueuedMessage,
    TestContext,
)
from multi_x_serverless.testing.project import TestedProject
from multi_x_serverless.testing.steps import Step, watch


class WorkflowRun:
    """A run: what is still to be delivered and what happened so far.

    Args:
        project: The project under test.
        payload: What the entry receives.
        raise_errors: Whether a function's exception comes out; else it is retried as in the cloud.
        placement: Node or function -> region; home for all others.
        duplicates: Whether every message is delivered twice.
        seed: Shuffles the order of deliveries; the oldest first if missing.
        objects: The workflow's objects before the run, key -> content.

    Raises:
        InvalidObjectKeyError: The key of an object cannot be used.
    """

    def __init__(
        self,
        project: TestedProject,
        payload: object,
        *,
        raise_errors: bool = True,
        placement: Mapping[str, str] | None = None,
        duplicates: bool = False,
        seed: int | None = None,
        objects: Mapping[str, bytes] | None = None,
    ) -> None:
        self._project = project
        self._raise_errors = raise_errors
        self._duplicates = duplicates
        self._random = None if seed is None else random.Random(seed)  # noqa: S311 - an order, not a secret
        self._stream = io.StringIO()
        self._backend = MemoryBackend(lambda: START_TIME)
        self._applications: dict[tuple[str, str], Application] = {}
        self._doubled: set[str] = set()
        self._steps: list[Step] = []
        self._node = ""
        self.dead_letters: list[QueuedMessage] = []
        manifest = project.manifest
        if placement:
            self._plan(placement)
        for key, body in (objects or {}).items():
            self._backend.put_object(manifest.home, workflow_object_key(manifest.workflow_id, key), body)
        trigger = new_trigger(manifest, Payload.of(payload), now=START_TIME)
        self.run_id = trigger.run_id
        self._backend.publish(manifest.home, manifest.function_of(0).topic, trigger.encode())
        self._double()

    @property
    def steps(self) -> tuple[Step, ...]:
        """Starts of functions, in order."""
        return tuple(self._steps)

    @property
    def pending(self) -> tuple[str, ...]:
        """Functions that the waiting messages are for, the oldest message first."""
        return tuple(self._function_of(message) for message in self._backend.queue)

    @property
    def status(self) -> Literal["pending", "finished", "failed"]:
        """Where the run stands; failed if a message was given up."""
        if self._backend.queue:
            return "pending"
        return "failed" if self.dead_letters else "finished"

    @property
    def nodes_run(self) -> tuple[str, ...]:
        """Nodes whose function returned, each once, in order."""
        return tuple(dict.fromkeys(step.node for step in self._steps if step.error is None))

    @property
    def declined(self) -> tuple[str, ...]:
        """Nodes that will not run, since every call of them was declined."""
        edges = {record["edge"] for record in self.records if record["t"] == "edge_declined"}
        manifest = self._project.manifest
        incoming: dict[int, list[int]] = {}
        for index, edge in enumerate(manifest.edges):
            incoming.setdefault(edge.target, []).append(index)
        return tuple(manifest.nodes[node].name for node in sorted(incoming) if edges.issuperset(incoming[node]))

    @property
    def objects(self) -> Mapping[tuple[str, str], bytes]:
        """Stored objects by region and key, those of the run's state among them."""
        return dict(self._backend.objects)

    @property
    def workflow_objects(self) -> Mapping[str, bytes]:
        """The workflow's own objects, by the keys that its functions use."""
        manifest = self._project.manifest
        prefix = workflow_object_prefix(manifest.workflow_id)
        return {
            key.removeprefix(prefix): body
            for (region, key), body in sorted(self._backend.objects.items())
            if region == manifest.home and key.startswith(prefix)
        }

    @property
    def records(self) -> list[dict[str, Any]]:
        """Everything that was logged, in order."""
        parsed = (parse_line(line) for line in self._stream.getvalue().splitlines())
        return [record for record in parsed if record is not None]

    def result_of(self, name: str) -> Any:
        """What a function or node returned, at its last start.

        Raises:
            LookupError: It did not return, or the function ran as several nodes.
        """
        found = [step for step in self._steps if name in {step.function, step.node} and step.error is None]
        if not found:
            raise LookupError(f"'{name}' has not returned in this run; these have: {', '.join(self.nodes_run)}")
        nodes = sorted({step.node for step in found})
        if len(nodes) > 1:
            raise LookupError(f"'{name}' ran as several nodes, name one of them: {', '.join(nodes)}")
        return found[-1].returned

    def step(self) -> Step | None:
        """Deliver one message; the step that it made, `None` if no function started.

        Raises:
            LookupError: Nothing is pending.
            BaseException: What the function raised, if errors are raised.
        """
        queue = self._backend.queue
        if not queue:
            raise LookupError("nothing is pending: the run is over")
        message = queue.pop(0 if self._random is None else self._random.randrange(len(queue)))
        before = len(self._steps)
        try:
            self._deliver(message)
        except BaseException as error:  # a function may also end its process: `sys.exit`
            if message.attempts < RETRIES:
                queue.append(replace(message, attempts=message.attempts + 1))
            else:
                self.dead_letters.append(message)
            if self._raise_errors or isinstance(error, KeyboardInterrupt):
                self._double()
                raise
        self._double()
        return self._steps[-1] if len(self._steps) > before else None

    def finish(self) -> WorkflowRun:
        """Deliver until nothing is pending.

        Raises:
            BaseException: What a function raised, if errors are raised.
        """
        while self._backend.queue:
            self.step()
        return self

    def _deliver(self, message: QueuedMessage) -> None:
        name = self._function_of(message)
        manifest = self._project.manifest
        self._node = manifest.nodes[decode_envelope(message.body, manifest, name).node].name
        event = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": message.body}}]}
        with self._project.active(self._project.functions[name].environment_variables):
            self._application(message.region, name).handle(event, TestContext(message.request_id))

    def _application(self, region: str, name: str) -> Application:
        key = (region, name)
        if key not in self._applications:
            manifest = self._project.manifest
            function = getattr(self._project.app, manifest.function_by_name[name].attribute)
            watched = watch(function, name, region, lambda: self._node, self._steps)
            self._applications[key] = Application(
                Package(self._project.root, manifest, name, watched),
                self._backend,
                region,
                stream=self._stream,
                executor=InlineExecutor(),
                clock=lambda: START_TIME,
                router=Router(manifest, region, self._backend, clock=lambda: START_TIME, uniform=lambda: 1.0),
            )
        return self._applications[key]

    def _function_of(self, message: QueuedMessage) -> str:
        return next(entry.name for entry in self._project.manifest.functions if entry.topic == message.topic)

    def _double(self) -> None:
        if not self._duplicates:
            return
        for message in list(self._backend.queue):
            if message.request_id not in self._doubled:
                again = replace(message, request_id=f"{message.request_id}-again")
                self._doubled.update((message.request_id, again.request_id))
                self._backend.queue.append(again)

    def _plan(self, placement: Mapping[str, str]) -> None:
        manifest = self._project.manifest
        function_of = {name: node.function for node in manifest.nodes for name in (node.name, node.function)}
        for name, region in placement.items():
            if name not in function_of:
                raise LookupError(f"there is no '{name}' to be placed; names are {', '.join(sorted(function_of))}")
            allowed = self._project.functions[function_of[name]].allowed_regions
            if region not in allowed:
                raise LookupError(f"'{name}' cannot be placed in '{region}'; it may run in {', '.join(allowed)}")
        chosen = tuple(
            manifest.regions.index(placement.get(node.name, placement.get(node.function, manifest.home)))
            for node in manifest.nodes
        )
        plan = PlanReplica(1, manifest.id, START_TIME + DAY_S, 0.0, manifest.regions, ((0, chosen),))
        for region in manifest.regions:
            self._backend.overwrite(region, PLAN_REPLICAS, manifest.workflow_id, "", {PLAN_DOCUMENT: plan.to_json()})
