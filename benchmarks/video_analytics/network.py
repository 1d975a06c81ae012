"""EfficientNet-Lite0, a network that names what a picture shows (1,000 classes of ImageNet), by numpy alone.

Layers: a stem, seven stages of inverted bottlenecks (widen by a 1 x 1 convolution, convolve each channel by itself,
narrow by a 1 x 1 convolution, add the input where shapes allow), a head, the mean over the picture, a linear layer.
Sources: Tan and Le, "EfficientNet", ICML 2019; TensorFlow's `efficientnet_lite_builder.py` for the sizes of the lite
variant. Arrays are (height, width, channels), so that a 1 x 1 convolution is one matrix product.

A framework for neural networks would not fit: PyTorch beside FFmpeg passes Lambda's 250 MiB, and ONNX Runtime leaves
less than 1 MiB of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

SIDE = 224
"""Height and width of the picture that the network takes, in pixels."""

CLASSES = 1000

_MEAN = 127.0
_SPREAD = 128.0
_VARIANCE_FLOOR = 1e-3  # "batch_norm_epsilon" of the builder
_CEILING = 6.0  # of the activation, relu6


@dataclass(frozen=True)
class Stage:
    """Blocks of one size: how many, the window's side in pixels, the first block's stride, and the widening."""

    blocks: int
    window: int
    stride: int
    widening: int


STAGES = (
    Stage(1, 3, 1, 1),
    Stage(2, 3, 2, 6),
    Stage(2, 5, 2, 6),
    Stage(3, 3, 2, 6),
    Stage(3, 5, 1, 6),
    Stage(4, 5, 2, 6),
    Stage(1, 3, 1, 6),
)


@dataclass(frozen=True)
class Layer:
    """A convolution with its normalisation folded in.

    Attributes:
        kernel: (height, width, channels in, channels out), or (height, width, channels) of one that treats each channel
            by itself.
        bias: Per channel out.
    """

    kernel: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Block:
    """An inverted bottleneck; `widen` is None where the widening is 1."""

    widen: Layer | None
    convolve: Layer
    narrow: Layer
    stride: int


@dataclass(frozen=True)
class Network:
    """The layers in the order of their use; `classify` is (channels, classes)."""

    stem: Layer
    blocks: tuple[Block, ...]
    head: Layer
    classify: np.ndarray
    classify_bias: np.ndarray


def build_network(weights: Mapping[str, np.ndarray]) -> Network:
    """The network of a set of weights, which are named as in the package `efficientnet-lite-pytorch`.

    Raises:
        KeyError: A layer's weights are missing.
    """
    blocks: list[Block] = []
    for stage in STAGES:
        for position in range(stage.blocks):
            name = f"_blocks.{len(blocks)}"
            blocks.append(
                Block(
                    widen=None if stage.widening == 1 else _layer(weights, f"{name}._expand_conv", f"{name}._bn0"),
                    convolve=_layer(weights, f"{name}._depthwise_conv", f"{name}._bn1", per_channel=True),
                    narrow=_layer(weights, f"{name}._project_conv", f"{name}._bn2"),
                    stride=stage.stride if position == 0 else 1,
                )
            )
    return Network(
        _layer(weights, "_conv_stem", "_bn0"),
        tuple(blocks),
        _layer(weights, "_conv_head", "_bn1"),
        np.ascontiguousarray(weights["_fc.weight"].T),
        weights["_fc.bias"],
    )


def classify(network: Network, picture: np.ndarray) -> np.ndarray:
    """The probability of each class.

    Args:
        network: Of `build_network`.
        picture: (SIDE, SIDE, 3), red, green and blue from 0 to 255.

    Raises:
        ValueError: The picture has another shape.
    """
    if picture.shape != (SIDE, SIDE, 3):
        raise ValueError(f"the network takes pictures of {(SIDE, SIDE, 3)}, not {picture.shape}")
    signal = (picture.astype(np.float32) - _MEAN) / _SPREAD
    signal = _activate(_convolve(signal, network.stem, stride=2))
    for block in network.blocks:
        signal = _pass_block(signal, block)
    signal = _activate(_mix(signal, network.head))
    scores = signal.mean(axis=(0, 1)) @ network.classify + network.classify_bias
    odds = np.exp(scores - scores.max())
    return odds / odds.sum()


def _layer(weights: Mapping[str, np.ndarray], convolution: str, norm: str, *, per_channel: bool = False) -> Layer:
    scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + _VARIANCE_FLOOR)
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    kernel = weights[f"{convolution}.weight"].transpose(2, 3, 1, 0) * scale
    return Layer(np.ascontiguousarray(kernel[:, :, 0, :] if per_channel else kernel), bias)


def _pass_block(signal: np.ndarray, block: Block) -> np.ndarray:
    inner = signal if block.widen is None else _activate(_mix(signal, block.widen))
    inner = _activate(_convolve_channels(inner, block.convolve, block.stride))
    outcome = _mix(inner, block.narrow)
    return outcome + signal if outcome.shape == signal.shape else outcome


def _activate(signal: np.ndarray) -> np.ndarray:
    return np.clip(signal, 0.0, _CEILING, out=signal)


def _mix(signal: np.ndarray, layer: Layer) -> np.ndarray:
    return signal @ layer.kernel[0, 0] + layer.bias


def _convolve(signal: np.ndarray, layer: Layer, stride: int) -> np.ndarray:
    window = layer.kernel.shape[0]
    views = _views(signal, window, stride)
    return sum(view @ layer.kernel[place] for place, view in views) + layer.bias


def _convolve_channels(signal: np.ndarray, layer: Layer, stride: int) -> np.ndarray:
    views = _views(signal, layer.kernel.shape[0], stride)
    place, view = next(views)
    total = view * layer.kernel[place]
    product = np.empty_like(total)
    for place, view in views:
        np.multiply(view, layer.kernel[place], out=product)
        total += product
    total += layer.bias
    return total


def _views(signal: np.ndarray, window: int, stride: int) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """Per place (row, column) of the window: what of the padded signal the place meets."""
    rows, columns = (-(-size // stride) for size in signal.shape[:2])
    padding = [_padding(size, window, stride) for size in signal.shape[:2]]
    padded = np.pad(signal, [*padding, (0, 0)])
    for row in range(window):
        for column in range(window):
            yield (
                (row, column),
                padded[
                    row : row + (rows - 1) * stride + 1 : stride, column : column + (columns - 1) * stride + 1 : stride
                ],
            )


def _padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """TensorFlow's "same" padding: as many outputs as strides fit, an odd pixel more at the end."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2
