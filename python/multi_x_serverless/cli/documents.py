"""The JSON documents that commands print with ``--output json``, declared: schema -> members.

``docs/commands-json.md`` is made of this, and a test compares it with what every command really prints. A document of
version 1 keeps its members; more may come.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """One member of a document.

    Attributes:
        meaning: What it is, with its unit.
        members: Of an object, or of each object of a list: the names of its members.
        has_any_members: Its names are data (regions, nodes), or another page lists them.
        is_optional: It is there in some forms of the command only.
    """

    name: str
    meaning: str
    members: tuple[str, ...] = ()
    has_any_members: bool = False
    is_optional: bool = False


@dataclass(frozen=True)
class Document:
    """What a command prints.

    Attributes:
        schema: Without what all schemas begin with.
        command: As it is typed.
    """

    schema: str
    command: str
    members: tuple[Member, ...]


def _list(name: str, meaning: str, members: str, *, is_optional: bool = False) -> Member:
    return Member(name, meaning, tuple(members.split()), is_optional=is_optional)


def _map(name: str, meaning: str, *, is_optional: bool = False) -> Member:
    return Member(name, meaning, has_any_members=True, is_optional=is_optional)


_WORKFLOW = Member("workflow_id", "id of the workflow")
_REGION = Member("region", "region")
_DRY_RUN = Member("dry_run", "whether nothing was done")
_LEFT = Member("left", "what could not be deleted, a text each")
_WARNINGS = Member("warnings", "what is to be known about the data, a text each")
_PROBLEM_HASH = Member("problem_hash", "digest of the problem document")
_TAIL = Member("tail", "the percentile that hard limits hold for, 0.95 for instance")
_CONFIDENCE = Member("confidence", "with which upper bounds of percentiles hold")
_SCENARIOS = Member("scenarios", "number of scenarios")
_PLAN_VERSION = Member("plan_version", "version of the plan")
_TRANSMISSION = Member("transmission", "energy per byte: `best` or `worst`")
_OBJECTS_DELETED = Member("objects_deleted", "objects of the workflow that were deleted")
_PROVENANCE = _map("provenance", "where the data come from, a text per kind of data")

_LETTER = "id workflow_id region function node run_id error failed_at"
_FAILURE = "node region error message traceback"
_CHANGE = "verb kind name region"
_UNREAD = "region function read_until error"
_SPENDING = _list(
    "spending",
    "what planning took in the last 30 days: USD, gCO2eq, processor seconds; `by_kind` of each kind of work",
    "solves migrations syncs collections cpu_s carbon_gco2eq cost_usd transmission by_kind",
)
_NET = _list(
    "net",
    "what plans of the last days saved (gross), what that took (overhead) and what is left (net): gCO2eq and USD",
    "days expected compared compared_versions observed_gross overhead overhead_total expected_net observed_net "
    "transmission obstacle",
)
_STATISTICS = (
    "workflow_id manifest_id collected_at runs sampled_runs failed other_runs first_run_at last_run_at runs_per_day "
    "cold_share runtime_s regions nodes edges gaps"
)

DOCUMENTS: tuple[Document, ...] = (
    Document(
        "demo",
        "demo",
        (
            Member("directory", "where the demo keeps its project and its embedded cloud"),
            _list(
                "steps",
                "what was run: the words of each command, its exit code, its document",
                "command exit_code document",
            ),
            Member("elapsed_s", "seconds that all took"),
        ),
    ),
    Document("new_workflow", "new_workflow", (Member("directory", "the directory that was made"),)),
    Document(
        "setup_tables",
        "setup_tables",
        (
            Member("system_region", "region of the framework's own tables"),
            Member("system_tables", "names of these tables"),
            Member("regions", "regions that have tables"),
            Member("region_tables", "names of the tables of each region"),
        ),
    ),
    Document(
        "deploy",
        "deploy",
        (
            _WORKFLOW,
            _DRY_RUN,
            _LEFT,
            _list("withdrawn_plans", "plans that were or would be withdrawn, and why", "plan_version staged reason"),
            _list("actions", "what was or would be done; `region` is null where there is none", _CHANGE),
            _list(
                "permissions_added",
                "with --dry-run: statements that the role would gain",
                "effect action resource condition",
                is_optional=True,
            ),
            _list(
                "permissions_removed",
                "with --dry-run: statements that it would lose",
                "effect action resource condition",
                is_optional=True,
            ),
            _list(
                "settings",
                "with --dry-run: settings of functions that would change",
                "function setting before after",
                is_optional=True,
            ),
            _map("expected_month", "with --dry-run: expected cost and carbon a month, modelled", is_optional=True),
            Member("why_not_expected", "with --dry-run: why there is no expectation", is_optional=True),
            _map(
                "objects_staying",
                "with --dry-run: region that would be home no longer, and how many objects stay there (null if it "
                "cannot be asked); null if none do",
                is_optional=True,
            ),
        ),
    ),
    Document(
        "run",
        "run",
        (
            _WORKFLOW,
            _list(
                "runs",
                "with --wait: each run; `duration_s` in seconds, `result` what its last nodes returned",
                "run_id status reason placement duration_s result nodes failures",
                is_optional=True,
            ),
            Member("run_ids", "with --no-wait: ids of the runs", is_optional=True),
        ),
    ),
    Document(
        "list",
        "list",
        (
            _list(
                "workflows",
                "the deployed workflows",
                "workflow_id status home_region functions plan_version plan_regions staged_plan_version updated_at",
                is_optional=True,
            ),
            Member(
                "unfinished",
                "ids of workflows whose first deployment is under way or did not reach its end",
                is_optional=True,
            ),
            _list("tagged", "with --tagged: every resource that was made", "region id", is_optional=True),
        ),
    ),
    Document(
        "status",
        "status WORKFLOW_ID",
        (
            _WORKFLOW,
            Member("home_region", "home region"),
            Member("nodes", "names of the nodes"),
            _map("active_plan", "the plan in force, whole; null if there is none"),
            _map("staged_plan", "the staged plan, whole; null if there is none"),
            _list(
                "plan_uses",
                "runs by plan: where each node ran; `everything_home` is null where the plan is not stored any more",
                "plan_version everything_home runs failed reasons regions",
            ),
            _list("statistics", "summary of the history; null before data_collect workflow", _STATISTICS),
            _SPENDING,
            _NET,
            Member("other_runs", "number of runs in the history that are of another graph or home"),
            Member("dead_letters", "number of messages that were given up"),
            _list(
                "last_runs",
                "the last runs, newest first",
                "run_id started_at status plan_version reason duration_s failed_attempts regions",
            ),
        ),
    ),
    Document(
        "run_status",
        "status RUN_ID",
        (
            Member("run_id", "id of the run"),
            _WORKFLOW,
            Member("status", "complete, failed, running or not started"),
            Member("started_at", "seconds since the epoch; null before it has started"),
            Member("duration_s", "seconds until the last node finished"),
            _PLAN_VERSION,
            Member("placement", "`home` or the planned hour"),
            Member("reason", "why it was placed so"),
            _list("nodes", "state of each node", "node state region attempts duration_s is_cold waits_for"),
            _list("failures", "attempts that raised", _FAILURE),
            Member("kills", "what the platform said of invocations that it ended"),
            Member("duplicates", "repeated deliveries that ran nothing"),
            Member("fallbacks", "calls that home took because the planned region did not"),
            _map("result", "what its last nodes returned; null where results are not logged"),
            _list("dead_letters", "its messages that were given up", _LETTER),
            Member(
                "deployment_unknown",
                "whether it started under a deployment that is not recorded (any more); nodes and states are then told "
                "by today's graph",
            ),
        ),
    ),
    Document(
        "objects_put",
        "objects put",
        (_WORKFLOW, Member("key", "its key"), Member("size_bytes", "bytes"), _REGION),
    ),
    Document(
        "objects_get",
        "objects get",
        (
            _WORKFLOW,
            Member("key", "its key"),
            Member("size_bytes", "bytes"),
            _REGION,
            Member("file", "the file that was written"),
        ),
    ),
    Document(
        "objects_list",
        "objects list",
        (_WORKFLOW, _REGION, _list("objects", "the objects", "key size_bytes stored_at")),
    ),
    Document(
        "objects_delete",
        "objects delete",
        (_WORKFLOW, _REGION, Member("deleted", "keys of what was deleted")),
    ),
    Document(
        "logs",
        "logs",
        (
            _WORKFLOW,
            Member("run_id", "the run that was asked for; null for all"),
            Member("since", "seconds since the epoch: nothing from before"),
            Member("until", "seconds since the epoch: logs were read until then"),
            Member("left_out", "number of older texts beyond --limit"),
            _list(
                "texts",
                "what was logged, by `time` (seconds since the epoch); `kind` is output, killed, platform or record",
                "time region function node run_id container kind text",
            ),
            _list("unread", "logs that could not be read", _UNREAD),
        ),
    ),
    Document(
        "dead_letters",
        "dead_letters",
        (
            _list("dead_letters", "messages that were given up and are there still", _LETTER),
            _list("discarded", "with --discard or --discard-all: those that were deleted", _LETTER, is_optional=True),
        ),
    ),
    Document(
        "redrive",
        "redrive",
        (
            _WORKFLOW,
            _list("redriven", "messages that were put back", _LETTER),
            _list("held", "messages that wait for a claim to end", _LETTER),
            _list("stuck", "messages for what is no longer there; `why` says what is missing", f"{_LETTER} why"),
            _list(
                "runs",
                "their runs; `failures`: attempts that raised, as those of `status`, with what was raised before",
                "run_id status failures",
            ),
        ),
    ),
    Document(
        "data_sync",
        "data_sync",
        (
            _list(
                "workflows",
                "what was new in the logs of each workflow: numbers of records and of runs",
                "workflow_id lines completed failed open malformed newer rejected late lost read_until logs unread "
                "is_cut_short",
            ),
            _map("failures", "workflow id -> why its logs could not be synced"),
        ),
    ),
    Document(
        "data_collect",
        "data_collect",
        (
            _list("collectors", "what each collector refreshed", "collector collected_at outcomes notes"),
            _list("workflows", "statistics of each workflow", _STATISTICS),
            _map("failures", "workflow id -> why its statistics could not be made"),
        ),
    ),
    Document(
        "solve",
        "solve",
        (
            _WORKFLOW,
            Member("staged_plan_version", "version of the plan that was staged; null if none was"),
            _WARNINGS,
            _map("solution", "the solution document, see problem-document.md"),
            _map("pareto", "with --pareto: the frontier of one hour, else null"),
            Member("picked", "with --pick: number of the point that was staged, else null"),
            _list(
                "robust",
                "with --robust, or of a problem with intervals: the intervals `{low, high, origin}` (factors; kWh/GB), "
                "and what is expected of the plan, and of one made without it, with the UTC hours at which that one "
                "was not settled in time (all three null of a problem document), while the solution is of the case "
                "least favourable to moving; else null",
                "carbon_factors transmission_kwh_per_gb within_region_kwh_per_gb expected without_robust "
                "without_robust_timed_out_hours",
            ),
        ),
    ),
    Document(
        "explain",
        "explain",
        (
            _WORKFLOW,
            Member("home", "home region"),
            _map("plan", "the plan that is explained: its role, version, solver, and of a solved one also its origin"),
            _list(
                "basis",
                "what it was made of; null of a plan that no solver was asked for",
                "origin problem_hash scenarios tail confidence runs provenance robust is_what_the_plan_was_made_of",
            ),
            Member("priority_order", "objectives in their order", is_optional=True),
            Member("priority_tolerance", "within which plans count as equal", is_optional=True),
            Member("bound_metric", "the objective of the bounds", is_optional=True),
            _list(
                "hours",
                "what holds at each hour, and for each node what else there is",
                "hour status placement metrics home_metrics expected best gap limits nodes",
            ),
            _list(
                "changes",
                "hours that are placed otherwise than the planned hour before, and what keeping that would give",
                "hour previous_hour moves intensity_gco2eq_per_kwh metrics kept",
            ),
            _WARNINGS,
        ),
    ),
    Document(
        "simulate",
        "simulate",
        (
            Member("workflow", "name of the workflow in the document"),
            _PROBLEM_HASH,
            _SCENARIOS,
            _TAIL,
            _CONFIDENCE,
            Member("prior", "whether all rests on declared estimates"),
            _list(
                "robust",
                "intervals of the document, `{low, high, origin}` (factors; kWh/GB), in whose case least favourable to "
                "moving all carbon is; else null",
                "carbon_factors transmission_kwh_per_gb within_region_kwh_per_gb",
            ),
            _list(
                "hours",
                "metrics at each hour (gCO2eq, USD and seconds per run), and the limits",
                "hour placement metrics home_metrics constraints",
            ),
        ),
    ),
    Document(
        "replay",
        "replay",
        (
            Member("simulated", "true: nothing of it was measured"),
            Member("workflow", "name of the workflow in the document"),
            _PROBLEM_HASH,
            Member("first_day", "first day, UTC"),
            Member("last_day", "last day, UTC"),
            Member("hours", "number of hours"),
            Member("runs", "number of runs"),
            Member("load", "the load, in words"),
            Member("regions", "regions that nodes might go to"),
            Member("home", "home region"),
            Member("static_region", "best single region, with hindsight"),
            Member("objective", "what was minimised"),
            _TAIL,
            _SCENARIOS,
            Member("replan_hours", "hours between plans"),
            Member("home_share", "fraction of the runs that stay home"),
            Member("forecaster", "name of the forecaster"),
            Member("framework_region", "system region of the jobs that are counted; null without them"),
            _map(
                "pays_from_runs_per_hour",
                "home, static -> mean load from which on this system emits less, net, if plans stay; null: never",
            ),
            Member("regret_of_forecast", "what forecasting costs against knowing, a fraction"),
            Member("routed_saving_against_static", "of the runs that plans routed, a fraction"),
            _map("intensity_origins", "region -> where its intensities come from"),
            _PROVENANCE,
            Member("notes", "what is to be known, a text each"),
            _map("placements", "the placements that `put_in_force` counts from 0: node -> region"),
            _list(
                "policies",
                "what each policy emitted, cost and took: gCO2eq, USD and seconds",
                "name description carbon_gco2eq cost_usd overhead runtime_s saved_against_home saved_against_static "
                "region_shares solves changes switches hours_without_plan infeasible_hours hours_over_hard_limits "
                "put_in_force",
            ),
        ),
    ),
    Document(
        "update_check_solver",
        "update_check_solver",
        (
            _list(
                "workflows",
                "the decision about each workflow, and when the next check is due (seconds since the epoch)",
                "workflow_id verdict reason runs gain overhead plan_version warnings error_code granularity switches "
                "balance next_check_at why_then",
            ),
        ),
    ),
    Document(
        "update_check_deployment",
        "update_check_deployment",
        (
            _list(
                "workflows",
                "what became of each workflow",
                "workflow_id outcome plan_version created deleted message error_code",
            ),
        ),
    ),
    Document(
        "deploy_framework",
        "deploy_framework",
        (_DRY_RUN, _list("actions", "what was or would be done", _CHANGE), _LEFT),
    ),
    Document(
        "remove_framework",
        "remove_framework",
        (_DRY_RUN, _list("actions", "what was or would be done", _CHANGE), _LEFT),
    ),
    Document(
        "report",
        "report",
        (
            _WORKFLOW,
            _PLAN_VERSION,
            _TRANSMISSION,
            _WARNINGS,
            _PROVENANCE,
            _list(
                "expected",
                "simulated means per run: gCO2eq, USD and seconds; null of a plan that sends everything home. "
                "`least_favourable`: carbon in the case that a robust plan is made for, null of another",
                "home best_static best_static_region best_single plan least_favourable",
            ),
            _list(
                "robust",
                "intervals that a robust plan is made for, `{low, high, origin}` (factors; kWh/GB); null of another",
                "carbon_factors transmission_kwh_per_gb within_region_kwh_per_gb",
            ),
            _list(
                "observed",
                "modelled from observed runs, per run: gCO2eq, USD and seconds; of a plan with `everything_home` at "
                "every hour nothing is compared, and `obstacle` says so. Times are of the runs that `times` says",
                "plan control other_home plan_runs control_runs failed_plan_runs failed_control_runs strata carbon "
                "cost runtime obstacle provenance everything_home times",
            ),
            _SPENDING,
            _NET,
        ),
    ),
    Document(
        "doctor",
        "doctor",
        (
            Member("cloud", "`aws` or `local`"),
            Member("problems", "number of problems"),
            _list(
                "findings",
                "`status` is ok, note or problem; `remedy` holds lines for a shell",
                "check status regions message remedy",
            ),
        ),
    ),
    Document(
        "remove",
        "remove",
        (
            _WORKFLOW,
            Member("deleted", "resources that were deleted, a text each"),
            _LEFT,
            _OBJECTS_DELETED,
            Member("objects_left", "objects of the workflow that were kept"),
            Member("object_regions", "regions in which they are"),
        ),
    ),
    Document(
        "teardown",
        "teardown",
        (Member("deleted", "tables and stores that were deleted"), _OBJECTS_DELETED),
    ),
    Document(
        "version",
        "version",
        (Member("program", "version of the program"), Member("engine", "version of its engine")),
    ),
)
"""In the order in which the commands are listed."""
