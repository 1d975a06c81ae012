"""The run-time protocol in a world of plain values: every order of its steps, every crash, every duplicate.

What a node has to do comes from `multi_x_serverless.sdk.protocol`, the same values that `node_run` works off. Here the
operations change a hashable world instead of a cloud, and `explore` visits every world that can be reached: any attempt
may take its next step at any time, the calls of one attempt in any order; an attempt may die between any two steps,
after which its message comes again (as a retry, under the same request id) or is redriven later (under another one);
any queued message may be delivered twice.

Worlds that differ only in what nothing looks at are one world, so that there are few enough of them: equal messages and
attempts are counted, not named; runs of a function are told apart only where its delivery is exactly once; a delivery
of an unclaimed node and the run of its function are one step, because a crash between them leaves no trace.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeVar

from multi_x_serverless.sdk.manifest import Manifest, ManifestEdge, ManifestFunction, ManifestNode
from multi_x_serverless.sdk.protocol import (
    CALLED,
    DECLINED,
    Claiming,
    ClaimState,
    ClaimStep,
    EdgeStep,
    EdgeTask,
    JoinState,
    begin_call,
    begin_decline,
    read_join,
    spread_declines,
)
from multi_x_serverless.sdk.tables import FIRED, edge_slot

LEASE: Final = 10
EARLIEST_RETRY_S: Final = 0.0
Edges = frozenset[int]
_Value = TypeVar("_Value")
_Element = TypeVar("_Element", bound=Hashable)
Bag = frozenset[tuple[_Element, int]]
"""Elements and how many there are of each."""


@dataclass(frozen=True)
class Workflow:
    """A graph and how its functions behave.

    Attributes:
        manifest: The graph.
        behaviours: For each node the sets of edges that one run of its function may call; with several, any run may
            behave in any of these ways, also the next attempt of the same message.
    """

    manifest: Manifest
    behaviours: tuple[tuple[Edges, ...], ...]

    @property
    def is_deterministic(self) -> bool:
        """Whether every function calls the same edges each time."""
        return all(len(choices) == 1 for choices in self.behaviours)

    def keeps_calls(self, node: int) -> bool:
        """Whether a node's delivery is exactly once."""
        return self.manifest.function_of(node).delivery == "exactly_once"

    def is_claimed(self, node: int) -> bool:
        """Whether a node's start is claimed."""
        return self.manifest.nodes[node].sync or self.keeps_calls(node)

    def new_run(self, node: int, returned: tuple[Edges, ...], called: Edges) -> tuple[int, tuple[Edges, ...]]:
        """Number of a run of a node's function, and the runs there are then; 0 for all where they need not differ."""
        if self.keeps_calls(node):
            return len(returned), (*returned, called)
        return 0, (*returned, called) if self.is_claimed(node) else returned


def workflow(
    nodes: str,
    edges: list[tuple[int, int]],
    behaviours: list[list[set[int]]] | None = None,
    *,
    exactly_once: set[int] | None = None,
) -> Workflow:
    """A graph in short: one letter per node, ``s`` for a sync node; by default every function calls all its edges."""
    once = exactly_once or set()
    manifest = Manifest(
        workflow_id="model-0.0.1",
        module="app",
        variable="workflow",
        home="us-east-1",
        regions=("us-east-1",),
        home_share=0.0,
        functions=tuple(
            ManifestFunction(f"f{node}", f"f{node}", f"t{node}", "exactly_once" if node in once else "at_least_once")
            for node in range(len(nodes))
        ),
        nodes=tuple(ManifestNode(f"n{node}", f"f{node}", kind == "s") for node, kind in enumerate(nodes)),
        edges=tuple(ManifestEdge(source, target, ()) for source, target in edges),
    )
    if behaviours is None:
        behaviours = [[set(manifest.outgoing[node])] for node in range(len(nodes))]
    return Workflow(manifest, tuple(tuple(frozenset(choice) for choice in choices) for choices in behaviours))


class Message(NamedTuple):
    """A message in the queue. `origin` is the run of the sender's function that sent it, or the join's edges."""

    node: int
    request: str
    called: tuple[int, ...]
    origin: tuple[int, int] | None


