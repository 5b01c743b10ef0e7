"""The prose of the AsyncAPI document: what clients must know beyond fields and types."""

from schemas import audit, dead_letters

INTRODUCTION = """\
shelfstream classifies product listings (category, tags and attributes) and computes related products and
shopper preferences from behavior events. All data passes through the Kafka topics below. Your applications
write three of them (product-created, user-behavior, category-feedback) and read the others. Topics that are
not in this document are internal and may change at any time.

To write a consumer:

1. Set `isolation.level=read_committed`. shelfstream writes its outputs in transactions; without this setting
you also read the outputs of aborted transactions.
2. Drop duplicates by `ce_id`. shelfstream counts each event exactly once. However, an operator may replay a
range of events, and a replayed event produces the same output with the same `ce_id`. On compacted topics each
record is the whole current state of its key, so overwriting by key is enough.
3. Treat a null value (a tombstone) as the removal of its key.
4. Ignore unknown fields, and unknown values of enumerations (an action, a relation, a tag's source). Both are
added without a new version. shelfstream writes every field that it knows, with null or an empty list where
there is no value; older records may lack newer fields. An incompatible change gets a new `schema_version`, a
new `ce_type` and an announcement.
5. Record batches are compressed by gzip, which every client reads by itself. A deployment may choose another
codec (`SHELFSTREAM_COMPRESSION`); for snappy, lz4 and zstd some clients, such as kafkajs, need a package.
6. To build a view of all products, read a compacted topic from the earliest offset and keep reading.

To write a producer:

1. Key every record as its channel says, in UTF-8, and use Kafka's default murmur2 partitioner. It is the
default of the Java client. In librdkafka and the clients built on it (Python, Go, .NET, Node) set
`partitioner=murmur2_random`. Other partitioners send records to a partition that does not hold the state of
their product or shopper. A record whose key contradicts its value goes to dead-letter.
2. Write values as JSON in UTF-8, without a byte order mark, NaN or Infinity.
3. Write times as RFC 3339, preferably in UTC (`2024-05-01T12:30:00Z`). Other forms of ISO 8601,
`2024-05-01 12:30:00 UTC`, and seconds, milliseconds or microseconds since 1970 are read too. A time without a
zone is in UTC. An absent `occurred_at` or `event_id` is taken from the headers `ce_time` and `ce_id`.
4. Set `acks=all` and `enable.idempotence=true`, and give each event an `event_id`, by which a record that was
sent twice is recognized.
5. An optional field that is wrong is left out, and product-enriched names it in `ignored_fields`. A wrong
essential field (product_id, title, change; occurred_at, product_id, action and the shopper; verdict and
category_id; schema_version) rejects the record.
6. Compress as you like: gzip, snappy, lz4 and zstd are read.
7. A record that cannot be processed goes to dead-letter, unchanged, with the reason in its headers. No record
is lost, and a dead letter can be sent back to its topic once the cause is removed.

All confidences and probabilities lie in [0, 1]. Confidences are calibrated on held-out listings: of the
predictions with confidence 0.9, about nine in ten should be right. Category ids and paths are those of the
Google Product Taxonomy; each event names the taxonomy's version."""

CHANNELS: dict[str, tuple[str, str]] = {
    "product-created": (
        "Listings",
        """\
Write one record when a listing is created, changed or withdrawn, keyed by product_id. Only product_id and
title are required; description, brand and attributes improve the result. A `change` of `withdrawn` or a null
value withdraws the product, and removes it from product-enriched and affinity-updated.""",
    ),
    "user-behavior": (
        "Shopper actions",
        """\
Write one record when a shopper views, clicks, adds to the cart, marks as a favorite, buys or returns a
product, takes it out of the cart, is shown it (`impression`), searches, or logs in (`identify`). The key is
user_id; for a guest anonymous_id, else session_id. One of the three is required. A record with user_id and
anonymous_id, or an `identify`, says which user the guest is: both are one shopper from then on. A return is
the action `return` with a positive quantity. Times before the year 2000, and times more than 24
hours after the record's arrival, are rejected. A null value with the header `shelfstream.erasure` (a time)
asks to forget the shopper: write it to every partition, as `shelfstream erase` does.""",
    ),
    "product-enriched": (
        "Enriched products",
        """\
Read the current category, tags, attributes and embedding of each product. The latest record of a key replaces
all earlier ones. `decision.outcome` names who decided the category: `model`, the model with sufficient
confidence; `person`, a person who accepted or corrected it; `abstained`, nobody yet. If the outcome is
`abstained`, `category` is null or the model's best guess: show that guess to reviewers only. `category` is
the deepest level with sufficient confidence, so its path may end above a leaf; `category.alternatives` are
the candidates at full depth. Compare embeddings by cosine, and only embeddings with the same model_version. A
tombstone means that the product was withdrawn.""",
    ),
    "enrichment-review": (
        "Review queue",
        """\
Read the products for which the model abstained, with its candidate categories, best first, and show them to
reviewers. Write their answers to category-feedback.""",
    ),
    "category-feedback": (
        "Category feedback",
        """\
Write a person's verdict on a category, keyed by product_id: `accept` confirms the published category,
`correct` replaces it by category_id. The verdict takes effect at once, overrides later predictions of any
model, and appears in product-enriched with the outcome `person`.""",
    ),
    "affinity-updated": (
        "Related products",
        """\
Read the related products of each product, best first. The latest record of a key replaces all earlier ones.
`bought`, `carted` and `viewed` are computed from shoppers' sessions: score is the number of sessions that
contain both products, where each session's weight halves every half_life_days and is decayed to as_of;
support is the number of sessions without decay. `similar` compares the products' texts, for products with
little behavior: score is a cosine and support is 0. Do not compare scores of different relations. A record is
published when the list changed by more than a threshold, not after each event. A tombstone means that the
product was withdrawn.""",
    ),
    "shopper-updated": (
        "Shopper preferences and next action",
        """\
Read each shopper's current session, the probability of each next action (and of `leave`), and the preferred
tags and categories. The key is user_id; for a guest anonymous_id, else session_id. The latest record of a key
replaces all earlier ones. A tombstone means that the guest is a user now, or was forgotten.""",
    ),
    audit.TOPIC: (
        "Audit",
        """\
Read who replayed, redrove, fixed, discarded, erased, acknowledged or swapped models, when, with which options
and counts. The key is the action. `shelfstream audit` lists the entries.""",
    ),
    dead_letters.TOPIC: (
        "Dead letters",
        """\
Read the records that shelfstream could not process, with their original key, value and headers, and the
reason in added headers. `shelfstream dead-letters` lists, shows and redrives them.""",
    ),
}
"""Title and description of each channel, by topic."""

TOMBSTONES: dict[str, str] = {
    "product-created": "The product named by the key is withdrawn.",
    "user-behavior": "The shopper named by the key must be forgotten. Needs the header shelfstream.erasure.",
    "product-enriched": "The product named by the key was withdrawn: delete its data.",
    "affinity-updated": "The product named by the key was withdrawn: it has no related products any more.",
    "shopper-updated": "The shopper named by the key must be forgotten: delete the shopper's data.",
}
"""What a null value means, by topic. Topics that are not listed reject null values."""
