"""The prose of the AsyncAPI document: what a neighbour has to know beyond fields and types."""

INTRODUCTION = """\
shelfstream turns listings into categories, tags and attributes, and shoppers' behaviour into affinities
between products. Everything goes through Kafka topics, the channels below. You write three of them
(product-created, user-behavior, category-feedback) and read the others. Topics that are not in this
document are internal and may change at any time.

To write a consumer:

1. Set `isolation.level=read_committed`. shelfstream writes its outputs in transactions; without this setting
you also see the outputs of aborted ones.
2. Drop duplicates by `ce_id`. Inside shelfstream an event counts exactly once, but an operator may replay a
range of events, and then an output comes again with the `ce_id` that it had. Where each record is the whole
current state of its key (all compacted topics), to overwrite by key is enough.
3. Take a null value (a tombstone) as the removal of its key.
4. Ignore fields that you do not know, and names in enumerations (an action, a relation, a tag's source) that
you do not know: both are added without a new version. shelfstream writes every field that it knows, with
null or an empty list where there is nothing; older records in a topic may lack newer fields. An incompatible
change gets a new `schema_version`, a new `ce_type` and an announcement.
5. To build a view of all products, read a compacted topic from the earliest offset, then go on reading.

To write a producer:

1. Key every record as its channel says, in UTF-8, with Kafka's default murmur2 partitioner. It is the Java
client's default; in librdkafka and what builds on it (Python, Go, .NET, Node) set
`partitioner=murmur2_random`. Other partitioners put a product's or a shopper's records where their state is
not. A key that contradicts the value sends the record to dead-letter.
2. Values are JSON in UTF-8, without a byte order mark, NaN or Infinity.
3. Times are RFC 3339, best in UTC (`2024-05-01T12:30:00Z`). Other forms of ISO 8601 are understood; a time
without a zone is taken as UTC.
4. Set `acks=all` and `enable.idempotence=true`, and give each event an `event_id`, by which a record that was
sent twice can be recognised.
5. What cannot be processed goes to dead-letter, unchanged and with the reason in its headers; nothing is
lost, and a correction can be sent from there again.

All confidences and probabilities lie in [0, 1]. Confidences are calibrated on held-out listings: of what is
said with 0.9, about nine in ten should be right. Category ids and paths are those of the Google Product
Taxonomy, whose version is in each event."""

CHANNELS: dict[str, tuple[str, str]] = {
    "product-created": (
        "Listings",
        """\
You write one record when a listing is created, changed or withdrawn, keyed by its product_id. An id and a
title are enough; description, brand and attributes make the answer better. A `change` of `withdrawn` and a
null value both withdraw the product, and remove it from product-enriched and affinity-updated.""",
    ),
    "user-behavior": (
        "What shoppers do",
        """\
You write one record when a shopper views, clicks, puts into the cart, favours, buys or returns a
product, keyed by user_id, or by session_id for a guest without one. One of the two must be there. A
return is the action `return` with a positive quantity. Times before the year 2000, and those more than
24 hours after the record's arrival, are refused.""",
    ),
    "product-enriched": (
        "What shelfstream knows of each product",
        """\
You read the current category, tags, attributes and embedding of each product; the latest record of a key
is all there is to know. `decision.outcome` says whom to believe: `model`, the model was sure enough;
`person`, a person accepted or corrected it; `abstained`, nobody has decided yet. When abstained,
`category` may be null or hold the model's best guess: show it to nobody but a reviewer. `category` is
the deepest level that is sure enough, so its path may end above a leaf; `category.alternatives` are the
candidates at full depth. Compare embeddings by cosine, and only those with the same model_version. A
tombstone says that the product was withdrawn.""",
    ),
    "enrichment-review": (
        "What a person must decide",
        """\
You read the products about which the model abstained, with its candidates, best first, and put them before
people. Their answers go to category-feedback.""",
    ),
    "category-feedback": (
        "What people decided",
        """\
You write a person's word, keyed by product_id: `accept` confirms the published category, `correct`
replaces it by category_id. It holds at once and against later runs of any model, and comes back in
product-enriched with the outcome `person`.""",
    ),
    "affinity-updated": (
        "Related products",
        """\
You read the related products of each product, best first: the latest record of a key replaces all
earlier ones. `bought`, `carted` and `viewed` come from shoppers' sessions: score is the number of
sessions that held both, each counting half after half_life_days, and is decayed to as_of; support is
their undecayed number. `similar` comes from the texts, for products that have little behaviour yet:
score is a cosine, and support is 0. Scores of different relations do not compare. A record appears when
the list changed enough to matter, not after each event. A tombstone says that the product was withdrawn.""",
    ),
    "shopper-updated": (
        "What each shopper likes and will do next",
        """\
You read the current session of each shopper, the probability of each next action (and of `leave`), and
the preferred tags and categories. The key is the user_id, or for a guest the session_id. The latest
record of a key replaces all earlier ones.""",
    ),
    "dead-letter": (
        "What could not be processed",
        """\
You read the records that shelfstream gave up on, with their original key, value and headers, and the
reason in added headers. `shelfstream dead-letters` lists, shows and redrives them.""",
    ),
}
"""Title and description of each channel, by topic."""

TOMBSTONES: dict[str, str] = {
    "product-created": "The product named by the key is withdrawn.",
    "product-enriched": "The product named by the key was withdrawn: forget it.",
    "affinity-updated": "The product named by the key was withdrawn: it has no related products any more.",
    "shopper-updated": "The shopper named by the key is to be forgotten: drop what you keep of them.",
}
"""What a null value means, by topic; elsewhere it has no meaning and is refused."""
