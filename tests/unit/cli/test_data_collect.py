"""What `data_collect` prints: what was refreshed, from where, how old it is, what failed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.collection_warnings import warning_lines
from multi_x_serverless.adaptation.ledger import Ledger
from multi_x_serverless.cli.collection_tables import failure_lines, show_reports
from multi_x_serverless.cli.commands.data_collect import command
from multi_x_serverless.cli.output import age, size
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cli.statistics_tables import describe_gaps, show_statistics
from multi_x_serverless.cloud.ports import Key
from multi_x_serverless.cloud.tables import physical_name
from multi_x_serverless.collection.collector import CollectorReport, SignalOutcome
from multi_x_serverless.errors import CloudError, NotEnoughDataError
from multi_x_serverless.model.statistics import GAP_KINDS, Gap, WorkflowStatistics
from tests.data.logs.make_reviews import FILE
from tests.fakes import Call, FakeCloud
from tests.unit.adaptation.deployed import deployed_example
from tests.unit.cli.golden import check_golden, table_settings
from tests.unit.deployment.projects import WORKFLOW_ID

EUROPE = tuple(f"eu-west-{number}" for number in range(1, 7))
DAY_S = 86_400.0


def outcome(
    region: str, kind: str = "carbon", source: str = "embedded hourly trace", **members: object
) -> SignalOutcome:
    fresh = SignalOutcome(kind, region, source, "2023", 0.0)
    return replace(fresh, **members)  # type: ignore[arg-type]  # a test's own members


REPORTS = (
    CollectorReport(
        "carbon",
        0.0,
        (
            outcome("us-east-1", source="Electricity Maps", vintage="2026-11-26", warnings=("WattTime: no key",)),
            outcome("us-west-2", warnings=("WattTime: no key", "Electricity Maps: timed out")),
            outcome("ca-central-1", warnings=("WattTime: no key", "Electricity Maps: timed out")),
            outcome("eu-west-1", age_s=3.2 * DAY_S, error="the feed is down.", error_code="signal-source"),
            outcome("eu-west-2", age_s=3.3 * DAY_S, error="the feed is down.", error_code="signal-source"),
            outcome(
                "eu-west-3", source="", vintage="", age_s=None, error="the feed is down.", error_code="signal-source"
            ),
        ),
    ),
    CollectorReport(
        "performance",
        0.0,
        tuple(outcome(region, "performance", warnings=("CloudPing: timed out",)) for region in EUROPE),
        ("Embedded round trips are those of 2020.",),
    ),
)


def reviews() -> WorkflowStatistics:
    """Statistics of the recorded log."""
    return WorkflowStatistics.from_document((FILE.parent / "reviews_statistics.json").read_text(encoding="utf-8"))


def narrow(monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = table_settings(monkeypatch)
    monkeypatch.setenv("COLUMNS", "80")
    return settings


def test_what_was_collected_from_where_and_how_old_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    show_reports(narrow(monkeypatch), REPORTS)
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    check_golden("data_collect", output)


def test_each_of_several_sources_stands_with_its_own_date(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trips = outcome("us-east-1", "performance", "own runs; embedded; distance", vintage="2026-11-26; 2020; 2020")
    alike = outcome("us-west-2", "performance", "own runs; embedded", vintage="2020")
    show_reports(table_settings(monkeypatch), (CollectorReport("performance", 0.0, (trips, alike)),))
    output = capsys.readouterr().out
    assert "own runs: 2026-11-26; embedded: 2020; distance: 2020" in output
    assert "own runs; embedded: 2020" in output


def test_regions_with_the_same_warning_share_a_line() -> None:
    assert list(warning_lines(REPORTS)) == [
        "carbon of ca-central-1, us-east-1, us-west-2: WattTime: no key",
        "carbon of ca-central-1, us-west-2: Electricity Maps: timed out",
        "performance of all 6 regions: CloudPing: timed out",
    ]


def test_regions_that_failed_for_the_same_reason_share_a_line_and_say_what_is_left() -> None:
    assert failure_lines(REPORTS) == [
        "carbon of eu-west-1, eu-west-2 was not refreshed, the value of 3 days ago stays: the feed is down.",
        "carbon of eu-west-3 was not refreshed, there is no value: the feed is down.",
    ]
    some = CollectorReport("x", 0.0, (*REPORTS[1].outcomes, outcome("us-east-1", "performance")))
    assert warning_lines([some]) == ("performance of 6 regions: CloudPing: timed out",)


@pytest.mark.parametrize(("verbosity", "name"), [(0, "data_collect_workflow"), (1, "data_collect_workflow_verbose")])
def test_statistics_of_workflows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, verbosity: int, name: str
) -> None:
    idle = replace(
        reviews(),
        workflow_id="idle-0.0.1",
        runs=0,
        failed=0,
        other_runs=3,
        runs_per_day=None,
        cold_share=None,
        runtime=None,
        gaps=(Gap("no_runs"),),
    )
    show_statistics(replace(narrow(monkeypatch), verbosity=verbosity), [reviews(), idle])
    output = capsys.readouterr().out
    tables = [line for line in output.splitlines() if not line.startswith(("-", "What"))]
    assert max(map(len, tables)) <= 80
    check_golden(name, output)


def test_every_kind_of_gap_has_a_sentence_and_equal_ones_share_it() -> None:
    lines = describe_gaps(
        [Gap(kind, "b", ("us-west-2",)) for kind in GAP_KINDS] + [Gap("few_samples", "c", ("us-west-2",))]
    )
    assert len(set(lines)) == len(GAP_KINDS)
    assert lines[-1].endswith("elsewhere: b, c.")


def test_sizes_and_ages() -> None:
    assert [size(value) for value in (0, 999, 1_000, 2_500_000, 3e9)] == ["0 B", "999 B", "1 kB", "2.5 MB", "3 GB"]
    assert [age(value) for value in (0, 60, 3_600, 7_300, 86_400, 3 * 86_400)] == [
        "less than a minute",
        "1 minute",
        "1 hour",
        "2 hours",
        "1 day",
        "3 days",
    ]


class Terminal:
    """Runs the command on a cloud in memory."""

    def __init__(self, cloud: FakeCloud, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        @contextmanager
        def open_cloud(_settings: Settings, *, exclusive: bool = True) -> Iterator[FakeCloud]:
            yield cloud

        monkeypatch.setattr(Settings, "open_cloud", open_cloud)
        self.settings = settings

    def run(self, *arguments: str, output: str = "table") -> int:
        settings = replace(self.settings, output=output)
        code = command.main(list(arguments), obj=settings, standalone_mode=False)
        assert isinstance(code, int)
        return code


@pytest.fixture
def cloud(tmp_path: Path) -> FakeCloud:
    return deployed_example(tmp_path, runs=30)


@pytest.fixture
def terminal(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(cloud, table_settings(monkeypatch), monkeypatch)


def writes_of(cloud: FakeCloud, table: str) -> set[str]:
    """Sort keys that were written."""
    return {
        call.arguments[2].sort
        for call in cloud.faults.calls
        if call.operation == "put" and call.arguments[1] == physical_name(table) and isinstance(call.arguments[2], Key)
    }


def test_a_workflow_whose_record_cannot_be_read_is_told_and_hides_no_other(
    terminal: Terminal, cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.key_value.put(cloud.system_region, physical_name("workflows"), Key("broken-0.0.1"), {"document": "{}"})
    assert terminal.run("workflow") == 1
    output = capsys.readouterr()
    assert WORKFLOW_ID in output.out
    assert "statistics of broken-0.0.1 were not refreshed: " in output.err


def test_json_has_what_the_tables_have(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.run("all", output="json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["version"]) == ("multi-x-serverless/cli/data_collect", 1)
    assert [report["collector"] for report in document["collectors"]] == ["carbon", "provider", "performance"]
    first = document["collectors"][0]["outcomes"][0]
    assert {"kind", "region", "source", "vintage", "age_s", "error", "error_code", "warnings"} == set(first)
    (workflow,) = document["workflows"]
    assert (workflow["workflow_id"], workflow["runs"]) == (WORKFLOW_ID, 30)
    assert workflow["nodes"][0]["regions"][0]["warm_duration_s"]["count"] == 29
    assert document["failures"] == {}


def test_workflow_alone_asks_no_collector_and_performance_summarises_the_runs_first(
    terminal: Terminal, cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.faults.reset()
    assert terminal.run("workflow") == 0
    assert writes_of(cloud, "signals") == set()
    assert writes_of(cloud, "statistics") == {"summary"}
    assert "Workflows: runs of the last 30 days" in capsys.readouterr().out
    cloud.faults.reset()
    assert terminal.run("performance") == 0
    assert writes_of(cloud, "statistics") == {"summary"}
    assert "Workflows" not in capsys.readouterr().out
    cloud.faults.reset()
    assert terminal.run("carbon") == 0
    assert writes_of(cloud, "statistics") == set()


def test_one_command_is_one_collection_in_the_ledger(terminal: Terminal, cloud: FakeCloud) -> None:
    for count, collector in enumerate(("all", "performance", "workflow", "carbon"), start=1):
        assert terminal.run(collector) == 0
        assert Ledger(cloud).spending(WORKFLOW_ID).collections == count


def test_what_is_not_refreshed_is_an_error_of_the_command(
    terminal: Terminal, cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(call: Call) -> CloudError | None:
        is_write = call.operation == "put" and call.arguments[1] == physical_name("signals")
        return CloudError("throttled.") if is_write else None

    cloud.faults.before = fault
    cloud.time += 7_300.0
    assert terminal.run("carbon") == 1
    captured = capsys.readouterr()
    line = " ".join(captured.err[captured.err.index("error: ") :].split())
    assert line.startswith("error: carbon of ca-central-1, us-east-1, us-west-1 was not refreshed, ")
    assert line.endswith("the value of 2 hours ago stays: throttled.")
    assert "2 hours ago" in captured.out


def test_a_workflow_whose_history_cannot_be_read_is_an_error_and_loses_no_signal(
    terminal: Terminal, cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    def fault(call: Call) -> CloudError | None:
        is_history = call.operation == "query" and call.arguments[1] == physical_name("history")
        return CloudError("throttled.") if is_history else None

    cloud.faults.before = fault
    assert terminal.run("all", output="json") == 1
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["failures"] == {WORKFLOW_ID: "throttled."}
    assert document["workflows"] == []
    assert all(entry["error"] is None for report in document["collectors"] for entry in report["outcomes"])
    assert f"statistics of {WORKFLOW_ID} were not refreshed: throttled." in captured.err


def test_what_cannot_be_noted_in_the_ledger_is_a_warning(
    terminal: Terminal, cloud: FakeCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.faults.before = lambda call: (
        CloudError("the table is away.")
        if call.operation == "put" and call.arguments[1] == physical_name("ledger")
        else None
    )
    assert terminal.run("workflow") == 0
    captured = capsys.readouterr()
    said = f"warning: What summarising '{WORKFLOW_ID}' took is not in the ledger: the table is away."
    assert said in " ".join(captured.err.split())
    assert WORKFLOW_ID in captured.out


def test_nothing_is_deployed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    empty = FakeCloud()
    terminal = Terminal(empty, table_settings(monkeypatch), monkeypatch)
    with pytest.raises(NotEnoughDataError, match="setup_tables"):
        terminal.run("workflow")
    for table in ("workflows", "statistics", "history", "signals"):
        empty.key_value.create_table(empty.system_region, physical_name(table))
    assert terminal.run("workflow") == 0
    assert capsys.readouterr().out == "No workflow is deployed.\n"
