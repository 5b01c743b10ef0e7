"""The settings: one immutable object that documents each value. `streams.settings_sources` loads it."""

from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from msgspec import Meta

from schemas.product_identity import Shops
from streams.reading_settings import ReadingSettings
from streams.setting_descriptions import doc

PREFIX = "SHELFSTREAM_"
AgentName = Literal["enrich", "sessions", "affinity"]
MIB = 1024 * 1024


class Settings(ReadingSettings, frozen=True, kw_only=True):
    """The settings of a worker. The fields' descriptions are the manual, `docs/operations/settings.md`.

    The constructor validates nothing. `settings_sources.load_settings` does.
    """

    bootstrap_servers: Annotated[
        str, doc("Addresses of the Kafka brokers, host:port, comma-separated.", min_length=1)
    ] = "localhost:9092"
    app_id: Annotated[
        str,
        doc(
            "Consumer group, and prefix of transactional ids and internal topics. One per deployment.",
            pattern=r"^[A-Za-z0-9._-]{1,100}$",
        ),
    ] = "shelfstream"
    agents: Annotated[
        tuple[AgentName, ...], doc("Agents that this worker runs, comma-separated.", min_length=1)
    ] = ("enrich", "sessions", "affinity")
    embedded: Annotated[
        bool,
        doc("Whether the broker is the embedded one. It has no topic configuration and no read_committed."),
    ] = False

    data_dir: Annotated[
        Path, doc("Directory for local state. Each worker uses a directory of its own inside.")
    ] = Path("var/state")
    state_store: Annotated[
        Literal["rocksdb", "memory"],
        doc(
            "Where tables are stored. `rocksdb` survives a restart, `memory` is restored from the changelogs."
        ),
    ] = "rocksdb"

    partitions: Annotated[
        int,
        doc(
            "Partitions of every topic. All topics have the same number, and it cannot change later.",
            ge=1,
            le=10_000,
        ),
    ] = 4
    replication_factor: Annotated[
        int, doc("Replicas of each partition when topics are created.", ge=1, le=32)
    ] = 1
    compression: Annotated[
        Literal["none", "gzip", "snappy", "lz4", "zstd"],
        doc("Compression codec of produced records. gzip is the one that every client reads by itself."),
    ] = "gzip"

    session_timeout_s: Annotated[
        float, doc("Seconds without a heartbeat after which the group removes a worker.", gt=0)
    ] = 15.0
    heartbeat_interval_s: Annotated[
        float,
        doc(
            "Seconds between heartbeats. At most a third of session_timeout_s. A rebalance waits until each"
            " worker has heard of it from a heartbeat.",
            gt=0,
        ),
    ] = 1.0
    rebalance_timeout_s: Annotated[
        float, doc("Seconds that a worker has to rejoin the group during a rebalance.", gt=0)
    ] = 60.0
    transaction_timeout_s: Annotated[
        float,
        doc("Seconds after which the broker aborts the open transaction of a worker that died.", ge=1),
    ] = 60.0
    revoke_budget_s: Annotated[
        float,
        doc("Seconds that batches in progress have to commit when a worker stops or gives a lane up.", ge=0),
    ] = 5.0

    batch_max_records: Annotated[int, doc("Maximum number of records of a batch.", ge=1, le=1_000_000)] = 4000
    batch_max_bytes: Annotated[
        int, doc("Maximum size of a batch in bytes. A larger record is a batch of its own.", ge=1)
    ] = 4 * MIB
    batch_max_s: Annotated[
        float,
        doc(
            "Seconds that processing a batch may take, predicted from earlier batches of the lane. Less than"
            " revoke_budget_s, or a worker that stops throws batches away.",
            gt=0,
        ),
    ] = 4.0
    batch_linger_ms: Annotated[
        float, doc("Milliseconds that a lane waits for a batch to fill.", ge=0, le=10_000)
    ] = 5.0
    catch_up_s: Annotated[
        float,
        doc(
            "Seconds between two parts of the work that a lane catches up with: what was published before the"
            " catalog was complete, or waits for `publish_interval_s`. A part is 256 rows of the first and"
            " 1024 of the second at most, and takes a tenth of the lane's time at most. 0 does none of it.",
            ge=0,
        ),
    ] = 1.0
    in_flight_max_bytes: Annotated[
        int,
        doc(
            "Maximum bytes of fetched records in memory. Fetching pauses above. At least batch_max_bytes.",
            ge=1,
        ),
    ] = 64 * MIB

    on_topic_recreated: Annotated[
        Literal["stop", "earliest", "latest"],
        doc(
            "what a lane does whose input was deleted and created again, or lost its end: stop and say so, "
            "read it from its start, or read what comes from now on"
        ),
    ] = "stop"
    retry_backoff_min_s: Annotated[
        float, doc("Seconds before the first retry. The pause doubles with each retry.", gt=0)
    ] = 0.2
    retry_backoff_max_s: Annotated[float, doc("Maximum seconds between retries.", gt=0)] = 30.0
    dead_letter_burst: Annotated[
        int,
        doc(
            "Dead letters that a worker can write at once before it slows down to dead_letter_rate_per_s.",
            ge=1,
        ),
    ] = 10_000
    dead_letter_rate_per_s: Annotated[
        float, doc("Dead letters per second that a worker can write continuously.", gt=0)
    ] = 100.0

    model_path: Annotated[
        Path | None,
        doc(
            "Directory of the model. If unset, the shipped model, or zero-shot classification with taxonomy."
        ),
    ] = None
    taxonomy: Annotated[
        Path | None,
        doc(
            "`shopify` for Shopify's product taxonomy, or the file of your own category tree. Without"
            " model_path, your tree's names classify. If unset, Google's product taxonomy."
        ),
    ] = None
    model_registry: Annotated[
        Path | None,
        doc("Model registry directory. If unset, or if it has no deployed model, `model_path` is served."),
    ] = None
    inference: Annotated[
        Literal["thread", "process"],
        doc("Where the model runs. `thread` shares the interpreter with the lanes, `process` has its own."),
    ] = "process"
    inference_threads: Annotated[int, doc("Maximum number of threads of one inference.", ge=1, le=1024)] = 1
    inference_timeout_s: Annotated[
        float,
        doc(
            "Seconds that the model may take for a batch, for each 1,000 listings or a part of them. A"
            " process that takes longer is killed and started again.",
            gt=0,
        ),
    ] = 60.0
    cascade: Annotated[
        bool, doc("Whether the text encoder classifies the listings of which the student is unsure.")
    ] = True
    shop_mix: Annotated[bool, doc("Whether a shop's listings so far weigh departments.")] = True
    encoder_path: Annotated[
        Path | None, doc("Directory of text encoders, by language. If unset, the shipped encoders.")
    ] = None
    encoder_runtime: Annotated[
        Literal["auto", "onnx", "torch"],
        doc(
            "Runtime of the text encoders. `torch` needs the extra `torch` and on CUDA runs the student too. "
            "`auto` uses the runtime that finds the device."
        ),
    ] = "auto"
    device: Annotated[
        Literal["cpu", "cuda", "auto"],
        doc("Device of the text encoders. `auto` uses CUDA if the machine supports it."),
    ] = "cpu"
    # The bounds are floats as in the contract's Probability, because typing caches equal annotations.
    confidence_threshold: Annotated[
        Annotated[float, Meta(ge=0.0, le=1.0)] | None,
        doc("Minimum calibrated confidence of a category that needs no review. If unset, the model's own."),
    ] = None
    drift_half_life_h: Annotated[
        float, doc("Hours after which a listing counts half in the drift statistics.", gt=0)
    ] = 24.0
    drift_snapshot: Annotated[
        Path | None, doc("File with the reference histograms of drift. If unset, the model's own.")
    ] = None
    shops: Annotated[
        Shops,
        doc(
            "What separates the shops of this deployment. `separate`: product ids are unique over all shops,"
            " and nothing relates products of two shops. `own-ids`: each shop has ids of its own; keys are"
            " `shop/product_id`. `joined`: shops do not count."
        ),
    ] = "separate"
    session_gap_min: Annotated[float, doc("Minutes of inactivity after which a session ends.", gt=0)] = 30.0
    allowed_lateness_days: Annotated[float, doc("Days late after which events form no pairs.", gt=0)] = 30.0
    half_life_days: Annotated[float, doc("Days after which a co-occurrence counts half.", gt=0)] = 75.0
    shopper_retention_days: Annotated[
        Annotated[float, Meta(gt=0.0)] | None,
        doc("Days after a shopper's latest event when the shopper's row ends. If unset, rows stay."),
    ] = None
    guest_retention_days: Annotated[
        Annotated[float, Meta(gt=0.0)] | None,
        doc("The same for a guest, who has only one session. If unset, shopper_retention_days."),
    ] = None
    affinity_bound: Annotated[
        int, doc("Neighbors kept per product and relation; twice as many while counting.", ge=1, le=10_000)
    ] = 128
    affinity_top_k: Annotated[
        int,
        doc(
            "Maximum number of neighbors published per product and relation. At most affinity_bound.",
            ge=1,
            le=10_000,
        ),
    ] = 20
    similar_min_cosine: Annotated[
        float,
        doc(
            "Least cosine of two products' texts that are published as similar, above 0 to 1. The default is"
            " measured: see decisions/product-view.",
            gt=0,
            le=1,
        ),
    ] = 0.5
    publish_change: Annotated[
        float,
        doc("Minimum relative change of a product's scores that is published, 0 to 1.", ge=0, le=1),
    ] = 0.1

    http_host: Annotated[str, doc("Address at which health, status and metrics are served.")] = "127.0.0.1"
    http_port: Annotated[
        int,
        doc(
            "Port of health, status and metrics. 0 takes any free port, -1 serves nothing.", ge=-1, le=65_535
        ),
    ] = 9464
    log_format: Annotated[
        Literal["auto", "console", "json"],
        doc("Format of the logs. `auto` is `console` on a terminal and `json` elsewhere."),
    ] = "auto"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], doc("Minimum severity of logged events.")
    ] = "info"

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={display_value(self, name)}' for name in NAMES)})"


NAMES: tuple[str, ...] = Settings.__struct_fields__
TYPES: dict[str, Any] = get_type_hints(Settings, include_extras=True)


def metadata(name: str) -> Meta:
    """Return the bounds and the description of the setting `name`."""
    meta = TYPES[name].__metadata__[0]
    assert isinstance(meta, Meta)
    return meta


def is_secret(name: str) -> bool:
    """Whether the setting `name` must never be shown."""
    return bool((metadata(name).extra or {}).get("secret"))


def variable(name: str) -> str:
    """Return the environment variable of the setting `name`."""
    return PREFIX + name.upper()


def documentation(name: str) -> str:
    """Return the description of the setting `name`, one line."""
    return metadata(name).description or ""


def display_value(settings: Settings, name: str) -> str:
    """Return the value of the setting `name` as text that can be logged. Secrets are hidden."""
    value = getattr(settings, name)
    if value is None:
        return "unset"
    if is_secret(name):
        return "(hidden)"
    return ",".join(value) if isinstance(value, tuple) else str(value)
