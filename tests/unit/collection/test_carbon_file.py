"""Files of carbon intensities: what is read of them, and what is told of the rest."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multi_x_serverless import data
from multi_x_serverless.collection.carbon_file import CarbonFileSource
from multi_x_serverless.collection.carbon_file_format import read_content
from multi_x_serverless.collection.carbon_source import HourlyIntensity
from multi_x_serverless.errors import SignalSourceError

START = datetime(2026, 11, 26, 10, tzinfo=timezone.utc).timestamp()
HOUR = 3600.0
GERMANY = data.find_region("eu-central-1")
FRANCE = data.find_region("eu-west-3")
VIRGINIA = data.find_region("us-east-1")
OHIO = data.find_region("us-east-2")
HEADER = "zone_or_region,datetime_utc,gco2eq_per_kwh,estimated\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def source(folder: Path, text: str, name: str = "carbon.csv") -> CarbonFileSource:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return CarbonFileSource(path)


def values(file: CarbonFileSource, region: data.Region = GERMANY, hours: int = 5) -> list[float | None]:
    past = file.past(region, START, hours)
    found = [past.get(START + offset * HOUR) for offset in range(hours)]
    return [None if hour is None else hour.gco2eq_per_kwh for hour in found]


LONG = HEADER + (
    "DE,2026-11-26T10:00Z,301.5,false\n"
    "DE,2026-11-26T11:00:00+00:00,302,true\n"
    "us-east-1,2026-11-26T10:00Z,400,\n"
    "US-MIDA-PJM,2026-11-26T10:00Z,410,no\n"
    "US-MIDA-PJM,2026-11-26T11:00Z,411,1\n"
)
WIDE = "datetime_utc,DE,US-MIDA-PJM,us-east-1\n2026-11-26T10:00Z,301.5,410,400\n2026-11-26 11:00Z,302,411,\n"
JSON = json.dumps(
    [
        {"zone_or_region": zone, "datetime_utc": f"2026-11-26T{hour}:00Z", "gco2eq_per_kwh": value, **more}
        for zone, hour, value, more in [
            ("DE", 10, 301.5, {}),
            ("DE", 11, 302, {"estimated": True}),
            ("us-east-1", 10, 400, {"estimated": False}),
            ("US-MIDA-PJM", 10, 410.0, {}),
            ("US-MIDA-PJM", 11, 411.0, {"estimated": True}),
        ]
    ]
)


@pytest.mark.parametrize(
    ("text", "name"), [(LONG, "carbon.csv"), (WIDE, "carbon.csv"), (JSON, "carbon.JSON"), ("\ufeff" + LONG, "carbon")]
)
def test_every_form_gives_the_same_hours(folder: Path, text: str, name: str) -> None:
    file = source(folder, text, name)
    assert values(file) == [301.5, 302.0, None, None, None]
    # A region's own column goes before that of its grid zone, hour by hour.
    assert values(file, VIRGINIA) == [400.0, 411.0, None, None, None]
    assert values(file, OHIO) == [410.0, 411.0, None, None, None]
    assert values(file, FRANCE) == [None] * 5
    assert file.notes == ()
    assert file.problems(GERMANY) == file.problems(VIRGINIA) == ()
    assert file.known_until(GERMANY) == START + 2 * HOUR
    assert file.known_until(FRANCE) is None
    assert file.forecast(GERMANY, START, 5) == file.past(GERMANY, START, 5)


def test_hours_say_whether_they_are_estimated_whose_they_are_and_of_which_day(folder: Path) -> None:
    past = source(folder, LONG).past(GERMANY, START, 2)
    assert past[START] == HourlyIntensity(301.5, False, "file carbon.csv", "2026-11-26")
    assert past[START + HOUR].is_estimated
    unsaid = source(folder, "zone_or_region,datetime_utc,gco2eq_per_kwh\nDE,2026-11-26T10:00Z,5\n")
    assert not unsaid.past(GERMANY, START, 1)[START].is_estimated


def test_columns_may_be_in_any_order_and_fields_have_spaces_around(folder: Path) -> None:
    file = source(folder, "gco2eq_per_kwh, zone_or_region ,datetime_utc\n 301.5 , DE , 2026-11-26T10:00Z \n\n")
    assert values(file)[0] == 301.5


@pytest.mark.parametrize("time", ["2026-11-26T12:00+02:00", "2026-11-26T05:00-05:00", "2026-11-26T15:30+05:30"])
def test_other_time_zones_are_converted(folder: Path, time: str) -> None:
    assert values(source(folder, f"{HEADER}DE,{time},301.5,\n"))[0] == 301.5


def test_only_real_hours_count_and_no_calendar_of_another_year(folder: Path) -> None:
    assert values(source(folder, f"{HEADER}DE,2023-11-26T10:00Z,301.5,\n")) == [None] * 5


def row(zone: str = "DE", time: str = "2026-11-26T11:00Z", intensity: object = 302, estimated: object = "") -> str:
    return f"{zone},{time},{intensity},{estimated}"


BAD_ROWS = [
    (row(time="2026-11-26T11:00"), "without a time zone; write '2026-11-26T11:00Z' if it is UTC"),
    (row(time="yesterday"), "is 'yesterday', expected a time as"),
    (row(time=""), "expected a time as"),
    (row(time="2026-11-26T11:30Z"), "not the start of an hour in UTC"),
    (row(time="2026-11-26T11:00+05:30"), "not the start of an hour in UTC"),
    (row(time="0001-01-01T00:00+14:00"), "expected a year from 1990 to 2199"),
    (row(intensity="many"), "gco2eq_per_kwh is 'many', expected a number"),
    (row(intensity=""), "expected a number"),
    (row(intensity="nan"), "is nan, expected more than 0 and at most 1500"),
    (row(intensity="inf"), "is inf, expected"),
    (row(intensity=0), "is 0, expected more than 0"),
    (row(intensity=-5), "is -5, expected more than 0"),
    (row(intensity=302000), "is 302000, expected more than 0 and at most 1500"),
    (row(estimated="perhaps"), "estimated is 'perhaps', expected true or false"),
    (row(time="2026-11-26T10:00Z"), "2026-11-26T10:00Z is there twice for DE; the first value counts"),
    (row(time="2026-11-26T11:00+01:00"), "is there twice for DE"),
    ("DE,2026-11-26T11:00Z,302", "has 3 fields, expected 4"),
    (row() + ",5", "has 5 fields, expected 4"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_ROWS)
def test_a_bad_line_is_told_with_its_number_and_loses_nothing_else(folder: Path, bad: str, message: str) -> None:
    before, other = row(time="2026-11-26T10:00Z", intensity=301), row("FR", intensity=50)
    after = row(time="2026-11-26T12:00Z")
    file = source(folder, HEADER + "\n".join([before, bad, other, after]))
    assert values(file) == [301.0, None, 302.0, None, None]
    assert values(file, FRANCE) == [None, 50.0, None, None, None]
    (problem,) = file.problems(GERMANY)
    assert problem.startswith(f"{folder / 'carbon.csv'}:3: ")
    assert message in problem
    assert file.problems(FRANCE) == ()
    assert file.notes == ()


BAD_OBJECTS = [
    ({"zone_or_region": 7}, None, "zone_or_region is 7, expected the name of a zone or region"),
    ({"zone_or_region": ""}, None, "zone_or_region is ''"),
    ({"datetime_utc": 1795600800}, "DE", "datetime_utc is 1795600800, expected a text"),
    ({"gco2eq_per_kwh": "302"}, "DE", "gco2eq_per_kwh is '302', expected a number"),
    ({"gco2eq_per_kwh": True}, "DE", "gco2eq_per_kwh is True, expected a number"),
    ({"gco2eq_per_kwh": None}, "DE", "gco2eq_per_kwh is None"),
    ({"gco2eq_per_kwh": float("nan")}, "DE", "is nan, expected more than 0"),
    ({"gco2eq_per_kwh": 10**400}, "DE", "expected more than 0 and at most 1500"),
    ({"estimated": "yes"}, "DE", "estimated is 'yes', expected true or false"),
    ({"gco2eq_per_mwh": 302}, "DE", "gco2eq_per_mwh is no known field"),
    ({"datetime_utc": "2026-11-26T11:00"}, "DE", "without a time zone"),
]


@pytest.mark.parametrize(("members", "zone", "message"), BAD_OBJECTS)
def test_a_bad_object_is_told_with_its_line_and_loses_nothing_else(
    folder: Path, members: dict[str, object], zone: str | None, message: str
) -> None:
    good = {"zone_or_region": "DE", "datetime_utc": "2026-11-26T10:00Z", "gco2eq_per_kwh": 301}
    bad = {"zone_or_region": "DE", "datetime_utc": "2026-11-26T11:00Z", "gco2eq_per_kwh": 302, **members}
    other = {**good, "zone_or_region": "FR"}
    file = source(folder, f"[\n{json.dumps(good)},\n\n  {json.dumps(bad)}, {json.dumps(other)}\n]\n", "carbon.json")
    assert values(file) == [301.0, None, None, None, None]
    assert values(file, FRANCE)[0] == 301.0
    (problem,) = file.notes if zone is None else file.problems(GERMANY)
    assert problem.startswith(f"{folder / 'carbon.json'}:4: ")
    assert message in problem


def test_entries_that_are_no_objects_are_told(folder: Path) -> None:
    file = source(folder, f"[5,\n{JSON[1:]}", "carbon.json")
    assert values(file)[0] == 301.5
    assert [note.rpartition("carbon.json")[2] for note in file.notes] == [":1: is 5, expected an object"]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "carbon.csv", r"carbon\.csv:1: the columns are ''; expected are"),
        ("DE,2026-11-26T10:00Z,301\n", "carbon.csv", ":1: the columns are 'DE,"),
        ("zone_or_region,datetime_utc,gco2eq_per_mwh\n", "carbon.csv", ":1: the columns are .*gco2eq_per_mwh"),
        ("zone_or_region,datetime_utc,gco2eq_per_kwh,colour\n", "carbon.csv", ":1: .*colour"),
        ("datetime_utc\n", "carbon.csv", ":1: the columns are 'datetime_utc'"),
        ("datetime_utc,DE,,FR\n", "carbon.csv", ":1: the columns"),
        ("datetime_utc,DE,estimated\n", "carbon.csv", ":1: the columns"),
        ("datetime_utc,DE,FR,DE\n", "carbon.csv", ":1: the column DE is there twice"),
        (f'{HEADER}DE,"2026\n', "carbon.csv", ":2: is not CSV"),
        ("{}", "carbon.json", ":1: is not a JSON list"),
        ("", "carbon.json", ":1: is not a JSON list"),
        ('[{"a": 1}\n{"a": 2}]', "carbon.json", ":2: is not a JSON list of objects"),
        ('[{"a": 1},\n', "carbon.json", ":2: is not a JSON list of objects"),
        ("[]\n[]", "carbon.json", ":2: is not a JSON list of objects"),
        ('[\n{"a": tru}]', "carbon.json", ":2: is not a JSON list of objects"),
        ("[" * 200_000, "carbon.json", ":1: is nested too deeply"),
        (f"[{'9' * 5000}]", "carbon.json", ":1: has a number that cannot be read"),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_line(folder: Path, text: str, name: str, message: str) -> None:
    file = source(folder, text, name)
    for region in (GERMANY, FRANCE):
        with pytest.raises(SignalSourceError, match=message) as raised:
            file.past(region, START, 5)
        assert raised.value.reason == "unreadable"
    assert file.notes == file.problems(GERMANY) == ()
    assert file.known_until(GERMANY) is None


def test_a_file_that_is_not_there_or_no_text_is_refused(folder: Path) -> None:
    with pytest.raises(SignalSourceError, match=r"there is no file .*none\.csv") as raised:
        CarbonFileSource(folder / "none.csv").past(GERMANY, START, 1)
    assert raised.value.reason == "unavailable"
    with pytest.raises(SignalSourceError, match="cannot be read"):
        CarbonFileSource(folder).past(GERMANY, START, 1)
    (folder / "latin.csv").write_bytes(HEADER.encode() + b"DE,\xe4\n")
    with pytest.raises(SignalSourceError, match="is not in UTF-8"):
        CarbonFileSource(folder / "latin.csv").past(GERMANY, START, 1)


def test_a_file_that_cannot_be_read_fails_with_an_error_of_its_own_for_every_region(folder: Path) -> None:
    """One error that is raised again and again would collect the tracebacks of all regions."""
    file = CarbonFileSource(folder / "none.csv")
    found = []
    for region in (GERMANY, FRANCE):
        with pytest.raises(SignalSourceError) as caught:
            file.past(region, START, 1)
        found.append(caught.value)
    assert found[0] is not found[1]
    assert (str(found[0]), found[0].reason) == (str(found[1]), found[1].reason)


def test_a_bad_time_in_the_wide_form_is_told_for_every_zone_of_the_line(folder: Path) -> None:
    rows = ["datetime_utc,DE,FR", "2026-11-26T10:00,301,50", "2026-11-26T11:00Z,302,", "2026-11-26T12:00Z,303"]
    file = source(folder, "\n".join(rows))
    assert values(file) == [None, 302.0, None, None, None]
    for region in (GERMANY, FRANCE):
        (problem,) = file.problems(region)
        assert "carbon.csv:2: " in problem
    (note,) = file.notes
    assert note.endswith("carbon.csv:4: has 2 fields, expected 3")


def test_a_bad_cell_in_the_wide_form_loses_its_zone_only(folder: Path) -> None:
    file = source(folder, "datetime_utc,DE,FR\n2026-11-26T10:00Z,x,50\n")
    assert values(file)[0] is None
    assert values(file, FRANCE)[0] == 50.0
    assert "carbon.csv:2: gco2eq_per_kwh is 'x'" in file.problems(GERMANY)[0]
    assert file.problems(FRANCE) == ()


def test_hours_out_of_order_are_used_and_told_once(folder: Path) -> None:
    times = ["2026-11-26T12:00Z", "2026-11-26T10:00Z", "2026-11-26T11:00Z"]
    file = source(folder, HEADER + "".join(f"DE,{time},{300 + place},\n" for place, time in enumerate(times)))
    assert values(file) == [301.0, 302.0, 300.0, None, None]
    (problem,) = file.problems(GERMANY)
    assert "carbon.csv:3: 2026-11-26T10:00Z comes after a later hour of DE; it is used" in problem


def test_a_zone_in_another_unit_is_told_and_not_used(folder: Path) -> None:
    """0.3 kg per kWh lies within the range of what is possible; no grid is so clean."""
    rows = [row(time=f"2026-11-26T{hour}:00Z", intensity=0.3 + hour / 100) for hour in (10, 11, 12)]
    file = source(folder, HEADER + "\n".join([row("FR", intensity=50), *rows]))
    assert values(file) == [None] * 5
    assert values(file, FRANCE)[1] == 50.0
    (problem,) = file.problems(GERMANY)
    assert "carbon.csv:3: the values of DE seem to be in kg per kWh or t per MWh" in problem


def test_many_bad_lines_are_counted(folder: Path) -> None:
    rows = "\n".join(row(time=f"2026-11-26T{hour:02}:00Z", intensity=302000 + hour) for hour in range(12))
    problems = source(folder, HEADER + rows).problems(GERMANY)
    assert len(problems) == 6
    assert problems[-1].endswith("carbon.csv: 7 more lines of DE are of no use")


def test_lines_with_the_same_problem_are_told_once(folder: Path) -> None:
    hours = [row(time="2026-11-26T08:00Z", intensity=302000), row(time="2026-11-26T09:00Z", intensity="")]
    file = source(folder, HEADER + "\n".join(hours * 3))
    assert [problem.rpartition("carbon.csv")[2] for problem in file.problems(GERMANY)] == [
        ":2: gco2eq_per_kwh is 302000, expected more than 0 and at most 1500 (so have 2 more lines)",
        ":3: gco2eq_per_kwh is '', expected a number (so have 2 more lines)",
    ]
    file = source(folder, HEADER + "\n".join([hours[0], row(), hours[0]]))
    assert file.problems(GERMANY)[0].endswith("at most 1500 (so has line 4)")


def test_zones_that_no_region_is_in_are_told(folder: Path) -> None:
    file = source(folder, f"{HEADER}{row('DEE')}\n{row('NO')}\n{row('')}\n")
    assert [note.rpartition("carbon.csv")[2] for note in file.notes] == [
        ":4: zone_or_region is empty",
        ": no region is in DEE: these values are not used",
    ]


ANYTHING = st.text(max_size=300) | st.text("[]{},:\"'\n\r 0123456789TZ-+.aeDE_", max_size=300)


@given(ANYTHING, st.sampled_from(["a.csv", "a.json"]))
def test_whatever_is_in_a_file_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, name: str
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    for whole in (text, HEADER + text, "datetime_utc,DE\n" + text, f"[{text}]"):
        path.write_text(whole, encoding="utf-8", errors="replace")
        with contextlib.suppress(SignalSourceError):
            content = read_content(path, "file")
            lines = whole.count("\n") + whole.count("\r") + 1
            assert all(1 <= problem.line <= lines for problem in content.problems)


def test_the_file_that_the_embedded_trace_is_made_of_can_be_read(folder: Path) -> None:
    zones = sorted(data.zones_with_hourly_trace())
    trace = [data.hourly_trace(zone).intensity_gco2eq_per_kwh[:48] for zone in zones]
    lines = [f"datetime_utc,{','.join(zones)}"]
    for hour in range(48):
        cells = ",".join(f"{values_of_zone[hour]:.1f}" for values_of_zone in trace)
        lines.append(f"2026-11-{26 + hour // 24}T{hour % 24:02}:00Z,{cells}")
    file = source(folder, "\n".join(lines))
    first = START - 10 * HOUR
    past = file.past(GERMANY, first, 48)
    expected = [round(float(value), 1) for value in data.hourly_trace("DE").intensity_gco2eq_per_kwh[:48]]
    assert [past[first + hour * HOUR].gco2eq_per_kwh for hour in range(48)] == expected
    assert file.notes == ()
