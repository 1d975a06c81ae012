"""However past hours come in, the same past is stored."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from multi_x_serverless.collection.carbon_past import kept, merged
from multi_x_serverless.model.carbon_past import CarbonPast, PastHour

HOUR = 3600.0

HOURS = st.builds(
    PastHour,
    gco2eq_per_kwh=st.sampled_from([0.1, 20.0, 20.5, 1500.0]),
    is_estimated=st.booleans(),
    source=st.sampled_from(["live", "file a.csv", "file b.csv"]),
    vintage=st.sampled_from(["2026-10-14", "2026-10-15"]),
    is_of_file=st.booleans(),
    collected_at=st.sampled_from([0.0, 1800.0, 3600.5]),
)
ANSWERS = st.lists(st.dictionaries(st.integers(0, 40).map(lambda hour: hour * HOUR), HOURS, max_size=12), max_size=8)


@given(answers=ANSWERS, data=st.data())
def test_any_order_split_and_repetition_gives_the_same_past(
    answers: list[dict[float, PastHour]], data: st.DataObject
) -> None:
    now = 39 * HOUR
    at_once = kept(reduce(merged, answers, {}), now)
    pieces = [{start: hour} for answer in answers for start, hour in answer.items()]
    repeated = pieces + (data.draw(st.lists(st.sampled_from(pieces))) if pieces else [])
    stored: dict[float, PastHour] = {}
    for piece in data.draw(st.permutations(repeated)):
        # As between two collections: written, read back and cut to what is kept.
        stored = dict(CarbonPast.from_document(CarbonPast("r", kept(merged(stored, piece), now)).to_document()).hours)
    assert stored == at_once
    assert CarbonPast("r", stored).to_document() == CarbonPast("r", at_once).to_document()


@given(answers=ANSWERS)
def test_every_hour_kept_is_one_that_was_given(answers: list[dict[float, PastHour]]) -> None:
    past: dict[float, PastHour] = reduce(merged, answers, {})
    assert set(past) == {start for answer in answers for start in answer}
    for start, hour in past.items():
        assert hour in [answer[start] for answer in answers if start in answer]
        assert not (hour.is_estimated and any(not answer[start].is_estimated for answer in answers if start in answer))
