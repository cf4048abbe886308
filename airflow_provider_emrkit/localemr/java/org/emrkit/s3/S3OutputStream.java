package org.emrkit.s3;

import java.io.IOException;
import java.io.OutputStream;
import java.util.function.Consumer;

/**
 * Writes one object, which appears whole when the stream is closed, or not at all.
 *
 * <p>Up to the multipart size the bytes are spooled and sent in one PUT; beyond it every full part is sent in
 * the background. After a failed write, or {@link #abort}, close() throws and nothing appears.
 */
final class S3OutputStream extends OutputStream {
    private final S3Client client;
    private final S3Settings settings;
    private final Workers workers;
    private final String key;
    private final boolean onlyIfAbsent;
    private final Consumer<S3OutputStream> whenEnded;
    private final byte[] single = new byte[1];
    private Spool spool;
    private MultipartUpload upload;
    private IOException failure;
    private boolean closed;

    /**
     * @param onlyIfAbsent fail at close when the object has come into being meanwhile
     * @param whenEnded told when the stream has nothing left to send, in whatever way it ended
     */
    S3OutputStream(S3Client client, S3Settings settings, Workers workers, String key, boolean onlyIfAbsent,
            Consumer<S3OutputStream> whenEnded) {
        this.client = client;
        this.settings = settings;
        this.workers = workers;
        this.key = key;
        this.onlyIfAbsent = onlyIfAbsent;
        this.whenEnded = whenEnded;
        spool = new Spool(settings.bufferDir);
    }

    @Override
    public synchronized void write(int b) throws IOException {
        single[0] = (byte) b;
        write(single, 0, 1);
    }

    @Override
    public synchronized void write(byte[] bytes, int offset, int length) throws IOException {
        checkUsable();
        try {
            int done = 0;
            while (done < length) {
                if (spool.length() >= settings.multipartSize) {
                    sendPart();
                }
                int n = (int) Math.min(length - done, settings.multipartSize - spool.length());
                spool.write(bytes, offset + done, n);
                done += n;
            }
        } catch (IOException broken) {
            failure = broken;
            throw broken;
        }
    }

    private void sendPart() throws IOException {
        if (upload == null) {
            upload = new MultipartUpload(client, workers, settings, key);
        }
        Spool full = spool;
        spool = new Spool(settings.bufferDir);
        upload.add(full);
    }

    private void checkUsable() throws IOException {
        if (failure != null) {
            throw new IOException(key + " is not written; an earlier write failed: " + failure, failure);
        }
        if (closed) {
            throw new IOException(key + ": the stream is closed");
        }
    }

    /** Publish the object. A second call does nothing. */
    @Override
    public synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        try {
            checkUsable();
            publish();
        } catch (IOException broken) {
            discard(broken);
            throw broken;
        } finally {
            closed = true;
            end();
        }
    }

    private void publish() throws IOException {
        if (upload == null) {
            client.put(key, spool, onlyIfAbsent);
            return;
        }
        Spool last = spool;
        spool = new Spool(settings.bufferDir);
        upload.add(last);
        upload.complete(onlyIfAbsent);
    }

    /** Give the object up: close() will throw. Does nothing to a closed stream. */
    synchronized void abort(String reason) {
        if (!closed) {
            failure = new IOException(reason);
            discard(failure);
            end();
        }
    }

    private void discard(IOException cause) {
        if (upload == null) {
            return;
        }
        try {
            upload.abort();
        } catch (IOException partsLeft) {
            cause.addSuppressed(partsLeft);
        }
        upload = null;
    }

    private void end() {
        spool.release();
        whenEnded.accept(this);
    }
}
