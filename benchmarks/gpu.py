"""`make bench-gpu`: the whole classifier on a GPU, beside single titles and beside the processor.

It needs Python, torch, numpy, onnx, onnxruntime and msgspec, and neither Kafka nor click. Without a GPU it
prints that nothing was measured.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gpu_report import Report, markdown, save
from benchmarks.gpu_titles import raw_titles
from models.text.cleaning import clean

if TYPE_CHECKING:
    from benchmarks.gpu_processes import SharingProcesses
    from models.student.classifier import Classifier

SINGLE_TITLES = 500
PARITY_TITLES = 2_000
CPU_TITLES = 250
"""The titles of each process on the processor."""
RUNS = 3


def torch_has_cuda() -> bool:
    """Whether torch is installed and finds a CUDA device."""
    try:
        import torch
    except ModuleNotFoundError:
        return False
    return bool(torch.cuda.is_available())


class Bench:
    """Measures the classifier on a GPU. If one measurement fails, the others still run.

    Args:
        processes: The number of processes that read titles at the same time.
        titles: The number of titles of each process in one run.
        batch: The most titles of one micro-batch.
        log: Receives each result as a line.

    Attributes:
        classifier: The classifier on the GPU.
        report: The results.
    """

    def __init__(self, processes: int, titles: int, batch: int, log: Callable[[str], None]) -> None:
        from benchmarks.gpu_card import describe_card
        from models.device.cascade.classifier import DeviceClassifier
        from models.encoder.loading import load_second_stage
        from models.serving_config import ServingConfig
        from models.student.artifact import Artifact
        from models.taxonomy.tree import Taxonomy

        self._processes, self._titles, self._batch, self._log = processes, titles, batch, log
        self._tree = Taxonomy.google()
        self._artifact = Artifact.load(None, self._tree)
        self._encoders = load_second_stage(self._tree, ServingConfig(threads=os.cpu_count() or 1))
        self.classifier = DeviceClassifier(self._artifact, self._tree, self._encoders)
        self.report = Report(describe_card(), processes)
        self._log(f"card: {self.report.machine}")

    def run(self) -> Report:
        """Run all measurements."""
        steps = (
            self.card,
            self.encoder,
            self.onnxruntime,
            self.parity,
            self.alone,
            self.one_process,
            self.shared,
            self.processor,
        )
        for step in steps:
            started = time.monotonic()
            try:
                step()
            except Exception as error:
                self.report.failures.append(f"{step.__name__}: {error!r}")
                self._log(f"FAILED {self.report.failures[-1]}")
            self._log(f"({step.__name__}: {time.monotonic() - started:.1f} s)")
        return self.report

    def card(self) -> None:
        """Measure the card's matrix rate."""
        import torch

        from benchmarks.gpu_card import matrix_rate

        for name in ("bfloat16", "float16"):
            rates = matrix_rate(getattr(torch, name)).runs
            self._add(f"matrix rate {name}: TFLOP/s", [each / 1e12 for each in rates])

    def encoder(self) -> None:
        """Measure the encoder alone, with and without CUDA graphs and kernels of its own."""
        from benchmarks.gpu_encoder import measure_encoder
        from models.device.encoder.torch_encoder import PlainKernels

        encoder = self.classifier.program.encoder("en")
        builder = self.classifier.builder
        builder.encode_all = True
        batches = [*builder.batches([clean(title) for title in raw_titles(0, 12 * builder.max_texts)])]
        builder.encode_all = False
        shape = max({batch.shape for batch in batches}, key=[batch.shape for batch in batches].count)
        batches = [batch for batch in batches if batch.shape == shape and batch.language == "en"]
        kernels = encoder.kernels
        for name, chosen, graphs in (
            ("kernels and graph", kernels, True),
            ("kernels, no graph", kernels, False),
            ("plain torch, graph", PlainKernels(), True),
        ):
            encoder.kernels = chosen
            speed = measure_encoder(encoder, batches, graphs)
            self._add(f"encoder alone, {name}: titles/s", speed.titles.runs)
            self._add(f"encoder alone, {name}: TFLOP/s", [each / 1e12 for each in speed.operations.runs])
        self.report.numbers["encoder alone: padding"] = speed.padding
        encoder.kernels = kernels

    def onnxruntime(self) -> None:
        """Measure the encoder in onnxruntime, if that was built for CUDA."""
        from models.device.encoder.half_graph import half_graph
        from models.device.encoder.weights import read_weights
        from models.encoder.artifact import GRAPH, SHIPPED_ENCODERS
        from models.encoder.cuda_backend import CudaEncoderBackend, has_cuda

        if not has_cuda() or self._encoders is None:
            self._log("Not run: onnxruntime, which was not built for CUDA.")
            return
        backend = CudaEncoderBackend(half_graph(read_weights(SHIPPED_ENCODERS / "en" / GRAPH)))
        ids, mask = self._encoders.stages["en"].tokenizer.batch(
            [clean(title) for title in raw_titles(0, self._batch)]
        )
        runs = []
        for _ in range(RUNS + 1):
            started = time.perf_counter()
            backend.run(ids, mask)
            runs.append(len(ids) / (time.perf_counter() - started))
        self._add("encoder alone, onnxruntime: titles/s", runs[1:])

    def parity(self) -> None:
        """Compare decisions and vectors with those of the processor, on real titles."""
        from benchmarks.gpu_parity import compare

        numbers = compare(self._artifact, self._tree, self._encoders, self.classifier, PARITY_TITLES)
        for name, value in numbers.items():
            self.report.numbers[name] = value
            self._log(f"{name}: {value:.6g}")

    def alone(self) -> None:
        """Measure single titles on the card."""
        self._single_titles("GPU, one title at a time: titles/s", self.classifier)

    def _single_titles(self, name: str, classifier: "Classifier") -> None:
        titles = raw_titles(0, SINGLE_TITLES * (RUNS + 1))
        runs = []
        for run in range(RUNS + 1):
            started = time.perf_counter()
            for title in titles[run * SINGLE_TITLES : (run + 1) * SINGLE_TITLES]:
                classifier.classify([clean(title)])
            runs.append(SINGLE_TITLES / (time.perf_counter() - started))
        self._add(name, runs[1:])

    def one_process(self) -> None:
        """Measure micro-batches of one process, which also reads the titles."""
        count, runs = 10 * self.classifier.builder.max_texts, []
        for run in range(RUNS + 1):
            titles = raw_titles(run * count, count)
            started = time.perf_counter()
            self.classifier.classify([clean(title) for title in titles])
            runs.append(count / (time.perf_counter() - started))
        self._add("GPU, one process: titles/s", runs[1:])

    def shared(self) -> None:
        """Measure micro-batches of many processes that share the card."""
        from benchmarks.gpu_processes import SharingProcesses
        from models.device.cascade.runner import GraphRunner
        from models.device.cascade.sharing import ResultSize
        from models.device.encoder.cuda import ran_out_of_memory

        program = self.classifier.program
        sizes = ResultSize(program.candidates, program.dimensions)
        runner = GraphRunner(program.run)
        sharing = SharingProcesses(runner, sizes, self._processes, ran_out_of_memory, self._batch)
        try:
            self._measure_shared(sharing, "as it serves", 0, encode_all=False)
            # The second measurement uses titles that the first did not.
            first = (RUNS + 1) * self._titles * self._processes
            self._measure_shared(sharing, "every title encoded", first, encode_all=True)
        finally:
            sharing.close()

    def _measure_shared(
        self, sharing: "SharingProcesses", name: str, first: int, *, encode_all: bool
    ) -> None:
        from benchmarks.gpu_processes import titles_per_s
        from benchmarks.gpu_utilization import Utilization

        count = self._titles
        # The warm-up captures each shape and fills the caches of words, as the first hour of serving would.
        sharing.run(first, count // 4, encode_all)
        runs, busy, tokens, padded = [], [], 0, 0
        for run in range(1, RUNS + 1):
            with Utilization() as utilization:
                results = sharing.run(first + run * count * self._processes, count, encode_all)
            runs.append(titles_per_s(results))
            tokens += sum(each.tokens for each in results)
            padded += sum(each.padded for each in results)
            if utilization.mean is not None:
                busy.append(utilization.mean)
        total = RUNS * count * self._processes
        self._add(f"GPU, {self._processes} processes, {name}: titles/s", runs)
        self.report.numbers[f"{name}: padding"] = 1.0 - tokens / padded
        self.report.numbers[f"{name}: tokens a title"] = tokens / total
        self.report.numbers[f"{name}: titles a run"] = total / RUNS
        if busy:
            self._add(f"{name}: GPU utilization, percent", busy)

    def processor(self) -> None:
        """Measure the cascade on the processor: one process with one thread per core, and single titles."""
        from benchmarks.gpu_processes import Processes, run_on_processor, titles_per_s
        from models.encoder.loading import load_second_stage
        from models.student.classifier import StudentClassifier
        from models.student.onnx_backend import OnnxBackend

        cores = os.cpu_count() or 1
        processes = Processes(run_on_processor, [()] * cores)
        try:
            processes.run(0, CPU_TITLES // 5)
            runs = [
                titles_per_s(processes.run(run * cores * CPU_TITLES, CPU_TITLES))
                for run in range(1, RUNS + 1)
            ]
        finally:
            processes.close()
        self._add(f"CPU, {cores} processes: titles/s", runs)
        # One thread is the fastest for single titles: waking other threads costs more than they save.
        second = load_second_stage(self._tree)
        single = StudentClassifier(self._artifact, OnnxBackend(self._artifact), self._tree, second=second)
        self._single_titles("CPU, one title at a time: titles/s", single)

    def _add(self, name: str, runs: list[float]) -> None:
        figure = self.report.add(name, runs)
        self._log(f"{name}: {figure.median:,.1f} (spread {figure.spread:.1%} of {len(runs)})")


def main(arguments: list[str] | None = None) -> int:
    """Measure the classifier on this machine's GPU; returns the exit status.

    Args:
        arguments: Of the command line; None takes those of the process.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--titles", type=int, default=65_536, help="Titles of each process.")
    parser.add_argument("--batch", type=int, default=2_048, help="The most titles of one micro-batch.")
    parser.add_argument("--output", type=Path, help="Path of a .json and a .md file to write.")
    options = parser.parse_args(arguments)
    if not torch_has_cuda():
        _print("Not run: torch finds no GPU here, or is not installed. Nothing was measured.")
        return 0
    report = Bench(options.processes, options.titles, options.batch, _print).run()
    _print(markdown(report))
    if options.output is not None:
        save(report, options.output)
    return 1 if report.failures else 0


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
