package org.emrkit.s3;

/** What S3 tells about one object. */
final class ObjectInfo {
    final String key;
    final long length;
    /** Milliseconds since 1970. */
    final long modified;
    /** As sent, with its quotes. */
    final String etag;

    ObjectInfo(String key, long length, long modified, String etag) {
        this.key = key;
        this.length = length;
        this.modified = modified;
        this.etag = etag;
    }
}
