"""Speech, and when its words are spoken."""

import io
import wave
from pathlib import Path

import espeakng_loader
import numpy as np
import pytest
import speech
from speech import CLAUSE_END, PHONEME, WORD, Event, SpeechError, Word, speak, words_of_events

TEXT = "The damn printer ate my report again. What a load of crap, said the engineer."


def samples_of(wav: bytes) -> tuple[np.ndarray, int]:
    with wave.open(io.BytesIO(wav)) as reader:
        assert (reader.getnchannels(), reader.getsampwidth()) == (1, 2)
        return np.frombuffer(reader.readframes(reader.getnframes()), "<i2") / 32768.0, reader.getframerate()


def test_each_word_is_heard_when_it_is_told() -> None:
    spoken = speak(TEXT)
    samples, rate = samples_of(spoken.wav)
    assert 3.0 < len(samples) / rate < 8.0
    assert [TEXT[word.position :].split(maxsplit=1)[0] for word in spoken.words] == TEXT.split()
    for word in spoken.words:
        assert np.abs(samples[int(word.start_s * rate) : int(word.end_s * rate)]).max() > 0.05, word


def test_a_pause_is_no_part_of_a_word() -> None:
    spoken = speak(TEXT)
    samples, rate = samples_of(spoken.wav)
    again, what = spoken.words[6:8]
    pause = samples[round(again.end_s * rate) : round(what.start_s * rate)]
    assert len(pause) > 0.1 * rate
    assert np.abs(pause[len(pause) // 2 :]).max() < 0.01


def test_positions_count_characters_and_not_bytes() -> None:
    text = "naïve café — so"
    assert [text[word.position :].split(maxsplit=1)[0] for word in speak(text).words] == ["naïve", "café", "so"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("...", "no word"),
        ("one\0two", "NUL at character 3"),
        ("word " * 5000, "25,000 characters"),
    ],
)
def test_what_cannot_be_spoken_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(SpeechError, match=complaint):
        speak(text)


def test_an_unknown_voice_is_refused() -> None:
    with pytest.raises(SpeechError, match="no voice 'nobody'"):
        speak("hello", "nobody")


def test_a_word_ends_with_the_next_word_its_pause_or_the_sound() -> None:
    events = [
        Event(WORD, 0, 0),
        Event(PHONEME, 0, 10),
        Event(WORD, 4, 100),
        Event(PHONEME, 4, 110, is_pause=True),
        Event(PHONEME, 4, 130),
        Event(PHONEME, 4, 150, is_pause=True),
        Event(PHONEME, 4, 180, is_pause=True),
        Event(CLAUSE_END, 8, 200),
        Event(WORD, 9, 200),
        Event(PHONEME, 9, 210),
    ]
    assert words_of_events(events, 300, 100) == (Word(0, 0.0, 1.0), Word(4, 1.0, 1.5), Word(9, 2.0, 3.0))


def test_voices_are_found_under_a_path_that_the_engine_would_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 40)
    deep.mkdir()
    (deep / "espeak-ng-data").symlink_to(espeakng_loader.get_data_path())
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(deep / "espeak-ng-data"))
    speech.start_engine.cache_clear()
    try:
        assert len(speak("one two three").words) == 3
    finally:
        speech.start_engine.cache_clear()


def test_a_library_that_cannot_be_loaded_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: str(tmp_path / "none.so"))
    speech.start_engine.cache_clear()
    try:
        with pytest.raises(SpeechError, match=r"cannot be loaded: .*none\.so"):
            speak("hello")
    finally:
        speech.start_engine.cache_clear()
