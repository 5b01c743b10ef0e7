"""The results of `make bench-gpu`, as a table and as JSON."""

import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec

MATRIX = ("matrix rate bfloat16: TFLOP/s", "matrix rate float16: TFLOP/s")
ENCODER = "encoder alone, kernels and graph: TFLOP/s"


@dataclass(frozen=True)
class Repeated:
    """Repeated measurements of one figure.

    Attributes:
        runs: The result of each run.
    """

    runs: list[float]

    @property
    def median(self) -> float:
        """The median of the runs."""
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """The difference of the greatest and the least run, divided by the median."""
        return (max(self.runs) - min(self.runs)) / self.median if self.median else 0.0


@dataclass
class Report:
    """All results.

    Attributes:
        machine: The card, its driver, and the versions of the software, by name.
        processes: The number of processes that shared the card.
        figures: Repeated measurements by name.
        numbers: Single measurements by name.
        failures: The measurements that failed, with the reasons.
    """

    machine: dict[str, str]
    processes: int
    figures: dict[str, Repeated] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, name: str, runs: list[float]) -> Repeated:
        """Add repeated measurements."""
        self.figures[name] = Repeated(runs)
        return self.figures[name]

    @property
    def encoder_share(self) -> float | None:
        """The encoder's median rate divided by the greatest matrix rate of any run; None without either."""
        rates = [run for name in MATRIX if name in self.figures for run in self.figures[name].runs]
        if not rates or ENCODER not in self.figures:
            return None
        return self.figures[ENCODER].median / max(rates)


def markdown(report: Report) -> str:
    """A table of medians and extremes, and a table of single measurements."""
    lines = ["; ".join(f"{name} {value}" for name, value in report.machine.items()), ""]
    lines += ["| | median | least | greatest | runs |", "| --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {name} | {each.median:,.1f} | {min(each.runs):,.1f} | {max(each.runs):,.1f} | {len(each.runs)} |"
        for name, each in report.figures.items()
    ]
    lines += ["", "| | |", "| --- | ---: |"]
    lines += [f"| {name} | {value:,.5g} |" for name, value in report.numbers.items()]
    if report.encoder_share is not None:
        lines.append(f"| encoder's median over the greatest matrix rate | {report.encoder_share:.1%} |")
    lines += [f"\nFailed: {each}" for each in report.failures]
    return "\n".join(lines) + "\n"


def save(report: Report, output: Path) -> None:
    """Write the results as JSON and as Markdown.

    Args:
        report: The results.
        output: The path of both files, without `.json` and `.md`.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    content = asdict(report) | {"encoder_share": report.encoder_share}
    # The benchmark's machine has msgspec, but not orjson. `enc_hook`: versions can be subclasses of str.
    encoded = msgspec.json.format(msgspec.json.encode(content, enc_hook=str), indent=1)
    output.with_suffix(".json").write_bytes(encoded + b"\n")
    output.with_suffix(".md").write_text(markdown(report), encoding="utf-8")
