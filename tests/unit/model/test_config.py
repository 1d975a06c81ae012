"""The configuration file: what is read, and that every mistake is refused with its line and a way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.errors import InvalidConfigurationError
from multi_x_serverless.model import documents
from multi_x_serverless.model.config import (
    Constraints,
    FunctionDeclaration,
    Limit,
    Limits,
    ProviderSettings,
    RegionSelection,
    WorkflowConfiguration,
    load_configuration,
    merge,
)
from multi_x_serverless.model.config_types import FunctionConfiguration
from multi_x_serverless.model.settings import MAXIMUM_SETTINGS, Setting

if TYPE_CHECKING:
    from pathlib import Path

REGIONS = ("us-east-1", "us-west-1", "us-west-2", "ca-central-1")

SMALLEST = """\
workflow_name: hello
workflow_version: 0.0.1
home_region: {provider: aws, region: us-east-1}
"""

COMPLETE = """\
workflow_name: "hello"
workflow_version: "0.0.1"
environment_variables:
  - key: GREETING
    value: "hi"
iam_policy_file: iam_policy.json
home_region:
  provider: aws
  region: us-east-1
estimated_invocations_per_month: 5000
constraints:
  hard_resource_constraints:
    cost: null
    runtime:
      type: relative
      value: 1.1
    carbon:
  soft_resource_constraints:
    cost: {type: absolute, value: 0.002}
  priority_order: [cost, carbon]
regions_and_providers:
  allowed_regions:
    - {provider: aws, region: us-east-1}
    - {provider: aws, region: ca-central-1}
  disallowed_regions:
  providers:
    aws:
      config:
        timeout: 30
        memory: 1024
        architecture: arm64
