package org.emrkit.s3;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.Map;

/** A whole answer of S3. The body has been read to its end, so nothing can break after this object exists. */
final class S3Response {
    final int status;
    final byte[] body;
    final long length;
    final long modified;
    final String etag;
    /** True when an earlier try of the same request may have reached the server. */
    final boolean retried;

    /**
     * @param length value of Content-Length, -1 when absent; on HEAD it differs from the body's
     * @param modified milliseconds since 1970
     */
    S3Response(int status, byte[] body, long length, long modified, String etag, boolean retried) {
        this.status = status;
        this.body = body;
        this.length = length;
        this.modified = modified;
        this.etag = etag;
        this.retried = retried;
    }

    boolean isSuccess() {
        return status >= 200 && status < 300;
    }

    /** Whether the same request may succeed a little later. */
    boolean isTransient() {
        return status == 429 || (status >= 500 && status != 501) || (status == 400 && isGarbled());
    }

    /** Whether the request did not arrive as it was sent: too slowly, or with another MD5. */
    private boolean isGarbled() {
        String code = Xml.leaves(body).getOrDefault("Code", "");
        return code.equals("RequestTimeout") || code.equals("BadDigest");
    }

    /**
     * The error this answer stands for. A missing bucket or key becomes the {@link FileNotFoundException}
     * that Hadoop's callers expect.
     */
    IOException error(S3Request request, String endpoint) {
        Map<String, String> fields = Xml.leaves(body);
        String code = fields.getOrDefault("Code", "");
        if (code.equals("NoSuchBucket")) {
            return new FileNotFoundException("Bucket '" + request.bucket + "' does not exist on " + endpoint
                + "; create it first, e.g. aws s3 mb s3://" + request.bucket + " --endpoint-url " + endpoint);
        }
        String what = request + ": " + status + " " + code + " " + fields.getOrDefault("Message", "");
        return status == 404 ? new FileNotFoundException(what.trim()) : new IOException(what.trim());
    }
}
