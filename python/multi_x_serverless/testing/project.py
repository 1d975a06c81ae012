"""A project under test: checked as at deployment, imported afresh, and in nobody's way while it does not run."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from multi_x_serverless.data import regions
from multi_x_serverless.deployment.analysis import Analysis, analyse
from multi_x_serverless.deployment.build import CheckedProject, check_project
from multi_x_serverless.errors import InvalidConfigurationError
from multi_x_serverless.model.config import (
    CONFIGURATION_DIRECTORY,
    CONFIGURATION_FILE,
    RegionSelection,
    WorkflowConfiguration,
)

DEFAULT_HOME = "us-east-1"
"""Home region of a project without configuration."""

_ASSUMPTION = (
    f"Without {CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE} a test takes {DEFAULT_HOME} for the home region, and for "
    "the only one of functions that name none: write that file, or pass a configuration to WorkflowTest."
)


class TestedProject:
    """A project's manifest and modules.

    Its modules, its place on `sys.path` and its environment variables are there only while `active`.

    Args:
        directory: The project.
        configuration: Used instead of the project's file.

    Attributes:
        assumption: A sentence on the home region and where it is from, if the project does not say; else empty.

    Raises:
        InvalidConfigurationError: The configuration is refused, as at deployment.
        InvalidWorkflowError: The source is refused, as at deployment.
    """

    __test__ = False  # not a test, in spite of its name

    def __init__(self, directory: Path, configuration: WorkflowConfiguration | None = None) -> None:
        self.root = directory.resolve()
        file = self.root / CONFIGURATION_DIRECTORY / CONFIGURATION_FILE
        if configuration is None and not file.is_file():
            checked, self.assumption = _check_without_configuration(self.root), _ASSUMPTION
        else:
            checked, self.assumption = check_project(self.root, tuple(regions()), configuration), ""
        self.configuration = checked.configuration
        self.functions = checked.functions
        self.manifest = checked.manifest
        self._modules: dict[str, ModuleType] = {}
        with self.active(self.configuration.environment_variables):
            self.app = importlib.import_module(self.manifest.module)

    def module(self, name: str) -> ModuleType:
        """A module of the project, for example to replace what it uses.

        Raises:
            ImportError: There is none.
        """
        with self.active(self.configuration.environment_variables):
            return importlib.import_module(name)

    @contextmanager
    def active(self, environment: Mapping[str, str]) -> Iterator[None]:
        """Put path, modules and environment in place, and everything back afterwards."""
        names = _top_level_names(self.root)
        path, variables, writes_none = list(sys.path), dict(os.environ), sys.dont_write_bytecode
        others = _take_modules(names)
        sys.modules.update(self._modules)
        sys.path.insert(0, str(self.root))
        sys.dont_write_bytecode = True
        os.environ.update(environment)
        importlib.invalidate_caches()
        try:
            yield
        finally:
            self._modules = _take_modules(names)
            sys.modules.update(others)
            sys.path[:] = path
            sys.dont_write_bytecode = writes_none
            os.environ.clear()
            os.environ.update(variables)

    def close(self) -> None:
        """Forget the project's modules."""
        self._modules.clear()


def _check_without_configuration(root: Path) -> CheckedProject:
    configuration = _default_configuration(analyse(root))
    try:
        return check_project(root, tuple(regions()), configuration)
    except InvalidConfigurationError as error:
        message = str(error).removeprefix(f"{error.file}:{error.line}: ")
        if configuration.home_region not in message:
            raise
        # Nobody wrote that region anywhere.
        raise type(error)(f"{message} {_ASSUMPTION}", file=error.file, line=error.line) from None


def _default_configuration(analysis: Analysis) -> WorkflowConfiguration:
    return WorkflowConfiguration(
        workflow_name=analysis.workflow_name,
        workflow_version=analysis.workflow_version,
        home_region=DEFAULT_HOME,
        regions=RegionSelection(allowed=(DEFAULT_HOME,)),
    )


def _top_level_names(root: Path) -> frozenset[str]:
    """Modules and packages that a project has and its package would hold; tests stay what they are."""
    names = set()
    for path in root.iterdir():
        name = path.stem if path.suffix == ".py" else path.name
        is_source = path.suffix == ".py" or (path.is_dir() and _holds_source(path))
        is_test = name in {"tests", "conftest"} or name.startswith("test_")
        if is_source and name.isidentifier() and not is_test and name != "multi_x_serverless":
            names.add(name)
    return frozenset(names)


def _holds_source(directory: Path) -> bool:
    """Whether it is a package, be it one without `__init__.py` that holds packages."""
    return any(any(directory.glob(pattern)) for pattern in ("*.py", "*/*.py"))


def _take_modules(names: frozenset[str]) -> dict[str, ModuleType]:
    found = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in names}
    for name in found:
        del sys.modules[name]
    return found
