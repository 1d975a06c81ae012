"""Applies actions to a cloud: kind after kind, all regions at once, retrying what may succeed later."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from multi_x_serverless.cloud.parallel import run_all
from multi_x_serverless.deployment.desired import (
    Desired,
    DesiredFunction,
    DesiredImage,
    DesiredPackage,
    DesiredRepository,
    DesiredRole,
    resource_of,
)
from multi_x_serverless.deployment.effort import UNNOTED, Copy, Effort, Probe
from multi_x_serverless.errors import CloudError, DeploymentError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from multi_x_serverless.cloud.locks import Lease
    from multi_x_serverless.cloud.ports import Cloud, FunctionSpecification, PushTarget
    from multi_x_serverless.deployment.actions import Action
    from multi_x_serverless.deployment.progress import Progress
    from multi_x_serverless.model.workflow import Resource

Result = TypeVar("Result")

ATTEMPTS = 5
FIRST_PAUSE_S = 0.5
"""Before the second attempt, in seconds; doubles with every further one."""

PROBE_TIMEOUT_S = 60.0
"""A probe runs nothing of the developer's but the module's import."""

PROBE_MEMBER = "multi_x_serverless_probe"


class Executor:
    """Applies actions and remembers what was made.

    Args:
        cloud: Where.
        home: Region that has the package first; others get it from there.
        progress: Told of every action that is done.
        package: The package's zip; `None` if home has it.
        role_id: Id of the role, if it exists and no action makes it.
        push_image: Pushes the image that was built to a place under a tag; `None` if home has it.
        image_digests: Digests of the images that are recorded at home, by name.
        lease: The lock under which this happens; it is kept, and every step is refused once it is lost.
        effort: Told what is copied and probed.
        sleep: Waits between attempts.
    """

    def __init__(
        self,
        cloud: Cloud,
        home: str,
        progress: Progress,
        *,
        package: bytes | None = None,
        role_id: str | None = None,
        push_image: Callable[[PushTarget, str], None] | None = None,
        image_digests: Mapping[str, str] | None = None,
        lease: Lease | None = None,
        effort: Effort = UNNOTED,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cloud = cloud
        self._home = home
        self._progress = progress
        self._package = package
        self._role_id = role_id
        self._push_image = push_image
        self._image_digests = dict(image_digests or {})
        self._lease = lease
        self._effort = effort
        self._sleep = sleep
        self.touched: list[Resource] = []
        """What was made or changed, or may have been, so far."""

    def apply(self, actions: Sequence[Action]) -> tuple[Resource, ...]:
        """Create and update; returns the records of what was made, in the order of `actions`.

        Raises:
            CloudError: An action failed for good; those before it and some beside it were done.
        """
        made: list[Resource] = []
        for phase in self._phases(actions):
            made += run_all([partial(self._make, action) for action in phase])
        return tuple(made)

    def delete(self, actions: Sequence[Action]) -> tuple[tuple[Action, CloudError], ...]:
        """Delete as far as possible; returns what could not be deleted, and why."""
        left: list[tuple[Action, CloudError]] = []
        for phase in self._phases(actions):
            errors = run_all([partial(self._try_to_delete, action) for action in phase])
            pairs = zip(phase, errors, strict=True)
            left += [(action, error) for action, error in pairs if error is not None]
        return tuple(left)

    def probe(self, functions: Collection[DesiredFunction], manifest_id: str) -> None:
        """Make sure that functions answer from the right package.

        Raises:
            DeploymentError: One does not; the message holds what it said.
            CloudError: One cannot be invoked.
        """
        run_all([partial(self._probe, function, manifest_id) for function in functions])

    def _make(self, action: Action) -> Resource:
        wanted = action.desired
        if wanted is None:
            raise DeploymentError(f"the action '{action}' makes nothing.")
        self.touched.append(resource_of(wanted, ""))
        resource = self._with_retries(lambda: resource_of(wanted, self._put(wanted)))
        self._progress.advance(str(action))
        return resource

    def _put(self, wanted: Desired) -> str:
        cloud = self._cloud
        if isinstance(wanted, DesiredRole):
            self._role_id = cloud.identity.create_role(wanted.name, wanted.policy)
            return self._role_id
        if isinstance(wanted, DesiredPackage):
            if wanted.region == self._home and self._package is not None:
                cloud.objects.put_object(wanted.region, wanted.name, self._package)
            elif wanted.region != self._home:
                moved = cloud.objects.copy_object(self._home, wanted.name, wanted.region)
                self._effort.copied(Copy(wanted.region, moved))
            return wanted.name
        if isinstance(wanted, DesiredFunction):
            specification = replace(wanted.specification, role=self._role_id or "")
            if specification.package_format == "image":
                specification = self._with_digest(specification)
            return cloud.functions.put_function(wanted.region, specification).id
        if isinstance(wanted, DesiredRepository):
            return cloud.images.create_repository(wanted.region, wanted.name)
        if isinstance(wanted, DesiredImage):
            return self._put_image(wanted)
        topic = cloud.messages.create_topic(wanted.region, wanted.name)
        cloud.messages.subscribe(wanted.region, wanted.name, wanted.subscriber)
        return topic

    def _put_image(self, wanted: DesiredImage) -> str:
        """Push at home, copy elsewhere; returns the digest, which is the same everywhere."""
        images = self._cloud.images
        if wanted.region != self._home:
            digest = self._digest(wanted.name)
            moved = images.copy_image(self._home, wanted.repository, digest, wanted.region, wanted.tag)
            self._effort.copied(Copy(wanted.region, moved))
            return digest
        recorded = self._image_digests.get(wanted.name)
        found = images.find_image(self._home, wanted.repository, wanted.tag)
        if found is None:
            if self._push_image is None:
                raise _lost_image(wanted.name, self._home)
            self._push_image(images.push_target(self._home, wanted.repository), wanted.tag)
        elif recorded is not None and found.digest != recorded:
            raise CloudError(
                f"the image '{wanted.name}' in {self._home} is {found.digest}, and was deployed as {recorded}: it was "
                "replaced. Delete it from the registry, then run 'multi_x_serverless deploy' again, which builds it.",
                operation="put_image",
                region=self._home,
            )
        digest = images.check_image(self._home, wanted.repository, wanted.tag, wanted.architecture).digest
        self._image_digests[wanted.name] = digest
        return digest

    def _digest(self, name: str) -> str:
        """What an image at home is called for good."""
        if name not in self._image_digests:
            repository, _, tag = name.rpartition(":")
            found = self._cloud.images.find_image(self._home, repository, tag)
            if found is None:
                raise _lost_image(name, self._home)
            self._image_digests[name] = found.digest
        return self._image_digests[name]

    def _with_digest(self, specification: FunctionSpecification) -> FunctionSpecification:
        """The specification with its image named by digest: a tag is no promise of what runs."""
        digest = self._digest(specification.code_key)
        repository = specification.code_key.rpartition(":")[0]
        return replace(specification, code_key=f"{repository}@{digest}", code_sha256=digest.removeprefix("sha256:"))

    def _try_to_delete(self, action: Action) -> CloudError | None:
        try:
            self._with_retries(partial(self._delete, action))
        except CloudError as error:
            return error
        self._progress.advance(str(action))
        return None

    def _delete(self, action: Action) -> None:
        cloud = self._cloud
        if action.kind == "role":
            cloud.identity.delete_role(action.name)
        elif action.region is None:
            raise DeploymentError(f"the action '{action}' names no region.")
        elif action.kind == "package":
            cloud.objects.delete_object(action.region, action.name)
        elif action.kind == "function":
            cloud.functions.delete_function(action.region, action.name)
        elif action.kind == "repository":
            cloud.images.delete_repository(action.region, action.name)
        elif action.kind == "image":
            repository, _, tag = action.name.rpartition(":")
            cloud.images.delete_image(action.region, repository, tag)
        else:
            cloud.messages.delete_topic(action.region, action.name)

    def _probe(self, function: DesiredFunction, manifest_id: str) -> None:
        nonce = secrets.token_hex(8)
        payload = json.dumps({PROBE_MEMBER: nonce}).encode()
        result = self._with_retries(
            lambda: self._cloud.functions.invoke(function.region, function.name, payload, timeout_s=PROBE_TIMEOUT_S)
        )
        made_as = function.specification
        self._effort.probed(
            Probe(
                function.function,
                function.region,
                result.duration_s,
                result.init_s,
                made_as.memory_mb,
                made_as.architecture,
            )
        )
        where = f"function '{function.function}' in {function.region}"
        if result.error is not None:
            raise DeploymentError(f"{where} does not start: {result.error}")
        expected = {
            "probe": nonce,
            "manifest": manifest_id,
            "function": function.function,
            "region": function.region,
        }
        try:
            answer = json.loads(result.payload)
        except ValueError:
            answer = None
        if answer != expected:
            raise DeploymentError(f"{where} answered a probe with {result.payload[:200]!r}, not as this package would.")
        self._progress.advance(f"probe function {function.function} in {function.region}")

    def _with_retries(self, step: Callable[[], Result]) -> Result:
        pause = FIRST_PAUSE_S
        for attempt in range(ATTEMPTS):
            if self._lease is not None:
                self._lease.keep()
            try:
                return step()
            except CloudError as error:
                if not error.retryable or attempt == ATTEMPTS - 1:
                    raise
            self._sleep(pause)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def _phases(self, actions: Sequence[Action]) -> list[list[Action]]:
        """Neighbouring actions that may be done at once: one kind, but what is copied from home is there first."""
        phases: list[list[Action]] = []
        previous: tuple[str, bool] | None = None
        for action in actions:
            phase = (action.kind, action.kind in {"package", "image"} and action.region == self._home)
            if phase != previous:
                phases.append([])
                previous = phase
            phases[-1].append(action)
        return phases


def _lost_image(name: str, home: str) -> CloudError:
    return CloudError(
        f"the image '{name}' is not in the registry of {home} any more; run 'multi_x_serverless deploy' again, "
        "which builds it.",
        operation="put_image",
        region=home,
    )
