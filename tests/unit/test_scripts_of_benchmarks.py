"""What benchmarks do with their command lines before they measure anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import prediction
from benchmarks.usage import take_no_arguments
from multi_x_serverless.errors import EXIT_FAILURE

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_ARGUMENTS = (
    "benchmarks.robust",
    "benchmarks.forecast.intervals",
    "benchmarks.forecast.parameters",
    "benchmarks.forecast.short_history",
    "benchmarks.replay.example",
)


@pytest.mark.parametrize("module", WITHOUT_ARGUMENTS)
def test_help_is_shown_and_nothing_is_measured(module: str) -> None:
    call = [sys.executable, "-m", module, "--help"]
    shown = subprocess.run(call, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"usage: python -m {module} [-h]\n")
    assert f"    python -m {module}\n" in shown.stdout or f"`python -m {module}`" in shown.stdout


def test_what_a_script_does_not_take_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    take_no_arguments("benchmarks.robust", "What it does.", [])
    with pytest.raises(SystemExit) as stop:
        take_no_arguments("benchmarks.robust", "What it does.", ["--seed", "1"])
    assert stop.value.code == 2
    assert "--seed" in capsys.readouterr().err


def test_a_prediction_makes_no_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "typo" / "state"
    assert prediction.main([str(missing), "x-0.0.1"]) == EXIT_FAILURE
    assert "there is no workflow 'x-0.0.1'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
