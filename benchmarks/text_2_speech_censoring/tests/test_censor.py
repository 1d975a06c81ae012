"""Which words are profane, when they are spoken, and what is heard instead."""

import censor
import numpy as np
import pytest
from audio import RATE, Sound, convert, read_sound, write_sound
from censor import bleep, profane_intervals
from profanity import find_profanity
from speech import Word, speak

WORDS = (Word(0, 0.0, 0.2), Word(4, 0.2, 0.5), Word(9, 0.5, 0.9), Word(17, 1.2, 1.5))


def found(text: str) -> list[str]:
    return [text[start:end] for start, end in find_profanity(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("An assassin in Scunthorpe passes the class.", []),
        ("Damn, what the HELL?", ["Damn,", "HELL?"]),
        ("a sh1t-heap/crap pile", ["sh1t", "crap"]),
        ("one hand job, two", ["hand job,"]),
        ("crap crap", ["crap", "crap"]),
    ],
)
def test_profane_words_are_found(text: str, expected: list[str]) -> None:
    assert found(text) == expected


def test_a_span_covers_each_word_that_it_touches() -> None:
    assert profane_intervals(WORDS, [(4, 8)]) == [(0.2, 0.5)]
    assert profane_intervals(WORDS, [(17, 30)]) == [(1.2, 1.5)]
    assert profane_intervals(WORDS, [(0, 4)]) == [(0.0, 0.2)]
    assert profane_intervals(WORDS, []) == []


def test_a_word_that_is_not_announced_goes_with_the_one_before() -> None:
    assert profane_intervals(WORDS, [(13, 16)]) == [(0.5, 0.9)]


def test_what_touches_is_one_interval() -> None:
    assert profane_intervals(WORDS, [(4, 16)]) == [(0.2, 0.9)]
    assert profane_intervals(WORDS, [(4, 18)]) == [(0.2, 0.9), (1.2, 1.5)]


def test_the_tone_is_exactly_in_its_interval_and_nothing_else_is_touched() -> None:
    text = "The damn printer ate my report."
    spoken = speak(text)
    before = write_sound(read_sound(convert(spoken.wav)), "flac")
    intervals = profane_intervals(spoken.words, find_profanity(text))
    assert intervals == [(spoken.words[1].start_s, spoken.words[1].end_s)]
    original, censored = read_sound(before), read_sound(bleep(before, intervals, "flac"))
    start, end = (round(time * RATE) for time in intervals[0])
    assert np.array_equal(original.samples[:start], censored.samples[:start])
    assert np.array_equal(original.samples[end:], censored.samples[end:])
    power = np.abs(np.fft.rfft(censored.samples[start:end, 0] * np.hanning(end - start))) ** 2
    near = np.abs(np.fft.rfftfreq(end - start, 1.0 / RATE) - censor.TONE_HZ) < 20.0
    assert power[near].sum() > 0.99 * power.sum()
    heard = [censored.samples[start:end][place : place + RATE // 100] for place in range(0, end - start, RATE // 100)]
    assert min(np.abs(window).max() for window in heard[:-1]) > 0.9 * censor.TONE_AMPLITUDE
    assert np.abs(censored.samples[end - RATE // 100 : end]).max() > 0.9 * censor.TONE_AMPLITUDE


def test_without_profanity_the_bytes_are_the_same() -> None:
    body = write_sound(Sound(np.zeros((100, 1), np.float32), RATE), "ogg")
    assert bleep(body, [], "ogg") is body


def test_an_interval_past_the_end_is_cut() -> None:
    body = write_sound(Sound(np.zeros((RATE, 1), np.float32), RATE), "flac")
    censored = read_sound(bleep(body, [(0.5, 2.0), (3.0, 4.0)], "flac"))
    assert len(censored.samples) == RATE
    assert not censored.samples[: RATE // 2].any()
    assert censored.samples[RATE // 2 :].any()
