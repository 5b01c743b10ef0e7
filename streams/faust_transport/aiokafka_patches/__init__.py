r"""Process-wide patches of aiokafka 0.14.

Each module here replaces one name in a module of aiokafka. A patch takes effect for all consumers of the
process that are created afterwards: the consumer of the group, readers of changelogs, the product view; and
for all producers. `streams.app` calls the `patch_…` functions when it builds the application. Importing this
package patches nothing. Calling a function twice does no harm.

What is patched, and why:

`header_decoding.patch_header_decoding` replaces `aiokafka.consumer.fetcher.MemoryRecords`, the reader of the
record batches of one fetch.

- Upstream behavior: the compiled reader decodes header names as strict UTF-8. Kafka's protocol says that
  names are UTF-8, but no broker checks it. A record with another name makes the reader raise
  `UnicodeDecodeError` in the middle of a fetch. The consumer's position stays before the record, so that
  every later fetch, and every other consumer of the partition, fails at the same record for ever.
- The patch: aiokafka also ships a slower reader in Python. In a batch where the compiled reader fails, the
  patch continues from the failing record with the Python reader, which writes bytes that it cannot decode as
  escapes such as `\xff`. All other batches are read by the compiled reader, as before.
- Cost: none for batches with valid names. The remaining records of a failing batch are read by the slower
  reader.
- It can go when aiokafka reads such records itself. A test shows that it does not yet.

`record_class.patch_record_class` replaces `aiokafka.consumer.fetcher.PartitionRecords`, which turns records
of a fetch into the objects that a consumer returns.

- Upstream behavior: each record becomes a `ConsumerRecord`, a dataclass of eleven fields with deserialized
  key and value, sizes and a checksum, and passes two iterators. The garbage collector tracks the objects, and
  scans thousands of them again and again. At 100,000 records per second this took a third of a core.
- The patch: each record becomes a `FetchedRecord`, a `msgspec.Struct` of the eight fields that shelfstream
  reads. The garbage collector does not track it. Iteration uses the inner generator directly, without a
  method call per record.
- Limits: consumers of this process have no deserializers; keys and values are bytes. `checksum`,
  `serialized_key_size` and `serialized_value_size` do not exist.
- It can go when the class of a record can be chosen in aiokafka, or when its own is as cheap.

`transaction_backoff.patch_transaction_backoff` replaces `aiokafka.producer.sender.SendProduceReqHandler`,
which sends one produce request and handles its answer.

- Upstream behavior: a broker of Kafka 4 verifies each produce request of a transaction with the transaction's
  coordinator. While the coordinator cannot say yet, because it writes another step of the same transaction,
  the broker refuses. Producers that do not know this answer, as aiokafka, get NOT_ENOUGH_REPLICAS. aiokafka
  logs a warning, which is false, and repeats the request after 100 ms. That made most lines of a calm log.
- The patch: such a batch is repeated after 5 ms, then 10, and so on. From 100 ms on aiokafka handles the
  answer itself and logs it: then replicas are really missing.
- Order and exactly-once semantics are those of aiokafka: the batch keeps its sequence number, and its
  partition stays muted until it is sent again.
- It can go when aiokafka speaks the transactions of KIP-890, or when its pause can be chosen for this answer.

`group_join.patch_group_join` replaces `GroupCoordinator._send_req`, which sends each request to the group's
coordinator.

- Upstream behavior: a join with several assignors sends one request after each of them, with those before. A
  group that knows only the last assignor refuses the first request. In any other group the second request
  changes what the member offers, and so starts another rebalance.
- The patch: a join request that lacks assignors is not sent. aiokafka reads of its answer only
  that it has no error, and goes on to the next request.
- It can go when aiokafka sends the request after its loop over the assignors. A test shows that
  it does not yet.

`password.patch_password` replaces `aiokafka.conn.AIOKafkaConnection`, which authenticates one connection.

- Upstream behavior: a client keeps the password with which it was created, and uses it for every later
  connection. After the password was replaced on the broker, no connection of a running worker succeeds.
- The patch: a password may be a function, which each new connection calls.
- It can go when aiokafka takes a provider of passwords, as it does of OAuth tokens.

`gzip_level.patch_gzip_level` replaces `gzip_encode` in aiokafka's builder of record batches.

- Upstream behavior: gzip compresses at level 9, which takes several times as long as lz4.
- The patch: level 1, which takes about as long as lz4 and compresses better. gzip is the codec that every
  client reads by itself, so it is the default.
- It can go when aiokafka has a parameter for the level.

Why patches and no subclasses: `AIOKafkaConsumer` creates its fetcher, and the fetcher these two classes, by
name from the module's namespace; a producer's sender and a client do the same. There is no parameter
or method to override.

How they are kept safe: `streams.faust_transport.versions` refuses versions of aiokafka that were not tested.
Tests compare the patched readers with the original ones record by record (`test_header_decoding`,
`test_record_class`, `test_transaction_backoff`, `test_group_join`).

Not in this package, because they call aiokafka and do not change it: `group_offsets` asks another client for
committed offsets, since aiokafka takes a refusal of the whole request for an empty answer.
`streams.cancellation` tells a cancelled task from a future that aiokafka cancelled.
"""
