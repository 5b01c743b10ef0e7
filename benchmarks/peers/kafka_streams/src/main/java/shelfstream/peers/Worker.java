package shelfstream.peers;

import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/** Runs one worker until SIGTERM or SIGINT. */
public final class Worker {
    private static final Duration STOP_WITHIN = Duration.ofSeconds(8);

    private Worker() {}

    /** Starts the worker that the command line describes; see {@link Options}. */
    public static void main(String[] arguments) throws InterruptedException {
        Options options = Options.parse(arguments);
        KafkaStreams streams = new KafkaStreams(Jobs.topology(options), configuration(options));
        CountDownLatch ended = new CountDownLatch(1);
        streams.setStateListener(
                (now, before) -> {
                    if (now == KafkaStreams.State.ERROR) {
                        ended.countDown();
                    }
                });
        streams.setUncaughtExceptionHandler(
                error -> {
                    error.printStackTrace();
                    return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
                });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(STOP_WITHIN)));
        streams.start();
        ended.await();
        System.exit(1);
    }

    /** Defaults, but for the guarantee, the number of threads and what depends on where it runs. */
    private static Properties configuration(Options options) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.bootstrap());
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, options.group());
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.threads());
        properties.put(StreamsConfig.STATE_DIR_CONFIG, options.state());
        properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        properties.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, options.sessionTimeoutMs());
        properties.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, options.heartbeatIntervalMs());
        return properties;
    }
}
