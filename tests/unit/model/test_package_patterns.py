"""What `package_exclude` keeps out, and what it leaves in."""

from __future__ import annotations

import pytest

from multi_x_serverless.model.package_patterns import first_match


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("inputs.jsonl", "inputs.jsonl"),
        ("inputs.jsonl", "samples/inputs.jsonl"),
        ("*.jsonl", "samples/inputs.jsonl"),
        ("samples", "samples/deep/a.txt"),
        ("samples/", "deep/samples/a.txt"),
        ("samples/*.txt", "samples/a.txt"),
        ("/a.txt", "a.txt"),
        ("data/list.?sv", "data/list.csv"),
        ("./data", "data/x"),
        ("data[1].csv", "data[1].csv"),
        ("src/*/big.bin", "src/a/big.bin"),
        ("src/*", "src/a/b/c.txt"),
    ],
)
def test_kept_out(pattern: str, path: str) -> None:
    assert first_match(("other", pattern), path) == pattern


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("inputs.jsonl", "inputs.json"),
        ("samples/", "samples"),
        ("samples/*.txt", "other/samples/a.txt"),
        ("*.PY", "app.py"),
        ("data/list.?sv", "list.csv"),
        ("data/*.csv", "data/sub/x.csv"),
        ("src/*/big.bin", "src/a/b/c/big.bin"),
        ("src/*/", "src/a.txt"),
        ("./data", "other/data"),
    ],
)
def test_left_in(pattern: str, path: str) -> None:
    assert first_match((pattern,), path) is None
