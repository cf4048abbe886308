package org.emrkit.s3;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URL;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Sends S3 requests with the JDK alone, and again when they fail for a reason that passes.
 *
 * <p>Every request this file system makes may be repeated: reads and deletes by nature, a PUT because it
 * replaces the whole object, a second CompleteMultipartUpload because {@link S3Client} recognises the first
 * one's result.
 */
final class S3Http {
    private static final long FIRST_PAUSE_MILLIS = 100;
    private static final long LONGEST_PAUSE_MILLIS = 5_000;
    private static final int COPY_BUFFER = 64 * 1024;

    private final S3Settings settings;
    private final Signature signature;

    S3Http(S3Settings settings) {
        this.settings = settings;
        signature = new Signature(settings);
    }

    /** Send a request and return its answer, which may be an error of the 400s. */
    S3Response send(S3Request request) throws IOException {
        for (int attempt = 0; ; attempt++) {
            IOException failure;
            try {
                S3Response response = exchange(request, attempt > 0);
                if (!response.isTransient()) {
                    return response;
                }
                failure = response.error(request, settings.endpoint.toString());
            } catch (IOException broken) {
                failure = broken;
            }
            if (attempt >= settings.retries) {
                throw new IOException(request + " failed " + (attempt + 1) + " times on " + settings.endpoint
                    + " (fs.emrkit.s3.endpoint): " + failure, failure);
            }
            pause(attempt);
        }
    }

    /** Send a request and return its answer, or throw the error it is. */
    S3Response checked(S3Request request) throws IOException {
        S3Response response = send(request);
        if (!response.isSuccess()) {
            throw error(request, response);
        }
        return response;
    }

    IOException error(S3Request request, S3Response response) {
        return response.error(request, settings.endpoint.toString());
    }

    private S3Response exchange(S3Request request, boolean retried) throws IOException {
        HttpURLConnection connection = connect(request);
        if (request.body != null) {
            connection.setDoOutput(true);
            connection.setFixedLengthStreamingMode(request.body.length());
            try (OutputStream out = connection.getOutputStream()) {
                request.body.writeTo(out);
            }
        }
        int status = connection.getResponseCode();
        if (status < 0) {
            throw new IOException("the answer is not HTTP");
        }
        byte[] body = request.method.equals("HEAD") ? new byte[0] : body(connection, status);
        return new S3Response(status, body, connection.getContentLengthLong(), connection.getLastModified(),
            connection.getHeaderField("ETag"), retried);
    }

    private HttpURLConnection connect(S3Request request) throws IOException {
        URL url = new URL(settings.endpoint + request.target());
        // A proxy configured for the job's own traffic cannot reach an endpoint on this machine.
        HttpURLConnection connection = (HttpURLConnection) url.openConnection(Proxy.NO_PROXY);
        connection.setRequestMethod(request.method);
        connection.setConnectTimeout(settings.connectTimeoutMillis);
        connection.setReadTimeout(settings.readTimeoutMillis);
        connection.setInstanceFollowRedirects(false);
        connection.setUseCaches(false);
        signature.headers(request).forEach(connection::setRequestProperty);
        return connection;
    }

    private static byte[] body(HttpURLConnection connection, int status) throws IOException {
        long expected = connection.getContentLengthLong();
        try (InputStream in = status >= 400 ? connection.getErrorStream() : connection.getInputStream()) {
            if (in == null) {
                return new byte[0];
            }
            return expected < 0 ? toTheEnd(in) : exactly(in, expected);
        }
    }

    private static byte[] toTheEnd(InputStream in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] buffer = new byte[COPY_BUFFER];
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            out.write(buffer, 0, n);
        }
        return out.toByteArray();
    }

    /** HttpURLConnection takes an early end of the connection for the end of the body, so count the bytes. */
    private static byte[] exactly(InputStream in, long expected) throws IOException {
        byte[] bytes = new byte[Math.toIntExact(expected)];
        int filled = 0;
        while (filled < bytes.length) {
            int n = in.read(bytes, filled, bytes.length - filled);
            if (n < 0) {
                throw new EOFException("connection lost after " + filled + " of " + expected + " bytes");
            }
            filled += n;
        }
        return bytes;
    }

    private static void pause(int attempt) throws InterruptedIOException {
        long pause = Math.min(LONGEST_PAUSE_MILLIS, FIRST_PAUSE_MILLIS << Math.min(attempt, 16));
        try {
            Thread.sleep(pause / 2 + ThreadLocalRandom.current().nextLong(pause / 2 + 1));
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while waiting to repeat a request");
        }
    }
}
