"""`deploy` of a project whose name and version another workflow has already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.deployment.analysis import Analysis, analyse
from multi_x_serverless.deployment.migrate import migrate
from multi_x_serverless.errors import CloudError
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import CONFIGURATION, SOURCE, WORKFLOW_ID, make_project, stage

OTHERS = SOURCE.replace('"first"', '"one"').replace('"left"', '"two"').replace('"join"', '"three"')
MOVED = CONFIGURATION.replace("home_region: us-east-1", "home_region: us-west-1")


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    cloud = deployed_example(tmp_path)

    @contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[FakeCloud]:
        yield cloud

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    return cloud


@pytest.mark.parametrize(
    ("source", "configuration"), [(OTHERS, CONFIGURATION), (SOURCE, MOVED)], ids=["other", "moved"]
)
def test_another_workflow_is_replaced_on_request_only(
    cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, configuration: str
) -> None:
    make_project(tmp_path, source, configuration)
    before = cloud.contents()
    assert run(["-p", str(tmp_path), "deploy"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"This replaces {WORKFLOW_ID} with its home in us-east-1 and the functions" in said
    assert "add --yes before the command" in said
    assert cloud.contents() == before
    assert run(["-p", str(tmp_path), "deploy", "--dry-run"]) == 3
    assert run(["-p", str(tmp_path), "--yes", "deploy"]) == 0


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, ""),
        (1, "1 object stays in us-east-1: functions will look for objects in the new home only."),
        (2, "2 objects stay in us-east-1: functions will look for objects in the new home only."),
        (None, "Its objects stay in us-east-1: functions will look for objects in the new home only."),
    ],
)
def test_a_new_home_says_what_objects_it_leaves_behind(
    cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int | None, told: str
) -> None:
    make_project(tmp_path, configuration=MOVED)
    for number in range(count or 0):
        cloud.objects.objects["us-east-1", f"objects/{WORKFLOW_ID}/{number}"] = b"data"
    if count is None:
        cloud.objects.faults.before = lambda call: (
            CloudError("not now.", operation=call.operation) if call.operation == "list_objects" else None
        )
    assert run(["-p", str(tmp_path), "deploy"]) == 2
    assert f"withdraws its plan. {told}{' ' if told else ''}Deploy?" in " ".join(capsys.readouterr().err.split())
    assert run(["-p", str(tmp_path), "deploy", "--dry-run"]) == 3
    said = " ".join(capsys.readouterr().out.split())
    assert told in said
    assert ("in us-east-1: functions" in said) == bool(told)
    assert run(["-p", str(tmp_path), "--output", "json", "deploy", "--dry-run"]) == 3
    staying = json.loads(capsys.readouterr().out)["objects_staying"]
    assert staying == (None if count == 0 else {"region": "us-east-1", "count": count})
    assert run(["-p", str(tmp_path), "--yes", "deploy"]) == 0
    assert told in " ".join(capsys.readouterr().err.split())


def test_another_workflow_at_the_same_home_leaves_its_objects_to_it(
    cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.objects.objects["us-east-1", f"objects/{WORKFLOW_ID}/a"] = b"data"
    make_project(tmp_path, OTHERS)
    assert run(["-p", str(tmp_path), "deploy"]) == 2
    assert "withdraws its plan. Deploy?" in " ".join(capsys.readouterr().err.split())


def test_a_plan_that_was_made_for_another_home_is_withdrawn_as_is_said(
    cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    stage(cloud, join="ca-central-1")
    make_project(tmp_path, SOURCE, MOVED)
    assert run(["-p", str(tmp_path), "deploy", "--dry-run"]) == 3
    said = capsys.readouterr().out
    assert "Plan 2 would be withdrawn: it was made for the home us-east-1." in said
    assert "Staged plan 3 would be withdrawn: it was made for the home us-east-1." in said
    assert run(["-p", str(tmp_path), "--yes", "deploy"]) == 0
    assert "Plan 2 is withdrawn: it was made for the home us-east-1." in capsys.readouterr().out
    assert run(["-p", str(tmp_path), "deploy"]) == 0
    assert "withdrawn" not in capsys.readouterr().out


def test_a_plan_that_has_expired_is_withdrawn_as_is_said(
    cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    staged = stage(cloud, left="ca-central-1")
    migrate(cloud, WORKFLOW_ID)
    cloud.time = staged.expires_at + 3_601.0
    assert run(["--output", "json", "-p", str(tmp_path), "deploy"]) == 0
    told = json.loads(capsys.readouterr().out)["withdrawn_plans"]
    assert told == [{"plan_version": 2, "staged": False, "reason": "it has expired"}]


@pytest.mark.usefixtures("cloud")
def test_an_edited_workflow_is_deployed_without_a_question(tmp_path: Path) -> None:
    make_project(tmp_path, SOURCE.replace('"left"', '"right"'))
    assert run(["-p", str(tmp_path), "deploy"]) == 0


@pytest.mark.usefixtures("cloud")
def test_a_project_is_analysed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path, SOURCE.replace('"left"', '"right"'))
    analysed: list[Path] = []

    def counted(project: Path) -> Analysis:
        analysed.append(project)
        return analyse(project)

    monkeypatch.setattr("multi_x_serverless.deployment.build.analyse", counted)
    assert run(["-p", str(tmp_path), "deploy"]) == 0
    assert analysed == [tmp_path]
