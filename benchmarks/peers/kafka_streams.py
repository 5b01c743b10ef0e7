"""Kafka Streams: the Java program in this directory, built with Maven on first use."""

import fcntl
import functools
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from benchmarks.peers.contestant import HEARTBEAT_INTERVAL_S, SESSION_TIMEOUT_S, PeerMissing, Work

VERSION = "4.1.1"
PROJECT = Path(__file__).with_name("kafka_streams")
VAR = Path(__file__).resolve().parents[2] / "var"
MAIN = "shelfstream.peers.Worker"
THREADS = 2


def version() -> str:
    """Return the version of Kafka Streams that the program is built with.

    Raises:
        PeerMissing: Java is not installed.
    """
    if shutil.which("java") is None:
        raise PeerMissing("Kafka Streams needs `java` on the path; install Java 17 and Maven")
    return VERSION


def command(work: Work, threads: int = THREADS) -> list[str]:
    """Return the command of a worker with this many stream threads.

    Raises:
        PeerMissing: Java or Maven is not installed, or the build failed.
    """
    version()
    built = build()
    options = {
        "--threads": threads,
        "--session-timeout-ms": round(SESSION_TIMEOUT_S * 1000),
        "--heartbeat-interval-ms": round(HEARTBEAT_INTERVAL_S * 1000),
    }
    return [
        "java",
        "-Xmx1g",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{built}/peer.jar:{built}/libraries/*",
        MAIN,
        *work.arguments(),
        *(str(part) for option in options.items() for part in option),
    ]


@functools.cache
def build() -> Path:
    """The folder with `peer.jar` and `libraries`; the first call of all processes builds it.

    Its name depends on the sources, so that changed ones are built anew.

    Raises:
        PeerMissing: Maven is not there, or the build failed.
    """
    folder = VAR / f"kafka-streams-{VERSION}-{_digest()}"
    VAR.mkdir(parents=True, exist_ok=True)
    with (VAR / "kafka-streams.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _build(folder)
    return folder


def _build(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise PeerMissing("Kafka Streams needs `mvn` on the path to be built; install Java 17 and Maven")
    fresh = Path(tempfile.mkdtemp(prefix="kafka-streams-", dir=VAR))
    maven = ["mvn", "-q", "-B", "-f", str(PROJECT / "pom.xml"), f"-Dfolder={fresh}"]
    done = subprocess.run(
        [*maven, "package", "dependency:copy-dependencies"], capture_output=True, check=False
    )
    if done.returncode:
        shutil.rmtree(fresh)
        raise PeerMissing(f"Maven could not build the peer on Kafka Streams: {done.stdout.decode()[-2000:]}")
    fresh.rename(folder)


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in PROJECT.rglob("*") if path.is_file()):
        digest.update(path.relative_to(PROJECT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
