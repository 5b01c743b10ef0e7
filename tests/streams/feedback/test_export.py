"""From a person's word in Kafka to a line that a model learns from, and what never becomes one."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from models.enrichment.enricher import Enricher
from models.taxonomy.tree import Taxonomy
from models.training.data.feedback_lines import FeedbackLine, find_conflicts, read_feedback
from schemas.events import Verdict
from streams.cli import main
from streams.embedded import EmbeddedBroker
from streams.feedback.export import pseudonym
from streams.inference.predictor import Predictor
from streams.inference.thread import InferenceThread
from streams.settings import Settings
from streams.topics import CATEGORY_FEEDBACK, PRODUCT_CREATED
from tests.support.deployment import Deployment
from tests.support.feedback_stream import FeedbackStream
from tests.support.kafka import StartableKafka
from tests.support.processing import NOW_MS

SHOES, SHIRTS, DOGS = 187, 212, 5
TITLE = "Nike Men's Running Shoes, Blue, Size 10"


@pytest.fixture(scope="module")
def inference() -> Iterator[InferenceThread]:
    """The shipped model."""
    thread = InferenceThread(Predictor(Enricher.load()))
    yield thread
    thread.close()


@pytest.fixture
def stream(embedded: EmbeddedBroker, inference: InferenceThread) -> FeedbackStream:
    return FeedbackStream(Settings(bootstrap_servers=embedded.bootstrap, embedded=True), inference)


def export(broker: EmbeddedBroker, path: Path, *options: str) -> tuple[list[FeedbackLine], Result]:
    arguments = ["feedback", "export", "-o", str(path), "--bootstrap-servers", broker.bootstrap, *options]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    return read_feedback(path, Taxonomy.google()), done


async def test_each_last_word_becomes_a_line_that_says_where_it_comes_from(
    stream: FeedbackStream, embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    await stream.listed("p1", TITLE, shop_id="s", attributes={"Colour": "Blue"})
    await stream.listed("p2", "Blue thing")
    await stream.judged("p1", None, "Ann")
    await stream.judged("p2", SHIRTS, "Ann")
    await stream.judged("p2", SHOES, "Bob")
    # What Bob saw is what he judged, whatever the seller says later.
    await stream.listed("p2", "Red thing")
    lines, done = export(embedded, tmp_path / "feedback.jsonl")
    first, second = lines
    assert msgspec.structs.replace(first, who="", occurred_at=None) == FeedbackLine(
        product_id="p1",
        text="nike men's running shoes, blue, size 10",
        category_id=SHOES,
        taxonomy_version=Taxonomy.google().version,
        verdict=Verdict.ACCEPT,
        who="",
        occurred_at=None,
        source=first.source,
        model_version=stream.version,
        attributes="colour: blue",
        language="en",
        shop_id="s",
    )
    assert (first.source.topic, first.source.partition, first.source.offset) == (CATEGORY_FEEDBACK, 0, 0)
    assert first.occurred_at is not None
    assert first.occurred_at.timestamp() * 1000 == NOW_MS
    assert (second.product_id, second.text, second.category_id) == ("p2", "blue thing", SHOES)
    assert second.source.offset == 2
    assert (second.verdict, second.model_version) == (Verdict.CORRECT, stream.version)
    assert "one person chose Apparel & Accessories > Clothing > Shirts & Tops" in done.stderr
    assert "2 lines (1 accept, 1 correct) from 3 words" in done.stderr


async def test_what_is_no_person_s_word_on_a_listed_product_is_left_out_and_told(
    stream: FeedbackStream, embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    for product in ("untouched", "gone", "kept"):
        await stream.listed(product, TITLE)
    await stream.judged("gone", DOGS, "Ann")
    await stream.say(PRODUCT_CREATED, "gone", None)
    await stream.judged("never-listed", SHOES, "Ann")
    await stream.judged("nothing-to-accept", None, "Ann")
    await stream.judged("kept", DOGS, "Ann")
    await stream.judged("kept", 99_999_999, "Ann")
    await stream.say(CATEGORY_FEEDBACK, "kept", b"{")
    lines, done = export(embedded, tmp_path / "feedback.jsonl")
    assert [(line.product_id, line.category_id) for line in lines] == [("kept", DOGS)]
    for told in (
        "1 records were refused: malformed-json",
        "1 records were refused: unknown-category",
        "1 words left out: the product was withdrawn",
        "1 words left out: the product has no title",
        "1 words left out: what was accepted is not known",
    ):
        assert told in done.stderr


async def test_people_who_disagree_on_a_text_are_told_and_their_words_kept(
    stream: FeedbackStream, embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    await stream.listed("p1", TITLE)
    await stream.listed("p2", TITLE.upper())
    await stream.judged("p1", SHOES, "Ann")
    await stream.judged("p2", SHIRTS, "Bob")
    lines, done = export(embedded, tmp_path / "feedback.jsonl")
    (conflict,) = find_conflicts(lines, Taxonomy.google())
    assert (conflict.category_ids, conflict.product_ids) == ((SHOES, SHIRTS), ("p1", "p2"))
    assert "people disagree on \"nike men's running shoes" in done.stderr


async def test_names_are_kept_only_if_asked_for(
    stream: FeedbackStream, embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    await stream.listed("p1", TITLE)
    await stream.listed("p2", "Blue cotton shirt for men")
    await stream.judged("p1", SHOES, "Ann Onymous")
    await stream.judged("p2", SHIRTS, "")
    path, salt = tmp_path / "feedback.jsonl", tmp_path / "salt"
    salt.write_text("0123456789abcdef\n")
    drawn = {export(embedded, path)[0][0].who for _ in range(2)}
    assert len(drawn) == 2, "without a salt of one's own no two exports agree on who is who"
    for options in ((), ("--salt-file", str(salt))):
        lines, _ = export(embedded, path, *options)
        assert b"Onymous" not in path.read_bytes()
        assert b"555" not in path.read_bytes()
        assert lines[1].who == ""
    assert lines[0].who == pseudonym("Ann Onymous", b"0123456789abcdef")
    lines, _ = export(embedded, path, "--with-names")
    assert lines[0].who == "Ann Onymous"
    lines, _ = export(embedded, path, "--without", "Ann Onymous")
    assert [line.product_id for line in lines] == ["p2"]
    salt.write_text("short")
    refused = CliRunner().invoke(main, ["feedback", "export", "--salt-file", str(salt)])
    assert (refused.exit_code, "names could be guessed" in refused.stderr) == (1, True)


@pytest.mark.kafka
def test_words_go_through_a_real_kafka_and_a_real_worker(own_broker: StartableKafka, tmp_path: Path) -> None:
    """An acceptance names no category: the line's is the one that the worker had published."""
    with Deployment(own_broker.bootstrap, tmp_path) as deployment:
        worker = deployment.worker("enrich")
        worker.wait_ready()
        listing = {"product_id": "p1", "title": TITLE}
        deployment.produce(PRODUCT_CREATED, [(b"p1", json.dumps(listing).encode())])
        deployment.settle()
        for word in (
            {"product_id": "p1", "verdict": "correct", "category_id": DOGS, "by": "Ann"},
            {"product_id": "p1", "verdict": "correct", "category_id": SHOES, "by": "Bob"},
            {"product_id": "p1", "verdict": "accept", "by": "Cleo"},
        ):
            deployment.produce(CATEGORY_FEEDBACK, [(b"p1", json.dumps(word).encode())])
        deployment.settle()
        path = tmp_path / "feedback.jsonl"
        done = deployment.run("feedback", "export", "-o", str(path), "--with-names")
        assert worker.stop() == 0
    (line,) = read_feedback(path, Taxonomy.google())
    assert (line.category_id, line.verdict, line.who) == (SHOES, Verdict.ACCEPT, "Cleo")
    assert (line.text, line.source.offset) == ("nike men's running shoes, blue, size 10", 2)
    assert line.model_version.startswith("student-")
    assert "1 lines (1 accept) from 3 words" in done.stderr