class Attempt(NamedTuple):
    """One invocation under way.

    Attributes:
        phase: claim, function, commit, calls, declines, complete.
        run: Number of the run of the node's function whose calls this attempt sends.
        tasks: Edges it works at, and the joins that it found dead.
        declined: Edges it has declined.
    """

    message: Message
    name: str
    phase: str
    claiming: Claiming | None = None
    version: int = 0
    run: int = 0
    called: Edges = frozenset()
    tasks: frozenset[EdgeTask] = frozenset()
    declined: Edges = frozenset()


@dataclass(frozen=True)
class World:
    """Everything there is.

    Attributes:
        claims: Per node the claim and its version; its outbox is ``b"<run>"``.
        slots: Per sync node what its status item holds.
        payloads: Per edge into a join the run of the sender's function that left it.
        returned: Per node the edges that each run of its function called, in order.
        received: Per sync node the edges whose payloads its function was given, for every run of it.
        finished: Nodes of which some attempt came to its end.
        calls: (edge, run of the sender's function) of everything sent.
        published: Messages sent per claimed node, from which request ids are made.
        crashed: Crashes of attempts per claimed node.
    """

    queue: Bag[Message]
    attempts: Bag[Attempt]
    claims: tuple[tuple[ClaimState, int] | None, ...]
    slots: tuple[frozenset[tuple[str, str | int]], ...]
    payloads: tuple[int | None, ...]
    returned: tuple[tuple[Edges, ...], ...]
    received: tuple[frozenset[tuple[int, ...]], ...]
    finished: frozenset[int]
    calls: frozenset[tuple[int, int]]
    published: tuple[int, ...]
    crashed: tuple[int, ...]
    crashes_left: int
    duplicates_left: int
    now: int


class ProtocolError(AssertionError):
    """The protocol has broken a promise."""


