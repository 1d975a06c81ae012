"""``replay``: a document and a stretch in, tables, CSV, JSON and plots out."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from multi_x_serverless.adaptation.replay.framework import framework_jobs
from multi_x_serverless.adaptation.replay.intensities import LEAD_HOURS
from multi_x_serverless.adaptation.replay.plots import draw
from multi_x_serverless.adaptation.replay.results import POLICIES
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.replay_tables import show_replay
from multi_x_serverless.collection.carbon_file import FILE_VARIABLE
from multi_x_serverless.errors import UnsupportedError, UsageError
from tests.unit.adaptation.replay.worlds import AWAY, HOME, always, by_hour_of_day, days, replayed, world
from tests.unit.cli.golden import check_golden, table_settings
from tests.unit.core.documents import dump, fan_out_problem

JUNE = ["--from", "2023-06-01", "--to", "2023-06-03"]


@pytest.fixture(autouse=True)
def no_file_of_intensities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FILE_VARIABLE, raising=False)


@pytest.fixture
def problem(tmp_path: Path) -> str:
    path = tmp_path / "problem.json"
    path.write_bytes(dump(fan_out_problem()))
    return str(path)


def test_the_tables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A world in which there is something to say of everything: no plan, no limit kept, a limit broken."""
    document = fan_out_problem()
    per_run = replayed(document, world(days(1), {HOME: always(400.0), AWAY: always(400.0)})).policy("home")
    limit = 1.6 * per_run.carbon.gross / 24_000
    document["constraints"]["hard"] = {"carbon": {"type": "absolute", "value": limit}}
    unsteady = world(
        days(4), {HOME: by_hour_of_day([900.0] * 3 + [400.0] * 21), AWAY: lambda hour: 250.0 + 11.0 * (hour * 7 % 50)}
    )
    unsteady.given[:, : LEAD_HOURS + 24] = False
    jobs = framework_jobs(AWAY, unsteady)
    found = replace(
        replayed(document, unsteady, jobs=jobs), notes=("A note of two lines: " + "what has to be said. " * 5,)
    )
    settings = table_settings(monkeypatch)
    monkeypatch.setenv("COLUMNS", "80")
    show_replay(settings, found)
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    check_golden("replay", output)