solver: heuristic
home_share: 0.2
priority_tolerance: 0.05
data_regions: {greet: us-east-1}
package_exclude: ["*.jsonl", data/]
robust: true
"""


def write(directory: Path, text: str) -> Path:
    folder = directory / ".multi-x-serverless"
    folder.mkdir(exist_ok=True)
    (folder / "config.yml").write_text(text, encoding="utf-8")
    return directory


def load(directory: Path, text: str) -> WorkflowConfiguration:
    return load_configuration(write(directory, text), REGIONS)


def refusal(directory: Path, text: str) -> InvalidConfigurationError:
    with pytest.raises(InvalidConfigurationError) as caught:
        load(directory, text)
    return caught.value


def declaration(name: str = "greet", **settings: Setting | None) -> FunctionDeclaration:
    return FunctionDeclaration(name, name, True, "at_least_once", "app.py", 5, **settings)


def setting(value: object, path: str = "regions_and_providers") -> Setting:
    """A Python value as the tree that the analysis reads from a literal."""
    if isinstance(value, dict):
        return Setting({key: setting(entry, f"{path}.{key}") for key, entry in value.items()}, "app.py", 5, path)
    if isinstance(value, list):
        entries = tuple(setting(entry, f"{path}[{index}]") for index, entry in enumerate(value))
        return Setting(entries, "app.py", 5, path)
    assert value is None or isinstance(value, bool | int | float | str)
    return Setting(value, "app.py", 5, path)


def test_complete_configuration_is_read(tmp_path: Path) -> None:
    assert load(tmp_path, COMPLETE) == WorkflowConfiguration(
        workflow_name="hello",
        workflow_version="0.0.1",
        home_region="us-east-1",
        environment_variables={"GREETING": "hi"},
        iam_policy_file="iam_policy.json",
        estimated_invocations_per_month=5000,
        constraints=Constraints(
            hard=Limits(runtime=Limit("relative", 1.1)),
            soft=Limits(cost=Limit("absolute", 0.002)),
            priority_order=("cost", "carbon", "runtime"),
        ),
        regions=RegionSelection(allowed=("us-east-1", "ca-central-1")),
        provider=ProviderSettings(30, 1024, "arm64"),
        solver="heuristic",
        home_share=0.2,
        priority_tolerance=0.05,
        data_regions={"greet": "us-east-1"},
        package_exclude=("*.jsonl", "data/"),
        robust=True,
    )


def test_defaults_of_a_small_configuration(tmp_path: Path) -> None:
    configuration = load(tmp_path, SMALLEST)
    assert configuration.workflow_id == "hello-0.0.1"
    assert configuration.constraints.priority_order == ("carbon", "cost", "runtime")
    assert configuration.home_share == 0.1
    assert configuration.priority_tolerance == 0.0
    assert configuration.solver == "fine-grained"
    assert configuration.robust is False
    assert configuration.regions.resolve(REGIONS) == tuple(sorted(REGIONS))


def test_regions_may_be_given_by_their_code_alone(tmp_path: Path) -> None:
    text = SMALLEST.replace("{provider: aws, region: us-east-1}", "us-east-1")
    text += "regions_and_providers: {allowed_regions: [us-east-1, us-west-1]}\n"
    configuration = load(tmp_path, text)
    assert (configuration.home_region, configuration.regions.allowed) == ("us-east-1", ("us-east-1", "us-west-1"))


def test_home_regions_with_one_entry_is_accepted(tmp_path: Path) -> None:
    text = SMALLEST.replace("home_region: {", "home_regions: [{").replace("}", "}]")
    assert load(tmp_path, text).home_region == "us-east-1"


@pytest.mark.parametrize("text", [SMALLEST, COMPLETE])
def test_configuration_survives_storage(tmp_path: Path, text: str) -> None:
    configuration = load(tmp_path, text)
    document = documents.write("test", 1, configuration.to_members())
    assert WorkflowConfiguration.from_fields(documents.read(document, "test", 1)) == configuration


def test_function_configuration_survives_storage() -> None:
    function = FunctionConfiguration("f", ("us-east-1",), {"A": "1"}, ProviderSettings(5, 256, "arm64"))
    document = documents.write("test", 1, function.to_members())
    assert FunctionConfiguration.from_fields(documents.read(document, "test", 1)) == function


MISTAKES = [
    # what is appended to or replaced in the smallest configuration, line of the mistake, words of the message
    ("workflow_nam: x", 4, "unknown key 'workflow_nam' (did you mean 'workflow_name'?)"),
    ("workflow_name: again", 4, "the key 'workflow_name' is given twice, first on line 1"),
    ("a: [1", 5, "is not valid YAML"),
    ("home_share: yes", 4, "'home_share' is yes, expected a number from 0 to 1"),
    ("robust: 0.8", 4, "'robust' is 0.8, expected true or false"),
    ("robust: 'true'", 4, "the text 'true', expected true or false"),
    ("home_share: '0.1'", 4, "the text '0.1', expected a number"),
    ("home_share: 10", 4, "is 10, expected a number from 0 to 1; 0.1 is 10 %"),
    ("priority_tolerance: 1", 4, "from 0 to below 1"),
    ("priority_tolerance: .nan", 4, "expected a number from 0 to below 1"),
    ("solver: fine_grained", 4, "did you mean 'fine-grained'?"),
    ("estimated_invocations_per_month: 0", 4, "expected a whole number from 1"),
    ("estimated_invocations_per_month: 1000000000001", 4, "a whole number from 1 to 1000000000000"),
    ("estimated_invocations_per_month: 1.5", 4, "is 1.5, expected a whole number"),
    ("estimated_invocations_per_month: true", 4, "is true, expected a whole number"),
    ("estimated_invocations_per_month: 010", 4, "the text '010', expected a whole number"),
    ("estimated_invocations_per_month: 1:30", 4, "the text '1:30', expected a whole number"),
    ("iam_policy_file: ../secret.json", 4, "expected a path inside the project"),
    ("iam_policy_file: /etc/passwd", 4, "expected a path inside the project"),
    ("constraints: {priority_order: [carbon, carbon]}", 4, "'constraints.priority_order[1]' repeats 'carbon'"),
    ("constraints: {priority_order: [latency]}", 4, "expected one of carbon, cost, runtime"),
    ("constraints: {priority_order: carbon}", 4, "expected a list"),
    (
        "constraints:\n  hard_resource_constraints:\n    runtime:\n      type: relative\n      value: 110",
        8,
        "not a percentage: write 1.1",
    ),
    (
        "constraints: {hard_resource_constraints: {carbon: {type: absolute, value: 2.0e+12}}}",
        4,
        "is 2e+12, expected a number of at most 1e+12",
    ),
    ('environment_variables: [{key: HALF, value: "\\ud800"}]', 4, "holds half a character"),
    ('package_exclude: ["\\ud800"]', 4, "holds half a character"),
    ('iam_policy_file: "\\ud800.json"', 4, "holds half a character"),
    ("regions_and_providers: {allowed_regions: [null]}", 4, "is null, expected the code of a region"),
    ("regions_and_providers: {disallowed_regions: [[us-east-1]]}", 4, "is a list, expected the code of a region"),
    (
        "constraints: {hard_resource_constraints: {carbon: {type: relative, value: 0}}}",
        4,
        "expected a number above 0",
    ),
    ("constraints: {soft_resource_constraints: {cost: {type: percentage, value: 1}}}", 4, "absolute, relative"),
    ("constraints: {soft_resource_constraints: {cost: {value: 1}}}", 4, "lacks the key 'type'"),
    ("constraints: {soft_resource_constraints: {latency: null}}", 4, "unknown key 'latency'"),
    ("environment_variables: {A: b}", 4, "expected a list"),
    ("environment_variables: [{key: A, value: x}]", 4, "a letter followed by one or more"),
    ("environment_variables: [{key: AA, value: 1}]", 4, 'write "1" with quotes'),
    ("environment_variables: [{key: AA, value: no}]", 4, 'write "no" with quotes'),
    ("environment_variables: [{key: AA}]", 4, "lacks the key 'value'"),
    ("environment_variables: [{key: 9A, value: x}]", 4, "a variable is a letter followed by one"),
    ("environment_variables: [{key: AWS_REGION, value: x}]", 4, "reserved for the platform"),
    ("environment_variables:\n- {key: AA, value: x}\n- {key: AA, value: y}", 6, "repeats the variable 'AA'"),
    ("data_regions: {f: mars-north-1}", 4, "is no region that is known"),
    (
        "data_regions: {f: frankfurt}",
        4,
        "codes, as eu-central-1 is Frankfurt's. There are us-east-1, us-west-1, us-west-2, ca-central-1.",
    ),
    ("package_exclude: [./]", 4, "expected a pattern of files"),
    ("package_exclude: [/]", 4, "expected a pattern of files"),
    ("package_exclude: [a, ../b]", 4, "expected a pattern of files"),
    ("package_exclude: inputs.jsonl", 4, "expected a list"),
    ("home_regions: [{provider: aws, region: us-east-1}]", 4, "are both given"),
    (
        "regions_and_providers:\n  allowed_regions:\n  - {provider: aws, region: ca-centra-1}",
        6,
        "did you mean 'ca-central-1'?",
    ),
    (
        "regions_and_providers:\n  allowed_regions:\n  - {provider: gcp, region: us-east-1}",
        6,
        "expected one of aws",
    ),
    (
        "regions_and_providers:\n  allowed_regions:\n  - {provider: aws, region: us-west-1}",
        4,
        "does not allow the home region us-east-1",
    ),
    (
        "regions_and_providers:\n  disallowed_regions:\n  - {provider: aws, region: us-east-1}",
        4,
        "does not allow the home region us-east-1",
    ),
    ("regions_and_providers: {allowed_regions: []}", 4, "leave it out to allow every region"),
    (
        (
            "regions_and_providers:\n  allowed_regions: [{provider: aws, region: us-east-1}]\n"
            "  disallowed_regions: [{provider: aws, region: us-east-1}]"
        ),
        6,
        "(us-east-1 even in both)",
    ),
    (
        (
            "regions_and_providers:\n  allowed_regions: [{provider: aws, region: us-east-1}]\n"
            "  disallowed_regions: [{provider: aws, region: us-west-1}]"
        ),
        6,
        "keep one",
    ),
    (
        "regions_and_providers: {providers: {aws: {config: {memory: 64}}}}",
        4,
        "a whole number from 128 to 10240 (MB)",
    ),
    ("regions_and_providers: {providers: {aws: {config: {timeout: 901}}}}", 4, "from 1 to 900 (seconds)"),
    ("regions_and_providers: {providers: {aws: {config: {timeout: '60'}}}}", 4, "the text '60'"),
    ("regions_and_providers: {providers: {aws: {config: {architecture: arm}}}}", 4, "did you mean 'arm64'?"),
    ("regions_and_providers: {providers: {gcp: {}}}", 4, "unknown key 'gcp'"),
]


@pytest.mark.parametrize(("addition", "line", "words"), MISTAKES, ids=[mistake[0][:60] for mistake in MISTAKES])
def test_mistakes_are_refused_with_their_line(tmp_path: Path, addition: str, line: int, words: str) -> None:
    error = refusal(tmp_path, SMALLEST + addition + "\n")
    assert words in str(error)
    assert error.line == line
    assert str(error).startswith(f".multi-x-serverless/config.yml:{line}: ")


@pytest.mark.parametrize(
    ("original", "changed", "words"),
    [
        ("workflow_name: hello", "workflow_name: 1hello", "must be a letter followed by"),
        ("workflow_name: hello", "workflow_name: 'a b'", "must be a letter followed by"),
        ("workflow_name: hello", f"workflow_name: {'x' * 65}", "has 65 characters, at most 64"),
        ("workflow_name: hello", "workflow_name:", "is empty and needs a value"),
        ("workflow_name: hello", "", "lacks the key 'workflow_name'"),
        ("workflow_version: 0.0.1", "workflow_version: 0.1", "'0.1' must be three numbers"),
        ("workflow_version: 0.0.1", "workflow_version: 0.0.1-beta", "must be three numbers"),
        ("workflow_version: 0.0.1", "workflow_version: true", 'write "true" with quotes'),
        (
            "{provider: aws, region: us-east-1}",
            "5",
            "is 5, expected the code of a region, like us-east-1, or a mapping of",
        ),
        ("{provider: aws, region: us-east-1}", "us-east", "is 'us-east', which is no region"),
        ("{provider: aws, region: us-east-1}", "{provider: aws, region: atlantis}", "no region that is known"),
        ("home_region", "home_regions", "expected a list"),
    ],
)
def test_required_keys_are_checked(tmp_path: Path, original: str, changed: str, words: str) -> None:
    assert original in SMALLEST
    assert words in str(refusal(tmp_path, SMALLEST.replace(original, changed)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("- a\n", "is a list, expected a mapping"),
        ("hello\n", "expected a mapping"),
        ("a: &x [*x]\n", "an alias contains itself"),
        ("a: !python/name:os.system x\n", "the tag '!python/name:os.system' is not supported"),
        ("? [a]\n: b\n", "a key must be plain text"),
        ("a: 1\n---\nb: 2\n", "is not valid YAML"),
        ("a: \x00\n", "is not valid YAML"),
        (f"a: {'[' * 5_000}{']' * 5_000}\n", "too deep in each other"),
    ],
)
def test_files_that_hold_no_configuration(tmp_path: Path, text: str, words: str) -> None:
    assert words in str(refusal(tmp_path, text))


def aliases(levels: int) -> str:
    """Lists of nine of the list before: 9 to the power of so many settings in a line each."""
    return "".join(
        f"l{level}: &l{level} [{', '.join(['x' if level == 0 else f'*l{level - 1}'] * 9)}]\n" for level in range(levels)
    )


def test_aliases_do_not_multiply_without_a_bound(tmp_path: Path) -> None:
    """Written out, the twelfth list has more entries than memory has bytes."""
    error = refusal(tmp_path, SMALLEST + aliases(12))
    assert f"there are more than {MAXIMUM_SETTINGS} settings, aliases written out" in str(error)
    assert error.file is not None
    assert error.line is not None
    assert "unknown key 'l0'" in str(refusal(tmp_path, SMALLEST + aliases(4))), "few of them are like any others"


def test_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationError, match="new_workflow"):
        load_configuration(tmp_path, REGIONS)


def test_file_that_is_not_text(tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / ".multi-x-serverless" / "config.yml").write_bytes(b"a: \xff\n")
    with pytest.raises(InvalidConfigurationError, match="not UTF-8"):
        load_configuration(tmp_path, REGIONS)


def test_merge_lets_the_decorator_override(tmp_path: Path) -> None:
    configuration = load(tmp_path, COMPLETE)
    merged = merge(
        configuration,
        [
            declaration("greet"),
            declaration(
                "store",
                regions_and_providers=setting(
                    {
                        "disallowed_regions": [{"provider": "aws", "region": "us-west-2"}],
                        "providers": {"aws": {"config": {"memory": 2048}}},
                    }
                ),
                environment_variables=setting([{"key": "GREETING", "value": "hello"}, {"key": "OTHER", "value": "x"}]),
            ),
        ],
        REGIONS,
    )
    assert list(merged) == ["greet", "store"]
    assert merged["greet"] == FunctionConfiguration(
        "greet", ("ca-central-1", "us-east-1"), {"GREETING": "hi"}, ProviderSettings(30, 1024, "arm64")
    )
    assert merged["store"] == FunctionConfiguration(
        "store",
        ("ca-central-1", "us-east-1", "us-west-1"),
        {"GREETING": "hello", "OTHER": "x"},
        ProviderSettings(30, 2048, "arm64"),
    )


def test_function_that_excludes_home_is_refused(tmp_path: Path) -> None:
    only_west = setting({"allowed_regions": [{"provider": "aws", "region": "us-west-1"}]})
    with pytest.raises(InvalidConfigurationError, match="'greet' does not allow the home region us-east-1") as caught:
        merge(load(tmp_path, SMALLEST), [declaration(regions_and_providers=only_west)], REGIONS)
    assert (caught.value.file, caught.value.line) == ("app.py", 5)


def test_data_region_of_an_unknown_function_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationError, match=r"'greet', which does not exist \(did you mean 'greets'\?\)"):
        merge(load(tmp_path, COMPLETE), [declaration("greets")], REGIONS)


def test_environment_over_the_limit_is_refused(tmp_path: Path) -> None:
    large = setting([{"key": "LARGE", "value": "x" * 3600}])
    with pytest.raises(InvalidConfigurationError, match="take 3605 bytes, at most 3584"):
        merge(load(tmp_path, SMALLEST), [declaration(environment_variables=large)], REGIONS)
