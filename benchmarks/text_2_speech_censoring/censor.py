"""Bleeping: when profane words are spoken, and a tone instead of them."""

from collections.abc import Sequence

import numpy as np
from audio import Sound, read_sound, write_sound
from speech import Word

TONE_HZ = 1000.0
TONE_AMPLITUDE = 0.3

_RAMP_S = 0.005
"""The tone rises and falls within this time: a sudden start would click."""

Interval = tuple[float, float]
"""Seconds from the start of a sound: from, until."""


def profane_intervals(words: Sequence[Word], spans: Sequence[tuple[int, int]]) -> list[Interval]:
    """When the profane words are spoken; what touches is one interval.

    Args:
        words: Of a speech.
        spans: First character in the text, and the one after the last, of each profane word or phrase.
    """
    ends = [word.position for word in words[1:]] + [float("inf")]
    intervals: list[Interval] = []
    for word, end in zip(words, ends, strict=True):
        if not any(start < end and word.position < stop for start, stop in spans):
            continue
        if intervals and intervals[-1][1] >= word.start_s:
            intervals[-1] = (intervals[-1][0], word.end_s)
        else:
            intervals.append((word.start_s, word.end_s))
    return intervals


def bleep(body: bytes, intervals: Sequence[Interval], audio_format: str) -> bytes:
    """A sound with a tone in place of some intervals; without intervals the very same bytes.

    Raises:
        AudioError: The bytes are no sound.
    """
    sound = read_sound(body)
    if not intervals:
        return body
    samples = sound.samples.copy()
    for start_s, end_s in intervals:
        start, end = (min(round(time * sound.rate), len(samples)) for time in (start_s, end_s))
        samples[start:end, 0] = _tone(end - start, sound.rate)
    return write_sound(Sound(samples, sound.rate), audio_format)


def _tone(length: int, rate: int) -> np.ndarray:
    places = np.arange(length)
    ramp = np.minimum(places, places[::-1]) / (_RAMP_S * rate)
    return TONE_AMPLITUDE * np.minimum(ramp, 1.0) * np.sin(2.0 * np.pi * TONE_HZ * places / rate)
