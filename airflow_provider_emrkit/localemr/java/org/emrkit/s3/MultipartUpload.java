package org.emrkit.s3;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;

/** One large object on its way: parts go out in the background; nothing is visible before the last step. */
final class MultipartUpload {
    /** S3's limit. */
    private static final int MOST_PARTS = 10_000;

    private final S3Client client;
    private final Workers workers;
    private final String key;
    private final String id;
    /** Bounds how many parts lie in temporary files at once. */
    private final Semaphore slots;
    private final UploadRecord record;
    private final List<Future<String>> parts = new ArrayList<>();
    private volatile Exception failure;
    private long length;

    MultipartUpload(S3Client client, Workers workers, S3Settings settings, String key) throws IOException {
        this.client = client;
        this.workers = workers;
        this.key = key;
        slots = new Semaphore(settings.partParallelism);
        id = client.startUpload(key);
        record = UploadRecord.write(settings.bufferDir, client, id, key);
    }

    /** Send a part, which this upload now owns. Waits while too many are on their way; fails if one has. */
    void add(Spool part) throws IOException {
        try {
            admit();
        } catch (IOException refused) {
            part.release();
            throw refused;
        }
        int number = parts.size() + 1;
        length += part.length();
        parts.add(workers.submit(() -> send(number, part)));
    }

    private void admit() throws IOException {
        if (parts.size() == MOST_PARTS) {
            throw new IOException(key + " needs more than " + MOST_PARTS
                + " parts; raise fs.emrkit.s3.multipart.size");
        }
        try {
            slots.acquire();
        } catch (InterruptedException stop) {
            throw interrupted();
        }
        if (failure != null) {
            slots.release();
            throw new IOException("a part of " + key + " could not be sent: " + failure, failure);
        }
    }

    private String send(int number, Spool part) throws IOException {
        try {
            return client.putPart(key, id, number, part);
        } catch (IOException | RuntimeException broken) {
            failure = broken;
            throw broken;
        } finally {
            part.release();
            slots.release();
        }
    }

    /** Wait for all parts and make the object appear. */
    void complete(boolean onlyIfAbsent) throws IOException {
        List<String> etags = new ArrayList<>();
        for (Future<String> part : parts) {
            etags.add(etag(part));
        }
        client.completeUpload(key, id, etags, length, onlyIfAbsent);
        record.remove();
    }

    private String etag(Future<String> part) throws IOException {
        try {
            return part.get();
        } catch (InterruptedException stop) {
            throw interrupted();
        } catch (ExecutionException broken) {
            throw Workers.asIOException(broken.getCause());
        }
    }

    private InterruptedIOException interrupted() {
        Thread.currentThread().interrupt();
        return new InterruptedIOException("interrupted while parts of " + key + " were being sent");
    }

    /** Give up: S3 forgets the parts. A part still on its way would be kept, so those are waited for. */
    void abort() throws IOException {
        Workers.settle(parts);
        client.abortUpload(key, id);
        record.remove();
    }
}
