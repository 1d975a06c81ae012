"""`results.json`: what was measured, where, and with what, as a versioned document."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from benchmarks.machine import Machine
from benchmarks.solver_benchmarks.cases import Case, Shape
from benchmarks.solver_benchmarks.measurement import Measurement, Settings, measurement_of, require_exactly
from multi_x_serverless import _core
from multi_x_serverless.errors import InvalidDocumentError, UsageError
from multi_x_serverless.model import documents
from multi_x_serverless.model.documents import Fields

RESULTS_SCHEMA = "multi-x-serverless/solver-benchmarks"
RESULTS_VERSION = 1

DIGEST_CHARACTERS = 12


@dataclass(frozen=True)
class Build:
    """The version that was measured.

    Attributes:
        package: Version of the package.
        engine: Version of the engine and how it was built.
        engine_digest: First characters of the SHA-256 of the compiled engine: versions tell nothing of what changed
            between two releases.
    """

    package: str
    engine: str
    engine_digest: str

    @classmethod
    def here(cls) -> Build:
        """What this interpreter imports."""
        compiled = Path(_core.__file__)
        return cls(
            package=version("multi-x-serverless"),
            engine=f"{_core.__version__} ({_core.build_profile})",
            engine_digest=sha256(compiled.read_bytes()).hexdigest()[:DIGEST_CHARACTERS],
        )


@dataclass(frozen=True)
class Entry:
    """One measured case.

    Attributes:
        load: Mean number of busy processes on the machine in the minute before: what may have disturbed it.
    """

    case: Case
    settings: Settings
    build: Build
    load: float
    measurement: Measurement

    @property
    def key(self) -> tuple[Case, Settings, Build]:
        """What makes two entries the same measurement."""
        return self.case, self.settings, self.build


@dataclass(frozen=True)
class Results:
    """A results file.

    Attributes:
        build: What the last run measured; entries of earlier builds stay in the file.
        settings: How the last run measured.
    """

    machine: Machine
    build: Build
    settings: Settings
    entries: tuple[Entry, ...]

    def with_entry(self, entry: Entry) -> Results:
        """The results and one entry more, or in the place of the one with its key."""
        others = tuple(other for other in self.entries if other.key != entry.key)
        return replace(self, entries=(*others, entry))

    def of_last_run(self) -> tuple[Entry, ...]:
        """Entries of the last run's build and settings: others must not be compared with them."""
        return tuple(one for one in self.entries if (one.build, one.settings) == (self.build, self.settings))

    def to_json(self) -> bytes:
        """The document."""
        return documents.write(RESULTS_SCHEMA, RESULTS_VERSION, asdict(self))


def write_results(results: Results, path: Path) -> None:
    """Write the file whole or not at all: whoever ends the program meanwhile loses nothing.

    Raises:
        UsageError: The file cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            file.write(results.to_json())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def read_results(path: Path) -> Results:
    """Read a results file; nothing is guessed or left out.

    Raises:
        UsageError: There is no such file, or it is empty.
        InvalidDocumentError: It is no results document; the error names the field.
        NewerSchemaError: A newer version wrote it.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"there is no file {path}; 'python benchmarks/solver_benchmarks/run_solver_benchmarks_multiprocess.py' "
            "measures and writes it."
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    if not text.strip():
        raise UsageError(f"{path} is empty; delete it and measure again.")
    fields = documents.read(text, RESULTS_SCHEMA, RESULTS_VERSION)
    require_exactly(fields, "schema", "version", "machine", "build", "settings", "entries")
    return Results(
        machine=_machine(fields.section("machine")),
        build=_build(fields.section("build")),
        settings=_settings(fields.section("settings")),
        entries=tuple(_entry(entry) for entry in fields.sections("entries")),
    )


def _machine(fields: Fields) -> Machine:
    require_exactly(fields, "processor", "processors", "memory_gb", "system", "python")
    return Machine(
        processor=fields.text("processor"),
        processors=fields.integer("processors"),
        memory_gb=fields.integer("memory_gb"),
        system=fields.text("system"),
        python=fields.text("python"),
    )


def _build(fields: Fields) -> Build:
    require_exactly(fields, "package", "engine", "engine_digest")
    return Build(fields.text("package"), fields.text("engine"), fields.text("engine_digest"))


def _settings(fields: Fields) -> Settings:
    require_exactly(fields, "scenarios", "deadline_s", "threads", "repetitions")
    return Settings(
        scenarios=fields.integer("scenarios"),
        deadline_s=fields.number("deadline_s"),
        threads=fields.integer("threads"),
        repetitions=fields.integer("repetitions"),
    )


def _entry(fields: Fields) -> Entry:
    require_exactly(fields, "case", "settings", "build", "load", "measurement")
    return Entry(
        case=_case(fields.section("case")),
        settings=_settings(fields.section("settings")),
        build=_build(fields.section("build")),
        load=fields.number("load"),
        measurement=measurement_of(fields.section("measurement")),
    )


def _case(fields: Fields) -> Case:
    require_exactly(fields, "shape", "seed", "solver")
    shape = fields.section("shape")
    require_exactly(shape, "nodes", "sync_nodes", "regions", "pinned_share", "tail_limit")
    try:
        return Case(
            shape=Shape(
                nodes=shape.integer("nodes"),
                sync_nodes=shape.integer("sync_nodes"),
                regions=shape.integer("regions"),
                pinned_share=shape.number("pinned_share"),
                tail_limit=shape.optional_number("tail_limit"),
            ),
            seed=fields.integer("seed"),
            solver=fields.text("solver"),
        )
    except UsageError as error:
        raise InvalidDocumentError(fields.document, fields.path, str(error)) from error
