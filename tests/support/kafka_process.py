"""One Java process of Apache Kafka, and the jars that it runs, from Maven."""

import fcntl
import functools
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.broker import VERSION, KafkaUnavailable

POM = Path(__file__).with_name("kafka") / "pom.xml"
JARS = Path(__file__).resolve().parents[2] / "var" / f"kafka-{VERSION}"
QUICK_START = ("-XX:TieredStopAtLevel=1",)
_ENDS_WITHIN_S = 60.0


class KafkaProcess:
    """Broker and controller in one process. Its data stay when it ends.

    Args:
        folder: The directory of its configuration, log and data.
        name: The name of these files.
        config: Its configuration, without the directory of its data.
        java_options: Options of Java.
        format_options: More options of the command that formats the storage.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        config: Mapping[str, str],
        java_options: Sequence[str],
        format_options: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.data = folder / f"{name}-data"
        self._properties = folder / f"{name}.properties"
        self._log = folder / f"{name}.log"
        self._java_options = java_options
        self._format_options = list(format_options)
        self._process: subprocess.Popen[bytes] | None = None
        entries = {**config, "log.dirs": str(self.data)}
        self._properties.write_text("".join(f"{entry}={value}\n" for entry, value in entries.items()))

    @property
    def pid(self) -> int | None:
        """The id of the process. None while it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, cluster_id: str) -> None:
        """Start the process with its port and data, and do not wait. Nothing happens if it runs.

        Args:
            cluster_id: The id of the cluster, for storage that is not formatted yet.

        Raises:
            KafkaUnavailable: Its storage cannot be formatted.
        """
        if self.pid is not None:
            return
        if not self.data.exists():
            arguments = ["format", "-t", cluster_id, "-c", str(self._properties), *self._format_options]
            command = _java(["-Xmx64m", *QUICK_START], "kafka.tools.StorageTool", *arguments)
            done = subprocess.run(command, capture_output=True, check=False)
            if done.returncode:
                raise KafkaUnavailable(f"formatting Kafka's storage failed: {done.stderr.decode()[-2000:]}")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                _java(self._java_options, "kafka.Kafka", str(self._properties)),
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must not reach the broker: the tests stop it
            )

    def end(self, how: signal.Signals) -> None:
        """End the process by a signal, also one that is stalled."""
        if self._process is None:
            return
        self.send(signal.SIGCONT)
        self.send(how)
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            # A controller without a quorum does not end in good order.
            self._process.kill()
            self._process.wait()
        self._process = None

    def send(self, how: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(how)

    def why_ended(self) -> str | None:
        """Return the end of its log if it has ended; None while it runs."""
        return None if self.pid is not None else f"{self.name} ended; the end of its log: {self.end_of_log()}"

    def end_of_log(self) -> str:
        """Return the last lines that the process wrote."""
        return self._log.read_text(errors="replace")[-3000:] if self._log.exists() else ""


def _java(options: Sequence[str], *command: str) -> list[str]:
    common = ["-XX:+UseSerialGC", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return ["java", *options, *common, "-cp", f"{jars()}/*", *command]


@functools.cache
def jars() -> Path:
    """The directory with the broker's jars. The first call of all processes copies them with Maven."""
    JARS.parent.mkdir(parents=True, exist_ok=True)
    with JARS.with_name(f"{JARS.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not JARS.exists():
            fresh = Path(tempfile.mkdtemp(prefix="kafka-", dir=JARS.parent))
            copy = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
            done = subprocess.run([*copy, f"-DoutputDirectory={fresh}"], capture_output=True, check=False)
            if done.returncode:
                shutil.rmtree(fresh)
                raise KafkaUnavailable(f"Maven could not copy Kafka's jars: {done.stdout.decode()[-2000:]}")
            fresh.rename(JARS)
    return JARS
