"""The GPU's benchmark without a GPU: its messages, and the results of its parts."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks import gpu
from benchmarks.gpu_processes import (
    Processes,
    ProcessResult,
    SharingProcesses,
    run_on_processor,
    titles_per_s,
)
from benchmarks.gpu_report import Repeated, Report, markdown, save
from benchmarks.gpu_titles import raw_titles
from benchmarks.gpu_utilization import Utilization
from models.device.cascade.layout import KNOWN, SURE, BatchShape, result_width, split_download
from models.device.cascade.sharing import ResultSize
from models.device.encoder.packing import Ints
from models.text.languages import Language

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
ABSENT = (
    "orjson",
    "click",
    "rich",
    "faust",
    "mode",
    "aiokafka",
    "confluent_kafka",
    "structlog",
    "prometheus_client",
)
"""Packages that the benchmark must not need: a machine with a GPU often has none of them."""
IMPORTS = f"""
import importlib.util, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import benchmarks.gpu, benchmarks.gpu_processes, benchmarks.gpu_report, benchmarks.gpu_utilization
import models.device.cascade.host_batches, models.device.cascade.sharing, models.device.encoder.half_graph
import models.encoder.cuda_backend, models.enrichment.serving_classifier
if importlib.util.find_spec("torch"):
    import benchmarks.gpu_card, benchmarks.gpu_encoder, benchmarks.gpu_parity
from benchmarks.gpu_processes import shipped_builder
from models.encoder.loading import load_second_stage
from models.taxonomy.tree import Taxonomy
from models.text.cleaning import clean

texts = [clean(title) for title in benchmarks.gpu.raw_titles(0, 10)]
assert sum(len(batch.members) for batch in shipped_builder().batches(texts)) == 10
assert load_second_stage(Taxonomy.google())
print("ran")
"""
SIZES = ResultSize(candidates=5, dimensions=64)


class Card:
    """A fake card that is sure of every title."""

    def submit(self, buffer: Ints, shape: BatchShape, language: Language | None) -> Ints:
        results = np.zeros((shape.titles, result_width(*SIZES)), dtype=np.int32)
        split_download(results, *SIZES).flags[:] = KNOWN | SURE
        return results

    def collect(self, ticket: Ints) -> Ints:
        return ticket

    def release_memory(self) -> None:
        raise AssertionError


def report() -> Report:
    found = Report({"card": "a card"}, 3)
    found.add("matrix rate bfloat16: TFLOP/s", [600.0, 800.0, 700.0])
    found.add("matrix rate float16: TFLOP/s", [650.0, 640.0, 660.0])
    found.add("encoder alone, kernels and graph: TFLOP/s", [190.0, 200.0, 210.0])
    found.numbers["padding"] = 0.0625
    return found


def test_without_a_gpu_nothing_is_measured_and_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "torch_has_cuda", lambda: False)
    assert gpu.main(["--output", str(tmp_path / "gpu")]) == 0
    assert "Nothing was measured" in capsys.readouterr().out
    assert not [*tmp_path.iterdir()]


def test_the_benchmark_runs_without_the_packages_of_streams() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout == "ran\n", done.stderr


def test_no_two_titles_are_alike() -> None:
    titles = [*raw_titles(0, 6_000), *raw_titles(6_000, 6_000)]
    assert len(set(titles)) == len(titles)


def test_after_a_failure_the_other_figures_are_measured() -> None:
    class Failing(gpu.Bench):
        def __init__(self) -> None:
            self.report, self._log = Report({}, 1), lines.append

        def card(self) -> None:
            raise ValueError("too hot")

        def encoder(self) -> None:
            self._add("speed", [1.0, 2.0, 4.0])

        onnxruntime = parity = alone = one_process = shared = processor = lambda self: None

    lines: list[str] = []
    found = Failing().run()
    assert found.failures == ["card: ValueError('too hot')"]
    assert found.figures["speed"].median == 2.0
    assert any("too hot" in line for line in lines)


def test_a_figure_has_a_median_and_a_spread() -> None:
    figure = Repeated([90.0, 100.0, 120.0])
    assert (figure.median, figure.spread) == (100.0, 0.3)


def test_the_encoder_s_share_is_of_the_greatest_matrix_rate() -> None:
    assert report().encoder_share == 0.25
    assert Report({}, 1).encoder_share is None


def test_tables_and_json_hold_all_figures(tmp_path: Path) -> None:
    save(report(), tmp_path / "results" / "gpu")
    content = msgspec.json.decode((tmp_path / "results" / "gpu.json").read_bytes())
    assert content["figures"]["matrix rate float16: TFLOP/s"]["runs"] == [650.0, 640.0, 660.0]
    assert (content["encoder_share"], content["machine"]) == (0.25, {"card": "a card"})
    page = (tmp_path / "results" / "gpu.md").read_text()
    assert page == markdown(report())
    assert "| matrix rate bfloat16: TFLOP/s | 700.0 | 600.0 | 800.0 | 3 |" in page
    assert "| encoder's median over the greatest matrix rate | 25.0% |" in page


def test_a_version_that_is_a_subclass_of_str_is_saved_as_text(tmp_path: Path) -> None:
    class Version(str):
        """As `torch.__version__` is."""

    saved = Report({"torch": Version("2.11.0")}, 1)
    save(saved, tmp_path / "gpu")
    assert msgspec.json.decode((tmp_path / "gpu.json").read_bytes())["machine"] == {"torch": "2.11.0"}


def test_the_committed_tables_are_those_of_the_committed_figures() -> None:
    content = msgspec.json.decode((RESULTS / "gpu.json").read_bytes())
    share = content.pop("encoder_share")
    figures = {name: Repeated(**figure) for name, figure in content.pop("figures").items()}
    committed = Report(**content, figures=figures)
    assert committed.encoder_share == share
    assert not committed.failures
    assert (RESULTS / "gpu.md").read_text("utf-8") == markdown(committed)


def test_the_rate_counts_from_the_first_start_to_the_last_end() -> None:
    assert titles_per_s([ProcessResult(1.0, 3.0, 40, 1, 0, 0), ProcessResult(2.0, 6.0, 60, 1, 0, 0)]) == 20.0


def test_processes_on_the_processor_classify_their_own_titles() -> None:
    processes = Processes(run_on_processor, [()])
    try:
        (result,) = processes.run(0, 20)
    finally:
        processes.close()
    assert result.titles == 20
    assert 0 < result.decided < 20
    assert result.ended > result.started


def test_processes_share_a_card() -> None:
    processes = SharingProcesses(Card(), SIZES, 2, lambda error: False, max_texts=64)
    try:
        some, every = processes.run(0, 200), processes.run(400, 200, encode_all=True)
    finally:
        processes.close()
    assert [result.decided for result in (*some, *every)] == [200] * 4
    assert all(0 < result.tokens < result.padded for result in (*some, *every))
    assert sum(result.tokens for result in every) > sum(result.tokens for result in some)


def test_the_utilization_is_the_mean_of_the_tool_s_output(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho 40\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    with Utilization(str(tool)) as utilization:
        while not utilization.samples:
            time.sleep(0.01)
    assert utilization.mean == 40.0


def test_without_the_tool_the_utilization_is_unknown() -> None:
    with Utilization("no-such-tool") as utilization:
        pass
    assert utilization.mean is None
