"""`shelfstream dead-letters export, fix, discard` and `shelfstream audit` on a real Kafka."""

from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from streams.agents.dead_letters import DeadLetterBuilder
from streams.cli import main
from streams.records import MemoryRecord
from streams.replay.broker_admin import BrokerAdmin
from streams.settings import Settings
from streams.topics import desired
from tests.support.broker import Kafka
from tests.support.dead_letters import MALFORMED
from tests.support.topic import read_all, write

pytestmark = pytest.mark.kafka

Run = Callable[..., Result]


@pytest.fixture
def listings(unique: Callable[[str], str]) -> dict[str, bytes]:
    """Broken listings by key."""
    return {
        unique("renamed"): b'{"product_id":"%s","name":"Blue shirt"}' % unique("renamed").encode(),
        unique("pretty"): b'{\n "product_id":"%s",\n "name":"Red shirt"\n}' % unique("pretty").encode(),
        unique("number"): b'{"product_id":"%s","name":7}' % unique("number").encode(),
        unique("latin"): b'{"product_id":"%s","name":"Caf\xe9"}' % unique("latin").encode(),
        unique("hopeless"): b"\xff\xfe",
    }


@pytest.fixture
def shelfstream(kafka: Kafka, unique: Callable[[str], str], listings: dict[str, bytes]) -> Iterator[Run]:
    """A function that runs a command where these listings are dead letters."""
    settings = Settings(bootstrap_servers=kafka.bootstrap, app_id=unique("app"))
    admin = BrokerAdmin(settings)
    there = admin.topics()
    admin.create([spec for spec in desired(settings) if spec.name not in there])
    dead_letter = DeadLetterBuilder(settings.app_id, 4)
    records = [
        MemoryRecord("product-created", 0, at, 1_700_000_000_000, key.encode(), value)
        for at, (key, value) in enumerate(listings.items())
    ]
    write(settings, [dead_letter(record, MALFORMED, "decode") for record in records])
    environ = {
        "SHELFSTREAM_APP_ID": settings.app_id,
        "SHELFSTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
    }

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner(env=environ).invoke(main, list(arguments))
        assert result.exit_code == code, result.output
        return result

    yield run


def test_half_broken_listings_are_exported_fixed_and_discarded(
    shelfstream: Run, listings: dict[str, bytes], kafka: Kafka, tmp_path: Path
) -> None:
    own = [text for key in listings for text in ("--key", key)]
    listed = shelfstream("dead-letters", "list", *own).stdout
    assert "fix" in listed
    lines = [orjson.loads(line) for line in shelfstream("dead-letters", "export", *own).stdout.splitlines()]
    assert {line["key"] for line in lines} == listings.keys()
    assert {line["key"]: line.get("value_base64") for line in lines}[[*listings][4]] == "//4="

    steps = ("--rename", "/name=/title", "--convert", "/title=string")
    dry = shelfstream("dead-letters", "fix", *own, *steps, "--dry-run", code=1)
    assert "3 records would be fixed" in dry.stdout
    rest = tmp_path / "broken.jsonl"
    first = shelfstream("dead-letters", "fix", *own, *steps, "--broken", str(rest), code=1)
    assert "3 records were fixed and sent back to product-created" in first.stdout
    assert "2 stay broken" in first.stdout
    assert [orjson.loads(line)["key"] for line in rest.read_bytes().splitlines()] == [*listings][3:]
    latin = shelfstream("dead-letters", "fix", *own, *steps, "--encoding", "latin-1", code=1)
    assert "1 records were fixed" in latin.stdout
    assert "3 were fixed before" in latin.stdout

    settings = Settings(bootstrap_servers=kafka.bootstrap)
    sent = {each.key.decode(): each for each in read_all(settings, "product-created") if each.key}
    titles = {key: orjson.loads(sent[key].value or b"")["title"] for key in listings if key in sent}
    assert titles == dict(zip(listings, ("Blue shirt", "Red shirt", "7", "Café"), strict=False))
    headers = dict(sent[next(iter(listings))].headers)
    assert (headers["shelfstream.attempt"], headers["shelfstream.origin"]) == (b"2", b"product-created:0:0")
    assert headers["shelfstream.fix"].decode() in first.stdout

    shelfstream("dead-letters", "discard", code=2)
    gone = shelfstream("dead-letters", "discard", *own, "--attempt", "1", "--because", "two bytes")
    assert "1 of product-created (malformed-json) were discarded" in gone.stdout
    after = shelfstream("dead-letters", "list", *own)
    assert "No dead letters." in after.stdout
    assert "4 fixed, 1 discarded" in after.stderr
    assert "5" in shelfstream("dead-letters", "list", *own, "--all").stdout
    assert "Nothing to send back" in shelfstream("dead-letters", "redrive", *own).stdout

    audit = shelfstream("audit", "--since", "-1h", "--json").stdout
    entries = [orjson.loads(line) for line in audit.splitlines()]
    newest = entries[1]
    assert (newest["action"], newest["because"], newest["outcome"]) == ("discard", "two bytes", "done")
    assert newest["options"]["keys"] == "5 given"
    assert [each["action"] for each in entries[2:4]] == ["fix", "fix"]
    assert entries[3]["counts"] == {"sent to product-created": 3, "stay broken": 2}
    assert "two bytes" in shelfstream("audit", "--action", "discard").stdout
