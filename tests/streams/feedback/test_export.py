"""Export of feedback from Kafka as training lines, and what is left out."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import orjson
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
from tests.support.broker import StartableKafka
from tests.support.deployment import Deployment
from tests.support.feedback_stream import FeedbackStream
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


async def test_the_latest_feedback_per_product_becomes_a_line_with_its_source(
    stream: FeedbackStream, embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    await stream.send_listing("p1", TITLE, shop_id="s", attributes={"Colour": "Blue"})
    await stream.send_listing("p2", "Blue thing")
    await stream.send_feedback("p1", None, "Ann")
    await stream.send_feedback("p2", SHIRTS, "Ann")
    await stream.send_feedback("p2", SHOES, "Bob")
    # Bob's feedback is about the title that he saw, not about a later one.
    await stream.send_listing("p2", "Red thing")
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
    assert "2 lines (1 accept, 1 correct) from 3 feedback records" in done.stderr


async def test_feedback_that_cannot_be_used_is_left_out_and_counted(
    stream: FeedbackStream, embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    for product in ("untouched", "gone", "kept"):
        await stream.send_listing(product, TITLE)
    await stream.send_feedback("gone", DOGS, "Ann")
    await stream.send(PRODUCT_CREATED, "gone", None)
    await stream.send_feedback("never-listed", SHOES, "Ann")
    await stream.send_feedback("nothing-to-accept", None, "Ann")
    await stream.send_feedback("kept", DOGS, "Ann")
    await stream.send_feedback("kept", 99_999_999, "Ann")
    await stream.send(CATEGORY_FEEDBACK, "kept", b"{")
    lines, done = export(embedded, tmp_path / "feedback.jsonl")
    assert [(line.product_id, line.category_id) for line in lines] == [("kept", DOGS)]
    for message in (
        "1 records were refused: malformed-json",
        "1 records were refused: unknown-category",
        "1 products left out: the product was withdrawn",
        "1 products left out: the product has no title",
        "1 products left out: the accepted category is not known",
    ):
        assert message in done.stderr


async def test_people_who_disagree_on_a_text_are_reported_and_their_lines_kept(
    stream: FeedbackStream, embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    await stream.send_listing("p1", TITLE)
    await stream.send_listing("p2", TITLE.upper())
    await stream.send_feedback("p1", SHOES, "Ann")
    await stream.send_feedback("p2", SHIRTS, "Bob")
    lines, done = export(embedded, tmp_path / "feedback.jsonl")
    (conflict,) = find_conflicts(lines, Taxonomy.google())
    assert (conflict.category_ids, conflict.product_ids) == ((SHOES, SHIRTS), ("p1", "p2"))
    assert "people disagree on \"nike men's running shoes" in done.stderr


async def test_names_are_kept_only_if_asked_for(
    stream: FeedbackStream, embedded: EmbeddedBroker, tmp_path: Path
) -> None:
    await stream.send_listing("p1", TITLE)
    await stream.send_listing("p2", "Blue cotton shirt for men")
    await stream.send_feedback("p1", SHOES, "Ann Onymous")
    await stream.send_feedback("p2", SHIRTS, "")
    path, salt = tmp_path / "feedback.jsonl", tmp_path / "salt"
    salt.write_text("0123456789abcdef\n")
    pseudonyms = {export(embedded, path)[0][0].who for _ in range(2)}
    assert len(pseudonyms) == 2, "without a salt file two exports use different pseudonyms"
    for options in ((), ("--salt-file", str(salt))):
        lines, _ = export(embedded, path, *options)
        assert b"Onymous" not in path.read_bytes()
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
def test_feedback_is_exported_from_a_real_kafka_with_a_real_worker(
    own_broker: StartableKafka, tmp_path: Path
) -> None:
    """An acceptance names no category; the line has the one that the worker published."""
    with Deployment(own_broker.bootstrap, tmp_path) as deployment:
        worker = deployment.worker("enrich")
        worker.wait_ready()
        listing = {"product_id": "p1", "title": TITLE}
        deployment.produce(PRODUCT_CREATED, [(b"p1", orjson.dumps(listing))])
        deployment.wait_until_processed()
        for feedback in (
            {"product_id": "p1", "verdict": "correct", "category_id": DOGS, "by": "Ann"},
            {"product_id": "p1", "verdict": "correct", "category_id": SHOES, "by": "Bob"},
            {"product_id": "p1", "verdict": "accept", "by": "Cleo"},
        ):
            deployment.produce(CATEGORY_FEEDBACK, [(b"p1", orjson.dumps(feedback))])
        deployment.wait_until_processed()
        path = tmp_path / "feedback.jsonl"
        done = deployment.run("feedback", "export", "-o", str(path), "--with-names")
        assert worker.stop() == 0
    (line,) = read_feedback(path, Taxonomy.google())
    assert (line.category_id, line.verdict, line.who) == (SHOES, Verdict.ACCEPT, "Cleo")
    assert (line.text, line.source.offset) == ("nike men's running shoes, blue, size 10", 2)
    assert line.model_version.startswith("student-")
    assert "1 lines (1 accept) from 3 feedback records" in done.stderr
