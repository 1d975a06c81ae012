"""Names that every service takes, and that never meet."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multi_x_serverless.deployment.names import (
    function_name,
    package_key,
    role_name,
    topic_name,
    workflow_prefix,
)
from multi_x_serverless.model.config import check_name, check_version
from multi_x_serverless.sdk.errors import InvalidDefinitionError
from multi_x_serverless.sdk.workflow import MultiXServerlessWorkflow

NAMES = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
VERSIONS = st.from_regex(r"\A[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\Z")
WORKFLOW_IDS = st.builds("{}-{}".format, NAMES, VERSIONS)


@given(WORKFLOW_IDS, NAMES)
def test_names_are_taken_by_every_service(workflow_id: str, function: str) -> None:
    for name in (function_name(workflow_id, function), topic_name(workflow_id, function), role_name(workflow_id)):
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name)
        assert name.startswith(workflow_prefix(workflow_id))


@given(st.tuples(WORKFLOW_IDS, NAMES), st.tuples(WORKFLOW_IDS, NAMES))
def test_different_functions_have_different_names(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (function_name(*one) == function_name(*other)) == (one == other)
    if one[0] != other[0]:
        assert not function_name(*one).startswith(workflow_prefix(other[0]))


def test_ids_that_differ_only_in_what_names_cannot_hold() -> None:
    assert workflow_prefix("a-1.0.0") != workflow_prefix("a-1_0.0")


def test_long_names_that_differ_at_their_end() -> None:
    assert function_name("w-0.0.1", "f" * 63 + "a") != function_name("w-0.0.1", "f" * 63 + "b")


def test_names_stay_as_they_are() -> None:
    """A change of these names loses what is deployed: make a migration with it."""
    assert function_name("text_analysis-0.0.1", "split") == "mxs-text_analysis-0_0_1-49ec62b1-split"
    assert role_name("text_analysis-0.0.1") == "mxs-text_analysis-0_0_1-49ec62b1-role"
    assert package_key("text_analysis-0.0.1", "ab") == "packages/text_analysis-0.0.1/ab.zip"


@pytest.mark.parametrize("name", ["a", "a" * 64, "a-b_C9", "a" * 65, "", "1a", "-a", "a b", "a.b", "ä", "a\n"])
def test_names_are_checked_as_the_sdk_checks_them(name: str) -> None:
    assert (check_name(name) is None) == _sdk_takes(name, "0.0.1")


@pytest.mark.parametrize("version", ["0.0.1", "10.200.3000", "1", "1.0", "1.0.0.0", "1.0.a", "", "1..1", "1.0.1234567"])
def test_versions_are_checked_as_the_sdk_checks_them(version: str) -> None:
    assert (check_version(version) is None) == _sdk_takes("name", version)


def _sdk_takes(name: str, version: str) -> bool:
    try:
        MultiXServerlessWorkflow(name=name, version=version)
    except InvalidDefinitionError:
        return False
    return True
