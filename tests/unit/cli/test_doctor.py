"""The command doctor: its lines, its document, its exit code, and commands that can be copied."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multi_x_serverless.cli.finding_lines import show_findings
from multi_x_serverless.cli.main import run
from multi_x_serverless.cli.session import Settings
from multi_x_serverless.cloud.ports import Finding
from tests.unit.cli.golden import check_golden, table_settings

REMOVE = "multi_x_serverless remove hello-0.0.1"
LONG = (
    "aws s3api put-bucket-lifecycle-configuration --bucket multi-x-serverless-123456789012-us-west-2 "
    "--lifecycle-configuration 'Rules=[{ID=sweep payloads,Status=Enabled,Expiration={Days=7}}]' --region us-west-2"
)

FINDINGS = (
    Finding("python", "ok", "CPython 3.12.4 on Linux, x86_64"),
    Finding("docker", "note", "is not installed; packages of the format zip need none"),
    Finding("region", "ok", "enabled, and answers", regions=tuple(f"region-{number}" for number in range(5))),
    Finding(
        "region",
        "note",
        "is not enabled in this account",
        "# 'multi_x_serverless doctor --region REGION' says how to open one; to keep plans out of them, list them as "
        "disallowed_regions",
        tuple(f"region-{number}" for number in range(5, 10)),
    ),
    Finding("bucket", "problem", "it does not delete large payloads after 7 days", LONG, ("us-west-2",)),
    Finding("workflows", "problem", "the removal of hello-0.0.1 did not reach its end", REMOVE),
)


def words(command: str) -> list[str]:
    """A command as a shell reads it."""
    script = f"printf '%s\\n' {command.strip()}"
    return subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()


def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int = 80) -> list[str]:
    settings = table_settings(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(width))
    show_findings(settings, FINDINGS)
    return capsys.readouterr().out.splitlines()


def test_lines_fit_eighty_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(capsys, monkeypatch)

    check_golden("doctor", "\n".join(lines))
    quoted = next(line for line in lines if "Rules=[" in line)
    assert all(len(line) <= 80 for line in lines if line != quoted), "what is quoted cannot be broken"


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_a_broken_command_is_still_that_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    text = "\n".join(shown(capsys, monkeypatch, width))

    start = text.index("aws s3api")
    assert words(text[start : text.index("problem  workflows")]) == shlex.split(LONG)


@pytest.mark.parametrize(("count", "start"), [(4, "r0, r1, r2, r3: x"), (5, "5 regions: x")])
def test_many_regions_that_are_well_are_counted(
    count: int, start: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    regions = tuple(f"r{number}" for number in range(count))
    show_findings(table_settings(monkeypatch), [Finding("region", "ok", "x", regions=regions)])

    assert capsys.readouterr().out.splitlines()[0].endswith(f"  {start}")


def test_what_others_wrote_does_not_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    show_findings(table_settings(monkeypatch), [Finding("x", "ok", "a\x1b[2Jb", "# c\x1b[2Jd")])

    assert "\x1b" not in capsys.readouterr().out


def test_colours_are_an_option(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda stream, color: color is False)
    settings = table_settings(monkeypatch)
    show_findings(settings, FINDINGS)
    assert "\x1b" not in capsys.readouterr().out
    show_findings(replace(settings, color=True), FINDINGS)
    assert "\x1b[31mproblem" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "called"),
    [
        ({"cloud": "aws"}, "multi_x_serverless"),
        ({"cloud": "aws", "profile": "my work"}, "multi_x_serverless --profile 'my work'"),
        ({"cloud": "local"}, "multi_x_serverless --cloud local"),
        ({"state_dir": Path("/s"), "profile": "x"}, "multi_x_serverless --cloud local --state-dir /s"),
        ({"cloud": "aws", "system_region": "eu-west-1"}, "multi_x_serverless --system-region eu-west-1"),
        ({"cloud": "aws", "project_dir": Path("a\\1")}, "multi_x_serverless --project-dir 'a\\1'"),
    ],
)
def test_commands_get_the_options_of_the_call(
    changes: dict[str, Any], called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Settings = replace(table_settings(monkeypatch), **changes)

    remedy = settings.with_options(f"# multi_x_serverless is ours\naws multi_x_serverless x\n{REMOVE}")

    assert remedy.splitlines() == [
        "# multi_x_serverless is ours",
        "aws multi_x_serverless x",
        f"{called} remove hello-0.0.1",
    ]


@pytest.mark.parametrize(
    ("environment", "options", "expected"),
    [
        ({"MULTI_X_SERVERLESS_CLOUD": "local"}, {"cloud": "local"}, ""),
        ({"MULTI_X_SERVERLESS_CLOUD": "local"}, {"cloud": "aws"}, " --cloud aws"),
        ({"MULTI_X_SERVERLESS_CLOUD": ""}, {"cloud": "local"}, " --cloud local"),
        ({"MULTI_X_SERVERLESS_STATE_DIR": "/s"}, {"cloud": "local", "state_dir": Path("/s")}, " --cloud local"),
        ({"MULTI_X_SERVERLESS_SYSTEM_REGION": "eu-west-1"}, {"system_region": "eu-west-1"}, ""),
    ],
)
def test_what_the_environment_says_is_not_said_again(
    environment: dict[str, str], options: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = replace(table_settings(monkeypatch), cloud="aws")
    assert replace(settings, **options).with_options(REMOVE) == REMOVE.replace(
        "multi_x_serverless", f"multi_x_serverless{expected}", 1
    )


@pytest.fixture
def local(tmp_path: Path) -> list[str]:
    return ["--cloud", "local", "--state-dir", str(tmp_path / "state"), "-p", str(tmp_path)]


def document(local: list[str], capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run([*local, "--output", "json", "doctor", *arguments])
    read: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, read


def test_a_machine_that_was_never_used(
    local: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*local, "doctor"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok       python       CPython")
    assert lines[-1].startswith("0 problems, ")
    setup = f"multi_x_serverless --cloud local --state-dir {tmp_path / 'state'} --project-dir {tmp_path} setup_tables"
    command = "\n".join(lines).partition("setup_tables' makes all\n")[2].partition("\n0 problems")[0]
    assert words(command) == setup.split()
    assert list(tmp_path.iterdir()) == [], "it made nothing"


def test_the_document(local: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*local, "setup_tables"]) == 0
    capsys.readouterr()

    code, read = document(local, capsys)

    assert code == 0
    assert (read["schema"], read["cloud"], read["problems"]) == ("multi-x-serverless/cli/doctor", "local", 0)
    assert {tuple(finding) for finding in read["findings"]} == {("check", "status", "regions", "message", "remedy")}
    region = next(finding for finding in read["findings"] if finding["check"] == "region")
    assert len(region["regions"]) > 30
    assert region["remedy"] is None


def test_a_problem_is_exit_code_one(local: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*local, "setup_tables"]) == 0
    (tmp_path / ".multi-x-serverless").mkdir()
    (tmp_path / ".multi-x-serverless" / "config.yml").write_text("workflow_nam: x\n", encoding="utf-8")
    capsys.readouterr()

    code, read = document(local, capsys)

    assert (code, read["problems"]) == (1, 1)
    (problem,) = [finding for finding in read["findings"] if finding["status"] == "problem"]
    assert problem["check"] == "project"
    assert "config.yml:1" in problem["message"]


def test_regions_can_be_chosen(local: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    _, read = document(local, capsys, "--region", "eu-west-1", "--region", "eu-north-1")

    (region,) = [finding for finding in read["findings"] if finding["check"] == "region"]
    assert region["regions"] == ["eu-west-1", "eu-north-1"]


def test_an_unknown_region_is_wrong_usage(local: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*local, "doctor", "--region", "eu-west-9"]) == 2
    assert "eu-west-9" in capsys.readouterr().err


def test_a_damaged_database_is_a_finding(local: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "cloud.db").write_bytes(b"no database" * 100)

    code, read = document(local, capsys)

    assert code == 1
    assert read["findings"][0]["check"] == "python"
    assert read["findings"][-1]["check"] == "cloud"
    assert "backup" in read["findings"][-1]["remedy"]
