package org.emrkit.s3;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.FileAlreadyExistsException;

/** The S3 operations this file system needs, on one bucket. Safe for use by many threads. */
final class S3Client {
    /** As many keys as one DeleteObjects request may name. */
    static final int DELETE_BATCH = 1000;

    private static final String BINARY = "application/octet-stream";

    private final S3Http http;
    final String bucket;

    S3Client(S3Http http, String bucket) {
        this.http = http;
        this.bucket = bucket;
    }

    /** Takes the pages of a listing. */
    interface PageVisitor {
        void page(ObjectListing page) throws IOException;
    }

    /** HeadObject. Null when there is no such object, or no such bucket: HEAD has no body to tell them by. */
    ObjectInfo head(String key) throws IOException {
        S3Request request = request("HEAD", key);
        S3Response response = http.send(request);
        if (response.status == 404) {
            return null;
        }
        if (!response.isSuccess()) {
            throw http.error(request, response);
        }
        return new ObjectInfo(key, response.length, response.modified, response.etag);
    }

    /** GetObject with a range; fails when the object is no longer the one of that ETag. */
    byte[] get(ObjectInfo object, long start, int length) throws IOException {
        S3Request request = request("GET", object.key).header("If-Match", object.etag)
            .header("Range", "bytes=" + start + "-" + (start + length - 1));
        S3Response response = http.send(request);
        if (response.status == 412) {
            throw new IOException(uri(object.key) + " was replaced while it was being read");
        }
        if (!response.isSuccess()) {
            throw http.error(request, response);
        }
        if (response.status != 206 || response.body.length != length) {
            throw new IOException(request + ": asked for " + length + " bytes at " + start + ", got "
                + response.body.length + " with status " + response.status);
        }
        return response.body;
    }

    /** One page of ListObjectsV2; {@code delimiter} and {@code token} may be null. */
    ObjectListing list(String prefix, String delimiter, int maxKeys, String token) throws IOException {
        S3Request request = request("GET", "").query("list-type", "2").query("encoding-type", "url")
            .query("prefix", prefix).query("max-keys", Integer.toString(maxKeys));
        if (delimiter != null) {
            request.query("delimiter", delimiter);
        }
        if (token != null) {
            request.query("continuation-token", token);
        }
        return ObjectListing.parse(http.checked(request).body);
    }

    void forEachPage(String prefix, String delimiter, PageVisitor visitor) throws IOException {
        String token = null;
        do {
            ObjectListing page = list(prefix, delimiter, DELETE_BATCH, token);
            visitor.page(page);
            token = page.nextToken;
        } while (token != null);
    }

    /** All objects below a prefix, in order. */
    List<ObjectInfo> objects(String prefix) throws IOException {
        List<ObjectInfo> objects = new ArrayList<>();
        forEachPage(prefix, null, page -> objects.addAll(page.objects));
        return objects;
    }

    /** All keys below a prefix, in order. */
    List<String> keys(String prefix) throws IOException {
        List<String> keys = new ArrayList<>();
        forEachPage(prefix, null, page -> keys.addAll(page.keys()));
        return keys;
    }

    /** The first few keys below a prefix: enough to see whether it is a directory, and an empty one. */
    List<String> firstKeys(String prefix, int most) throws IOException {
        return list(prefix, null, most, null).keys();
    }

    /**
     * PutObject.
     *
     * @param onlyIfAbsent let the server refuse to replace an object, whoever wrote it in the meantime
     */
    void put(String key, Body body, boolean onlyIfAbsent) throws IOException {
        byte[] md5 = md5(body);
        S3Request request = request("PUT", key).body(body, BINARY).header("Content-MD5", base64(md5));
        if (onlyIfAbsent) {
            request.header("If-None-Match", "*");
        }
        S3Response response = http.send(request);
        if (response.status == 412 && !(response.retried && isStored(key, md5))) {
            throw new FileAlreadyExistsException(uri(key) + " was created by somebody else");
        }
        if (!response.isSuccess() && response.status != 412) {
            throw http.error(request, response);
        }
    }

    /** Whether an earlier try, whose answer was lost, has stored the body after all. */
    private boolean isStored(String key, byte[] md5) throws IOException {
        ObjectInfo stored = head(key);
        return stored != null && stored.etag != null
            && stored.etag.replace("\"", "").equals(Signature.hex(md5));
    }

    /** An empty object with a slash at its end: how every S3 tool shows a directory without files. */
    void putDirectory(String prefix) throws IOException {
        http.checked(request("PUT", prefix).body(Body.of(new byte[0]), "application/x-directory"));
    }

    /** CopyObject within the bucket: the bytes never leave the server. */
    void copy(String from, String to) throws IOException {
        S3Request request = request("PUT", to).body(Body.of(new byte[0]), BINARY)
            .header("x-amz-copy-source", source(from));
        errorInside(request, http.checked(request));
    }

    /** UploadPartCopy of the bytes from start to before end; returns the part's ETag. */
    String copyPart(ObjectInfo from, String to, String uploadId, int number, long start, long end)
            throws IOException {
        S3Request request = request("PUT", to).query("partNumber", Integer.toString(number))
            .query("uploadId", uploadId).body(Body.of(new byte[0]), BINARY)
            .header("x-amz-copy-source", source(from.key))
            .header("x-amz-copy-source-if-match", from.etag)
            .header("x-amz-copy-source-range", "bytes=" + start + "-" + (end - 1));
        S3Response response = http.checked(request);
        errorInside(request, response);
        String etag = Xml.leaves(response.body).get("ETag");
        if (etag == null) {
            throw new IOException(request + ": the answer holds no ETag");
        }
        return etag;
    }

