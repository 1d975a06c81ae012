"""Which settings of a project's configuration are not the deployed ones."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from multi_x_serverless.adaptation import edited_configuration
from multi_x_serverless.adaptation.edited_configuration import edited_settings
from multi_x_serverless.model.config import load_configuration
from tests.unit.deployment.projects import CONFIGURATION, make_project

REGIONS = ("us-east-1", "us-west-1", "ca-central-1")
LIMITED = CONFIGURATION + "constraints: {hard_resource_constraints: {runtime: {type: relative, value: 1.1}}}\n"


def edited(directory: Path, deployed: str, now: str) -> tuple[str, ...]:
    configuration = load_configuration(make_project(directory, configuration=deployed), REGIONS)
    return edited_settings(make_project(directory, configuration=now), configuration, REGIONS)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (LIMITED, ()),
        (LIMITED.replace("[us-east-1, us-west-1, ca-central-1]", "[ca-central-1, us-east-1, us-west-1]"), ()),
        (LIMITED + "home_share: 0.1\n", ()),
        (LIMITED.replace("1.1", "1.2"), ("constraints.hard_resource_constraints.runtime",)),
        (
            LIMITED.replace("hard_", "soft_"),
            tuple(f"constraints.{kind}_resource_constraints.runtime" for kind in ("hard", "soft")),
        ),
        (LIMITED.replace(", ca-central-1", ""), ("regions_and_providers.allowed_regions",)),
        (LIMITED + "solver: heuristic\nhome_share: 0.2\n", ("solver", "home_share")),
        (LIMITED + "robust: true\n", ("robust",)),
        (LIMITED + "environment_variables: [{key: TABLE, value: people}]\n", ("environment_variables",)),
        (LIMITED.replace("0.0.1", "0.0.2") + "solver: heuristic\n", ()),
        (LIMITED + "sover: heuristic\n", ()),
    ],
)
def test_only_what_was_edited_is_named_as_the_file_spells_it(
    tmp_path: Path, now: str, expected: tuple[str, ...]
) -> None:
    assert edited(tmp_path, LIMITED, now) == expected


def test_a_directory_without_a_project_has_edited_nothing(tmp_path: Path) -> None:
    configuration = load_configuration(make_project(tmp_path / "project"), REGIONS)
    assert edited_settings(tmp_path, configuration, REGIONS) == ()


def test_every_setting_is_compared(tmp_path: Path) -> None:
    """A key that the configuration learns later is compared, too."""
    configuration = load_configuration(make_project(tmp_path), REGIONS)
    keys = {key.split(".")[0] for key, _ in edited_configuration._values(configuration)}
    known = {field.name for field in fields(configuration)} - {"workflow_name", "workflow_version"}
    assert {key.replace("regions_and_providers", "regions") for key in keys} == known - {"provider"}
