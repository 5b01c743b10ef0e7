"""What machine and which versions the figures are from."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from tests.support.broker import VERSION


def describe() -> str:
    """One line for a report: processor, cores, memory, and the versions that everything ran with."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB; Linux {platform.release()};"
        f" Python {platform.python_version()}; Apache Kafka {VERSION} on {_java()}, on the same machine;"
        f" faust-streaming {version('faust-streaming')}, aiokafka {version('aiokafka')},"
        f" confluent-kafka {version('confluent-kafka')}, onnxruntime {version('onnxruntime')}"
    )


def _processor() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3


def _java() -> str:
    asked = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    return asked.stderr.splitlines()[0].replace('"', "") if asked.stderr else "an unknown Java"
