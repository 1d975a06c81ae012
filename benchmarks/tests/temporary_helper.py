from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.suite.execution import open_embedded_cloud
from multi_x_serverless.adaptation.objects import get_object, put_object, region_of_objects
from multi_x_serverless.adaptation.runs import run_and_wait
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.observation.trace import RunTrace


@dataclass(frozen=True)
class Deployed:
    state: Path
    workflow_id: str

    def put(self, **_: Any) -> None: ...
    def run(self, events: list[Any], objects: dict[str, bytes] | None = None) -> tuple[RunTrace, ...]:
        with open_embedded_cloud(self.state) as cloud:
            for key, body in (objects or {}).items():
                put_object(cloud, self.workflow_id, key, body)
            return run_and_wait(cloud, self.workflow_id, events, concurrency=2, timeout_s=120)

    def read(self, key: str) -> bytes:
        with open_embedded_cloud(self.state) as cloud:
            return get_object(cloud, self.workflow_id, key, region=region_of_objects(cloud, self.workflow_id, None))


def deployed(project: Path, state: Path) -> Deployed:
    with open_embedded_cloud(state) as cloud:
        return Deployed(state, deploy(cloud, project).workflow_id)
