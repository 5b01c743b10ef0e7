"""`make bench-gpu`: the text encoder on a GPU, by onnxruntime and by torch, beside one title at a time.

Without a GPU it says so, and measures nothing.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.events import listings
from benchmarks.gpu_utilization import Utilisation
from models.encoder.artifact import HALF_GRAPH, SHIPPED_ENCODERS, TORCH, VOCABULARY
from models.encoder.backend import TextEncoder
from models.encoder.cuda_backend import CudaEncoderBackend
from models.encoder.cuda_backend import has_cuda as onnxruntime_has_cuda
from models.encoder.encoder import LONGEST
from models.encoder.shape_buckets import ShapeBuckets, padding_share
from models.encoder.wordpiece import WordPiece
from models.text.cleaning import clean

CHUNK = 4_000
"""Titles that are given at once: as many as a lane's batch has at most."""
NAIVE_TITLES = 1_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What an encoder did.

    Attributes:
        name: what ran it.
        per_s: titles a second.
        padding: the share of what was computed that belonged to no title; None where that is not known.
        utilisation: how busy the device was, in percent; None where nobody tells.
    """

    name: str
    per_s: float
    padding: float | None
    utilisation: float | None


def titles(count: int) -> list[str]:
    """Cleaned titles of the sample shop, each with a number of its own."""
    return [clean(msgspec.json.decode(value)["title"]) for _, value in listings(count)]


def measure(
    name: str,
    encoder: TextEncoder,
    words: WordPiece,
    texts: Sequence[str],
    *,
    chunk: int,
    padding: float | None,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Encode all texts, `chunk` at once, tokenized beforehand.

    Args:
        name: what to call it.
        encoder: ready and warm.
        words: its tokenizer.
        texts: at least one.
        chunk: how many the encoder is given at once.
        padding: for the result.
        clock: seconds.
    """
    batches = [words.batch(texts[start : start + chunk]) for start in range(0, len(texts), chunk)]
    encoder.run(*batches[0])
    with Utilisation() as utilisation:
        started = clock()
        for batch in batches:
            encoder.run(*batch)
        elapsed = clock() - started
    return Measured(name, len(texts) / elapsed, padding, utilisation.mean)


def devices(
    onnxruntime_finds: Callable[[], bool], torch_finds: Callable[[], bool]
) -> tuple[list[str], list[str]]:
    """The runtimes that find a GPU, and for each other one a sentence why it does not."""
    found, why = [], []
    for name, finds in (("onnxruntime", onnxruntime_finds), ("torch", torch_finds)):
        try:
            there = finds()
        except ModuleNotFoundError as error:
            why.append(f"{name}: {error.name} is not installed")
            continue
        if there:
            found.append(name)
        else:
            why.append(f"{name}: finds no CUDA device")
    return found, why


def _torch_has_cuda() -> bool:
    from models.encoder.torch_backend import has_cuda

    return has_cuda()


def _measured(folder: Path, found: Sequence[str], count: int) -> Iterator[Measured]:
    words = WordPiece(folder / VOCABULARY, LONGEST)
    texts = titles(count)
    if "onnxruntime" in found:
        lengths = np.concatenate([words.batch([text])[1].sum(axis=1) for text in texts]).tolist()
        buckets = ShapeBuckets()
        encoder = CudaEncoderBackend(folder / HALF_GRAPH, buckets)
        few = texts[:NAIVE_TITLES]
        exact = ShapeBuckets((1,), tuple(range(1, LONGEST + 1)))
        naive = CudaEncoderBackend(folder / HALF_GRAPH, exact)
        yield measure("onnxruntime, one title at a time", naive, words, few, chunk=1, padding=0.0)
        parts = [lengths[start : start + CHUNK] for start in range(0, len(lengths), CHUNK)]
        batches = [batch for part in parts for batch in buckets.plan(part)]
        padding = padding_share(batches, lengths)
        yield measure("onnxruntime, fp16, buckets", encoder, words, texts, chunk=CHUNK, padding=padding)
    if "torch" in found:
        from models.encoder.torch_backend import TorchEncoderBackend

        model = TorchEncoderBackend(folder / TORCH, "cuda")
        few = texts[:NAIVE_TITLES]
        yield measure("torch, one title at a time", model, words, few, chunk=1, padding=0.0)
        yield measure("torch, no padding", model, words, texts, chunk=CHUNK, padding=0.0)


@click.command()
@click.option(
    "--encoder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=SHIPPED_ENCODERS / "en",
    help="An encoder's folder, as `shelfstream encoder export --for-gpu --source NAME` writes it.",
)
@click.option("--titles", "count", type=click.IntRange(min=CHUNK), default=40_000, show_default=True)
def main(encoder: Path, count: int) -> None:
    """Measure the text encoder on this machine's GPU; say so where there is none."""
    found, why = devices(onnxruntime_has_cuda, _torch_has_cuda)
    for line in why:
        click.echo(f"Not run: {line}.")
    if not found:
        click.echo("No GPU can be had here: nothing was measured.")
        return
    if not (encoder / HALF_GRAPH).exists() or not (encoder / TORCH).is_dir():
        raise click.ClickException(
            f"{encoder} holds nothing for GPUs: `shelfstream encoder export --for-gpu --source NAME` "
            "writes it."
        )
    table = Table("", "titles/s", "padding", "GPU busy")
    for each in _measured(encoder, found, count):
        table.add_row(
            each.name,
            f"{each.per_s:,.0f}",
            "" if each.padding is None else f"{each.padding:.0%}",
            "unknown" if each.utilisation is None else f"{each.utilisation:.0f}%",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
