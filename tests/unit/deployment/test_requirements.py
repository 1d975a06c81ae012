"""Installing requirements: from wheels made here, without network."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from typing import TYPE_CHECKING

import pytest

from multi_x_serverless.deployment.requirements import Target, install_requirements
from multi_x_serverless.errors import DeploymentError

if TYPE_CHECKING:
    from pathlib import Path

HERE = Target(11, "x86_64", is_this_machine=True)
LAMBDA = Target(12, "x86_64", is_this_machine=False)


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place that packages come from."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return directory


def make_wheel(directory: Path, name: str, tag: str = "py3-none-any") -> None:
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}/__init__.py": f"NAME = {name!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:NAME\n",
    }
    record = ""
    for file, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{file},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(directory / f"{name}-1.0-{tag}.whl", "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)


def project_with(directory: Path, text: str) -> Path:
    project = directory / "project"
    project.mkdir(exist_ok=True)
    (project / "requirements.txt").write_text(text)
    return project


@pytest.mark.parametrize("text", ["", "\n# nothing\n   \n", "multi-x-serverless>=0.1\n", "Multi_X.serverless\n"])
def test_requirements_that_ask_for_nothing_install_nothing(tmp_path: Path, text: str) -> None:
    assert install_requirements(project_with(tmp_path, text), HERE, tmp_path / "cache") is None
    assert not (tmp_path / "cache").exists()


def test_project_without_requirements(tmp_path: Path) -> None:
    assert install_requirements(tmp_path, HERE, tmp_path / "cache") is None


def test_requirements_are_installed_once_and_kept(tmp_path: Path, wheels: Path) -> None:
    make_wheel(wheels, "alpha")
    project = project_with(tmp_path, "alpha==1.0  # the one\nmulti-x-serverless\n")
    directory = install_requirements(project, HERE, tmp_path / "cache")
    assert directory is not None
    assert (directory / "alpha" / "__init__.py").read_text() == "NAME = 'alpha'\n"
    assert not (directory / "multi_x_serverless").exists()
    assert [path.name for path in project.iterdir()] == ["requirements.txt"]
    # Nothing can be installed any more, and nothing needs to be.
    (wheels / "alpha-1.0-py3-none-any.whl").unlink()
    assert install_requirements(project, HERE, tmp_path / "cache") == directory
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [directory.name]


def test_wheels_are_chosen_for_lambda_and_not_for_this_machine(tmp_path: Path, wheels: Path) -> None:
    make_wheel(wheels, "beta", "cp312-cp312-manylinux_2_28_aarch64")
    project = project_with(tmp_path, "beta\n")
    arm = Target(12, "arm64", is_this_machine=False)
    directory = install_requirements(project, arm, tmp_path / "cache")
    assert directory is not None
    assert (directory / "beta").is_dir()
    with pytest.raises(DeploymentError, match=r"cannot be installed for Lambda \(python3.12, x86_64\).*\n.*beta"):
        install_requirements(project, LAMBDA, tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [directory.name]


def test_older_runtimes_take_wheels_for_older_systems_only() -> None:
    assert not any("2_28" in platform for platform in Target(11, "x86_64", is_this_machine=False).platforms)
    assert "manylinux_2_28_x86_64" in LAMBDA.platforms


def test_failure_shows_what_the_installer_says(tmp_path: Path) -> None:
    project = project_with(tmp_path, "gamma==3\n")
    with pytest.raises(
        DeploymentError, match=r"exit code 1\); nothing was deployed\. The installer says:\n(.*\n)*.*gamma"
    ):
        install_requirements(project, HERE, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_neither_pip_nor_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(DeploymentError, match="neither pip nor uv"):
        install_requirements(project_with(tmp_path, "alpha\n"), HERE, tmp_path / "cache")


def test_references_to_other_files_are_followed_and_not_kept(tmp_path: Path, wheels: Path) -> None:
    make_wheel(wheels, "alpha")
    make_wheel(wheels, "delta")
    project = project_with(tmp_path, "-r more.txt\n")
    (project / "more.txt").write_text("alpha\n")
    first = install_requirements(project, HERE, tmp_path / "cache")
    assert first is not None
    assert (first / "alpha").is_dir()
    (project / "more.txt").write_text("delta\n")
    second = install_requirements(project, HERE, tmp_path / "cache")
    assert second is not None
    assert (second / "delta").is_dir()
    assert not (second / "alpha").exists()
