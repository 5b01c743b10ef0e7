"""Describes the machine and the versions of a measurement."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from tests.support.broker import VERSION


def describe() -> str:
    """Return one line: processor, cores, memory, and versions."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB; Linux {platform.release()};"
        f" Python {platform.python_version()}; Apache Kafka {VERSION} on {_java()}, on the same machine;"
        f" faust-streaming {version('faust-streaming')}, aiokafka {version('aiokafka')},"
        f" confluent-kafka {version('confluent-kafka')}, onnxruntime {version('onnxruntime')}"
    )


def _processor() -> str:
    match = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return match[1] if match else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3


def _java() -> str:
    result = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    return result.stderr.splitlines()[0].replace('"', "") if result.stderr else "an unknown Java"
