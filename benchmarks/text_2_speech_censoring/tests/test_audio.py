"""Conversion and compression: what changes, and what must not."""

import io

import audio
import numpy as np
import pytest
import soundfile
from audio import AudioError, Sound, compress, convert, read_sound, write_sound


def wav_of(samples: np.ndarray, rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype="PCM_16", format="WAV")
    return file.getvalue()


def tone(hertz: float, seconds: float, rate: int, amplitude: float = 0.25) -> np.ndarray:
    return amplitude * np.sin(2.0 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def strongest_hertz(sound: Sound) -> float:
    spectrum = np.abs(np.fft.rfft(sound.samples[:, 0]))
    return float(np.fft.rfftfreq(len(sound.samples), 1.0 / sound.rate)[spectrum.argmax()])


def test_conversion_changes_rate_and_loudness_but_neither_pitch_nor_length() -> None:
    converted = read_sound(convert(wav_of(tone(440.0, 2.0, 22_050), 22_050)))
    assert converted.rate == audio.RATE
    assert converted.seconds == pytest.approx(2.0, abs=1e-4)
    assert strongest_hertz(converted) == pytest.approx(440.0, abs=1.0)
    assert np.abs(converted.samples).max() == pytest.approx(audio.PEAK, abs=1e-3)


def test_silence_stays_silence() -> None:
    assert not read_sound(convert(wav_of(np.zeros(1000), 22_050))).samples.any()


@pytest.mark.parametrize("audio_format", sorted(audio.FORMATS))
def test_what_is_compressed_sounds_the_same(audio_format: str) -> None:
    wav = wav_of(tone(440.0, 5.0, audio.RATE), audio.RATE)
    compressed = compress(wav, audio_format)
    assert len(compressed) < 0.6 * len(wav)
    before, after = read_sound(wav), read_sound(compressed)
    assert (after.rate, len(after.samples)) == (before.rate, len(before.samples))
    noise = after.samples - before.samples
    assert (noise**2).mean() < 0.01 * (before.samples**2).mean()


def test_a_compressed_file_is_of_its_format() -> None:
    wav = wav_of(tone(440.0, 1.0, audio.RATE), audio.RATE)
    found = {name: soundfile.info(io.BytesIO(compress(wav, name))).format for name in audio.FORMATS}
    assert found == {"ogg": "OGG", "mp3": "MP3", "flac": "FLAC"}


def test_long_sounds_are_written_whole() -> None:
    sound = Sound(tone(440.0, 60.0, audio.RATE).astype(np.float32)[:, None], audio.RATE)
    assert len(read_sound(write_sound(sound, "ogg")).samples) == len(sound.samples)


def test_two_channels_become_one() -> None:
    left = tone(440.0, 0.1, audio.RATE)
    assert read_sound(wav_of(np.stack([left, -left], axis=1), audio.RATE)).samples == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("body", [b"", b"no sound at all " * 10])
def test_what_is_no_sound_is_refused(body: bytes) -> None:
    with pytest.raises(AudioError, match=f"{len(body)} bytes are no sound"):
        convert(body)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(AudioError, match="'wma' is none of ogg, mp3, flac"):
        compress(wav_of(np.zeros(10), audio.RATE), "wma")
