"""Out of memory: halve until the batch fits, remember the size, and give up at one text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.arrays import Floats, Indices
from models.encoder.cuda_backend import ran_out_of_memory
from models.encoder.out_of_memory import HalvingEncoder
from schemas.errors import RetryLater


class Small:
    """A device with memory for some texts; its vectors are the first token and the number of tokens."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.sizes: list[int] = []

    def run(self, ids: Indices, mask: Indices) -> Floats:
        self.sizes.append(len(ids))
        if len(ids) > self.room:
            raise MemoryError("out of memory")
        return np.stack([ids[:, 0], mask.sum(axis=1)], axis=1).astype(np.float32)


def ran_out(error: Exception) -> bool:
    return isinstance(error, MemoryError)


def batch(texts: int) -> tuple[Indices, Indices]:
    ids = np.arange(texts * 3, dtype=np.int64).reshape(texts, 3)
    return ids, (ids % 2 == 0).astype(np.int64)


@given(st.integers(0, 70), st.integers(1, 80))
def test_each_text_gets_its_vector_whatever_the_memory(texts: int, room: int) -> None:
    ids, mask = batch(texts)
    vectors = HalvingEncoder(Small(room), ran_out).run(ids, mask)
    assert np.array_equal(vectors, Small(texts).run(ids, mask))


def test_later_batches_are_no_larger() -> None:
    device = Small(20)
    encoder = HalvingEncoder(device, ran_out)
    encoder.run(*batch(64))
    assert device.sizes == [64, 32, 16, 16, 16, 16]
    device.sizes.clear()
    encoder.run(*batch(40))
    assert device.sizes == [16, 16, 8]
    assert encoder.most == 16


def test_no_memory_for_one_text_is_retried_later() -> None:
    with pytest.raises(RetryLater, match="one text"):
        HalvingEncoder(Small(0), ran_out).run(*batch(5))


def test_other_errors_are_raised() -> None:
    class Broken(Small):
        def run(self, ids: Indices, mask: Indices) -> Floats:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        HalvingEncoder(Broken(9), ran_out).run(*batch(5))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 8", True),
        ("CUDA failure 2: out of memory ; GPU=0", True),
        ("Invalid input name: idz", False),
    ],
)
def test_messages_of_onnxruntime_are_recognized(message: str, expected: bool) -> None:
    assert ran_out_of_memory(RuntimeError(message)) is expected
