package shelfstream.peers;

import java.util.HashMap;
import java.util.Map;

/** What the command line asks for: pairs of {@code --name value}, the names as in the peers in Python. */
record Options(
        String bootstrap,
        String job,
        String source,
        String sink,
        String group,
        String state,
        int threads,
        int sessionTimeoutMs,
        int heartbeatIntervalMs) {

    /**
     * Reads a command line.
     *
     * @throws IllegalArgumentException if an option lacks a value, or a required one is missing
     */
    static Options parse(String[] arguments) {
        if (arguments.length % 2 != 0) {
            throw new IllegalArgumentException("each option needs a value");
        }
        Map<String, String> values = new HashMap<>();
        for (int i = 0; i < arguments.length; i += 2) {
            values.put(arguments[i], arguments[i + 1]);
        }
        return new Options(
                required(values, "--bootstrap"),
                required(values, "--job"),
                required(values, "--source"),
                required(values, "--sink"),
                required(values, "--group"),
                required(values, "--state"),
                Integer.parseInt(required(values, "--threads")),
                Integer.parseInt(required(values, "--session-timeout-ms")),
                Integer.parseInt(required(values, "--heartbeat-interval-ms")));
    }

    private static String required(Map<String, String> values, String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return value;
    }
}
