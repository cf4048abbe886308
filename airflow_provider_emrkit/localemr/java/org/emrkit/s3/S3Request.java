package org.emrkit.s3;

import java.io.UnsupportedEncodingException;
import java.net.URLEncoder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** One S3 request in path style: method, bucket, key, query, headers and body. */
final class S3Request {
    final String method;
    final String bucket;
    final String key;
    /** In the order in which it is signed. */
    final SortedMap<String, String> query = new TreeMap<>();
    final Map<String, String> headers = new LinkedHashMap<>();
    Body body;

    /**
     * @param key the object's key, not encoded; empty for a request about the bucket
     */
    S3Request(String method, String bucket, String key) {
        this.method = method;
        this.bucket = bucket;
        this.key = key;
    }

    S3Request query(String name, String value) {
        query.put(name, value);
        return this;
    }

    S3Request header(String name, String value) {
        headers.put(name, value);
        return this;
    }

    S3Request body(Body bytes, String contentType) {
        body = bytes;
        return header("Content-Type", contentType);
    }

    /** The encoded path and query, e.g. {@code /bucket/a%20b?uploads=}. */
    String target() {
        return query.isEmpty() ? path() : path() + "?" + queryString();
    }

    /** The encoded path. */
    String path() {
        return "/" + encoded(bucket) + (key.isEmpty() ? "" : "/" + encoded(key).replace("%2F", "/"));
    }

    /** The encoded query, without its question mark. */
    String queryString() {
        StringBuilder encoded = new StringBuilder();
        query.forEach((name, value) -> {
            encoded.append(encoded.length() == 0 ? "" : "&").append(name).append('=').append(encoded(value));
        });
        return encoded.toString();
    }

    /** Percent-encoding as S3 reads it: {@link URLEncoder} writes forms, where a space is a plus. */
    static String encoded(String text) {
        try {
            String form = URLEncoder.encode(text, "UTF-8");
            return form.replace("+", "%20").replace("*", "%2A").replace("%7E", "~");
        } catch (UnsupportedEncodingException impossible) {
            throw new IllegalStateException("Java without UTF-8", impossible);
        }
    }

    @Override
    public String toString() {
        return method + " s3://" + bucket + "/" + key + (query.isEmpty() ? "" : " " + query.keySet());
    }
}
