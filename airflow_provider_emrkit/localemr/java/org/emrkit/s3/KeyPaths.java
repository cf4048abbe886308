package org.emrkit.s3;

import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.fs.Path;

/** Translates between Hadoop's paths and the keys of one bucket. */
final class KeyPaths {
    final URI root;
    final String bucket;

    KeyPaths(URI uri) throws IOException {
        bucket = uri.getAuthority();
        if (bucket == null) {
            String form = uri.getScheme() + "://BUCKET/KEY";
            throw new IOException("'" + uri + "' names no bucket; write " + form);
        }
        root = URI.create(uri.getScheme() + "://" + uri.getRawAuthority());
    }

    /** The key of an absolute path; empty for the root. */
    static String key(Path absolute) {
        String path = absolute.toUri().getPath();
        return path.isEmpty() ? "" : path.substring(1);
    }

    /** What the keys below a directory begin with. */
    static String prefix(String key) {
        return key.isEmpty() ? "" : key + "/";
    }

    /**
     * The path of a key or a common prefix, or null when there is none: a Path cannot hold an empty name, "."
     * or "..", and a path that leads to another key would let a reader delete the wrong object.
     */
    Path path(String keyOrPrefix) {
        int end = keyOrPrefix.length() - (keyOrPrefix.endsWith("/") ? 1 : 0);
        String key = keyOrPrefix.substring(0, end);
        if (key.isEmpty()) {
            return null;
        }
        Path path = new Path(root.getScheme(), root.getRawAuthority(), "/" + key);
        return key(path).equals(key) ? path : null;
    }
}
