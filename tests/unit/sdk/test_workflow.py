from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from multi_x_serverless import MultiXServerlessWorkflow
from multi_x_serverless.sdk.errors import InvalidDefinitionError, OutsideRunError, UnsupportedFeatureError


@pytest.fixture
def workflow() -> MultiXServerlessWorkflow:
    return MultiXServerlessWorkflow(name="example", version="0.0.1")


def greet(event: object) -> dict[str, object]:
    """Greet."""
    return {"hello": event}


def test_a_workflow_is_named_and_versioned(workflow: MultiXServerlessWorkflow) -> None:
    assert (workflow.name, workflow.version, workflow.id) == ("example", "0.0.1", "example-0.0.1")
    assert repr(workflow) == "MultiXServerlessWorkflow(name='example', version='0.0.1')"


@pytest.mark.parametrize("name", ["", "1st", "-a", "with space", "dot.ted", "ä", "x" * 65, None, 5, "a:b", "a\n"])
def test_an_unusable_workflow_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidDefinitionError, match="no name for a workflow"):
        MultiXServerlessWorkflow(name=name, version="0.0.1")


@pytest.mark.parametrize(
    "version", ["", "1", "1.0", "1.0.0.0", "1.0.x", "1..0", "-1.0.0", "1.0.0\n", "1.0.1234567", 1, None]
)
def test_an_unusable_version_is_refused(version: Any) -> None:
    with pytest.raises(InvalidDefinitionError, match="three numbers"):
        MultiXServerlessWorkflow(name="example", version=version)


def test_a_decorated_function_stays_the_function_it_was(workflow: MultiXServerlessWorkflow) -> None:
    decorated = workflow.serverless_function(name="hello", entry_point=True)(greet)

    assert decorated is greet
    assert decorated(5) == {"hello": 5}
    assert decorated.__doc__ == "Greet."


def test_the_registry_knows_what_was_declared(workflow: MultiXServerlessWorkflow) -> None:
    settings = {"allowed_regions": [{"provider": "aws", "region": "us-east-1"}]}
    workflow.serverless_function(
        name="hello",
        entry_point=True,
        regions_and_providers=settings,
        environment_variables=[{"key": "A", "value": "1"}],
        delivery="at_least_once",
    )(greet)
    workflow.serverless_function()(greet)

    hello, plain = workflow.functions.values()
    assert (hello.name, hello.function, hello.entry_point) == ("hello", greet, True)
    assert hello.regions_and_providers == settings
    assert hello.environment_variables == (("A", "1"),)
    assert (plain.name, plain.entry_point, plain.delivery) == ("greet", False, "at_least_once")
    assert plain.regions_and_providers is None
    assert plain.environment_variables == ()


def test_the_registry_cannot_be_changed_from_outside(workflow: MultiXServerlessWorkflow) -> None:
    workflow.serverless_function()(greet)
    workflow.functions.clear()

    assert list(workflow.functions) == ["greet"]


def test_two_functions_of_one_name_are_refused(workflow: MultiXServerlessWorkflow) -> None:
    workflow.serverless_function(name="same")(greet)

    with pytest.raises(InvalidDefinitionError, match="two functions named 'same'"):
        workflow.serverless_function(name="same")(lambda event: None)


def test_two_entry_points_are_refused(workflow: MultiXServerlessWorkflow) -> None:
    workflow.serverless_function(name="first", entry_point=True)(greet)

    with pytest.raises(InvalidDefinitionError, match="'first' and 'second'"):
        workflow.serverless_function(name="second", entry_point=True)(greet)
    assert list(workflow.functions) == ["first"]


def needs_two(one: object, two: object) -> None: ...


async def waits(event: object) -> None: ...


