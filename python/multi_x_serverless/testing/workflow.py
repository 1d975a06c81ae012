"""The way in: a project's directory -> runs of its workflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from multi_x_serverless.model.config import WorkflowConfiguration
from multi_x_serverless.testing.project import TestedProject
from multi_x_serverless.testing.run import WorkflowRun


class WorkflowTest:
    """A workflow under test: checked as at deployment, run by the real SDK, in this process.

    Args:
        project: The directory with `app.py`.
        configuration: Used instead of the project's file; without either, the defaults and one region, us-east-1.

    Raises:
        InvalidConfigurationError: The configuration is refused, as at deployment.
        InvalidWorkflowError: The source is refused, as at deployment.
    """

    def __init__(self, project: str | Path, configuration: WorkflowConfiguration | None = None) -> None:
        self._project = TestedProject(Path(project), configuration)

    def __enter__(self) -> WorkflowTest:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def module(self, name: str = "app") -> ModuleType:
        """A module of the project as this test sees it.

        Raises:
            ImportError: There is none.
        """
        return self._project.module(name)

    def start(
        self,
        payload: object = None,
        *,
        raise_errors: bool = True,
        placement: Mapping[str, str] | None = None,
        duplicates: bool = False,
        seed: int | None = None,
        objects: Mapping[str, bytes] | None = None,
    ) -> WorkflowRun:
        """Start a run without delivering anything; the arguments are those of `WorkflowRun`.

        Raises:
            LookupError: The placement names what does not exist, or a region in which a function may not run.
            InvalidObjectKeyError: The key of an object cannot be used.
            PayloadError: The payload is neither JSON nor bytes.
        """
        return WorkflowRun(
            self._project,
            payload,
            raise_errors=raise_errors,
            placement=placement,
            duplicates=duplicates,
            seed=seed,
            objects=objects,
        )

    def run(
        self,
        payload: object = None,
        *,
        raise_errors: bool = True,
        placement: Mapping[str, str] | None = None,
        duplicates: bool = False,
        seed: int | None = None,
        objects: Mapping[str, bytes] | None = None,
    ) -> WorkflowRun:
        """Start a run and deliver until nothing is pending.

        Raises:
            LookupError: The placement names what does not exist, or a region in which a function may not run.
            InvalidObjectKeyError: The key of an object cannot be used.
            PayloadError: The payload is neither JSON nor bytes.
            BaseException: What a function raised, if errors are raised.
        """
        return self.start(
            payload,
            raise_errors=raise_errors,
            placement=placement,
            duplicates=duplicates,
            seed=seed,
            objects=objects,
        ).finish()

    def close(self) -> None:
        """Forget the project's modules."""
        self._project.close()


def run_workflow(
    project: str | Path, payload: object = None, *, objects: Mapping[str, bytes] | None = None
) -> WorkflowRun:
    """Run a project's workflow once.

    Args:
        project: The directory with `app.py`.
        payload: What the entry receives.
        objects: The workflow's objects before the run, key -> content.

    Raises:
        InvalidConfigurationError: The configuration is refused, as at deployment.
        InvalidWorkflowError: The source is refused, as at deployment.
        BaseException: What a function raised.
    """
    with WorkflowTest(project) as test:
        return test.run(payload, objects=objects)
