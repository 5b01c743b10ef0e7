package shelfstream.peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;

/** The jobs that all contestants do, as topologies. */
final class Jobs {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Serde<byte[]> RAW = Serdes.ByteArray();

    private Jobs() {}

    /**
     * The topology of a job.
     *
     * @throws IllegalArgumentException if there is no such job
     */
    static Topology topology(Options options) {
        return switch (options.job()) {
            case "passthrough" -> passthrough(options.source(), options.sink());
            case "counter" -> counter(options.source());
            default -> throw new IllegalArgumentException("no job " + options.job());
        };
    }

    private static Topology passthrough(String source, String sink) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(source, Consumed.with(RAW, RAW)).mapValues(Jobs::seen).to(sink, Produced.with(RAW, RAW));
        return builder.build();
    }

    private static byte[] seen(byte[] value) {
        try {
            ObjectNode object = (ObjectNode) JSON.readTree(value);
            return JSON.writeValueAsBytes(object.put("seen", true));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** The store is called counts; its changelog has the key as it came and the count as eight bytes, big-endian. */
    private static Topology counter(String source) {
        StreamsBuilder builder = new StreamsBuilder();
        // Stores want keys that compare by content, as Bytes do and arrays do not.
        builder.stream(source, Consumed.with(Serdes.Bytes(), RAW))
                .groupByKey(Grouped.with(Serdes.Bytes(), RAW))
                .count(
                        Materialized.<Bytes, Long, KeyValueStore<Bytes, byte[]>>as("counts")
                                .withKeySerde(Serdes.Bytes())
                                .withValueSerde(Serdes.Long()));
        return builder.build();
    }
}
