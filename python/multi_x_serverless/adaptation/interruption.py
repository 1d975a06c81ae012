"""What Ctrl-C leaves of a command that was changing a workflow, in sentences that say how to go on.

The state is read once the command has stopped, so what is said holds wherever it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from multi_x_serverless.adaptation.failure import why
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.cloud.tables import PlanStore
from multi_x_serverless.deployment.state import EMPTY_STATE, has_system_tables, known_resources, read_state
from multi_x_serverless.errors import WorkInterruptedError
from multi_x_serverless.model.config import load_configuration


@contextmanager
def telling_what_is_left(describe: Callable[[], str]) -> Iterator[None]:
    """Work that may be interrupted.

    Args:
        describe: Says after an interruption what is left, as the rest of a sentence.

    Raises:
        WorkInterruptedError: Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        raise WorkInterruptedError(_described(describe)) from stop


def _described(describe: Callable[[], str]) -> str:
    try:
        return describe()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # whatever it meets, Ctrl-C stays Ctrl-C
        return (
            f"what was made or changed so far is noted, but could not be read ({why(error)}): 'multi_x_serverless "
            "doctor' shows what is left and how to go on."
        )


def left_of_deployment(cloud: Cloud, project: Path, *, since: float) -> str:
    """What a deployment that was interrupted has left.

    Args:
        since: When it began, in seconds since the epoch.

    Raises:
        MultiXServerlessError: The project or the cloud cannot be read.
    """
    workflow_id = load_configuration(project, cloud.regions).workflow_id
    state = read_state(cloud, workflow_id) if has_system_tables(cloud) else EMPTY_STATE
    if state.record is None and not state.journal:
        return f"nothing of {workflow_id} was made yet."
    if state.record is None:
        return (
            f"{workflow_id} is not deployed yet. What was made of it so far is noted: 'multi_x_serverless deploy' goes "
            f"on with that, 'multi_x_serverless remove {workflow_id}' deletes it."
        )
    if state.record.updated_at >= since:
        return f"{workflow_id} is deployed. 'multi_x_serverless deploy' deletes what may be left of before."
    if not state.journal:
        return f"{workflow_id} stays deployed; 'multi_x_serverless deploy' begins anew."
    return (
        f"{workflow_id} stays deployed, but some of its functions may have the new code and others the old one: "
        "'multi_x_serverless deploy' goes on; with the earlier code in the project it goes back."
    )


def left_of_migration(cloud: Cloud, workflow_id: str, *, named: Sequence[str] = ()) -> str:
    """What a migration, or the sweep after it, that was interrupted has left.

    Args:
        named: The workflows that were asked for and are not done, this one first; none if all were asked for.

    Raises:
        MultiXServerlessError: The cloud cannot be read.
    """
    plans = PlanStore(cloud)
    staged = plans.staged(workflow_id)
    again = f"'{' '.join(('multi_x_serverless update_check_deployment', *named))}'"
    others = "" if named else ", and handles any workflow that was not reached"
    if staged is None:
        active = plans.active(workflow_id)
        in_force = "" if active is None else f"; plan {active.version} is in force"
        return (
            f"no plan of {workflow_id} is staged{in_force}. Functions that no plan uses may be there still: {again} "
            f"deletes them{others}."
        )
    return (
        f"plan {staged.version} of {workflow_id} is still staged; runs go on, every function that they need is there. "
        f"{again} goes on with the plan{others}."
    )


def left_of_removal(cloud: Cloud, workflow_id: str) -> str:
    """What a removal that was interrupted has left.

    Raises:
        MultiXServerlessError: The cloud cannot be read.
    """
    state = read_state(cloud, workflow_id) if has_system_tables(cloud) else EMPTY_STATE
    if state.record is None and not known_resources(state):
        return f"{workflow_id} is removed."
    if state.record is None:
        return (
            f"what was made of {workflow_id}, which is not deployed, may be deleted in part: "
            f"'multi_x_serverless remove {workflow_id}' deletes the rest."
        )
    if state.record.status != "removing":
        return f"nothing of {workflow_id} was deleted."
    return (
        f"the removal of {workflow_id} has begun and cannot be taken back: it takes no more runs. "
        f"'multi_x_serverless remove {workflow_id}', with the same options, deletes the rest."
    )
