"""What all tests of commands share: output that is compared with a file is also shown on a narrow terminal."""

from __future__ import annotations

import inspect

import pytest

from tests.unit.cli import golden


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that compares output with a file at both widths."""
    if "check_golden(" in inspect.getsource(metafunc.function):
        widths = (golden.WIDTH, golden.NARROW)
        metafunc.parametrize("terminal_width", widths, indirect=True, ids=lambda width: f"{width} columns")


@pytest.fixture(autouse=True)
def terminal_width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Columns of the terminal on which output is shown that is compared with a file."""
    width: str = getattr(request, "param", golden.WIDTH)
    monkeypatch.setattr(golden, "columns", width)
    return width