    private String source(String key) {
        return "/" + bucket + "/" + S3Request.encoded(key).replace("%2F", "/");
    }

    void delete(String key) throws IOException {
        http.checked(request("DELETE", key));
    }

    /** DeleteObjects, in as many requests as are needed, some of them at once. */
    void deleteAll(List<String> keys, Workers workers) throws IOException {
        List<List<String>> batches = new ArrayList<>();
        for (int start = 0; start < keys.size(); start += DELETE_BATCH) {
            batches.add(keys.subList(start, Math.min(keys.size(), start + DELETE_BATCH)));
        }
        workers.forEach(batches, this::deleteBatch);
    }

    private void deleteBatch(List<String> keys) throws IOException {
        StringBuilder xml = new StringBuilder("<Delete><Quiet>true</Quiet>");
        for (String key : keys) {
            xml.append("<Object><Key>").append(Xml.escaped(key)).append("</Key></Object>");
        }
        Body body = Body.of(xml.append("</Delete>").toString().getBytes(StandardCharsets.UTF_8));
        S3Request request = request("POST", "").query("delete", "").body(body, "application/xml")
            .header("Content-MD5", base64(md5(body)));
        errorInside(request, http.checked(request));
    }

    /** CreateMultipartUpload; returns the upload's id. */
    String startUpload(String key) throws IOException {
        S3Request request = request("POST", key).query("uploads", "").body(Body.of(new byte[0]), BINARY);
        String id = Xml.leaves(http.checked(request).body).get("UploadId");
        if (id == null) {
            throw new IOException(request + ": the answer holds no UploadId");
        }
        return id;
    }

    /** UploadPart; returns the part's ETag. Numbers start at 1. */
    String putPart(String key, String uploadId, int number, Body body) throws IOException {
        S3Request request = request("PUT", key).query("partNumber", Integer.toString(number))
            .query("uploadId", uploadId).body(body, BINARY).header("Content-MD5", base64(md5(body)));
        String etag = http.checked(request).etag;
        if (etag == null) {
            throw new IOException(request + ": the answer holds no ETag");
        }
        return etag;
    }

    /** CompleteMultipartUpload: the moment the object appears. */
    void completeUpload(String key, String uploadId, List<String> etags, long length, boolean onlyIfAbsent)
            throws IOException {
        S3Request request = request("POST", key).query("uploadId", uploadId)
            .body(Body.of(parts(etags).getBytes(StandardCharsets.UTF_8)), "application/xml");
        if (onlyIfAbsent) {
            request.header("If-None-Match", "*");
        }
        S3Response response = http.send(request);
        if (response.retried && !response.isSuccess() && isAssembled(key, etags.size(), length)) {
            return;
        }
        if (response.status == 412) {
            throw new FileAlreadyExistsException(uri(key) + " was created by somebody else");
        }
        if (!response.isSuccess()) {
            throw http.error(request, response);
        }
        errorInside(request, response);
    }

    private static String parts(List<String> etags) {
        StringBuilder xml = new StringBuilder("<CompleteMultipartUpload>");
        for (int i = 0; i < etags.size(); i++) {
            xml.append("<Part><PartNumber>").append(i + 1).append("</PartNumber><ETag>")
                .append(Xml.escaped(etags.get(i))).append("</ETag></Part>");
        }
        return xml.append("</CompleteMultipartUpload>").toString();
    }

    /** Whether an earlier try, whose answer was lost, has assembled the parts and ended the upload. */
    private boolean isAssembled(String key, int parts, long length) throws IOException {
        ObjectInfo object = head(key);
        return object != null && object.length == length && object.etag != null
            && object.etag.replace("\"", "").endsWith("-" + parts);
    }

    void abortUpload(String key, String uploadId) throws IOException {
        http.checked(request("DELETE", key).query("uploadId", uploadId));
    }

    private String uri(String key) {
        return "s3://" + bucket + "/" + key;
    }

    private S3Request request(String method, String key) {
        return new S3Request(method, bucket, key);
    }

    /** Copy, delete and complete may answer 200 first and find out later: the error is in the body then. */
    private void errorInside(S3Request request, S3Response response) throws IOException {
        Map<String, String> fields = Xml.leaves(response.body);
        if (fields.containsKey("Error")) {
            throw new IOException(request + ": " + fields.getOrDefault("Code", "error") + " "
                + fields.getOrDefault("Message", "") + " " + fields.getOrDefault("Key", ""));
        }
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    private static byte[] md5(Body body) throws IOException {
        try {
            MessageDigest digest = MessageDigest.getInstance("MD5");
            body.writeTo(new DigestOutputStream(new Discard(), digest));
            return digest.digest();
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("Java without MD5", impossible);
        }
    }

    private static final class Discard extends OutputStream {
        @Override
        public void write(int b) {}

        @Override
        public void write(byte[] bytes, int offset, int length) {}
    }
}