@dataclass
class Explorer:
    """Visits every reachable world of a workflow.

    Attributes:
        visited: How many there were.
        ends: How many of them were ends: nothing queued, nothing at work.
    """

    flow: Workflow
    crashes: int
    duplicates: int
    visited: int = 0
    ends: int = 0
    _seen: set[World] = field(default_factory=set)

    def explore(self) -> None:
        """Visit them all.

        Raises:
            ProtocolError: In one of them a promise is broken.
        """
        first = self._first()
        waiting = [first]
        self._seen = {first}
        while waiting:
            world = waiting.pop()
            self._check(world)
            if not world.queue and not world.attempts:
                self.ends += 1
                self._check_end(world)
            for following in self._steps(world):
                if following not in self._seen:
                    self._seen.add(following)
                    waiting.append(following)
        self.visited = len(self._seen)

    def walk(self, choice: random.Random) -> None:
        """Go one random way from the beginning to an end; faults come early or late, as the choice has it.

        Raises:
            ProtocolError: On the way a promise is broken.
        """
        world = self._first()
        while world.queue or world.attempts:
            self._check(world)
            following = sorted(self._steps(world), key=repr)
            calm = [
                one
                for one in following
                if (one.crashes_left, one.duplicates_left) == (world.crashes_left, world.duplicates_left)
            ]
            world = choice.choice(calm if choice.random() < 0.8 else following)
            self.visited += 1
        self.ends += 1
        self._check_end(world)

    def _first(self) -> World:
        count = len(self.flow.manifest.nodes)
        return World(
            queue=frozenset([(self._message(0, 1, (), None), 1)]),
            attempts=frozenset(),
            claims=(None,) * count,
            slots=(frozenset(),) * count,
            payloads=(None,) * len(self.flow.manifest.edges),
            returned=((),) * count,
            received=(frozenset(),) * count,
            finished=frozenset(),
            calls=frozenset(),
            published=(int(self.flow.is_claimed(0)),) + (0,) * (count - 1),
            crashed=(0,) * count,
            crashes_left=self.crashes,
            duplicates_left=self.duplicates,
            now=0,
        )

    # --- what can happen ---------------------------------------------------------------------------------------

    def _steps(self, world: World) -> Iterator[World]:
        for message, _ in world.queue:
            yield from self._delivered(world, message)
            if world.duplicates_left:
                copy = message
                if self.flow.is_claimed(message.node):
                    copy = message._replace(request=f"{message.request}+{world.duplicates_left}")
                yield replace(world, queue=_add(world.queue, copy), duplicates_left=world.duplicates_left - 1)
        for attempt, _ in world.attempts:
            others = replace(world, attempts=_remove(world.attempts, attempt))
            yield from self._attempt_steps(others, attempt)
            if world.crashes_left:
                yield from self._crashes(others, attempt)

    def _message(self, node: int, number: int, called: tuple[int, ...], origin: tuple[int, int] | None) -> Message:
        return Message(node, f"r{node}.{number}" if self.flow.is_claimed(node) else "", called, origin)

    def _delivered(self, world: World, message: Message) -> Iterator[World]:
        world = replace(world, queue=_remove(world.queue, message))
        if not self.flow.is_claimed(message.node):
            yield from self._function_steps(world, Attempt(message, "", "function"))
            return
        name = f"{message.request}@{world.now}.{world.crashed[message.node]}"
        claiming = Claiming(ClaimState(message.request, name, world.now, world.now + LEASE, done=False))
        yield replace(world, attempts=_add(world.attempts, Attempt(message, name, "claim", claiming)))

    def _crashes(self, world: World, attempt: Attempt) -> Iterator[World]:
        node = attempt.message.node
        is_claimed = self.flow.is_claimed(node)
        crashed = _with(world.crashed, node, world.crashed[node] + is_claimed)
        world = replace(world, crashed=crashed, crashes_left=world.crashes_left - 1)
        yield replace(world, queue=_add(world.queue, attempt.message))
        # Given up, and redriven when every lease of now is over; nobody who holds one may be at work any more.
        if is_claimed and not world.attempts:
            later = attempt.message._replace(request=f"{attempt.message.request}!{world.crashes_left}")
            yield replace(world, queue=_add(world.queue, later), now=world.now + LEASE)

    def _function_steps(self, world: World, attempt: Attempt) -> Iterator[World]:
        node = attempt.message.node
        if self.flow.manifest.nodes[node].sync:
            received = world.received[node] | {attempt.message.called}
            world = replace(world, received=_with(world.received, node, received))
        for called in self.flow.behaviours[node]:
            run, runs = self.flow.new_run(node, world.returned[node], called)
            after = attempt._replace(run=run, called=called)
            after = after._replace(phase="commit") if self.flow.keeps_calls(node) else self._begin_calls(after)
            yield self._going_on(replace(world, returned=_with(world.returned, node, runs)), after)

    def _attempt_steps(self, world: World, attempt: Attempt) -> Iterator[World]:
        """The worlds in which `attempt`, which is not in `world` any more, has done one step."""
        if attempt.phase == "claim":
            yield self._claim_step(world, attempt)
        elif attempt.phase == "function":
            yield from self._function_steps(world, attempt)
        elif attempt.phase == "commit":
            yield self._commit_step(world, attempt)
        elif attempt.phase in ("calls", "declines"):
            for task in attempt.tasks:
                if task.step is not EdgeStep.ENDED:  # the others stay for what they say of their joins
                    yield self._task_step(world, attempt, task)
        else:
            yield self._complete_step(world, attempt)

    def _claim_step(self, world: World, attempt: Attempt) -> World:
        node, claiming = attempt.message.node, attempt.claiming
        assert claiming is not None
        held = world.claims[node]
        if claiming.step is ClaimStep.WRITE:
            world, version = _write_claim(world, node, claiming.wanted, claiming.condition)
            claiming = claiming.after_write(version)
        else:
            state, version = (None, 0) if held is None else held
            claiming = claiming.after_read(state, version, EARLIEST_RETRY_S)
        if claiming.step is ClaimStep.DUPLICATE:
            return world
        if claiming.step is ClaimStep.WAIT:
            raise ProtocolError("with retries at once nobody has to wait")
        after = attempt._replace(claiming=claiming)
        if claiming.step is not ClaimStep.TAKEN:
            return replace(world, attempts=_add(world.attempts, after))
        after = after._replace(version=claiming.condition)
        if claiming.wanted.outbox is None:
            return replace(world, attempts=_add(world.attempts, after._replace(phase="function")))
        run = int(claiming.wanted.outbox)
        after = after._replace(run=run, called=world.returned[node][run])
        return self._going_on(world, self._begin_calls(after))

    def _commit_step(self, world: World, attempt: Attempt) -> World:
        node, claiming = attempt.message.node, attempt.claiming
        assert claiming is not None
        state = replace(claiming.wanted, outbox=str(attempt.run).encode())
        world, version = _write_claim(world, node, state, attempt.version)
        if version is None:
            raise ProtocolError(f"node {node} was taken over while an attempt was alive")
        after = attempt._replace(claiming=replace(claiming, wanted=state), version=version)
        return self._going_on(world, self._begin_calls(after))

    def _begin_calls(self, attempt: Attempt) -> Attempt:
        tasks = frozenset(begin_call(self.flow.manifest, edge) for edge in attempt.called)
        return attempt._replace(phase="calls", tasks=tasks)

    def _task_step(self, world: World, attempt: Attempt, task: EdgeTask) -> World:
        manifest, edge = self.flow.manifest, task.edge
        target = manifest.edges[edge].target
        join: JoinState | None = None
        if task.is_called:
            world = replace(world, calls=world.calls | {(edge, attempt.run)})
        if task.step is EdgeStep.SEND:
            world = self._publish(world, target, (), (edge, attempt.run))
        elif task.step is EdgeStep.STORE:
            if world.payloads[edge] is None:
                world = replace(world, payloads=_with(world.payloads, edge, attempt.run))
        elif task.step is EdgeStep.REPORT:
            world = _set_slot(world, target, edge_slot(edge), CALLED if task.is_called else DECLINED)
            join = read_join(manifest, target, dict(world.slots[target]))
        elif task.step is EdgeStep.FIRE:
            assert task.join is not None
            world = self._publish(world, target, task.join.called, None)
        else:
            world = _set_slot(world, target, FIRED, 1)
        following, tasks = task.after(join), attempt.tasks - {task}
        if following.step is not EdgeStep.ENDED or following.is_dead_end:
            tasks |= {following}
        return self._going_on(world, attempt._replace(tasks=tasks))

    def _publish(self, world: World, node: int, called: tuple[int, ...], origin: tuple[int, int] | None) -> World:
        number = world.published[node] + self.flow.is_claimed(node)
        message = self._message(node, number, called, origin)
        return replace(world, published=_with(world.published, node, number), queue=_add(world.queue, message))

    def _going_on(self, world: World, attempt: Attempt) -> World:
        """Into the next phase when the tasks of this one have ended: the order that `execution` has."""
        manifest = self.flow.manifest
        while attempt.phase in ("calls", "declines") and all(task.step is EdgeStep.ENDED for task in attempt.tasks):
            if attempt.phase == "calls":
                edges = [edge for edge in manifest.outgoing[attempt.message.node] if edge not in attempt.called]
            else:
                dead = {manifest.edges[task.edge].target for task in attempt.tasks if task.is_dead_end}
                edges = [
                    edge for node in sorted(dead) for edge in manifest.outgoing[node] if edge not in attempt.declined
                ]
            if not edges:
                attempt = attempt._replace(phase="complete", tasks=frozenset())
                break
            declines = spread_declines(manifest, edges)
            attempt = attempt._replace(
                phase="declines",
                tasks=frozenset(begin_decline(edge) for edge in declines.reports),
                declined=attempt.declined | set(declines.edges),
            )
        return replace(world, attempts=_add(world.attempts, attempt))

    def _complete_step(self, world: World, attempt: Attempt) -> World:
        node = attempt.message.node
        if attempt.claiming is not None:
            world, _ = _write_claim(
                world, node, replace(attempt.claiming.wanted, done=True, outbox=None), attempt.version
            )
        return replace(world, finished=world.finished | {node})

    # --- what must hold ----------------------------------------------------------------------------------------

    def _check(self, world: World) -> None:
        """In every world: a claimed node has one attempt past its claim at most; firing tells all that was called."""
        at_work = [
            attempt.message.node
            for attempt, _ in world.attempts
            if attempt.phase != "claim" and attempt.claiming is not None
        ]
        if len(at_work) != len(set(at_work)):
            raise ProtocolError(f"two attempts of one claimed node are at work: {at_work}")
        for edge, _ in world.calls:
            source = self.flow.manifest.edges[edge].source
            if self.flow.keeps_calls(source) and len({run for other, run in world.calls if other == edge}) > 1:
                raise ProtocolError(f"edge {edge} carries two runs of its node, whose delivery is exactly once")

    def _check_end(self, world: World) -> None:
        """When nothing is left to happen: what should have run has, nothing else has, and nothing waits."""
        manifest = self.flow.manifest
        called = {edge for edge, _ in world.calls}
        for node in range(len(manifest.nodes)):
            should = node == 0 or any(edge in called for edge in manifest.incoming[node])
            if should != (node in world.finished):
                raise ProtocolError(f"node {node} {'has not' if should else 'has'} run")
            if should and self.flow.is_claimed(node) and len(world.returned[node]) > 1 + world.crashed[node]:
                raise ProtocolError(f"node {node} has run {len(world.returned[node])} times")
            if manifest.nodes[node].sync:
                self._check_join(world, node, should)
            if should and self.flow.keeps_calls(node):
                sent = {edge for edge in called if manifest.edges[edge].source == node}
                if sent not in [set(one) for one in world.returned[node]]:
                    raise ProtocolError(f"what node {node} called is of no single run of its function")
        if self.flow.is_deterministic and called != self._expected():
            raise ProtocolError(f"called were {called}, not {self._expected()}")

    def _check_join(self, world: World, node: int, should_run: bool) -> None:
        join = read_join(self.flow.manifest, node, dict(world.slots[node]))
        if not join.complete:
            raise ProtocolError(f"join {node} waits for ever: {sorted(world.slots[node], key=str)}")
        if should_run != bool(join.called) or should_run != join.fired:
            raise ProtocolError(f"join {node} has ended as {join}")
        if should_run and world.received[node] != {join.called}:
            raise ProtocolError(f"join {node} was given {set(world.received[node])}, not {join.called}")
        if any(world.payloads[edge] is None for edge in join.called):
            raise ProtocolError(f"a payload of join {node} is missing")

    def _expected(self) -> set[int]:
        ran, called = {0}, set[int]()
        for node in range(len(self.flow.manifest.nodes)):
            if node in ran:
                edges = self.flow.behaviours[node][0]
                called |= edges
                ran |= {self.flow.manifest.edges[edge].target for edge in edges}
        return called


def _with(values: tuple[_Value, ...], index: int, value: _Value) -> tuple[_Value, ...]:
    return (*values[:index], value, *values[index + 1 :])


def _write_claim(world: World, node: int, state: ClaimState, condition: int) -> tuple[World, int | None]:
    held = world.claims[node]
    if condition != (0 if held is None else held[1]):
        return world, None
    return replace(world, claims=_with(world.claims, node, (state, condition + 1))), condition + 1


def _set_slot(world: World, node: int, name: str, value: str | int) -> World:
    slots = world.slots[node]
    if any(other == name for other, _ in slots):
        return world
    return replace(world, slots=_with(world.slots, node, slots | {(name, value)}))


def _add(bag: Bag[_Element], element: _Element) -> Bag[_Element]:
    count = dict(bag).get(element, 0)
    return bag - {(element, count)} | {(element, count + 1)}


def _remove(bag: Bag[_Element], element: _Element) -> Bag[_Element]:
    count = dict(bag)[element]
    rest = bag - {(element, count)}
    return rest | {(element, count - 1)} if count > 1 else rest
