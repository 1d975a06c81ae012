"""A regression problem, two candidates for it, and the choice between them; knows nothing of workflows.

Equal parameters give equal bytes everywhere: a repeated delivery writes what is there already.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

LEAST_SAMPLES, MOST_SAMPLES = 50, 100_000
LEAST_FEATURES, MOST_FEATURES = 5, 100
"""Friedman's first problem depends on five features; the others are noise."""

TEST_FRACTION = 0.25
ARRAYS = ("train_inputs", "train_targets", "test_inputs", "test_targets")


class InvalidInputError(ValueError):
    """The input of a run cannot be used."""


@dataclass(frozen=True)
class DatasetParameters:
    """What a data set is made from.

    Attributes:
        samples: Rows, those to test with included.
        features: Columns.
        noise: Standard deviation of what is added to the targets.
        seed: Of all that is drawn.
    """

    samples: int
    features: int
    noise: float
    seed: int

    @property
    def directory(self) -> str:
        """Where all that belongs to the data set is kept: equal parameters, equal place."""
        return f"{self.samples}x{self.features}-noise{self.noise}-seed{self.seed}"

    @property
    def key(self) -> str:
        """Key of the data set."""
        return f"{self.directory}/dataset.npz"


@dataclass(frozen=True)
class HyperParameters:
    """Of gradient boosting.

    Attributes:
        trees: How many are added up.
        depth: Of each tree.
        learning_rate: How much of each tree is added.
    """

    trees: int
    depth: int
    learning_rate: float

    @property
    def label(self) -> str:
        """A name that no other hyper-parameters have."""
        return f"trees{self.trees}-depth{self.depth}-rate{self.learning_rate}"


def read_input(event: Any) -> tuple[DatasetParameters, dict[str, HyperParameters]]:
    """The data set and the two candidates that a run is started with; what is left out has a default.

    Raises:
        InvalidInputError: Something is unknown, of the wrong type or out of range.
    """
    event = {} if event is None else event
    known = {"samples": 1000, "features": 10, "noise": 1.0, "seed": 0}
    candidates = {
        "first": {"trees": 40, "depth": 2, "learning_rate": 0.1},
        "second": {"trees": 120, "depth": 3, "learning_rate": 0.1},
    }
    if not isinstance(event, dict):
        raise InvalidInputError(f"the input is an object like {known}, not {type(event).__name__}.")
    _refuse_unknown(event, {*known, *candidates}, "the input")
    values = known | {name: event[name] for name in known if name in event}
    dataset = DatasetParameters(
        samples=_whole(values, "samples", LEAST_SAMPLES, MOST_SAMPLES),
        features=_whole(values, "features", LEAST_FEATURES, MOST_FEATURES),
        noise=_number(values, "noise", 0.0, 1000.0),
        seed=_whole(values, "seed", 0, 2**32 - 1),
    )
    chosen = {}
    for name, defaults in candidates.items():
        given = event.get(name, {})
        if not isinstance(given, dict):
            raise InvalidInputError(f"'{name}' is an object like {defaults}.")
        _refuse_unknown(given, set(defaults), f"'{name}'")
        merged = defaults | given
        chosen[name] = HyperParameters(
            trees=_whole(merged, "trees", 1, 2000),
            depth=_whole(merged, "depth", 1, 20),
            learning_rate=_number(merged, "learning_rate", 1e-4, 1.0),
        )
    return dataset, chosen


def make_dataset(parameters: DatasetParameters) -> bytes:
    """Friedman's first regression problem, split into rows to train and to test with, as a NumPy archive.

    Source: J. H. Friedman, "Multivariate Adaptive Regression Splines", Annals of Statistics 19 (1991).
    """
    import numpy as np
    from sklearn.datasets import make_friedman1
    from sklearn.model_selection import train_test_split

    inputs, targets = make_friedman1(
        n_samples=parameters.samples,
        n_features=parameters.features,
        noise=parameters.noise,
        random_state=parameters.seed,
    )
    train_inputs, test_inputs, train_targets, test_targets = train_test_split(
        inputs, targets, test_size=TEST_FRACTION, random_state=parameters.seed
    )
    stream = io.BytesIO()
    np.savez(stream, **dict(zip(ARRAYS, (train_inputs, train_targets, test_inputs, test_targets), strict=True)))
    return stream.getvalue()


@dataclass(frozen=True)
class Candidate:
    """A trained model.

    Attributes:
        name: ``first`` or ``second``.
        score: Coefficient of determination over the rows to test with; 1 is perfect, 0 as good as the mean.
    """

    name: str
    hyper_parameters: HyperParameters
    score: float
    key: str

    def to_payload(self) -> dict[str, Any]:
        """As it travels."""
        return asdict(self)

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Candidate:
        """What `to_payload` made."""
        return cls(**{**payload, "hyper_parameters": HyperParameters(**payload["hyper_parameters"])})


def train(dataset: bytes, hyper_parameters: HyperParameters, seed: int) -> tuple[bytes, float]:
    """Train on the rows to train with; returns the pickled model and its score."""
    import numpy as np
    from sklearn.ensemble import GradientBoostingRegressor

    with np.load(io.BytesIO(dataset), allow_pickle=False) as archive:
        train_inputs, train_targets, test_inputs, test_targets = (archive[name] for name in ARRAYS)
    model = GradientBoostingRegressor(
        n_estimators=hyper_parameters.trees,
        max_depth=hyper_parameters.depth,
        learning_rate=hyper_parameters.learning_rate,
        random_state=seed,
    ).fit(train_inputs, train_targets)
    return pickle.dumps(model), float(model.score(test_inputs, test_targets))


def best_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Highest score first; of equal ones the model with fewer trees, which is the cheaper one."""
    return sorted(candidates, key=lambda one: (-one.score, one.hyper_parameters.trees, one.name))


def _refuse_unknown(given: Mapping[str, Any], known: set[str], what: str) -> None:
    unknown = sorted(map(str, set(given) - known))
    if unknown:
        raise InvalidInputError(f"{what} has no '{unknown[0]}'; there are {', '.join(sorted(known))}.")


def _whole(values: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = values[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidInputError(f"'{name}' is {value!r}; a whole number from {least} to {most} is expected.")
    return value


def _number(values: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = values[name]
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidInputError(f"'{name}' is {value!r}; a number from {least:g} to {most:g} is expected.")
    return float(value)