@pytest.mark.parametrize(
    ("arguments", "function", "message"),
    [
        ({"name": "no good"}, greet, "no name for a function"),
        ({"name": 5}, greet, "no name for a function"),
        ({}, lambda event: None, "'<lambda>' is no name"),
        ({"entry_point": "yes"}, greet, "True or False"),
        ({"regions_and_providers": ["us-east-1"]}, greet, "must be a dictionary"),
        ({"regions_and_providers": {"allowed": []}}, greet, "unknown key 'allowed'"),
        ({"environment_variables": {"A": "1"}}, greet, "list of dictionaries"),
        ({"environment_variables": [{"key": "A"}]}, greet, "exactly 'key' and 'value'"),
        ({"environment_variables": [{"key": "A", "value": 1}]}, greet, "both strings"),
        ({"environment_variables": [{"key": "", "value": "1"}]}, greet, "both strings"),
        ({"environment_variables": [{"key": "A", "value": "1"}] * 2}, greet, "names 'A' twice"),
        ({"delivery": "sometimes"}, greet, "known are 'at_least_once' and 'exactly_once'"),
        ({"name": "x"}, "text", "which is no function"),
        ({"name": "x"}, needs_two, "needs 2 arguments"),
    ],
)
def test_an_unusable_declaration_is_refused(
    workflow: MultiXServerlessWorkflow, arguments: dict[str, Any], function: Any, message: str
) -> None:
    with pytest.raises(InvalidDefinitionError, match=message) as caught:
        workflow.serverless_function(**arguments)(function)

    assert caught.value.code == "invalid-definition"
    assert workflow.functions == {}


def test_the_decorator_without_parentheses_is_explained(workflow: MultiXServerlessWorkflow) -> None:
    with pytest.raises(InvalidDefinitionError, match="with parentheses"):
        workflow.serverless_function(greet)  # type: ignore[arg-type]  # the mistake under test


def test_what_is_not_offered_yet_is_said_so(workflow: MultiXServerlessWorkflow) -> None:
    with pytest.raises(UnsupportedFeatureError) as caught:
        workflow.serverless_function(name="x")(waits)

    assert caught.value.code == "unsupported-feature"


def test_a_function_has_its_workflow_s_delivery_unless_it_names_its_own() -> None:
    workflow = MultiXServerlessWorkflow(name="example", version="0.0.1", delivery="exactly_once")
    workflow.serverless_function(name="inherits")(greet)
    workflow.serverless_function(name="names", delivery="at_least_once")(greet)

    assert workflow.functions["inherits"].delivery == "exactly_once"
    assert workflow.functions["names"].delivery == "at_least_once"


def test_a_workflow_refuses_a_delivery_that_does_not_exist() -> None:
    with pytest.raises(InvalidDefinitionError, match="workflow 'example' asks for delivery 'sometimes'"):
        MultiXServerlessWorkflow(name="example", version="0.0.1", delivery="sometimes")


def test_a_function_with_defaults_or_without_arguments_is_fine(workflow: MultiXServerlessWorkflow) -> None:
    def none() -> None: ...

    def one_and_a_default(event: object, again: int = 0) -> None: ...

    workflow.serverless_function()(none)
    workflow.serverless_function()(one_and_a_default)

    assert list(workflow.functions) == ["none", "one_and_a_default"]


@pytest.mark.parametrize(
    "operation",
    [
        lambda workflow: workflow.invoke_serverless_function(greet, 1),
        lambda workflow: workflow.get_predecessor_data(),
        lambda workflow: workflow.get_predecessor_results(),
        lambda workflow: workflow.run_id,
    ],
)
def test_outside_a_run_its_operations_say_so(
    workflow: MultiXServerlessWorkflow, operation: Callable[[MultiXServerlessWorkflow], object]
) -> None:
    workflow.serverless_function()(greet)

    with pytest.raises(OutsideRunError, match="none of its runs is under way") as caught:
        operation(workflow)
    assert caught.value.code == "outside-run"


def test_a_function_is_known_under_another_decorator(workflow: MultiXServerlessWorkflow) -> None:
    workflow.serverless_function(name="hello")(greet)

    @functools.wraps(greet)
    def wrapper(event: object) -> object:
        return greet(event)

    assert workflow._name_of(wrapper) == "hello"
    with pytest.raises(InvalidDefinitionError, match="no function of workflow"):
        workflow._name_of(needs_two)
