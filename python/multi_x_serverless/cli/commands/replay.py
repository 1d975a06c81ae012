"""``replay``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from multi_x_serverless.cli.numbers import LARGEST_PACKAGE_MB, FiniteRange, seconds_range
from multi_x_serverless.cli.output import write_json
from multi_x_serverless.cli.problem_file import read_document, require_directory, write_document
from multi_x_serverless.cli.session import Settings, pass_settings
from multi_x_serverless.model.bounds import LARGEST_NUMBER

if TYPE_CHECKING:
    from multi_x_serverless.adaptation.replay.load import Load
    from multi_x_serverless.adaptation.replay.stretch import Stretch
    from multi_x_serverless.collection.carbon_source import CarbonSource

DAY = click.DateTime(["%Y-%m-%d"])

MEGABYTE = 1e6


@click.command("replay")
@click.option(
    "--workflow",
    "problem_file",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Problem document of the workflow, as 'solve --dump-problem FILE' writes it; - reads standard input.",
)
@click.option(
    "--regions",
    "regions",
    metavar="REGION,...",
    multiple=True,
    help="Only these of its regions, and home; may be given several times.  [default: all of the document]",
)
@click.option("--from", "first", type=DAY, required=True, metavar="DATE", help="First day, UTC, as 2023-01-31.")
@click.option("--to", "last", type=DAY, required=True, metavar="DATE", help="Last day, UTC, included.")
@click.option(
    "--rate", type=FiniteRange(min=0.0, max=LARGEST_NUMBER, min_open=True), help="Runs per hour.  [default: 1000]"
)
@click.option(
    "--rate-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Runs of each hour: CSV with the columns hour,runs, from hour 0 on; begins anew at its end.",
)
@click.option(
    "--replan", type=click.IntRange(min=1), default=24, show_default=True, metavar="HOURS", help="Hours between plans."
)
@click.option(
    "--home-share",
    type=FiniteRange(0.0, 1.0),
    default=0.1,
    show_default=True,
    help="Fraction of the runs that stay home as controls where there is a plan.",
)
@click.option(
    "--transmission",
    type=click.Choice(["best", "worst"]),
    help="Energy per byte. best: 0.001 kWh/GB everywhere; worst: 0.005 between regions and 0 within one.  [default: "
    "the document's]",
)
@click.option(
    "--package-mb",
    type=FiniteRange(min=0.0, max=LARGEST_PACKAGE_MB),
    default=10.0,
    show_default=True,
    help="Size of the package in MB (10^6 bytes); copied to each region once.",
)
@click.option(
    "--feed-delay",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="HOURS",
    help="Hours by which carbon intensities are known late.",
)
@click.option(
    "--solve-cpu",
    type=seconds_range(),
    metavar="SECONDS",
    help="Processor seconds that a plan takes.  [default: measured, which differs from call to call]",
)
@click.option(
    "--without-framework",
    is_flag=True,
    help="Leave out what the jobs of deploy_framework take in the system region: somebody runs the commands.",
)
@click.option(
    "--seed", type=click.IntRange(min=0, max=2**64 - 1), help="Seed of the scenarios.  [default: the document's]"
)
@click.option("--deadline", type=seconds_range(0.01), help="Seconds of a solve at most.  [default: the document's]")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the solver.  [default: all processors]")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all hours to this CSV.")
@click.option(
    "-o", "--result", "result_file", type=click.Path(dir_okay=False, path_type=Path), help="Write totals to this JSON."
)
@click.option(
    "--plot",
    "plot_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw carbon by day and regions by hour of the day into this file (.png or .svg); needs matplotlib.",
)
@pass_settings
def command(
    settings: Settings,
    problem_file: Path,
    regions: tuple[str, ...],
    first: datetime,
    last: datetime,
    rate: float | None,
    rate_file: Path | None,
    replan: int,
    home_share: float,
    transmission: str | None,
    package_mb: float,
    feed_delay: int,
    solve_cpu: float | None,
    without_framework: bool,
    seed: int | None,
    deadline: float | None,
    threads: int | None,
    csv_file: Path | None,
    result_file: Path | None,
    plot_file: Path | None,
) -> None:
    """Replay the loop over past carbon intensities, and compare what it would have saved.

    Five policies go through the same hours: everything at home; the best single region, chosen with hindsight; a single
    region for each hour, by forecast; this system, by forecast; and this system if it had known what comes. Planning
    sees earlier hours only. All figures are simulated; what planning and moving take is counted, and what the jobs of
    deploy_framework take, at their default intervals and for this workflow alone.

    Intensities are those of 2023 that come with the program, or of the file that MULTI_X_SERVERLESS_CARBON_FILE names.
    Needs no cloud and no project.
    """
    from multi_x_serverless.adaptation.replay.document import Changes, changed
    from multi_x_serverless.adaptation.replay.framework import framework_jobs
    from multi_x_serverless.adaptation.replay.hourly import hourly_csv
    from multi_x_serverless.adaptation.replay.intensities import gather_intensities
    from multi_x_serverless.adaptation.replay.plots import draw, require_plots
    from multi_x_serverless.adaptation.replay.replay import ReplaySettings, replay
    from multi_x_serverless.adaptation.replay.results import POLICIES
    from multi_x_serverless.adaptation.replay.stretch import stretch_of
    from multi_x_serverless.cli.progress import terminal_count
    from multi_x_serverless.cli.replay_tables import show_replay
    from multi_x_serverless.solving.engine import LoadedProblem

    for file in (csv_file, result_file, plot_file):
        require_directory(file)
    if plot_file is not None:
        require_plots(plot_file)
    stretch = stretch_of(first.date(), last.date())
    load = _load(rate, rate_file, stretch)
    given = read_document(problem_file)
    LoadedProblem(given)  # Refuses what is no problem document, with the path of the field.
    wanted = tuple(name.strip() for names in regions for name in names.split(",") if name.strip())
    if regions and not wanted:
        raise click.UsageError("--regions names no region; without it all regions of the document are used.")
    document = changed(
        given,
        Changes(
            regions=wanted or None,
            transmission=None if transmission is None else ("worst" if transmission == "worst" else "best"),
            seed=seed,
            deadline_s=deadline,
        ),
    )
    past = _users_past()
    intensities = gather_intensities(LoadedProblem(document).regions, stretch, past)
    jobs = None if without_framework else framework_jobs(settings.system_region, intensities, past)
    with terminal_count(settings, "days", len(POLICIES) * stretch.days) as count:
        found = replay(
            document,
            intensities,
            load,
            ReplaySettings(
                replan_hours=replan,
                home_share=home_share,
                package_bytes=package_mb * MEGABYTE,
                delay_hours=feed_delay,
                solve_cpu_s=solve_cpu,
                threads=threads,
            ),
            jobs=jobs,
            progress=lambda policy, hour: count(POLICIES.index(policy) * stretch.days + hour // 24),
        )
    if csv_file is not None:
        write_document(csv_file, hourly_csv(found).encode())
    if result_file is not None:
        write_document(result_file, found.to_document())
    if plot_file is not None:
        draw(found, plot_file)
    if settings.is_json:
        write_json("replay", found.to_members())
    else:
        show_replay(settings, found)


def _load(rate: float | None, rate_file: Path | None, stretch: Stretch) -> Load:
    from multi_x_serverless.adaptation.replay.load import constant_load, read_load
    from multi_x_serverless.errors import UsageError

    if rate_file is None:
        return constant_load(1000.0 if rate is None else rate, stretch.hours)
    if rate is not None:
        raise click.UsageError("--rate and --rate-file say the same: give one of them.")
    try:
        text = read_document(rate_file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{rate_file} is not in UTF-8 ({error.reason}).") from error
    return read_load(text, stretch.hours, name=rate_file.name)


def _users_past() -> CarbonSource | None:
    import os

    from multi_x_serverless.collection.carbon_file import FILE_VARIABLE, CarbonFileSource

    named = os.environ.get(FILE_VARIABLE)
    return CarbonFileSource(Path(named)) if named else None
