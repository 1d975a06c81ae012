"""What the developer asked for, as frozen dataclasses that store themselves.

`model.config` reads them from a file and merges them; import them from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args

from multi_x_serverless.errors import InvalidDocumentError
from multi_x_serverless.model.documents import Fields, as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from multi_x_serverless.model.plan import Objective

Solver: TypeAlias = Literal["fine-grained", "coarse-grained", "heuristic"]
Architecture: TypeAlias = Literal["x86_64", "arm64"]
LimitType: TypeAlias = Literal["absolute", "relative"]

Choice = TypeVar("Choice", bound=str)

OBJECTIVES: tuple[Objective, ...] = ("carbon", "cost", "runtime")
SOLVERS: tuple[Solver, ...] = get_args(Solver)
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
LIMIT_TYPES: tuple[LimitType, ...] = get_args(LimitType)

DEFAULT_TIMEOUT_S = 60
DEFAULT_MEMORY_MB = 512
DEFAULT_HOME_SHARE = 0.1
DEFAULT_INVOCATIONS_PER_MONTH = 1000


@dataclass(frozen=True)
class Limit:
    """A limit of one quantity per run.

    Attributes:
        type: ``absolute``: in the quantity's unit (USD, seconds, gCO2eq); ``relative``: fraction of the home
            deployment's value, so 1.1 is at most 10 % worse than home.
        value: Above zero.
    """

    type: LimitType
    value: float


@dataclass(frozen=True)
class Limits:
    """Limits by quantity; `None` is no limit."""

    cost: Limit | None = None
    runtime: Limit | None = None
    carbon: Limit | None = None

    def of(self, objective: Objective) -> Limit | None:
        """The limit of a quantity."""
        return {"cost": self.cost, "runtime": self.runtime, "carbon": self.carbon}[objective]

    def to_members(self) -> dict[str, Any]:
        """The limits as part of a document."""
        found = {objective: self.of(objective) for objective in OBJECTIVES}
        return {
            objective: None if limit is None else {"type": limit.type, "value": limit.value}
            for objective, limit in found.items()
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> Limits:
        """Read what `to_members` wrote."""

        def limit(name: str) -> Limit | None:
            section = fields.optional_section(name)
            if section is None:
                return None
            return Limit(read_choice(section, "type", LIMIT_TYPES), section.number("value"))

        return cls(cost=limit("cost"), runtime=limit("runtime"), carbon=limit("carbon"))


@dataclass(frozen=True)
class Constraints:
    """Limits and the order in which quantities are minimised.

    Attributes:
        hard: On the tail (95th percentile over runs); never violated by a plan.
        soft: On the average; violations are minimised before anything else.
        priority_order: All three quantities, most important first.
    """

    hard: Limits = Limits()
    soft: Limits = Limits()
    priority_order: tuple[Objective, ...] = OBJECTIVES

    def to_members(self) -> dict[str, Any]:
        """The constraints as part of a document."""
        return {
            "hard": self.hard.to_members(),
            "soft": self.soft.to_members(),
            "priority_order": list(self.priority_order),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> Constraints:
        """Read what `to_members` wrote."""
        order = fields.texts("priority_order")
        if sorted(order) != sorted(OBJECTIVES):
            raise InvalidDocumentError(fields.document, f"{fields.path}.priority_order", f"is {list(order)}")
        by_name: dict[str, Objective] = {objective: objective for objective in OBJECTIVES}
        return cls(
            hard=Limits.from_fields(fields.section("hard")),
            soft=Limits.from_fields(fields.section("soft")),
            priority_order=tuple(by_name[name] for name in order),
        )


@dataclass(frozen=True)
class RegionSelection:
    """Regions by permission: at most one of the two lists is in use.

    Attributes:
        allowed: Only these; `None` is every region that is not disallowed.
        disallowed: All but these.
    """

    allowed: tuple[str, ...] | None = None
    disallowed: tuple[str, ...] = ()

    def resolve(self, known_regions: tuple[str, ...]) -> tuple[str, ...]:
        """The allowed regions among all known, sorted."""
        allowed = known_regions if self.allowed is None else self.allowed
        return tuple(sorted(set(allowed) - set(self.disallowed)))

    def to_members(self) -> dict[str, Any]:
        """The selection as part of a document."""
        return {
            "allowed": None if self.allowed is None else list(self.allowed),
            "disallowed": list(self.disallowed),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> RegionSelection:
        """Read what `to_members` wrote."""
        allowed = None if fields.values.get("allowed") is None else fields.texts("allowed")
        return cls(allowed=allowed, disallowed=fields.texts("disallowed"))


@dataclass(frozen=True)
class ProviderSettings:
    """How a function runs.

    Attributes:
        timeout_s: Longest duration of one invocation, 1-900 s.
        memory_mb: Memory in MiB, 128-10240; also sets the CPU share (1,769 MB = 1 vCPU).
        architecture: Instruction set of the processor.
    """

    timeout_s: int = DEFAULT_TIMEOUT_S
    memory_mb: int = DEFAULT_MEMORY_MB
    architecture: Architecture = "x86_64"

    def to_members(self) -> dict[str, Any]:
        """The settings as part of a document."""
        return {"timeout_s": self.timeout_s, "memory_mb": self.memory_mb, "architecture": self.architecture}

    @classmethod
    def from_fields(cls, fields: Fields) -> ProviderSettings:
        """Read what `to_members` wrote."""
        return cls(
            timeout_s=fields.integer("timeout_s"),
            memory_mb=fields.integer("memory_mb"),
            architecture=read_choice(fields, "architecture", ARCHITECTURES),
        )


@dataclass(frozen=True)
class WorkflowConfiguration:
    """A workflow's configuration file.

    Attributes:
        workflow_name: A letter, then letters, digits, ``_`` and ``-``.
        workflow_version: Three numbers with dots between them, like ``0.0.1``.
        iam_policy_file: Path relative to the project; `None` for no permissions of the developer's own.
        estimated_invocations_per_month: Used where a monthly price is shared among runs.
        home_share: Probability that a run goes home although a plan is valid, 0-1.
        priority_tolerance: Plans within this fraction of the best count as equal, 0 <= tolerance < 1.
        robust: Whether plans are made for the case least favourable to moving.
        data_regions: Function -> region of the data it reads and writes.
        package_exclude: Patterns of files that the package leaves out (`package_patterns`).
    """

    workflow_name: str
    workflow_version: str
    home_region: str
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    iam_policy_file: str | None = None
    estimated_invocations_per_month: int = DEFAULT_INVOCATIONS_PER_MONTH
    constraints: Constraints = Constraints()
    regions: RegionSelection = RegionSelection()
    provider: ProviderSettings = ProviderSettings()
    solver: Solver = "fine-grained"
    home_share: float = DEFAULT_HOME_SHARE
    priority_tolerance: float = 0.0
    data_regions: Mapping[str, str] = field(default_factory=dict)
    package_exclude: tuple[str, ...] = ()
    robust: bool = False

    @property
    def workflow_id(self) -> str:
        """``<name>-<version>``; a version holds no ``-``, so two workflows never share an id."""
        return f"{self.workflow_name}-{self.workflow_version}"

    def to_members(self) -> dict[str, Any]:
        """The configuration as part of a document."""
        return {
            "workflow_name": self.workflow_name,
            "workflow_version": self.workflow_version,
            "home_region": self.home_region,
            "environment_variables": dict(self.environment_variables),
            "iam_policy_file": self.iam_policy_file,
            "estimated_invocations_per_month": self.estimated_invocations_per_month,
            "constraints": self.constraints.to_members(),
            "regions": self.regions.to_members(),
            "provider": self.provider.to_members(),
            "solver": self.solver,
            "home_share": self.home_share,
            "priority_tolerance": self.priority_tolerance,
            "robust": self.robust,
            "data_regions": dict(self.data_regions),
            "package_exclude": list(self.package_exclude),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> WorkflowConfiguration:
        """Read what `to_members` wrote."""
        return cls(
            workflow_name=fields.text("workflow_name"),
            workflow_version=fields.text("workflow_version"),
            home_region=fields.text("home_region"),
            environment_variables=fields.mapping("environment_variables", as_text),
            iam_policy_file=fields.optional_text("iam_policy_file"),
            estimated_invocations_per_month=fields.integer("estimated_invocations_per_month"),
            constraints=Constraints.from_fields(fields.section("constraints")),
            regions=RegionSelection.from_fields(fields.section("regions")),
            provider=ProviderSettings.from_fields(fields.section("provider")),
            solver=read_choice(fields, "solver", SOLVERS),
            home_share=fields.number("home_share"),
            priority_tolerance=fields.number("priority_tolerance"),
            data_regions=fields.mapping("data_regions", as_text),
            # Records from before these keys have none.
            package_exclude=fields.texts("package_exclude") if "package_exclude" in fields.values else (),
            robust=fields.truth("robust") if "robust" in fields.values else False,
        )


@dataclass(frozen=True)
class FunctionConfiguration:
    """What holds for one function: the workflow's settings merged with those of its decorator.

    Attributes:
        allowed_regions: Sorted; the home region is among them.
    """

    name: str
    allowed_regions: tuple[str, ...]
    environment_variables: Mapping[str, str]
    provider: ProviderSettings

    def to_members(self) -> dict[str, Any]:
        """The configuration as part of a document."""
        return {
            "name": self.name,
            "allowed_regions": list(self.allowed_regions),
            "environment_variables": dict(self.environment_variables),
            "provider": self.provider.to_members(),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> FunctionConfiguration:
        """Read what `to_members` wrote."""
        return cls(
            name=fields.text("name"),
            allowed_regions=fields.texts("allowed_regions"),
            environment_variables=fields.mapping("environment_variables", as_text),
            provider=ProviderSettings.from_fields(fields.section("provider")),
        )


def read_choice(fields: Fields, name: str, choices: tuple[Choice, ...]) -> Choice:
    """A member of a document that is one of a few names."""
    value = fields.text(name)
    for choice in choices:
        if choice == value:
            return choice
    raise InvalidDocumentError(
        fields.document,
        f"{fields.path}.{name}".lstrip("."),
        f"is '{value}', expected one of {', '.join(choices)}",
    )
