"""Make `sample/four_pictures.mp4`: eight seconds, a slow zoom into each of four photographs of scikit-image's.

The photographs lie in scikit-image's wheel and are free of rights: Chelsea the cat (Stefan van der Walt, CC0), a cup of
coffee (Rachel Michetti, CC0), the launch of a Falcon 9 (SpaceX, public domain), a photographer (Lav Varshney, CC0).

    python -m pip install scikit-image av
    python make_sample.py
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from skimage import data
from skimage.transform import resize

SAMPLE = Path(__file__).parent / "sample" / "four_pictures.mp4"
HEIGHT, WIDTH = 240, 320
FRAMES_A_SECOND = 10
FRAMES_A_PICTURE = 20
ROCKET = np.s_[43:427, 96:608]
"""Rows and columns that have the rocket in the middle."""

ZOOM = 0.15
"""How much of height and width the last frame of a picture leaves out."""


def main() -> None:
    """Write the sample."""
    SAMPLE.parent.mkdir(exist_ok=True)
    with av.open(str(SAMPLE), "w") as container:
        # A key frame per picture, and the same bytes again from the same FFmpeg.
        options = {
            "crf": "24",
            "preset": "slow",
            "g": str(FRAMES_A_PICTURE),
            "sc_threshold": "0",
            "threads": "1",
            "x264-params": "cpu-independent=1",
        }
        stream = container.add_stream("libx264", rate=FRAMES_A_SECOND, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FRAMES_A_SECOND)
        for photograph in (data.chelsea(), data.coffee(), data.rocket()[ROCKET], np.dstack([data.camera()] * 3)):
            for place in range(FRAMES_A_PICTURE):
                frame = av.VideoFrame.from_ndarray(zoom(photograph, ZOOM * place / FRAMES_A_PICTURE), "rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def zoom(photograph: np.ndarray, left_out: float) -> np.ndarray:
    """The middle of a photograph in the shape of the video.

    Args:
        photograph: (height, width, 3).
        left_out: Fraction of its height and width that is not shown, beside what the shape leaves out.
    """
    height, width, _ = photograph.shape
    scale = min(height / HEIGHT, width / WIDTH) * (1.0 - left_out)
    rows, columns = round(HEIGHT * scale), round(WIDTH * scale)
    top, left = (height - rows) // 2, (width - columns) // 2
    shown = photograph[top : top + rows, left : left + columns]
    return (resize(shown, (HEIGHT, WIDTH), anti_aliasing=True) * 255.0).round().astype(np.uint8)


if __name__ == "__main__":
    main()