def test_tables_say_from_which_load_on_planning_pays(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(*, is_cleaner: bool, jobs: bool) -> str:
        made = world(days(1), {HOME: always(400.0), AWAY: always(30.0 if is_cleaner else 900.0)})
        found = replayed(fan_out_problem(), made, jobs=framework_jobs(HOME, made) if jobs else None)
        show_replay(table_settings(monkeypatch), found)
        return " ".join(capsys.readouterr().out.split())

    pays = shown(is_cleaner=True, jobs=True)
    assert re.search(r"are below those of home from [\d.]+ runs per hour on, and never below those of static\.", pays)
    assert "are never below those of home, and never below those of static." in shown(is_cleaner=False, jobs=True)
    assert "What the jobs of the framework take is left out." in shown(is_cleaner=True, jobs=False)


def test_documents_and_plots_are_written(tmp_path: Path, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    hours, totals, plot = tmp_path / "hours.csv", tmp_path / "totals.json", tmp_path / "plot.svg"
    arguments = ["replay", "--workflow", problem, *JUNE, "--solve-cpu", "0.02", "--threads", "1"]
    written = ["--csv", str(hours), "-o", str(totals), "--plot", str(plot)]
    assert run(["--output", "json", *arguments, *written]) == 0
    shown = json.loads(capsys.readouterr().out)
    document = json.loads(totals.read_bytes())
    assert (shown.pop("schema"), shown.pop("version")) == ("multi-x-serverless/cli/replay", 1)
    assert (document.pop("schema"), document.pop("version")) == ("multi-x-serverless/replay", 1)
    assert shown == document
    assert [policy["name"] for policy in shown["policies"]] == list(POLICIES)
    assert len(hours.read_text().splitlines()) == 1 + 72 * len(POLICIES)
    assert plot.read_text().startswith("<?xml")


def test_options_reach_the_replay(problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def totals(*options: str) -> dict[str, object]:
        assert run(["--output", "json", "replay", "--workflow", problem, *JUNE, "--solve-cpu", "0.02", *options]) == 0
        found: dict[str, object] = json.loads(capsys.readouterr().out)
        return found

    usual = totals()
    assert usual["runs"] == 72_000.0
    assert (usual["replan_hours"], usual["home_share"]) == (24, 0.1)
    rates = tmp_path / "rates.csv"
    rates.write_text("hour,runs\n0,5\n1,7\n", encoding="utf-8")
    changed = totals("--rate-file", str(rates), "--replan", "6", "--home-share", "0.3", "--seed", "7")
    assert changed["runs"] == 72 * 6.0
    assert (changed["replan_hours"], changed["home_share"]) == (6, 0.3)
    assert changed["problem_hash"] != usual["problem_hash"]
    assert totals("--rate", "2")["runs"] == 144.0
    assert totals("--regions", "us-east-1")["regions"] == ["us-east-1"]
    assert totals("--regions", "us-east-1,ca-central-1")["regions"] == ["us-east-1", "ca-central-1"]
    worst = totals("--transmission", "worst")
    assert worst["provenance"] == {"transmission": "preset 'worst'"}

    def of_system(found: dict[str, object], *path: str) -> float:
        policies = found["policies"]
        assert isinstance(policies, list)
        value = policies[POLICIES.index("system")]
        for name in path:
            value = value[name]
        assert isinstance(value, int | float)
        return value

    copies = ("overhead", "copies", "cost_usd")
    assert of_system(totals("--package-mb", "100"), *copies) == pytest.approx(10 * of_system(usual, *copies))
    solves = ("overhead", "solves", "carbon_gco2eq")
    assert of_system(totals("--solve-cpu", "0.04"), *solves) == pytest.approx(2 * of_system(usual, *solves))
    assert of_system(totals("--feed-delay", "400"), "solves") == 0
    framework = ("overhead", "framework", "carbon_gco2eq")
    assert usual["framework_region"] == "us-east-1"
    assert of_system(usual, *framework) > 0
    without = totals("--without-framework")
    assert without["framework_region"] is None
    assert of_system(without, *framework) == of_system(without, "overhead", "checks", "cost_usd") == 0


def test_the_framework_runs_in_the_system_region(problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["replay", "--workflow", problem, *JUNE, "--solve-cpu", "0.02"]
    assert run(["--output", "json", "--system-region", "eu-north-1", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["framework_region"] == "eu-north-1"
    assert set(found["intensity_origins"]) == {"us-east-1", "ca-central-1", "eu-north-1"}
    assert run(["--output", "json", "--system-region", "eu-north-9", *arguments]) != 0
    capsys.readouterr()
    assert run(["--system-region", "eu-north-9", *arguments, "--without-framework"]) == 0


def test_the_users_file_goes_before_the_trace(
    problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "carbon.csv"
    lines = [f"2030-06-{day:02d}T{hour:02d}:00Z,{400 + hour},{30 + hour}" for day in range(1, 6) for hour in range(24)]
    file.write_text("\n".join(["datetime_utc,us-east-1,ca-central-1", *lines]), encoding="utf-8")
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    stretch = ["--from", "2030-06-02", "--to", "2030-06-05"]
    assert run(["--output", "json", "replay", "--workflow", problem, *stretch, "--solve-cpu", "0.02"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "carbon.csv" in found["intensity_origins"]["us-east-1"]
    saved = found["policies"][POLICIES.index("system")]["saved_against_home"]["carbon"]["net"]
    assert saved > 0.7


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--from", "2023-06-02", "--to", "2023-06-01"], 2, "before it begins"),
        (["--from", "2022-06-01", "--to", "2022-06-01"], 1, "MULTI_X_SERVERLESS_CARBON_FILE"),
        (["--from", "June", "--to", "2022-06-01"], 2, "June"),
        ([*JUNE, "--rate", "1", "--rate-file", "-"], 2, "give one of them"),
        ([*JUNE, "--regions", "eu-west-1"], 2, "no region eu-west-1"),
        ([*JUNE, "--regions", " ,"], 2, "names no region"),
        ([*JUNE, "--regions", ""], 2, "names no region"),
        ([*JUNE, "--rate", "1e308"], 2, "1e+308 is not in the range 0.0<x<=1000000000000.0"),
        ([*JUNE, "--solve-cpu", "nan"], 2, "'nan' is not a finite number"),
        ([*JUNE, "--plot", "plot.pdf"], 2, ".png or .svg"),
        ([*JUNE, "--csv", "nowhere/hours.csv"], 2, "no directory"),
        ([*JUNE, "--rate-file", "nowhere.csv"], 2, "cannot read"),
    ],
)
def test_mistakes_are_told(
    problem: str, capsys: pytest.CaptureFixture[str], options: list[str], code: int, said: str
) -> None:
    assert run(["replay", "--workflow", problem, *options]) == code
    assert said in " ".join(capsys.readouterr().err.split())


def test_what_is_no_problem_document_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = fan_out_problem()
    document["nodes"][0]["memory_mb"] = -1
    path = tmp_path / "problem.json"
    path.write_bytes(dump(document))
    assert run(["replay", "--workflow", str(path), *JUNE]) == 2
    assert "nodes[0].memory_mb" in capsys.readouterr().err


class TestPlots:
    @pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
    def test_equal_replays_are_drawn_equally(self, tmp_path: Path, suffix: str, start: bytes) -> None:
        found = replayed(
            fan_out_problem(), world(days(2), {HOME: always(400.0), AWAY: lambda hour: 100.0 + hour % 24 * 9})
        )
        first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
        draw(found, first)
        draw(found, second)
        assert first.read_bytes().startswith(start)
        assert first.read_bytes() == second.read_bytes()

    def test_shares_are_of_the_hour_of_the_day(self) -> None:
        found = replayed(
            fan_out_problem(),
            world(days(2), {HOME: always(400.0), AWAY: by_hour_of_day([100.0] * 12 + [900.0] * 12)}),
        )
        shares = found.shares_by_hour_of_day("oracle")
        assert shares.shape == (24, 2)
        assert np.array_equal(shares[:12], np.tile([0.0, 1.0], (12, 1)))
        assert np.array_equal(shares[12:], np.tile([1.0, 0.0], (12, 1)))

    def test_without_matplotlib_the_remedy_is_told_before_anything_is_computed(
        self, monkeypatch: pytest.MonkeyPatch, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name == "matplotlib" else find(name, *rest)
        )
        assert run(["replay", "--workflow", problem, *JUNE, "--plot", str(tmp_path / "plot.png")]) == 1
        assert "pip install 'multi-x-serverless[plots]'" in capsys.readouterr().err
        with pytest.raises(UnsupportedError):
            draw(replayed(fan_out_problem(), world(days(1), {HOME: always(1.0), AWAY: always(2.0)})), Path("plot.png"))

    def test_a_plot_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        found = replayed(fan_out_problem(), world(days(1), {HOME: always(1.0), AWAY: always(2.0)}))
        with pytest.raises(UsageError, match="cannot write"):
            draw(found, tmp_path / "nowhere" / "plot.png")
