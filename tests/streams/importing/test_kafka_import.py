"""An import into Kafka: keys, partitions, headers; killed and run again, each event is there once."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from schemas.audit import TOPIC as AUDIT
from schemas.codec import decode_user_behavior
from schemas.errors import StopWorker
from schemas.events import UserBehavior
from schemas.formats.row import ImportOptions
from schemas.keys import partition_for
from streams.cli import main
from streams.importing.kafka_import import import_id, open_import
from streams.importing.report import ImportReport
from streams.importing.request import ImportRequest
from streams.records import MemoryRecord
from streams.settings import Settings
from streams.topics import PRODUCT_CREATED, USER_BEHAVIOR
from tests.support.broker import StartableKafka
from tests.support.topic import create_topic, read_all
from tests.support.waiting import wait_until

HEADER = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"


def log(path: Path, first: int, rows: int) -> Path:
    """A log of REES46 with this number of rows, all different; products are numbered from `first`."""
    path.write_text(
        HEADER
        + "".join(
            f"2019-10-01 {row // 3600 % 24:02}:{row // 60 % 60:02}:{row % 60:02} UTC,view,{row},1,,,1.00,"
            f"u{row % 97},s\n"
            for row in range(first, first + rows)
        )
    )
    return path


class Import:
    """Runs imports of logs into one broker.

    Args:
        settings: The broker's settings.
        folder: For the logs.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self._folder = folder

    def arguments(self, name: str, first: int, rows: int, *more: str) -> list[str]:
        """The arguments that import a log of `rows` rows."""
        path = log(self._folder / f"{name}.csv", first, rows)
        address = self.settings.bootstrap_servers
        return ["import", "rees46", str(path), "--to-kafka", "--bootstrap-servers", address, *more]

    def run(self, name: str, first: int, rows: int, *more: str) -> Result:
        """Import a log of `rows` rows."""
        return CliRunner().invoke(main, self.arguments(name, first, rows, *more))

    def records(self, first: int, rows: int, wait: bool = True) -> list[MemoryRecord]:
        """The records of a log's products."""
        return [
            record
            for record in read_all(self.settings, USER_BEHAVIOR, wait=wait)
            if first <= int(_event(record).product_id or -1) < first + rows
        ]

    def products(self, first: int, rows: int) -> list[int]:
        """The products of a log's records, sorted."""
        return sorted(int(_event(record).product_id or -1) for record in self.records(first, rows))


def _event(record: MemoryRecord) -> UserBehavior:
    return decode_user_behavior(record.value, record.key)


@pytest.mark.kafka
def test_an_import_writes_each_event_once(own_broker: StartableKafka, tmp_path: Path) -> None:
    imports = Import(Settings(bootstrap_servers=own_broker.bootstrap, partitions=4), tmp_path)
    _missing_topics_are_named(imports)
    create_topic(imports.settings, PRODUCT_CREATED, USER_BEHAVIOR, AUDIT)
    _records_are_keyed_and_partitioned(imports)
    _a_finished_import_writes_nothing_again(imports)
    _a_newer_run_ends_the_first(imports)
    _a_killed_import_continues(imports)


def _missing_topics_are_named(imports: Import) -> None:
    result = imports.run("missing", 0, 1)
    assert result.exit_code == 1
    assert "there is no topic product-created: create it with `shelfstream topics create`" in result.stderr


def _records_are_keyed_and_partitioned(imports: Import) -> None:
    result = imports.run("keyed", 0, 5, "--currency", "USD")
    assert result.exit_code == 0, result.output
    assert "5 events written to Kafka" in result.stderr
    records = imports.records(0, 5)
    assert len(records) == 5
    for record in records:
        event, headers = _event(record), dict(record.headers)
        assert record.key is not None
        assert record.key.decode() == event.user_id
        assert record.partition == partition_for(record.key, 4)
        assert headers["ce_id"].decode() == event.event_id
        assert headers["ce_source"] == b"/shelfstream/import/rees46"
    (entry,) = read_all(imports.settings, AUDIT)
    assert orjson.loads(entry.value or b"")["counts"] == {"events": 5}


def _a_finished_import_writes_nothing_again(imports: Import) -> None:
    assert "continues after 5 events" in imports.run("keyed", 0, 5, "--currency", "USD").stderr
    assert imports.products(0, 5) == [0, 1, 2, 3, 4]
    imports.run("keyed", 0, 5, "--currency", "USD", "--restart")
    assert len(imports.products(0, 5)) == 10


def _a_newer_run_ends_the_first(imports: Import) -> None:
    path = imports.arguments("fenced", 100, 3000)[2]
    request = ImportRequest("rees46", (path,), ImportOptions())
    identity = request.identity() or ""
    with open_import(imports.settings, identity, "rees46", restart=False) as first:
        written = first.write(request.events(ImportReport(), lambda count: None))
        assert next(written) == 1000
        with open_import(imports.settings, identity, "rees46", restart=False) as second:
            assert second.position == 1000
            rest = list(second.write(request.events(ImportReport(), lambda count: None)))
            assert rest == [2000, 3000]
        with pytest.raises(StopWorker, match="fenced"):
            next(written)
    assert imports.products(100, 3000) == list(range(100, 3100))


def _a_killed_import_continues(imports: Import) -> None:
    first, rows = 10_000, 30_000
    arguments = imports.arguments("killed", first, rows)
    process = subprocess.Popen([sys.executable, "-m", "streams", *arguments], stderr=subprocess.PIPE)
    wait_until(lambda: len(imports.records(first, rows, wait=False)) >= 1000, 120)
    process.kill()
    process.communicate()
    assert len(imports.records(first, rows, wait=False)) < rows, "the import ended before it was killed"
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "events of an earlier run" in result.stderr
    assert imports.products(first, rows) == list(range(first, first + rows))


def test_the_id_depends_on_the_file_its_name_and_the_options(tmp_path: Path) -> None:
    file, other = tmp_path / "a.csv", tmp_path / "b.csv"
    file.write_bytes(b"x")
    other.write_bytes(b"x")
    first = import_id(["rees46"], [file])
    assert first == import_id(["rees46"], [file])
    assert len({first, import_id(["rees46"], [other]), import_id(["taobao"], [file])}) == 3
    file.write_bytes(b"y")
    assert import_id(["rees46"], [file]) != first
