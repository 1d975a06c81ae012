"""The fixture `deploy`: a benchmark by its name, deployed once per module; see `running`."""

from __future__ import annotations

import pytest

from benchmarks.tests import running
from benchmarks.tests.running import Deploy, DeployedWorkflow


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Deploy:
    """Deploys the benchmark of a name to an embedded cloud of its own."""

    def deploy(name: str) -> DeployedWorkflow:
        return running.deploy(name, tmp_path_factory.mktemp(name))

    return deploy
