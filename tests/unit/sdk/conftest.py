from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from multi_x_serverless.testing import MemoryCloud
from tests.unit.sdk.packages import write_package

PackageWriter = Callable[..., MemoryCloud]


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[PackageWriter]:
    """Write a package and get a cloud in memory with it: the arguments of `packages.write_package` after the root."""
    before = set(sys.modules)

    def deploy(*arguments: object, **settings: object) -> MemoryCloud:
        write_package(tmp_path, *arguments, **settings)  # type: ignore[arg-type]  # checked by the tests' use
        return MemoryCloud(tmp_path)

    yield deploy
    if str(tmp_path) in sys.path:
        sys.path.remove(str(tmp_path))
    for name in set(sys.modules) - before:
        if name.startswith("example_app_"):
            del sys.modules[name]
