"""Conversion and compression of sound: bytes of a file in, bytes of a file out."""

import io
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

RATE = 24_000
"""Samples a second of converted speech: above what a voice needs, and known to every format here."""

PEAK = 0.891
"""Loudest sample of converted speech, -1 dB of full scale: lossy formats overshoot a little."""

FORMATS = {"ogg": ("OGG", "VORBIS"), "mp3": ("MP3", "MPEG_LAYER_III"), "flac": ("FLAC", "PCM_16")}
"""Names of the formats to compress to, and what libsndfile calls them."""

_BLOCK_FRAMES = 65_536
"""libsndfile's Vorbis encoder takes what it is given at once onto its stack."""


class AudioError(Exception):
    """Bytes that are no sound, or a format that is not known."""


@dataclass(frozen=True)
class Sound:
    """Samples (frames, 1), float32 from -1 to 1, and how many there are a second."""

    samples: np.ndarray
    rate: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate


def convert(wav: bytes) -> bytes:
    """A WAV file (mono, 16 bits) of `RATE` samples a second, as loud as `PEAK`; silence stays silence.

    Raises:
        AudioError: These bytes are no sound.
    """
    sound = read_sound(wav)
    samples = soxr.resample(sound.samples, sound.rate, RATE)
    loudest = float(np.abs(samples).max(initial=0.0))
    scaled = samples * (PEAK / loudest) if loudest > 0.0 else samples
    return _write(Sound(scaled, RATE), "WAV", "PCM_16")


def compress(wav: bytes, audio_format: str) -> bytes:
    """The same sound in a compressed format.

    Raises:
        AudioError: These bytes are no sound, or the format is none of `FORMATS`.
    """
    check_format(audio_format)
    return write_sound(read_sound(wav), audio_format)


def check_format(audio_format: str) -> None:
    """Refuse what is none of `FORMATS`.

    Raises:
        AudioError: The format is not known.
    """
    if audio_format not in FORMATS:
        raise AudioError(f"the format {audio_format!r} is none of {', '.join(FORMATS)}")


def read_sound(body: bytes) -> Sound:
    """The samples of a file in any format here; several channels are mixed into one.

    Raises:
        AudioError: These bytes are no sound.
    """
    try:
        samples, rate = soundfile.read(io.BytesIO(body), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{len(body):,} bytes are no sound that can be read: {error.error_string}") from error
    return Sound(samples.mean(axis=1, keepdims=True), rate)


def write_sound(sound: Sound, audio_format: str) -> bytes:
    """A file of one of `FORMATS`."""
    return _write(sound, *FORMATS[audio_format])


def _write(sound: Sound, container: str, encoding: str) -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", sound.rate, 1, subtype=encoding, format=container) as writer:
        for start in range(0, len(sound.samples), _BLOCK_FRAMES):
            writer.write(sound.samples[start : start + _BLOCK_FRAMES])
    return file.getvalue()
