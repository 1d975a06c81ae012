"""``report -o``: one page, written at once, beside what the command shows without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.workflows import deployed_workflow
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cloud.ports import Cloud
from multi_x_serverless.model.workflow import WorkflowRecord
from multi_x_serverless.report.page import gather
from tests.fakes import FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.deployment.projects import WORKFLOW_ID
from tests.unit.report.page.parsed import parse


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    directory = tmp_path / "project"
    directory.mkdir()
    cloud = deployed_example(directory, runs=10)

    @contextmanager
    def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[Cloud]:
        assert not exclusive, "a report changes nothing"
        yield cloud

    monkeypatch.setattr(Settings, "open_cloud", open_cloud)
    return cloud


@pytest.mark.usefixtures("cloud")
def test_the_page_takes_the_place_of_an_older_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    page.write_text("an older one")
    assert run(["report", WORKFLOW_ID, "-o", str(page)]) == 0
    captured = capsys.readouterr()
    assert f"wrote {page}" in captured.err
    assert "runs at home, by plan 1, which its deployment made" in " ".join(captured.out.split())
    found = parse(page.read_text(encoding="utf-8"))
    assert found.unclosed == []
    assert f"{WORKFLOW_ID}: report of plan 1" in found.text
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["report.html"]


@pytest.mark.usefixtures("cloud")
def test_the_json_is_the_same_with_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--output", "json", "report", WORKFLOW_ID]) == 0
    without = json.loads(capsys.readouterr().out)
    assert run(["--output", "json", "report", WORKFLOW_ID, "--page", str(tmp_path / "report.html")]) == 0
    assert json.loads(capsys.readouterr().out) == without
    assert (tmp_path / "report.html").is_file()


@pytest.mark.usefixtures("cloud")
def test_a_page_that_cannot_be_written_ends_with_2_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "missing" / "report.html"
    assert run(["report", WORKFLOW_ID, "-o", str(nowhere)]) == 2
    captured = capsys.readouterr()
    assert f"cannot write {nowhere}" in captured.err
    assert captured.out == ""
    directory = tmp_path / "taken"
    directory.mkdir()
    assert run(["report", WORKFLOW_ID, "-o", str(directory)]) == 2
    assert "is a directory" in capsys.readouterr().err
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_deployment_of_another_graph_meanwhile_costs_the_page_and_not_the_report(
    output: str, cloud: FakeCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_another_graph(cloud: Cloud, workflow_id: str) -> WorkflowRecord:
        record = deployed_workflow(cloud, workflow_id)
        first, *others = record.graph.nodes
        return replace(record, graph=replace(record.graph, nodes=(replace(first, name="other:entry_point:0"), *others)))

    page = tmp_path / "report.html"
    page.write_text("an older one")
    assert run(["--output", output, "report", WORKFLOW_ID]) == 0
    without = capsys.readouterr().out
    # The figures are read before the rest of the page.
    monkeypatch.setattr(gather, "deployed_workflow", of_another_graph)
    assert run(["--output", output, "report", WORKFLOW_ID, "-o", str(page)]) == 1
    captured = capsys.readouterr()
    assert captured.out == without
    assert "places other nodes than the workflow has" in captured.err
    assert page.read_text() == "an older one"


@pytest.mark.usefixtures("cloud")
def test_an_unknown_workflow_leaves_an_older_page_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    page.write_text("an older one")
    assert run(["report", "nobody-0.0.1", "-o", str(page)]) == 1
    assert "nobody-0.0.1" in capsys.readouterr().err
    assert page.read_text() == "an older one"
