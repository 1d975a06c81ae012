"""Messages that were given up: which there are, putting them back, and deleting them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from multi_x_serverless.adaptation.runs import follow_runs
from multi_x_serverless.adaptation.workflows import deployed_workflow, deployed_workflows, log_sources
from multi_x_serverless.cloud.parallel import run_all
from multi_x_serverless.cloud.ports import Cloud, DeadLetter, Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.deployment.names import workflow_prefix
from multi_x_serverless.deployment.places import function_names_of, places_of
from multi_x_serverless.errors import CloudError, ConflictError, NothingToDoError, ResourceNotFoundError, UsageError
from multi_x_serverless.model.units import DAY_S
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.observation.trace import RunTrace, trace_runs
from multi_x_serverless.sdk.tables import CLAIMS, node_sort, run_partition

LONGEST_RUN_S = 30 * DAY_S
"""How far back the records of a redriven run are looked for: logs are kept no shorter, runs are no longer."""


@dataclass(frozen=True)
class GivenUpMessage:
    """A dead letter and what its message says.

    Attributes:
        letter: As the cloud keeps it.
        workflow_id: Its workflow; empty if it is of none that is deployed.
        run_id: Run of the message; empty if the message cannot be read.
        node: Name of the node it was for; empty if the message cannot be read.
        manifest_id: Manifest by which its node is counted; empty if the message cannot be read.
        node_index: Which of that manifest's nodes it was for; `None` if the message cannot be read.
    """

    letter: DeadLetter
    workflow_id: str
    run_id: str
    node: str
    manifest_id: str = ""
    node_index: int | None = None


@dataclass(frozen=True)
class FoundLetters:
    """Messages given up in all regions.

    Attributes:
        messages: Oldest first.
        unread: Region that no workflow is in -> why it could not be looked at.
    """

    messages: tuple[GivenUpMessage, ...]
    unread: Mapping[str, str]


def dead_letters(cloud: Cloud, workflow_id: str) -> tuple[GivenUpMessage, ...]:
    """Messages given up of one workflow, oldest first.

    Regions that the workflow has left and that cannot be looked at are passed over: an account may be kept out of what
    it has no need of any more. `doctor` tells of them.

    Raises:
        UnknownWorkflowError: There is no workflow of that id.
        CloudError: A region that the workflow may use could not be looked at.
    """
    record = deployed_workflow(cloud, workflow_id)
    prefix, functions = workflow_prefix(workflow_id), function_names_of(record)

    def look(region: str) -> tuple[DeadLetter, ...]:
        try:
            return cloud.messages.dead_letters(region, prefix)
        except CloudError:
            if region in record.regions:
                raise
            return ()

    return _oldest_first(
        _read(letter, record)
        for region in places_of(cloud, record)
        for letter in look(region)
        if letter.function in functions  # the prefix of one workflow may begin the name of another's function
    )


def all_dead_letters(cloud: Cloud) -> FoundLetters:
    """Messages given up, of all deployed workflows and of what is deployed no longer, in all usable regions.

    Raises:
        CloudError: A region that a workflow is in could not be looked at.
    """
    records = deployed_workflows(cloud)
    owners = {name: record for record in records for name in function_names_of(record)}
    # All that can be used are looked at, and with them what workflows have left.
    needed = {region for record in records for region in record.regions if region in cloud.regions}
    unread: dict[str, str] = {}

    def look(region: str) -> tuple[DeadLetter, ...]:
        try:
            return cloud.messages.dead_letters(region, "")
        except CloudError as error:
            if region in needed:
                raise
            unread[region] = str(error)  # an account may be kept out of regions that it has no need of
            return ()

    found = run_all([partial(look, region) for region in sorted(needed.union(cloud.usable_regions()))])
    messages = _oldest_first(_read(letter, owners.get(letter.function)) for letters in found for letter in letters)
    return FoundLetters(messages, dict(sorted(unread.items())))


def _oldest_first(messages: Iterable[GivenUpMessage]) -> tuple[GivenUpMessage, ...]:
    return tuple(sorted(messages, key=lambda message: (message.letter.failed_at, message.letter.id)))


def _read(letter: DeadLetter, record: WorkflowRecord | None) -> GivenUpMessage:
    envelope = _envelope_of(letter.body)
    run_id, node, manifest_id = envelope.get("run"), envelope.get("node"), envelope.get("mf")
    manifest_id = manifest_id if isinstance(manifest_id, str) else ""
    nodes = () if record is None else record.graphs.get(manifest_id, record.graph).nodes
    index = node if isinstance(node, int) and not isinstance(node, bool) and 0 <= node < len(nodes) else None
    return GivenUpMessage(
        letter,
        "" if record is None else record.workflow_id,
        run_id if isinstance(run_id, str) else "",
        "" if index is None else nodes[index].name,
        manifest_id,
        index,
    )


def _envelope_of(body: bytes) -> dict[str, object]:
    """Members of the message in a dead letter: the message itself, or the event it was delivered in."""
    try:
        document = json.loads(body)
        if isinstance(document, dict) and "Records" in document:
            document = json.loads(document["Records"][0]["Sns"]["Message"])
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        # Anybody may have sent it; it is listed all the same.
        return {}
    return document if isinstance(document, dict) else {}


def choose_letters(messages: Sequence[GivenUpMessage], letter_ids: Sequence[str]) -> tuple[GivenUpMessage, ...]:
    """The messages of some letters.

    Raises:
        UsageError: There is no letter of one of the ids.
    """
    missing = sorted(set(letter_ids) - {message.letter.id for message in messages})
    if missing:
        raise UsageError(f"there is no dead letter '{missing[0]}'; 'multi_x_serverless dead_letters' lists them.")
    return tuple(message for message in messages if message.letter.id in letter_ids)


def discard(cloud: Cloud, messages: Sequence[GivenUpMessage]) -> int:
    """Delete dead letters for good: what their runs wait for never comes. Returns how many were still there."""
    letter_ids: dict[str, list[str]] = {}
    for message in messages:
        letter_ids.setdefault(message.letter.region, []).append(message.letter.id)
    return sum(cloud.messages.discard(region, *letter_ids[region]) for region in sorted(letter_ids))


@dataclass(frozen=True)
class RedriveResult:
    """What was put back, and what became of the runs.

    Attributes:
        messages: Put back on their topics.
        runs: Their runs as the logs show them, when they were waited for.
        held: Not put back: an attempt that was killed holds their node's claim, and a message that came now would be
            taken for a duplicate and lost. The lease ends at the latest when the function's time limit is over.
        stuck: Not put back, with the reason: what they are for is no longer there, for a later plan left their region.
    """

    messages: tuple[GivenUpMessage, ...]
    runs: tuple[RunTrace, ...]
    held: tuple[GivenUpMessage, ...] = ()
    stuck: tuple[tuple[GivenUpMessage, str], ...] = ()


def redrive(
    cloud: Cloud,
    workflow_id: str,
    letter_ids: Sequence[str] = (),
    *,
    run_id: str | None = None,
    wait: bool = True,
    timeout_s: float = 600.0,
    sleep: Callable[[float], None] = time.sleep,
) -> RedriveResult:
    """Put dead letters back on their topics: those named, those of a run, or all of the workflow.

    Args:
        letter_ids: Ids of letters; all if empty.
        run_id: Only letters of this run.
        wait: Keep messages moving until none is under way.
        timeout_s: How long to wait, in seconds.
        sleep: Waits between two looks at the logs, where the cloud keeps messages moving by itself.

    Raises:
        UnknownWorkflowError: There is no workflow of that id.
        UsageError: There is no letter of one of the ids; nothing was put back.
        NothingToDoError: There is no letter that could be put back.
        ConflictError: All of them are of nodes that are still claimed; nothing was put back.
    """
    record = deployed_workflow(cloud, workflow_id)
    found = dead_letters(cloud, workflow_id)
    missing = sorted(set(letter_ids) - {message.letter.id for message in found})
    if missing:
        raise UsageError(
            f"{workflow_id} has no dead letter '{missing[0]}'; 'multi_x_serverless dead_letters "
            f"{workflow_id}' lists them."
        )
    chosen = tuple(
        message
        for message in found
        if (not letter_ids or message.letter.id in letter_ids) and (run_id is None or message.run_id == run_id)
    )
    if not chosen:
        raise NothingToDoError(f"{workflow_id} has no dead letters" + (f" of run {run_id}." if run_id else "."))
    places = places_of(cloud, record)
    now, lease_ends = cloud.now(), _lease_ends(cloud, workflow_id, places, chosen)
    held = tuple(message for message in chosen if lease_ends[message] > now)
    chosen = tuple(message for message in chosen if lease_ends[message] <= now)
    if not chosen:
        wait_s = max(lease_ends.values()) - now
        raise ConflictError(
            f"the nodes of {len(held)} dead letters are still claimed by attempts that were killed; nothing was put "
            f"back: try again in {max(1.0, wait_s):.0f} s."
        )
    run_ids = tuple(dict.fromkeys(message.run_id for message in chosen if message.run_id))
    since, deadline = now - LONGEST_RUN_S, now + timeout_s
    before: tuple[RunTrace, ...] = ()
    if wait and cloud.name != "local":  # which is waited for by its logs
        sources = log_sources(cloud, record, places)
        before = trace_runs(cloud, workflow_id, record.graph, sources, run_ids, since, earlier=record.graphs)
    with cloud.host() as host:
        chosen, stuck = _put_back(cloud, chosen)
        run_ids = tuple(run_id for run_id in run_ids if run_id in {message.run_id for message in chosen})
        if not wait:
            return RedriveResult(chosen, (), held, stuck)
        host.wait_until_idle(timeout_s)
    failures = {trace.run_id: len(trace.failures) for trace in before}
    traces = follow_runs(
        cloud,
        record,
        run_ids,
        since,
        regions=places,
        deadline=deadline,
        failures_before=failures,
        sleep=sleep,
    )
    return RedriveResult(chosen, traces, held, stuck)


def _put_back(
    cloud: Cloud, messages: Sequence[GivenUpMessage]
) -> tuple[tuple[GivenUpMessage, ...], tuple[tuple[GivenUpMessage, str], ...]]:
    """Those that are on their topics again, and those for which there is nothing any more, with the reason."""
    done, stuck = [], []
    for message in messages:
        try:
            cloud.messages.redrive(message.letter.region, message.letter.id)
        except ResourceNotFoundError as error:
            stuck.append((message, str(error)))
        else:
            done.append(message)
    return tuple(done), tuple(stuck)


def _lease_ends(
    cloud: Cloud, workflow_id: str, places: Sequence[str], messages: Sequence[GivenUpMessage]
) -> dict[GivenUpMessage, float]:
    """When the claim of each letter's node ends, seconds since the epoch; 0 if nobody holds it.

    The claim lies in one of the workflow's regions: which one is the run's placement, but a trigger carries none.
    """
    table = physical_name(CLAIMS)
    regions = [region for region in places if table in cloud.key_value.list_tables(region)]
    ends = dict.fromkeys(messages, 0.0)
    for message in messages:
        if not message.run_id or message.node_index is None:
            continue
        key = Key(run_partition(workflow_id, message.run_id), node_sort(message.node_index))
        for region in regions:
            item = cloud.key_value.get(region, table, key)
            if item is not None and not item.attributes.get("done"):
                ends[message] = max(ends[message], float(item.attributes.get("lease_until", 0.0)))
    return ends
