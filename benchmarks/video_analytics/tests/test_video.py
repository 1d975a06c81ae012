"""Parts and frames of drawn videos, in which each frame tells by its brightness which one it is."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
from video import Interval, Part, VideoError, check_video, cut_part, decode_frames, read_pictures

FRAMES, FRAMES_A_SECOND, HEIGHT, WIDTH = 40, 10, 48, 64
SAMPLE = Path(__file__).parent.parent / "sample" / "four_pictures.mp4"


def brightness(place: int) -> int:
    return 20 + 5 * place


def drawn_video(
    container: str, codec: str, key_frame_distance: int, *, frames: int = FRAMES, b_frames: int = 2
) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        options = {"g": str(key_frame_distance), "bf": str(b_frames), "sc_threshold": "0"}
        stream = output.add_stream(codec, rate=FRAMES_A_SECOND, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 400_000
        for place in range(frames):
            pixels = np.full((HEIGHT, WIDTH, 3), brightness(place), np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        output.mux(stream.encode(None))
    return file.getvalue()


def drawn_sound() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def places_shown(frames: bytes) -> list[float]:
    """Which frames of a drawn video these are; compression leaves about half a step of doubt."""
    return [(float(picture.mean()) - brightness(0)) / 5.0 for picture in read_pictures(frames, 32)]


KINDS = [
    ("mp4", "libx264", 10),
    ("mp4", "libx264", 250),
    ("matroska", "libx264", 15),
    ("webm", "libvpx", 12),
    ("avi", "mpeg4", 10),
    ("mpegts", "libx264", 10),
]


@pytest.mark.parametrize(("container", "codec", "distance"), KINDS)
def test_a_part_shows_the_frames_of_its_time(container: str, codec: str, distance: int) -> None:
    body = drawn_video(container, codec, distance, b_frames=0 if container == "avi" else 2)
    assert check_video(body) == pytest.approx(FRAMES / FRAMES_A_SECOND, abs=0.11)
    for part in range(4):
        frames = decode_frames(cut_part(body, part, 4), 4)
        expected = [10 * part + place for place in (1, 3, 6, 8)]
        assert places_shown(frames) == pytest.approx(expected, abs=0.6)


def test_a_part_is_cut_without_what_is_not_needed() -> None:
    body = drawn_video("mp4", "libx264", 10)
    parts = [cut_part(body, part, 4) for part in range(4)]
    assert [part.interval for part in parts] == [Interval(0.0, 1.0)] * 4
    for part in parts:
        assert check_video(part.body) == pytest.approx(1.0, abs=0.02)


def test_a_part_starts_with_the_whole_picture_before() -> None:
    body = drawn_video("mp4", "libx264", 15)
    part = cut_part(body, 2, 4)
    assert (part.interval.start_s, part.interval.end_s) == pytest.approx((0.5, 1.5))
    assert check_video(part.body) == pytest.approx(1.5, abs=0.02)


def test_a_video_of_one_frame_has_parts() -> None:
    body = drawn_video("mp4", "libx264", 10, frames=1)
    assert places_shown(decode_frames(cut_part(body, 3, 4), 2)) == pytest.approx([0.0, 0.0], abs=0.6)


def test_pictures_are_the_squares_in_the_middle() -> None:
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[:, 20:80] = (200, 100, 50)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=1, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 100, 60, "yuv444p"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        output.mux(stream.encode(None))
    (picture,) = read_pictures(decode_frames(cut_part(file.getvalue(), 0, 1), 1), 32)
    assert picture.shape == (32, 32, 3)
    assert picture[2:-2, 2:-2].astype(float) == pytest.approx(
        np.broadcast_to([200.0, 100.0, 50.0], (28, 28, 3)), abs=8.0
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"a letter, not a film\n" * 50, id="text"),
        pytest.param(SAMPLE.read_bytes()[:50_000], id="cut-off"),
        pytest.param(b"ffconcat version 1.0\nfile /etc/hostname\n", id="names-another-file"),
    ],
)
def test_what_is_no_video_is_refused(body: bytes) -> None:
    with pytest.raises(VideoError, match="are no video that can be read"):
        check_video(body)


def test_sound_alone_is_refused() -> None:
    with pytest.raises(VideoError, match="hold no pictures"):
        check_video(drawn_sound())


def test_a_part_that_is_damaged_is_refused() -> None:
    part = cut_part(drawn_video("mp4", "libx264", 10), 0, 4)
    with pytest.raises(VideoError):
        decode_frames(Part(part.body[:300], part.interval), 2)


def test_the_sample_has_four_parts_of_two_seconds() -> None:
    body = SAMPLE.read_bytes()
    assert len(body) < 200_000
    assert [cut_part(body, part, 4).interval for part in range(4)] == [Interval(0.0, 2.0)] * 4
