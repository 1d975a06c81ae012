"""Videos by FFmpeg (PyAV): parts cut out without decoding, and frames of a part as pictures; bytes in, bytes out."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

CONTAINERS = "mp4,mov,matroska,webm,avi,mpeg,mpegts,ogg,flv"
"""What is taken for a video. FFmpeg opens more, of which some is none (any text is a film of a terminal) and some names
other files to read."""

_PART_CONTAINER = "matroska"
_FRAMES_CONTAINER = "mjpeg"
_JPEG_PIXELS = "yuvj420p"
_JPEG_QUALITY = "3"  # quantiser of FFmpeg's encoder, from 2, the best, to 31


class VideoError(Exception):
    """Bytes that are no video, or one that cannot be decoded."""


@dataclass(frozen=True)
class Interval:
    """Seconds from the first frame of a video: from, until."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Part:
    """A piece of a video that can be decoded by itself.

    Attributes:
        body: A Matroska file. It begins with the last whole picture before what was asked for, so it may hold more.
        interval: What was asked for, from the first frame of the piece.
    """

    body: bytes
    interval: Interval


@dataclass(frozen=True)
class _Packet:
    """A compressed frame, and when it is shown: seconds from the first frame."""

    packet: av.Packet
    start_s: float
    end_s: float


def check_video(body: bytes) -> float:
    """Length of a video, in seconds.

    Raises:
        VideoError: The bytes are no video, or its first frame cannot be decoded.
    """
    with _opened(body) as (container, stream):
        next(_frames(container, stream))
    with _opened(body) as (container, stream):
        return max(packet.end_s for packet in _packets(container, stream))


def cut_part(body: bytes, part: int, parts: int) -> Part:
    """One of equally long parts of a video, without sound.

    Args:
        body: The video.
        part: Which one, from 0.
        parts: How many there are.

    Raises:
        VideoError: The bytes are no video.
    """
    with _opened(body) as (container, stream):
        packets = _packets(container, stream)
        length_s = max(packet.end_s for packet in packets)
        start_s, end_s = length_s * part / parts, length_s * (part + 1) / parts
        needed = _needed(packets, start_s, end_s)
        offset_s = needed[0].start_s
        return Part(
            _write_packets(stream, [packet.packet for packet in needed]),
            Interval(start_s - offset_s, end_s - offset_s),
        )


def decode_frames(part: Part, count: int) -> bytes:
    """Pictures that are shown at equal distances in a part, as JPEG files one after the other (motion JPEG).

    Args:
        part: Of `cut_part`.
        count: How many.

    Raises:
        VideoError: The part cannot be decoded.
    """
    step = (part.interval.end_s - part.interval.start_s) / count
    times = [part.interval.start_s + step * (place + 0.5) for place in range(count)]
    with _opened(part.body) as (container, stream):
        return _encode_pictures(_shown_at(times, _frames(container, stream)))


def read_pictures(frames: bytes, side: int) -> list[np.ndarray]:
    """The pictures of `decode_frames`: their largest squares in the middle, (side, side, 3), red, green, blue.

    Raises:
        VideoError: The bytes are no motion JPEG.
    """
    with _opened(frames, _FRAMES_CONTAINER) as (container, stream):
        return [_square(frame, side) for frame in _frames(container, stream)]


@contextmanager
def _opened(body: bytes, name: str | None = None) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A file in memory and its first stream of pictures; FFmpeg's errors meanwhile come out as `VideoError`."""
    options = {} if name else {"format_whitelist": CONTAINERS}
    try:
        with av.open(io.BytesIO(body), format=name, options=options) as container:
            if not container.streams.video:
                raise VideoError(f"{len(body):,} bytes of {container.format.long_name} hold no pictures")
            yield container, container.streams.video[0]
    except av.FFmpegError as error:
        raise VideoError(
            f"{len(body):,} bytes are no video that can be read ({error.strerror}); known are {name or CONTAINERS}"
        ) from error


def _packets(container: InputContainer, stream: VideoStream) -> list[_Packet]:
    packets = [packet for packet in container.demux(stream) if packet.pts is not None]
    if not packets:
        raise VideoError("the video has no frame")
    base = stream.time_base or Fraction(1)
    first = min(packet.pts for packet in packets)
    return [
        _Packet(packet, float((packet.pts - first) * base), float((packet.pts - first + (packet.duration or 0)) * base))
        for packet in packets
    ]


def _needed(packets: list[_Packet], start_s: float, end_s: float) -> list[_Packet]:
    """Packets from the last key frame that is shown at the start or before, until before the first after the end."""
    first, last = 0, len(packets)
    for place, packet in enumerate(packets):
        if not packet.packet.is_keyframe:
            continue
        if packet.start_s <= start_s:
            first = place
        if packet.start_s >= end_s:
            last = place
            break
    return packets[first:last]


def _write_packets(stream: VideoStream, packets: Iterable[av.Packet]) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=_PART_CONTAINER) as container:
        # Opaque: no encoder is made ready, whose headers would take the place of the stream's own.
        copy = container.add_stream_from_template(stream, opaque=True)
        for packet in packets:
            packet.stream = copy
            container.mux(packet)
    return file.getvalue()


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    is_empty = True
    for frame in container.decode(stream):
        is_empty = False
        yield frame
    if is_empty:
        raise VideoError("the video has no frame that can be decoded")


def _shown_at(times: list[float], frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """For each time, in ascending order, the frame that is shown then, or the last one."""
    shown = next(frames)
    zero_s = shown.time or 0.0
    waiting = list(reversed(times))
    for frame in frames:
        while waiting and waiting[-1] < (frame.time or 0.0) - zero_s:
            waiting.pop()
            yield shown
        if not waiting:
            return
        shown = frame
    yield from [shown] * len(waiting)


def _encode_pictures(frames: Iterable[av.VideoFrame]) -> bytes:
    pictures: list[bytes] = []
    for frame in frames:
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, _JPEG_PIXELS
        encoder.time_base = Fraction(1)
        encoder.options = {"qmin": _JPEG_QUALITY, "qmax": _JPEG_QUALITY}
        picture = frame.reformat(format=_JPEG_PIXELS)
        picture.pts = 0
        pictures.extend(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
    return b"".join(pictures)


def _square(frame: av.VideoFrame, side: int) -> np.ndarray:
    pixels = frame.to_ndarray(format="rgb24")
    height, width, _ = pixels.shape
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = np.ascontiguousarray(pixels[top : top + edge, left : left + edge])
    return av.VideoFrame.from_ndarray(square, "rgb24").reformat(side, side, interpolation="AREA").to_ndarray()
