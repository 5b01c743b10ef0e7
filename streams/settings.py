"""The settings: one frozen object, and what each means. `streams.settings_sources` makes it."""

from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from msgspec import Meta, Struct

PREFIX = "SHELFSTREAM_"
AgentName = Literal["enrich", "sessions", "affinity"]
MIB = 1024 * 1024


def _doc(text: str, **bounds: Any) -> Meta:
    return Meta(description=text, **bounds)


def _secret(text: str) -> Meta:
    return Meta(description=text, extra={"secret": True})


class Settings(Struct, frozen=True, kw_only=True):
    """What an operator can choose; the fields' descriptions are the manual.

    Made here directly it is not validated: `settings_sources.load_settings` does that.
    """

    bootstrap_servers: Annotated[str, _doc("Kafka's addresses, host:port, comma-separated", min_length=1)] = (
        "localhost:9092"
    )
    app_id: Annotated[
        str,
        _doc(
            "names the consumer groups, transactions and internal topics; one per deployment",
            pattern=r"^[A-Za-z0-9._-]{1,100}$",
        ),
    ] = "shelfstream"
    agents: Annotated[
        tuple[AgentName, ...], _doc("the agents that this worker runs, comma-separated", min_length=1)
    ] = ("enrich", "sessions", "affinity")
    embedded: Annotated[
        bool, _doc("the broker is the embedded one: topics cannot be created, checked or read committed")
    ] = False

    data_dir: Annotated[Path, _doc("the folder of the local state; one per worker")] = Path("var/state")
    state_store: Annotated[
        Literal["rocksdb", "memory"],
        _doc("where local state lives: rocksdb survives restarts; memory does not"),
    ] = "rocksdb"

    partitions: Annotated[
        int,
        _doc("partitions of every topic; they must be the same for all and cannot change", ge=1, le=10_000),
    ] = 4
    replication_factor: Annotated[
        int, _doc("copies of each record, when topics are created", ge=1, le=32)
    ] = 1
    compression: Annotated[
        Literal["none", "gzip", "snappy", "lz4", "zstd"], _doc("of the records that are produced")
    ] = "lz4"

    session_timeout_s: Annotated[
        float, _doc("seconds of silence after which a worker counts as dead", gt=0)
    ] = 15.0
    heartbeat_interval_s: Annotated[
        float, _doc("seconds between heartbeats; at most a third of session_timeout_s", gt=0)
    ] = 3.0
    rebalance_timeout_s: Annotated[float, _doc("seconds that a worker has to join a rebalance", gt=0)] = 60.0
    transaction_timeout_s: Annotated[
        float, _doc("seconds after which the broker aborts a dead worker's transaction", ge=1)
    ] = 60.0
    revoke_budget_s: Annotated[
        float, _doc("seconds that a rebalance waits for batches under way before they are aborted", ge=0)
    ] = 5.0

    batch_max_records: Annotated[int, _doc("records of a batch at most", ge=1, le=1_000_000)] = 4000
    batch_max_bytes: Annotated[
        int, _doc("bytes of a batch at most; a larger record is a batch alone", ge=1)
    ] = 4 * MIB
    batch_linger_ms: Annotated[
        float, _doc("milliseconds that a batch which is not full waits for more records", ge=0, le=10_000)
    ] = 5.0
    in_flight_max_bytes: Annotated[
        int,
        _doc("bytes of records in memory at most, before fetching pauses; at least batch_max_bytes", ge=1),
    ] = 64 * MIB

    retry_backoff_min_s: Annotated[
        float, _doc("seconds before the first retry; doubles from there", gt=0)
    ] = 0.2
    retry_backoff_max_s: Annotated[float, _doc("seconds between retries at most", gt=0)] = 30.0
    dead_letter_burst: Annotated[
        int, _doc("dead letters that a worker may write at once before it slows down to the rate below", ge=1)
    ] = 10_000
    dead_letter_rate_per_s: Annotated[
        float, _doc("dead letters per second that it may write for ever", gt=0)
    ] = 100.0

    model_path: Annotated[Path | None, _doc("the folder of the model; unset: the shipped one")] = None
    taxonomy: Annotated[
        Path | None,
        _doc("the file of your own category tree; without a model_path its names decide; unset: Google's"),
    ] = None
    model_registry: Annotated[
        Path | None,
        _doc(
            "the folder of models whose deployment is followed; while it names none, and unset: model_path's"
        ),
    ] = None
    inference: Annotated[
        Literal["thread", "process"],
        _doc("where the model runs: a thread shares the worker's interpreter, a process has one of its own"),
    ] = "process"
    inference_threads: Annotated[int, _doc("threads that one inference may use", ge=1, le=1024)] = 1
    cascade: Annotated[
        bool, _doc("whether text encoders judge the listings of which the student is unsure")
    ] = True
    encoder_path: Annotated[
        Path | None, _doc("the folder of text encoders, by language; unset: the shipped ones")
    ] = None
    encoder_runtime: Annotated[
        Literal["onnx", "torch"], _doc("what runs the text encoders; torch needs the extra `torch`")
    ] = "onnx"
    device: Annotated[
        Literal["cpu", "cuda", "auto"],
        _doc("where the text encoders run; auto: on CUDA where their folder and the machine can"),
    ] = "cpu"
    # The bounds are floats, as in the contract's Probability: typing takes equal annotations for one object.
    confidence_threshold: Annotated[
        Annotated[float, Meta(ge=0.0, le=1.0)] | None,
        _doc("least calibrated confidence at which the model decides without review; unset: the model's own"),
    ] = None
    drift_half_life_h: Annotated[
        float, _doc("hours after which a listing counts half when drift is measured", gt=0)
    ] = 24.0
    drift_snapshot: Annotated[
        Path | None, _doc("the file of histograms that drift is measured against; unset: the model's own")
    ] = None
    session_gap_min: Annotated[float, _doc("minutes of inactivity that end a session", gt=0)] = 30.0
    half_life_days: Annotated[float, _doc("days in which a co-occurrence loses half its weight", gt=0)] = 60.0
    affinity_bound: Annotated[int, _doc("neighbours kept per product and relation", ge=1, le=10_000)] = 400
    affinity_top_k: Annotated[
        int, _doc("neighbours published per product and relation; at most affinity_bound", ge=1, le=10_000)
    ] = 20
    publish_change: Annotated[
        float, _doc("least relative change of a product's scores that is published", ge=0, le=1)
    ] = 0.1

    http_host: Annotated[str, _doc("where health, status and metrics are served")] = "127.0.0.1"
    http_port: Annotated[int, _doc("its port; 0: any that is free; -1: not served", ge=-1, le=65_535)] = 9464
    log_format: Annotated[
        Literal["auto", "console", "json"], _doc("of the logs; auto: console on a terminal, else json")
    ] = "auto"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _doc("least severity logged")] = "info"

    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], _doc("how Kafka is talked to")
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], _doc("how Kafka knows us, with SASL_*")
    ] = "PLAIN"
    sasl_username: Annotated[str | None, _doc("the user, with SASL_*")] = None
    sasl_password: Annotated[str | None, _secret("the user's password, with SASL_*; never shown")] = None
    ssl_cafile: Annotated[Path | None, _doc("the PEM file of the authority to trust, with SSL")] = None
    ssl_certfile: Annotated[Path | None, _doc("the PEM file of our certificate, with SSL")] = None
    ssl_keyfile: Annotated[Path | None, _doc("the PEM file of our private key, with SSL")] = None

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={shown(self, name)}' for name in NAMES)})"


NAMES: tuple[str, ...] = Settings.__struct_fields__
TYPES: dict[str, Any] = get_type_hints(Settings, include_extras=True)


def metadata(name: str) -> Meta:
    """The bounds and the description of the setting `name`."""
    meta = TYPES[name].__metadata__[0]
    assert isinstance(meta, Meta)
    return meta


def is_secret(name: str) -> bool:
    """Whether the setting `name` must never be shown."""
    return bool((metadata(name).extra or {}).get("secret"))


def variable(name: str) -> str:
    """The environment variable of the setting `name`."""
    return PREFIX + name.upper()


def documentation(name: str) -> str:
    """What the setting `name` means, in one line."""
    return metadata(name).description or ""


def shown(settings: Settings, name: str) -> str:
    """The value of the setting `name` as text that may be logged: secrets are hidden."""
    value = getattr(settings, name)
    if value is None:
        return "unset"
    if is_secret(name):
        return "(hidden)"
    return ",".join(value) if isinstance(value, tuple) else str(value)
