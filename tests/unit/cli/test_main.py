"""The command line's frame: the list of commands, names, errors and exit codes."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import multi_x_serverless
from multi_x_serverless import errors
from multi_x_serverless.cli.main import COMMANDS, cli, run
from multi_x_serverless.cli.output import (
    Column,
    brief,
    counted,
    grams,
    hour_ranges,
    percent,
    seconds,
    write_table,
)
from multi_x_serverless.solving.model_constants import TRANSMISSION_PRESETS
from tests.unit.cli.golden import table_settings

REQUIRED = {
    "setup_tables",
    "new_workflow",
    "deploy",
    "run",
    "list",
    "remove",
    "data_sync",
    "data_collect",
    "solve",
    "update_check_solver",
    "update_check_deployment",
    "version",
}


def test_the_commands_of_the_specification_are_there() -> None:
    assert set(COMMANDS) >= REQUIRED


@pytest.mark.parametrize("name", COMMANDS)
def test_every_listed_command_loads_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert name in capsys.readouterr().out
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.help


def test_dashes_are_read_as_underscores(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["update-check-solver", "--help"]) == 0
    assert "hysteresis" in capsys.readouterr().out


def test_unknown_command_suggests_a_close_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["depoly"]) == 2
    assert "Did you mean 'deploy'?" in capsys.readouterr().err


def test_errors_are_json_when_output_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state"), "--output", "json"]
    assert run([*state, "run", "x-0.0.1", "-a", "{"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["error"]["code"] == "usage"


def test_a_system_region_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--cloud", "aws", "--system-region", "us-east-9", "list"]) == 2
    assert "us-east-9" in capsys.readouterr().err


def test_argument_named_json_is_no_output_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["solve", "json", "--no-such-option"]) == 2
    assert "Usage:" in capsys.readouterr().err


def test_verbose_shows_where_a_failure_came_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-v", "--cloud", "aws", "list"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_deleting_without_a_terminal_needs_yes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state")]
    assert run([*state, "setup_tables"]) == 0
    for closed in (io.StringIO(), None):
        monkeypatch.setattr("sys.stdin", closed)
        assert run([*state, "teardown"]) == 2
        assert "no terminal to ask on: add --yes" in " ".join(capsys.readouterr().err.split())
    assert run([*state, "--yes", "teardown"]) == 0


def test_what_is_not_there_is_not_asked_about(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state")]
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for _ in range(2):  # without tables and with them
        assert run([*state, "remove", "nope"]) == 1
        assert "there is no workflow 'nope'" in capsys.readouterr().err
        assert run([*state, "setup_tables"]) == 0


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["list"], 0),
        (["data_sync"], 0),
        (["data_collect", "workflow"], 0),
        (["dead_letters"], 0),
        (["dead_letters", "--discard-all"], 3),
        (["update_check_solver"], 3),
        (["update_check_solver", "--dry-run"], 0),
        (["update_check_deployment"], 3),
        (["update_check_deployment", "--dry-run"], 0),
        (["status", "x-0.0.1"], 1),
        (["status", "0" * 32], 1),
        (["data_sync", "x-0.0.1"], 1),
        (["redrive", "x-0.0.1"], 1),
        (["run", "x-0.0.1"], 1),
        (["status"], 2),
    ],
)
def test_exit_codes_where_nothing_is_deployed_are_those_of_the_help(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], exit_code: int
) -> None:
    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state")]
    assert run([*state, "setup_tables", "--region", "us-east-1"]) == 0
    assert run([*state, *arguments]) == exit_code
    if exit_code == 3:
        assert run(["--help"]) == 0
        assert arguments[0] in capsys.readouterr().out.partition("3  nothing to do")[2].partition("4  ")[0]


def test_the_help_lists_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    told = capsys.readouterr().out.partition("Exit codes:")[2].partition("Options:")[0]
    codes = [value for name, value in vars(errors).items() if name.startswith("EXIT_")]
    assert [int(code) for code in re.findall(r"^  (\d+)  ", told, re.MULTILINE)] == sorted(codes)


def test_answer_no_deletes_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state")]
    assert run([*state, "setup_tables"]) == 0
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert run([*state, "teardown"]) == 1
    assert "nothing was changed" in capsys.readouterr().err
    assert run([*state, "data_collect", "carbon"]) == 0, "the tables are still there"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"\xff\xfe", "not UTF-8"), (b"[" * 100_000, "nested too deeply"), (b"\n\n", "no input"), (b"{\n", "not JSON")],
    ids=["bytes", "nesting", "empty", "text"],
)
def test_unreadable_inputs_are_the_callers_errors(
    content: bytes, complaint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    inputs = tmp_path / "inputs.jsonl"
    inputs.write_bytes(content)
    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state")]
    assert run([*state, "run", "x-0.0.1", "--arguments-file", str(inputs)]) == 2
    assert complaint in capsys.readouterr().err


def test_file_that_cannot_be_written_is_refused_before_anything_is_staged(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    state = ["--cloud", "local", "--state-dir", str(tmp_path / "state")]
    for option in ("--dump-problem", "--solution"):
        assert run([*state, "solve", "x-0.0.1", option, str(tmp_path / "missing" / "file.json")]) == 2
        assert "no directory" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["", ".", "/"])
def test_what_is_no_file_is_refused_before_anything_is_done(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["report", "x-0.0.1", "-o", file], ["solve", "x-0.0.1", "--dump-problem", file]):
        assert run(arguments) == 2
        assert "is a directory" in capsys.readouterr().err


def test_no_standard_input_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert run(["solve", "--problem", "-"]) == 2
    assert "there is no standard input" in capsys.readouterr().err


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_full_disk_is_no_defect(
    output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", Full())
        assert run(["--output", output, "version"]) == 1
    said = capsys.readouterr().err
    assert "cannot write to standard output or to a file: No space left on device." in said
    assert "defect" not in said
    assert ('"code":"no-space"' in said) == (output == "json")


@pytest.mark.parametrize("columns", ["0", "00", "\N{SUPERSCRIPT TWO}", "-1", "wide"])
def test_a_width_that_is_none_is_not_taken(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = table_settings(monkeypatch)
    monkeypatch.setenv("COLUMNS", columns)
    write_table(settings, "title", [Column("name")], [["a name " * 8]])
    assert "a name " * 7 in capsys.readouterr().out


def test_new_workflow_is_made_in_the_project_directory(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["-p", str(tmp_path), "new_workflow", "hello"]) == 0
    assert (tmp_path / "hello" / ".multi-x-serverless" / "config.yml").is_file()
    assert "hello" in capsys.readouterr().out


def test_help_imports_none_of_the_heavy_modules() -> None:
    code = (
        "import sys; from multi_x_serverless.cli.main import run; run(['--help']);"
        "print(sorted({'numpy', 'rich', 'boto3', 'orjson', 'yaml', 'multi_x_serverless._core'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.splitlines()[-1] == "[]"


def test_long_lists_are_cut_between_items() -> None:
    regions = ", ".join(f"region-{number}" for number in range(100))
    cut = brief(regions)
    assert len(cut) <= 240
    assert cut.endswith(" ...")
    assert cut.removesuffix(" ...").split(", ") == regions.split(", ")[: cut.count(", ") + 1]
    assert brief("short, and whole") == "short, and whole"


def test_quiet_hides_progress_but_no_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = ["-q", "--cloud", "local", "--state-dir", str(tmp_path / "state")]
    assert run([*state, "setup_tables"]) == 0
    assert run([*state, "data_collect", "carbon", "--region", "us-east-1"]) == 0
    assert capsys.readouterr().err == ""
    assert run([*state, "data_collect", "carbon", "--region", "atlantis-1"]) == 2
    assert "atlantis-1" in capsys.readouterr().err


def test_transmission_help_says_what_the_presets_are() -> None:
    """Of the two, 'worst' is the lower one within a region: they are no lowest and highest."""
    for name in ("solve", "report"):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        (option,) = (parameter for parameter in command.params if parameter.name == "transmission")
        assert isinstance(option, click.Option)
        assert option.help is not None
        for value in {
            *vars(TRANSMISSION_PRESETS["best"]).values(),
            *vars(TRANSMISSION_PRESETS["worst"]).values(),
        }:
            assert f"{value:g}" in option.help
        assert "lowest" not in option.help


def test_one_thing_is_not_several() -> None:
    assert [counted(count, "run") for count in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert [counted(count, "repeated delivery") for count in (1, 2)] == ["1 repeated delivery", "2 repeated deliveries"]
    assert counted(2, "entry") == "2 entries"
    assert counted(2, "day") == "2 days"


def test_warnings_have_one_spelling() -> None:
    """Like ``error:``, and beside it on standard error."""
    package = Path(multi_x_serverless.__file__).parent
    sources = {path: path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    assert sum("warning: " in text for text in sources.values()) >= 2
    assert [path.name for path, text in sources.items() if "Warning: " in text] == []


def test_formats_for_people() -> None:
    assert [grams(value) for value in (0.0, 1.5, 0.0015, 0.0000015, 1.5e-9)] == [
        "0 g",
        "1.5 g",
        "1.5 mg",
        "1.5 ug",
        "1.5 ng",
    ]
    assert [seconds(value) for value in (0.0123, 1.5)] == ["12 ms", "1.50 s"]
    assert percent(-0.123, signed=True) == "-12.3 %"
    assert hour_ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help_leaves_lists_as_they_are_and_shows_no_escapes(
    name: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--help"] if name is None else [name, "--help"]) == 0
    text = capsys.readouterr().out
    assert "\\" not in text
    assert "\b" not in text
    if name == "data_collect":
        assert "\n  provider     " in text
    if name == "data_sync":
        assert "\n  malformed  " in text


@pytest.mark.parametrize("option", ["--output", "-v", "--yes", "--cloud"])
def test_an_option_of_all_commands_behind_the_command_is_told_where_to_go(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data_sync", option, "json"]) == 2
    assert f"'{option}' is an option of all commands and goes before the command." in " ".join(
        capsys.readouterr().err.split()
    )
    assert run(["data_sync", "--nonsense"]) == 2
    assert "goes before" not in capsys.readouterr().err


NUMBERS = [
    (name, option)
    for name in ("", *COMMANDS)
    for command in [cli.get_command(click.Context(cli), name) if name else cli]
    if command is not None
    for option in command.params
    if isinstance(option.type, click.types.FloatParamType)
]


@pytest.mark.parametrize(("name", "option"), NUMBERS, ids=[f"{name} {option.opts[-1]}" for name, option in NUMBERS])
@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "1e308"])
def test_numbers_are_finite_and_of_a_sensible_size(name: str, option: click.Parameter, text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not"):
        option.type.convert(text, option, None)


def test_a_number_that_is_not_finite_is_told_with_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--time-scale", "nan", "list"]) == 2
    assert "'--time-scale': 'nan' is not a finite number." in " ".join(capsys.readouterr().err.split())
