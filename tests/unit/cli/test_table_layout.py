"""Tables on terminals of any width: nothing that is copied is broken, no column is left out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from multi_x_serverless.adaptation.run_status import TELLING_CHARACTERS
from multi_x_serverless.adaptation.status import workflow_status
from multi_x_serverless.cli.commands import run as run_command
from multi_x_serverless.cli.commands.data_sync import show_synced
from multi_x_serverless.cli.commands.report import show_report
from multi_x_serverless.cli.commands.status import show_status
from multi_x_serverless.cli.output import write_table
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cli.solution_tables import show_provenance
from multi_x_serverless.cli.table_layout import column_widths, fold_names, paragraphs, shortened
from multi_x_serverless.observation.history import History
from multi_x_serverless.observation.sync import SyncReport
from multi_x_serverless.observation.trace import NodeTrace, RunTrace
from multi_x_serverless.report.tables import Column
from tests.unit.adaptation.deployed import add_runs, deployed_example
from tests.unit.cli.golden import table_settings
from tests.unit.cli.test_golden_output import report
from tests.unit.deployment.projects import WORKFLOW_ID
from tests.unit.report.page.reports import OBSERVED

WIDTHS = (60, 80, 100, 110)
RUN_IDS = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210")


@pytest.fixture(params=WIDTHS)
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A terminal of each width."""
    settings = table_settings(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(request.param))
    return settings


