"""`new_workflow`: a project that can be analysed and packaged unedited, whole or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.deployment.analysis import analyse
from multi_x_serverless.deployment.deploy import deploy
from multi_x_serverless.deployment.scaffold import example_inputs, new_workflow
from multi_x_serverless.errors import UsageError, WorkflowExistsError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes import FakeCloud


def test_new_project_deploys_unedited(tmp_path: Path, cloud: FakeCloud) -> None:
    project = new_workflow(tmp_path, "hello")
    assert project == tmp_path / "hello"
    result = deploy(cloud, project)
    assert result.workflow_id == "hello-0.0.1"


def test_example_fans_out_calls_conditionally_and_joins(tmp_path: Path) -> None:
    graph = analyse(new_workflow(tmp_path, "hello")).graph
    assert len(graph.outgoing[0]) > 1
    assert any(edge.conditional for edge in graph.edges)
    joins = [index for index, node in enumerate(graph.nodes) if node.sync]
    assert joins
    assert len(graph.incoming[joins[0]]) > 1


def test_files_are_those_that_are_promised(tmp_path: Path) -> None:
    project = new_workflow(tmp_path, "hello")
    found = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert {
        "app.py",
        ".multi-x-serverless/config.yml",
        "iam_policy.json",
        "requirements.txt",
        "README.md",
        ".gitignore",
    } <= found
    assert [path.name for path in tmp_path.iterdir()] == ["hello"]


@pytest.mark.parametrize("name", ["", "1st", "a b", "../x", "a/b", "x" * 65])
def test_unusable_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        new_workflow(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_existing_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    with pytest.raises(WorkflowExistsError, match="hello"):
        new_workflow(tmp_path, "hello")
    assert list((tmp_path / "hello").iterdir()) == []


def test_example_inputs_are_json_and_the_same_each_time() -> None:
    lines = list(example_inputs(30))
    assert lines == list(example_inputs(30))
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert len(set(lines)) == 30
