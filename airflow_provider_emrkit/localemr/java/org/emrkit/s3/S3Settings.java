package org.emrkit.s3;

import java.io.IOException;
import java.net.URI;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.hadoop.conf.Configuration;

/**
 * What a Hadoop {@link Configuration} says about the S3 endpoint, read and checked once per file system.
 *
 * <p>A wrong value is reported with its key, because the message is all that reaches the author of a Spark
 * job. The README.md beside the sources lists every key with its default.
 */
final class S3Settings {
    private static final String PREFIX = "fs.emrkit.s3.";
    private static final long KIB = 1024L;
    private static final long MIB = 1024L * KIB;
    /** S3 refuses smaller parts, except the last one of an upload. */
    private static final long SMALLEST_PART = 5 * MIB;
    /** S3 copies no more than this in one request. */
    private static final long LARGEST_COPY = 5 * 1024 * MIB;
    private static final long LARGEST_ARRAY = Integer.MAX_VALUE - 16;

    final URI endpoint;
    final String region;
    final String accessKey;
    final String secretKey;
    /** Empty where the keys are not temporary. */
    final String sessionToken;
    final int retries;
    final int connectTimeoutMillis;
    final int readTimeoutMillis;
    final long multipartSize;
    final int partParallelism;
    final int renameParallelism;
    final long copySize;
    final int readahead;
    final int readaheadMax;
    final long blockSize;
    final String bufferDir;

    S3Settings(Configuration conf) throws IOException {
        endpoint = endpoint(conf);
        region = conf.getTrimmed(PREFIX + "region", "us-east-1");
        accessKey = conf.getTrimmed(PREFIX + "access.key", "localemr");
        secretKey = conf.getTrimmed(PREFIX + "secret.key", "localemr");
        sessionToken = conf.getTrimmed(PREFIX + "session.token", "");
        retries = number(conf, "retries", 5, 0);
        connectTimeoutMillis = millis(conf, "connect.timeout", 10);
        readTimeoutMillis = millis(conf, "read.timeout", 120);
        multipartSize = bytes(conf, "multipart.size", 64 * MIB, SMALLEST_PART, Long.MAX_VALUE);
        partParallelism = number(conf, "part.parallelism", 4, 1);
        renameParallelism = number(conf, "rename.parallelism", 8, 1);
        copySize = bytes(conf, "copy.size", LARGEST_COPY, SMALLEST_PART, LARGEST_COPY);
        readahead = (int) bytes(conf, "readahead", MIB, 1, LARGEST_ARRAY);
        long most = Math.max(16 * MIB, readahead);
        readaheadMax = (int) bytes(conf, "readahead.max", most, readahead, LARGEST_ARRAY);
        blockSize = bytes(conf, "block.size", 64 * MIB, 1, Long.MAX_VALUE);
        bufferDir = conf.getTrimmed(PREFIX + "buffer.dir", System.getProperty("java.io.tmpdir"));
    }

    private static URI endpoint(Configuration conf) throws IOException {
        String key = PREFIX + "endpoint";
        String value = conf.getTrimmed(key, "");
        if (value.isEmpty()) {
            throw new IOException(key + " is not set; it names the S3 endpoint, e.g. http://127.0.0.1:5005");
        }
        URI uri = parsed(value);
        boolean http = uri != null && ("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()));
        if (!http || uri.getRawAuthority() == null) {
            throw new IOException(key + ": '" + value + "' is not a URL like http://127.0.0.1:5005");
        }
        return uri;
    }

    private static URI parsed(String value) {
        try {
            return URI.create(value.endsWith("/") ? value.substring(0, value.length() - 1) : value);
        } catch (IllegalArgumentException notAUri) {
            return null;
        }
    }

    private static int number(Configuration conf, String name, int byDefault, int least) throws IOException {
        String key = PREFIX + name;
        long value = readable(conf, key, () -> conf.getInt(key, byDefault));
        return (int) inRange(key, value, least, Integer.MAX_VALUE);
    }

    private static int millis(Configuration conf, String name, long defaultSeconds) throws IOException {
        String key = PREFIX + name;
        long byDefault = TimeUnit.SECONDS.toMillis(defaultSeconds);
        long value = readable(conf, key, () -> conf.getTimeDuration(key, byDefault, TimeUnit.MILLISECONDS));
        return (int) inRange(key, value, 1, Integer.MAX_VALUE);
    }

    private static long bytes(Configuration conf, String name, long byDefault, long least, long most)
            throws IOException {
        String key = PREFIX + name;
        return inRange(key, readable(conf, key, () -> conf.getLongBytes(key, byDefault)), least, most);
    }

    /** Hadoop's own complaint about a value that is no number does not name the key. */
    private static long readable(Configuration conf, String key, LongSupplier value) throws IOException {
        try {
            return value.getAsLong();
        } catch (IllegalArgumentException unreadable) {
            String what = key + ": '" + conf.get(key) + "' is not a number with a unit it may have";
            throw new IOException(what, unreadable);
        }
    }

    private static long inRange(String key, long value, long least, long most) throws IOException {
        if (value < least || value > most) {
            throw new IOException(key + ": " + value + " is out of range; use " + least + " to " + most);
        }
        return value;
    }
}