@pytest.fixture
def shown(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What was printed since the last call."""

    def read() -> str:
        return capsys.readouterr().out

    return read


def test_status_shows_what_tells_runs_apart_and_whole_statuses_and_regions(
    settings: Settings, shown: Callable[[], str], tmp_path: Path
) -> None:
    cloud = deployed_example(tmp_path)
    add_runs(cloud, 1, region="ap-southeast-1", reason="home_share", status="failed")
    add_runs(cloud, 1, region="ca-central-1", started_at=cloud.now() - 600.0)
    runs = History(cloud).runs(WORKFLOW_ID)
    History(cloud).add(WORKFLOW_ID, [replace(run, run_id=run_id) for run, run_id in zip(runs, RUN_IDS, strict=True)])
    show_status(settings, workflow_status(cloud, WORKFLOW_ID, last=5), cloud.now())
    output = shown()
    last = output[output.index("Last runs") :]
    assert not any(run_id in last for run_id in RUN_IDS), "their beginnings are enough"
    assert ("─" in last) == (int(os.environ["COLUMNS"]) >= 80), "a table where there is room"
    beginnings = [run_id[:TELLING_CHARACTERS] for run_id in RUN_IDS]
    for text in (
        *beginnings,
        "failed",
        "complete",
        "share",
        "plan 1",
        "ap-southeast-1",
        "ca-central-1",
        "status",
        "regions",
    ):
        assert re.search(rf"\b{text}\b", last), text


def test_data_sync_breaks_no_id_and_leaves_out_what_never_happened(
    settings: Settings, shown: Callable[[], str]
) -> None:
    ids = ("work/flow-with-a-long-name-0.0.1", "hello-0.0.1")
    quiet = SyncReport(
        ids[0], 1234, 120, 3, 4, malformed=0, newer=0, rejected=0, late=0, lost=0, logs=3, read_until=0.0
    )
    show_synced(settings, [quiet, replace(quiet, workflow_id=ids[1], late=7)])
    output = shown()
    for text in (*ids, "lines", "completed", "failed", "open", "late", "1234", "120"):
        assert text in output
    for absent in ("malformed", "newer", "rejected"):
        assert absent not in output
    show_synced(settings, [replace(quiet, rejected=1)])
    assert "rejected" in shown()


def test_report_has_labels_of_few_lines(settings: Settings, shown: Callable[[], str]) -> None:
    show_report(settings, report(None, OBSERVED))
    output = shown()
    table = output[output.index("Observed runs") : output.index("Compared within")]
    assert len(table[: table.index("other home:")].splitlines()) <= 16
    for text in ("home share", "(12 runs)", "(120 runs)", "520 ug", "1.24 s"):
        assert text in table


def test_names_of_nodes_are_shown_whole(settings: Settings, shown: Callable[[], str]) -> None:
    name = "summarise_the_reviews_of_a_product:translate_into_english_0_0:11"
    nodes = (NodeTrace(name, "ap-southeast-1", 0.0, 0.12, is_cold=True),)
    run_command._show(settings, RunTrace("0123", "complete", "plan", "5", 1.8, nodes, (), None))
    output = shown()
    if int(os.environ["COLUMNS"]) < 80:
        assert name in output.splitlines(), "a paragraph begins with it"
    else:
        lines = output[output.index("summarise") :].splitlines()
        assert "".join((lines[0].split()[0], *map(str.strip, lines[1:]))) == name, "with nothing beside its later lines"
        assert max(map(len, output.splitlines())) <= int(os.environ["COLUMNS"])


COLUMNS = [Column("id", is_whole=True), Column("node", is_name=True), Column("said"), Column("in all", is_number=True)]
ROWS = [["0123456789", "a_rather_long_name_of_a_node", "of many words", "1.5"]]


def test_what_is_over_goes_to_names_first_and_to_headings_last() -> None:
    whole = 10 + 28 + 13 + 6 + 2 + 3 * 3
    assert column_widths(COLUMNS, ROWS, whole + 20) == [10, 28, 13, 6]
    assert column_widths(COLUMNS, ROWS, whole - 3) == [10, 28, 13, 3]
    assert column_widths(COLUMNS, ROWS, whole - 3 - 8) == [10, 28, 5, 3]
    assert column_widths(COLUMNS, ROWS, whole - 3 - 8 - 8) == [10, 20, 5, 3]
    assert column_widths(COLUMNS, ROWS, whole - 3 - 8 - 8 - 1) is None


def test_a_table_is_as_wide_as_was_reckoned(shown: Callable[[], str], settings: Settings) -> None:
    write_table(settings, "", COLUMNS, ROWS)
    output = shown()
    assert max(map(len, output.splitlines())) <= int(WIDTHS[-1])
    assert "0123456789" in output
    assert "1.5" in output
    assert "…" not in output


def test_a_row_that_has_no_room_is_a_paragraph() -> None:
    assert paragraphs(COLUMNS, ROWS, 40) == [
        "0123456789\n    node: a_rather_long_name_of_a_node;\n    said: of many words; in all: 1.5"
    ]
    assert paragraphs([Column("id"), Column("")], [["x", ""]], 40) == ["x"]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("resize:receive_0_0:1", 20, "resize:receive_0_0:1"),
        ("resize:receive_0_0:1", 19, "resize:receive_0_0:\n 1"),
        ("resize:receive_0_0:1", 9, "resize:\n receive_\n 0_0:1"),
        ("  resize:sync:1 -> b", 12, "  resize:sync:\n 1 -> b"),
        ("abcdefgh", 5, "abcde\n fgh"),
        ("abc", 1, "a\n b\n c"),
    ],
)
def test_names_are_broken_behind_their_parts(text: str, width: int, expected: str) -> None:
    assert fold_names(text, width) == expected


LONG = "embedded (lists (of vendors), as collected), 2022-2026; of regions: us-east-1, us-west-1, eu-west-1; collected"


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (200, LONG),
        (90, "embedded, 2022-2026; of regions: us-east-1, us-west-1, eu-west-1; collected"),
        (70, "embedded, 2022-2026; of regions: us-east-1, us-west-1, eu-west-1 ..."),
        (50, "embedded, 2022-2026; of regions: us-east-1 ..."),
        (22, "embedded ..."),
        (14, "embedded ..."),
        (5, " ..."),
    ],
)
def test_lists_are_cut_at_the_end_between_items_and_say_how_many_are_left_out(width: int, expected: str) -> None:
    assert shortened(LONG, width) == expected
    assert len(expected) <= width


@pytest.mark.parametrize("width", range(8, 110))
def test_a_line_is_never_too_long_and_breaks_no_word(width: int) -> None:
    shown = shortened(LONG, width)
    assert len(shown) <= width
    assert set(re.findall(r"[\w-]+", shown)) <= {*re.findall(r"[\w-]+", LONG), "and", "more", *"12345"}


def test_what_is_said_of_many_regions_is_said_of_the_first_and_how_many_more() -> None:
    names = [", ".join(f"{area}-{number}" for number in range(12)) for area in ("us-east", "eu-west")]
    text = f"{names[0]}: embedded hourly trace (a source), 2023; {names[1]}: yearly mean, 2022; collected 2026-11-26"
    known = "us-east-0 and 11 more: embedded hourly trace, 2023; eu-west-0 and 11 more: yearly mean"
    assert shortened(text, 150) == f"{known}, 2022; collected 2026-11-26"
    assert shortened(text, 90) == f"{known} ..."


def test_no_source_is_named_twice_where_its_asides_are_left_out() -> None:
    text = "embedded (measured), 2020-06-05; embedded (estimated from the distance), 2020-06-05; collected 2023-11-15"
    assert shortened(text, 60) == "embedded, 2020-06-05; collected 2023-11-15"


def test_errors_of_forecasts_are_shown_as_far_as_there_is_room(settings: Settings, shown: Callable[[], str]) -> None:
    """What a reader came for is at the beginning of the list and not in what is cut."""
    regions = [f"us-east-{number}" for number in range(30)]
    errors = ", ".join(f"{region} {number}.5 %" for number, region in enumerate(regions))
    show_provenance(settings, "Data", {"carbon_forecast_error": f"mean absolute error: {errors}"})
    line = " ".join(shown().split())
    found = re.search(r"mean absolute error: (us-east-0 0.5 %(?:, us-east-\d+ \d+.5 %)*), and (\d+) more$", line)
    assert found is not None, line
    assert len(found.group(1).split(", ")) + int(found.group(2)) == 30


def test_where_figures_come_from_is_whole_when_asked_for(settings: Settings, shown: Callable[[], str]) -> None:
    provenance = {
        "carbon": "embedded (a trace of a year), 2023; " + "of many regions, " * 16 + "in 2023",
        "energy": "none",
    }
    show_provenance(settings, "Data", provenance)
    brief = shown()
    assert "a trace of a year" not in brief
    assert brief.startswith("Data (-v shows all of it)\n  carbon: embedded, 2023; ")
    assert 5 <= brief.count("\n") <= 6
    assert "more\n  energy: none" in brief
    show_provenance(replace(settings, verbosity=1), "Data", provenance)
    whole = " ".join(shown().split())
    assert "(a trace of a year), 2023;" in whole
    assert whole.count("of many regions") == 16
