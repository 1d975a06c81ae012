"""The configuration: `.multi-x-serverless/config.yml`, and its merge with what the decorators say.

Everything is checked before anything is created, and every refusal names file, line and what would be right:
unknown and repeated keys, values of the wrong type, limits of the provider, regions that do not exist,
permissions that contradict each other or exclude home.

Merge of a function's decorator into the workflow's settings:

* `regions_and_providers.allowed_regions` or `.disallowed_regions` in the decorator replaces both lists of the
  workflow for this function;
* `regions_and_providers.providers.aws.config` replaces the workflow's value key by key;
* `environment_variables` are united; for a key in both the decorator's value holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from multi_x_serverless.errors import InvalidConfigurationError
from multi_x_serverless.model.bounds import LARGEST_NUMBER
from multi_x_serverless.model.config_types import (
    ARCHITECTURES,
    DEFAULT_HOME_SHARE,
    DEFAULT_INVOCATIONS_PER_MONTH,
    LIMIT_TYPES,
    OBJECTIVES,
    SOLVERS,
    Constraints,
    FunctionConfiguration,
    Limit,
    Limits,
    ProviderSettings,
    RegionSelection,
    WorkflowConfiguration,
)
from multi_x_serverless.model.settings import Setting, read_yaml, suggestion

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from multi_x_serverless.model.plan import Objective

__all__ = [
    "CONFIGURATION_DIRECTORY",
    "CONFIGURATION_FILE",
    "Constraints",
    "FunctionConfiguration",
    "FunctionDeclaration",
    "Limit",
    "Limits",
    "ProviderSettings",
    "RegionSelection",
    "WorkflowConfiguration",
    "check_name",
    "check_version",
    "load_configuration",
    "merge",
]

CONFIGURATION_DIRECTORY = ".multi-x-serverless"
CONFIGURATION_FILE = "config.yml"

# Limits of AWS Lambda (developer guide, "Lambda quotas"), seconds, MiB and bytes.
MAXIMUM_TIMEOUT_S = 900
MINIMUM_MEMORY_MB = 128
MAXIMUM_MEMORY_MB = 10240
MAXIMUM_ENVIRONMENT_BYTES = 4096
# What the product's own variables take of the environment, generously.
RESERVED_ENVIRONMENT_BYTES = 512

MAXIMUM_NAME_LENGTH = 64
# A relative limit above this is far more likely meant in percent.
MAXIMUM_RELATIVE_LIMIT = 10.0

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_VERSION = re.compile(r"[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}\Z")
_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+\Z")
_RESERVED_VARIABLES = re.compile(r"(AWS_|LAMBDA_|MULTI_X_SERVERLESS_|_HANDLER\Z|_X_AMZN_)")
# Variables of the AWS_ and LAMBDA_ families that Lambda lets functions set.
_FREE_VARIABLES = frozenset({"AWS_LAMBDA_EXEC_WRAPPER", "AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS"})

_KEYS = (
    "workflow_name",
    "workflow_version",
    "environment_variables",
    "iam_policy_file",
    "home_region",
    "home_regions",
    "estimated_invocations_per_month",
    "constraints",
    "regions_and_providers",
    "solver",
    "home_share",
    "priority_tolerance",
    "robust",
    "data_regions",
    "package_exclude",
)


@dataclass(frozen=True)
class FunctionDeclaration:
    """A function as its decorator declares it.

    Attributes:
        attribute: Name of the Python function in its module.
        regions_and_providers: The decorator's argument, `None` if there is none.
        environment_variables: The decorator's argument, `None` if there is none.
        delivery: ``at_least_once`` or ``exactly_once``.
        file: Path relative to the project.
        line: Line of the ``def``.
    """

    name: str
    attribute: str
    entry_point: bool
    delivery: str
    file: str
    line: int
    regions_and_providers: Setting | None = None
    environment_variables: Setting | None = None


def load_configuration(path: Path, known_regions: Collection[str]) -> WorkflowConfiguration:
    """Read and check a project's configuration.

    Args:
        path: The file, or the project's directory.
        known_regions: Codes of the regions that exist.

    Raises:
        InvalidConfigurationError: The file is missing or refused; the message names line and remedy.
    """
    if path.is_dir():
        path = path / CONFIGURATION_DIRECTORY / CONFIGURATION_FILE
    shown = f"{CONFIGURATION_DIRECTORY}/{path.name}" if path.parent.name == CONFIGURATION_DIRECTORY else str(path)
    root = read_yaml(path, shown)
    root.members(_KEYS)
    home = _home_region(root, known_regions)
    regions, provider = _regions_and_providers(
        root.member("regions_and_providers"), RegionSelection(), ProviderSettings(), known_regions
    )
    if home not in regions.resolve(tuple(known_regions)):
        raise root.required("regions_and_providers").error(
            f"does not allow the home region {home}: a workflow always stays deployed there, so add it to "
            "'allowed_regions' or take it out of 'disallowed_regions'."
        )
    invocations = root.member("estimated_invocations_per_month")
    solver, robust = root.member("solver"), root.member("robust")
    environment = root.member("environment_variables")
    return WorkflowConfiguration(
        workflow_name=_workflow_name(root.required("workflow_name")),
        workflow_version=_workflow_version(root.required("workflow_version")),
        home_region=home,
        environment_variables={} if environment is None else _environment(environment),
        iam_policy_file=_policy_file(root.member("iam_policy_file")),
        estimated_invocations_per_month=(
            DEFAULT_INVOCATIONS_PER_MONTH if invocations is None else invocations.integer(1, int(LARGEST_NUMBER))
        ),
        constraints=_constraints(root.member("constraints")),
        regions=regions,
        provider=provider,
        solver="fine-grained" if solver is None else solver.one_of(SOLVERS),
        home_share=_share(root.member("home_share"), DEFAULT_HOME_SHARE, highest_included=True),
        priority_tolerance=_share(root.member("priority_tolerance"), 0.0, highest_included=False),
        data_regions=_data_regions(root.member("data_regions"), known_regions),
        package_exclude=_package_exclude(root.member("package_exclude")),
        robust=robust is not None and robust.truth(),
    )


def merge(
    configuration: WorkflowConfiguration,
    declarations: Sequence[FunctionDeclaration],
    known_regions: Collection[str],
) -> Mapping[str, FunctionConfiguration]:
    """What holds for each function (see the module's text), by function name in the order of `declarations`.

    Raises:
        InvalidConfigurationError: A decorator's settings are refused or exclude home, or `data_regions` names
            a function that does not exist.
    """
    merged: dict[str, FunctionConfiguration] = {}
    for declaration in declarations:
        regions, provider = _regions_and_providers(
            declaration.regions_and_providers, configuration.regions, configuration.provider, known_regions
        )
        allowed = regions.resolve(tuple(known_regions))
        if configuration.home_region not in allowed and declaration.regions_and_providers is not None:
            raise declaration.regions_and_providers.error(
                f"of function '{declaration.name}' does not allow the home region "
                f"{configuration.home_region}: every function stays deployed there as the fallback."
            )
        own = declaration.environment_variables
        environment = {**configuration.environment_variables, **({} if own is None else _environment(own))}
        _check_environment_size(environment, declaration)
        merged[declaration.name] = FunctionConfiguration(declaration.name, allowed, environment, provider)
    for function in configuration.data_regions:
        if function not in merged:
            raise InvalidConfigurationError(
                f"'data_regions' names the function '{function}', which does not exist"
                f"{suggestion(function, tuple(merged))}.",
                file=f"{CONFIGURATION_DIRECTORY}/{CONFIGURATION_FILE}",
            )
    return merged


def check_name(name: str) -> str | None:
    """What is wrong with a name of a workflow or function, `None` if nothing is."""
    if not _NAME.match(name):
        return "must be a letter followed by letters, digits, '_' and '-'"
    if len(name) > MAXIMUM_NAME_LENGTH:
        return f"has {len(name)} characters, at most {MAXIMUM_NAME_LENGTH} are allowed"
    return None


def check_version(version: str) -> str | None:
    """What is wrong with a version of a workflow, `None` if nothing is."""
    if not _VERSION.match(version):
        return "must be three numbers with dots between them, like 0.0.1"
    return None


def _workflow_name(setting: Setting) -> str:
    name = setting.text("a name")
    wrong = check_name(name)
    if wrong is not None:
        raise setting.error(f"'{name}' {wrong}.")
    return name


def _workflow_version(setting: Setting) -> str:
    # 0.1 without quotes is a number to YAML; as it is written it is the version that was meant.
    numeric = isinstance(setting.value, int | float) and not isinstance(setting.value, bool)
    version = setting.written if numeric and setting.written is not None else setting.text("a version like 0.0.1")
    wrong = check_version(version)
    if wrong is not None:
        raise setting.error(f"'{version}' {wrong}.")
    return version


def _policy_file(setting: Setting | None) -> str | None:
    if setting is None:
        return None
    name = _encodable(setting, "a path relative to the project")
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts:
        raise setting.error(f"is '{name}', expected a path inside the project.")
    return name


def _home_region(root: Setting, known_regions: Collection[str]) -> str:
    several = root.member("home_regions")
    if several is None:
        return _region(root.required("home_region"), known_regions)
    if root.member("home_region") is not None:
        raise several.error("and 'home_region' are both given; keep 'home_region'.")
    entries = several.entries()
    if len(entries) != 1:
        raise several.error(f"has {len(entries)} entries; a workflow has exactly one home.")
    return _region(entries[0], known_regions)


def _region(setting: Setting, known_regions: Collection[str]) -> str:
    """``{provider: aws, region: us-east-1}``, or the code alone."""
    if isinstance(setting.value, str):
        return _region_code(setting, known_regions)
    if not isinstance(setting.value, Mapping):
        raise setting.error(
            f"is {setting.shown()}, expected the code of a region, like us-east-1, or a mapping of 'provider' and "
            "'region'."
        )
    setting.members(("provider", "region"))
    provider = setting.required("provider")
    provider.one_of(("aws",))
    region = setting.required("region")
    return _region_code(region, known_regions)


def _region_code(setting: Setting, known_regions: Collection[str]) -> str:
    code = setting.text("the code of a region, like us-east-1")
    if code not in known_regions:
        hint = suggestion(code, known_regions) or (
            f"; regions have codes, as eu-central-1 is Frankfurt's. There are {', '.join(known_regions)}"
        )
        raise setting.error(f"is '{code}', which is no region that is known{hint}.")
    return code


def _region_list(setting: Setting | None, known_regions: Collection[str]) -> tuple[str, ...] | None:
    if setting is None:
        return None
    regions: list[str] = []
    for entry in setting.entries():
        region = _region(entry, known_regions)
        if region in regions:
            raise entry.error(f"repeats the region {region}.")
        regions.append(region)
    return tuple(regions)


def _regions_and_providers(
    setting: Setting | None,
    selection: RegionSelection,
    provider: ProviderSettings,
    known_regions: Collection[str],
) -> tuple[RegionSelection, ProviderSettings]:
    """`selection` and `provider` as far as `setting` does not replace them."""
    if setting is None:
        return selection, provider
    setting.members(("allowed_regions", "disallowed_regions", "providers"))
    allowed = _region_list(setting.member("allowed_regions"), known_regions)
    disallowed = _region_list(setting.member("disallowed_regions"), known_regions)
    if allowed is not None and not allowed:
        raise setting.required("allowed_regions").error("is empty; leave it out to allow every region.")
    if allowed is not None and disallowed:
        both = sorted(set(allowed) & set(disallowed))
        overlap = f" ({', '.join(both)} even in both)" if both else ""
        raise setting.required("disallowed_regions").error(
            f"and 'allowed_regions' are both given{overlap}; keep one: what is not allowed is disallowed."
        )
    if allowed is not None or disallowed is not None:
        selection = RegionSelection(allowed=allowed, disallowed=disallowed or ())
    return selection, _provider(setting.member("providers"), provider)


def _provider(providers: Setting | None, default: ProviderSettings) -> ProviderSettings:
    if providers is None:
        return default
    providers.members(("aws",))
    aws = providers.member("aws")
    if aws is None:
        return default
    aws.members(("config",))
    config = aws.member("config")
    if config is None:
        return default
    config.members(("timeout", "memory", "architecture"))
    timeout = config.member("timeout")
    memory = config.member("memory")
    architecture = config.member("architecture")
    return ProviderSettings(
        timeout_s=default.timeout_s if timeout is None else timeout.integer(1, MAXIMUM_TIMEOUT_S, " (seconds)"),
        memory_mb=(
            default.memory_mb if memory is None else memory.integer(MINIMUM_MEMORY_MB, MAXIMUM_MEMORY_MB, " (MB)")
        ),
        architecture=default.architecture if architecture is None else architecture.one_of(ARCHITECTURES),
    )


def _environment(setting: Setting) -> dict[str, str]:
    variables: dict[str, str] = {}
    for entry in setting.entries():
        entry.members(("key", "value"))
        key_setting, value_setting = entry.required("key"), entry.required("value")
        key = key_setting.text("the name of a variable")
        if not _VARIABLE.match(key):
            raise key_setting.error(
                f"is '{key}'; a variable is a letter followed by one or more letters, digits and '_'."
            )
        if _RESERVED_VARIABLES.match(key) and key not in _FREE_VARIABLES:
            raise key_setting.error(f"is '{key}', which is reserved for the platform; choose another name.")
        if key in variables:
            raise key_setting.error(f"repeats the variable '{key}'.")
        variables[key] = _encodable(value_setting, "the text of the variable")
    return variables


def _encodable(setting: Setting, expected: str) -> str:
    text = setting.text(expected)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise setting.error("holds half a character (a lone surrogate), which no text in UTF-8 can.") from None
    return text


def _check_environment_size(environment: Mapping[str, str], declaration: FunctionDeclaration) -> None:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in environment.items())
    free = MAXIMUM_ENVIRONMENT_BYTES - RESERVED_ENVIRONMENT_BYTES
    if size > free:
        raise InvalidConfigurationError(
            f"the environment variables of function '{declaration.name}' take {size} bytes, at most {free} "
            "are free; put large values into a file of the project.",
            file=declaration.file,
            line=declaration.line,
        )


def _constraints(setting: Setting | None) -> Constraints:
    if setting is None:
        return Constraints()
    setting.members(("hard_resource_constraints", "soft_resource_constraints", "priority_order"))
    return Constraints(
        hard=_limits(setting.member("hard_resource_constraints")),
        soft=_limits(setting.member("soft_resource_constraints")),
        priority_order=_priority_order(setting.member("priority_order")),
    )


def _limits(setting: Setting | None) -> Limits:
    if setting is None:
        return Limits()
    setting.members(OBJECTIVES)
    return Limits(
        cost=_limit(setting.member("cost")),
        runtime=_limit(setting.member("runtime")),
        carbon=_limit(setting.member("carbon")),
    )


def _limit(setting: Setting | None) -> Limit | None:
    if setting is None:
        return None
    setting.members(("type", "value"))
    limit_type = setting.required("type").one_of(LIMIT_TYPES)
    value_setting = setting.required("value")
    value = value_setting.number("a number above 0")
    if value <= 0:
        raise value_setting.error(f"is {value:g}, expected a number above 0.")
    if value > LARGEST_NUMBER:
        raise value_setting.error(f"is {value:g}, expected a number of at most {LARGEST_NUMBER:g}.")
    if limit_type == "relative" and value > MAXIMUM_RELATIVE_LIMIT:
        raise value_setting.error(
            f"is {value:g}, but 'relative' is a fraction of the home deployment's value, not a percentage: "
            f"write 1.1 for at most 10 % worse than home (at most {MAXIMUM_RELATIVE_LIMIT:g})."
        )
    return Limit(limit_type, value)


def _priority_order(setting: Setting | None) -> tuple[Objective, ...]:
    """The named quantities, then those not named in their default order."""
    if setting is None:
        return OBJECTIVES
    order: list[Objective] = []
    for entry in setting.entries():
        name = entry.one_of(OBJECTIVES)
        if name in order:
            raise entry.error(f"repeats '{name}'.")
        order.append(name)
    return (*order, *(objective for objective in OBJECTIVES if objective not in order))


def _share(setting: Setting | None, default: float, *, highest_included: bool) -> float:
    if setting is None:
        return default
    expected = "a number from 0 to 1" if highest_included else "a number from 0 to below 1"
    value = setting.number(expected)
    if not 0 <= value <= 1 or (value == 1 and not highest_included):
        raise setting.error(f"is {value:g}, expected {expected}; 0.1 is 10 %.")
    return value


def _package_exclude(setting: Setting | None) -> tuple[str, ...]:
    if setting is None:
        return ()
    patterns = []
    for entry in setting.entries():
        pattern = _encodable(entry, "a pattern of file names")
        parts = PurePosixPath(pattern.strip("/")).parts
        if not parts or ".." in parts:
            raise entry.error(f"is '{pattern}', expected a pattern of files inside the project, like *.jsonl or data/.")
        patterns.append(pattern)
    return tuple(patterns)


def _data_regions(setting: Setting | None, known_regions: Collection[str]) -> dict[str, str]:
    if setting is None:
        return {}
    return {function: _region_code(region, known_regions) for function, region in setting.members().items()}
