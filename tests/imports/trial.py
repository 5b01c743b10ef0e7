"""One run: files go through `shelfstream import --to-kafka` into a worker, and each output is validated."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess

import orjson
from confluent_kafka import Message
from jsonschema import Draft202012Validator

from schemas.codec import DECODERS
from schemas.contracts import FOLDER
from schemas.errors import InvalidEvent
from schemas.events import AffinityUpdated, EnrichmentReview, ProductEnriched, ShopperUpdated
from streams.demo.sample_shop import FOLDER as FOLDER_OF_SHOP
from tests.support.deployment import Deployment

OUTPUTS = (ProductEnriched.topic, EnrichmentReview.topic, AffinityUpdated.topic, ShopperUpdated.topic)
DEAD_LETTER = "dead-letter"


@dataclass(frozen=True, slots=True)
class Source:
    """Files of one format.

    Attributes:
        format: The format's name on the command line.
        files: The files.
        mapping: The mapping file of the format `custom`.
    """

    format: str
    files: tuple[Path, ...]
    mapping: Path | None = None

    @classmethod
    def of(cls, text: str) -> "Source":
        """Read `FORMAT:FILE`, or `custom@MAPPING:FILE`.

        Raises:
            ValueError: The text has no colon, or a file does not exist.
        """
        name, colon, file = text.partition(":")
        name, _, mapping = name.partition("@")
        paths = [Path(each) for each in (file, mapping) if each]
        if not colon or not all(path.is_file() for path in paths):
            raise ValueError(f"{text!r} is no FORMAT:FILE or custom@MAPPING:FILE of files that exist")
        return cls(name, (Path(file),), Path(mapping) if mapping else None)

    def arguments(self) -> list[str]:
        """The arguments of `shelfstream import`."""
        mapping = [] if self.mapping is None else ["--mapping", str(self.mapping)]
        return [self.format, *map(str, self.files), *mapping]


def demo_shop() -> list[Source]:
    """The files of the demo's shop, which have the contract's own fields, by mapping files that say so."""
    mappings = Path(__file__).parent
    return [
        Source("custom", (FOLDER_OF_SHOP / f"{name}.jsonl.gz",), mappings / f"demo-{name}.toml")
        for name in ("products", "baskets")
    ]


@dataclass(slots=True)
class Trial:
    """What came of it.

    Attributes:
        reports: What each import printed, by source.
        written: Records in the input topics.
        products: Distinct products among the listings.
        outputs: Records of each output topic, tombstones left out.
        decisions: Enriched products by who decided.
        dead: Dead letters by reason.
        faults: Messages that are not valid, with what is wrong; and counts that do not agree.
    """

    reports: dict[str, str] = field(default_factory=dict)
    written: Counter[str] = field(default_factory=Counter)
    products: int = 0
    outputs: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def run(deployment: Deployment, sources: Iterable[Source], step: Callable[[str], None]) -> Trial:
    """Import files one after another while a worker runs, and validate all that comes out.

    Args:
        deployment: A deployment with topics and no worker.
        sources: The files.
        step: Called with what happens.
    """
    trial = Trial()
    deployment.worker()
    for source in sources:
        step(f"importing {source.files[0].name}")
        result = deployment.run("import", *source.arguments(), "--to-kafka", check=False)
        trial.reports[f"{source.format} {source.files[0].name}"] = _report(result)
        if result.returncode:
            trial.faults.append(f"{source.files[0].name}: exit {result.returncode}: {result.stderr[-300:]}")
    step("processing")
    deployment.wait_until_processed(3600)
    step("validating")
    _account(deployment, trial)
    return trial


def _report(result: CompletedProcess[str]) -> str:
    return result.stderr.strip().partition("\n")[0]


def _account(deployment: Deployment, trial: Trial) -> None:
    """Read all topics, validate each output, and compare what went in with what came out."""
    listed: dict[bytes, bool] = {}
    for message in deployment.read("product-created"):
        trial.written["product-created"] += 1
        value = message.value()
        listed[message.key()] = value is not None and orjson.loads(value).get("change") != "withdrawn"
    trial.products = sum(listed.values())
    trial.written["user-behavior"] = len(deployment.read("user-behavior"))
    enriched: set[bytes] = set()
    for topic in OUTPUTS:
        for message in deployment.read(topic):
            _validate(topic, message, trial)
            if topic == ProductEnriched.topic:
                (enriched.discard if message.value() is None else enriched.add)(message.key())
    for message in deployment.read(DEAD_LETTER):
        headers = dict(message.headers() or ())
        trial.dead[headers.get("shelfstream.reason", b"?").decode()] += 1
    missing = {key for key, is_listed in listed.items() if is_listed} - enriched
    if len(missing) > sum(trial.dead.values()):
        trial.faults.append(f"{len(missing)} products are neither enriched nor dead-lettered")


_VALIDATORS = {
    topic: Draft202012Validator(orjson.loads((FOLDER / "json" / f"{topic}.json").read_bytes()))
    for topic in OUTPUTS
}


def _validate(topic: str, message: Message, trial: Trial) -> None:
    """Validate a message by the JSON Schema and by the codec."""
    value = message.value()
    if value is None:
        return
    trial.outputs[topic] += 1
    document = orjson.loads(value)
    problems = [error.message[:200] for error in _VALIDATORS[topic].iter_errors(document)]
    try:
        DECODERS[topic](value, message.key())
    except InvalidEvent as error:
        problems.append(str(error))
    if problems:
        trial.faults.append(f"{topic} {message.partition()}:{message.offset()}: {problems[0]}")
    if topic == ProductEnriched.topic:
        trial.decisions[document["decision"]["outcome"]] += 1
