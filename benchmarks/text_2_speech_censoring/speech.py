"""Text to speech by eSpeak NG, with the time at which each word is spoken.

The library and its voices lie in the package `espeakng-loader`; they are called through ctypes, after `speak_lib.h` of
eSpeak NG 1.52. It keeps its state in the process: one text at a time, and the same text again lasts some milliseconds
more or less. Words therefore go with the sound that they were told of.
"""

import atexit
import ctypes
import functools
import io
import tempfile
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader

VOICE = "en-us"
LONGEST_TEXT_CHARACTERS = 20_000
"""About 21 minutes of speech, which the configured memory and time are enough for with room to spare."""

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: sound comes to the callback, before espeak_Synth returns
_PHONEME_EVENTS = 0x0001  # espeakINITIALIZE_PHONEME_EVENTS
_DO_NOT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: an error must not end the process
_UTF8 = 1  # espeakCHARS_UTF8
_POSITION_IN_CHARACTERS = 1  # POS_CHARACTER
_LIST_END = 0  # espeakEVENT_LIST_TERMINATED
WORD, CLAUSE_END, PHONEME = 1, 5, 7  # espeakEVENT_WORD, espeakEVENT_END, espeakEVENT_PHONEME
_PAUSE = b"_"  # first letter of the phonemes that are silence
_LONGEST_DATA_PATH = 140
"""eSpeak NG cuts paths of its data at 160 bytes (`N_PATH_HOME`), and adds a name to them."""

_BYTES_A_SAMPLE = 2


class SpeechError(Exception):
    """A text that cannot be spoken, or an engine that cannot speak."""


@dataclass(frozen=True)
class Word:
    """When something of the text is spoken.

    Attributes:
        position: Index of its first character in the text. What is not announced by itself ("the" in "of the") belongs
            to the word before it.
        start_s: Seconds from the start of the sound.
        end_s: The same; without a pause that follows.
    """

    position: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Speech:
    """A spoken text: a WAV file (mono, 16 bits) and its words in the order of the text."""

    wav: bytes
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Event:
    """What the engine announced: `kind` after `speak_lib.h`, where in the text, and at which sample of the sound."""

    kind: int
    position: int
    sample: int
    is_pause: bool = False


class _RawEvent(ctypes.Structure):
    """`espeak_EVENT`; the last field is a union, of which the name of a phoneme is used."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_RawEvent))


def speak(text: str, voice: str = VOICE) -> Speech:
    """Speak a text.

    Args:
        text: What to say.
        voice: Name of a voice of eSpeak NG.

    Raises:
        SpeechError: The text is empty, too long, or holds nothing that can be spoken; there is no such voice; or the
            engine does not start.
    """
    check_text(text)
    library, rate = start_engine()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise SpeechError(f"there is no voice '{voice}' in eSpeak NG; 'en-us' is one")
    sound: list[bytes] = []
    events: list[Event] = []

    @_Callback
    def collect(samples: object, count: int, raw_events: Iterable[_RawEvent]) -> int:
        if samples and count:
            sound.append(ctypes.string_at(samples, count * _BYTES_A_SAMPLE))
        events.extend(_read_events(raw_events))
        return 0

    library.espeak_SetSynthCallback(collect)
    body = text.encode() + b"\0"
    outcome = library.espeak_Synth(body, ctypes.c_size_t(len(body)), 0, _POSITION_IN_CHARACTERS, 0, _UTF8, None, None)
    if outcome != 0:
        raise SpeechError(f"eSpeak NG could not speak the text (error {outcome})")
    samples = b"".join(sound)
    words = words_of_events(events, len(samples) // _BYTES_A_SAMPLE, rate)
    if not words:
        raise SpeechError("the text holds no word that can be spoken")
    return Speech(_wav(samples, rate), words)


def check_text(text: str) -> None:
    """Refuse what cannot be spoken.

    Raises:
        SpeechError: The text is empty, too long, or holds a NUL.
    """
    if not text.strip():
        raise SpeechError("the text is empty: there is nothing to speak")
    if len(text) > LONGEST_TEXT_CHARACTERS:
        raise SpeechError(
            f"the text has {len(text):,} characters, more than {LONGEST_TEXT_CHARACTERS:,}; cut it into several runs"
        )
    if "\0" in text:
        raise SpeechError(f"the text holds a NUL at character {text.index(chr(0))}: is it a text?")


def words_of_events(events: list[Event], samples: int, rate: int) -> tuple[Word, ...]:
    """The words of what the engine announced; a word lasts until the next one, or the pause before that.

    Args:
        events: In the order of the sound.
        samples: Length of all sound.
        rate: Samples a second.
    """
    words = []
    started: Event | None = None
    pause: Event | None = None
    for event in [*events, Event(CLAUSE_END, 0, samples)]:
        if event.kind == PHONEME:
            pause = (pause or event) if event.is_pause else None
            continue
        if started is not None:
            words.append(Word(started.position, started.sample / rate, (pause or event).sample / rate))
        started = event if event.kind == WORD else None
        pause = None
    return tuple(words)


def _read_events(raw_events: Iterable[_RawEvent]) -> list[Event]:
    events = []
    for raw in raw_events:
        if raw.kind == _LIST_END:
            break
        if raw.kind in {WORD, CLAUSE_END, PHONEME}:
            # The engine counts characters from 1.
            events.append(Event(raw.kind, raw.text_position - 1, raw.sample, raw.name.startswith(_PAUSE)))
    return events


@functools.cache
def start_engine() -> tuple[ctypes.CDLL, int]:
    """The library, initialised, and the samples a second that it makes."""
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError as error:
        raise SpeechError(
            f"eSpeak NG cannot be loaded: {error}; on Lambda it needs Python 3.12 or newer, because of the C library"
        ) from error
    data = _short_path(Path(espeakng_loader.get_data_path()))
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, bytes(data), _PHONEME_EVENTS | _DO_NOT_EXIT)
    if rate <= 0:
        raise SpeechError(f"eSpeak NG does not find its voices in '{data}'")
    return library, rate


def _short_path(path: Path) -> Path:
    """A path that the engine does not cut: if it is too long, a link to it for the life of the process."""
    if len(bytes(path)) <= _LONGEST_DATA_PATH:
        return path
    directory = tempfile.TemporaryDirectory(prefix="espeak-")
    atexit.register(directory.cleanup)
    link = Path(directory.name) / path.name
    link.symlink_to(path)
    return link


def _wav(samples: bytes, rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(_BYTES_A_SAMPLE)
        writer.setframerate(rate)
        writer.writeframes(samples)
    return file.getvalue()
