package org.emrkit.s3;

import java.io.EOFException;
import java.io.IOException;
import org.apache.hadoop.fs.FSExceptionMessages;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.FileSystem;

/**
 * Reads one object by ranges.
 *
 * <p>Bytes come in windows that are fetched whole, so a connection that breaks costs one repeated request and
 * never shows. A window begins small after a seek and doubles while the reader goes straight on: column files
 * are jumped about in, text is read through. A small object is fetched in one request, whatever part is
 * wanted first.
 */
final class S3InputStream extends FSInputStream {
    private final S3Client client;
    private final ObjectInfo object;
    private final int readahead;
    private final int readaheadMax;
    private final FileSystem.Statistics statistics;
    private byte[] window = new byte[0];
    private long windowStart;
    private int nextWindow;
    private long position;
    private boolean closed;

    S3InputStream(S3Client client, ObjectInfo object, S3Settings settings, FileSystem.Statistics statistics) {
        this.client = client;
        this.object = object;
        this.statistics = statistics;
        readahead = settings.readahead;
        readaheadMax = settings.readaheadMax;
        nextWindow = readahead;
    }

    @Override
    public synchronized int read() throws IOException {
        byte[] single = new byte[1];
        return read(single, 0, 1) < 0 ? -1 : single[0] & 0xff;
    }

    @Override
    public synchronized int read(byte[] into, int offset, int length) throws IOException {
        checkOpen();
        if (length == 0) {
            return 0;
        }
        if (position >= object.length) {
            return -1;
        }
        if (!isInWindow(position)) {
            fill(length);
        }
        int n = copyFromWindow(position, into, offset, length);
        position += n;
        return n;
    }

    /** Reads at a position of its own: many threads may do so at once, beside the one that reads on. */
    @Override
    public int read(long at, byte[] into, int offset, int length) throws IOException {
        checkOpen();
        validatePositionedReadArgs(at, into, offset, length);
        if (length == 0) {
            return 0;
        }
        if (at >= object.length) {
            return -1;
        }
        synchronized (this) {
            if (object.length <= readahead && !isInWindow(at)) {
                fill(length);
            }
            if (isInWindow(at)) {
                return copyFromWindow(at, into, offset, length);
            }
        }
        int most = Math.min(length, readaheadMax);
        byte[] bytes = client.get(object, at, (int) Math.min(most, object.length - at));
        System.arraycopy(bytes, 0, into, offset, bytes.length);
        count(bytes.length);
        return bytes.length;
    }

    private boolean isInWindow(long at) {
        return at >= windowStart && at < windowStart + window.length;
    }

    private int copyFromWindow(long at, byte[] into, int offset, int length) {
        int from = (int) (at - windowStart);
        int n = Math.min(length, window.length - from);
        System.arraycopy(window, from, into, offset, n);
        count(n);
        return n;
    }

    /** Fetch the window that begins at the position, for a reader who wants so many bytes now. */
    private void fill(int wanted) throws IOException {
        boolean goesOn = window.length > 0 && position == windowStart + window.length;
        nextWindow = goesOn ? (int) Math.min(readaheadMax, 2L * nextWindow) : readahead;
        long start = object.length <= readahead ? 0 : position;
        long size = Math.max(nextWindow, Math.min(wanted, readaheadMax));
        // Let the old window go first: two of them need not fit in memory.
        window = new byte[0];
        window = client.get(object, start, (int) Math.min(size, object.length - start));
        windowStart = start;
    }

    private void count(int bytes) {
        if (statistics != null) {
            statistics.incrementBytesRead(bytes);
        }
    }

    private void checkOpen() throws IOException {
        if (closed) {
            throw new IOException(object.key + ": " + FSExceptionMessages.STREAM_IS_CLOSED);
        }
    }

    @Override
    public synchronized void seek(long to) throws IOException {
        checkOpen();
        if (to < 0) {
            throw new EOFException(FSExceptionMessages.NEGATIVE_SEEK + ": " + to);
        }
        if (to > object.length) {
            String what = FSExceptionMessages.CANNOT_SEEK_PAST_EOF;
            throw new EOFException(what + ": " + to + " of " + object.length);
        }
        position = to;
    }

    @Override
    public synchronized long skip(long bytes) throws IOException {
        checkOpen();
        long skipped = Math.max(0, Math.min(bytes, object.length - position));
        position += skipped;
        return skipped;
    }

    @Override
    public synchronized long getPos() {
        return position;
    }

    /** There is one copy of an object. */
    @Override
    public boolean seekToNewSource(long target) {
        return false;
    }

    @Override
    public synchronized int available() throws IOException {
        checkOpen();
        return (int) Math.min(Integer.MAX_VALUE, object.length - position);
    }

    @Override
    public synchronized void close() {
        closed = true;
        window = new byte[0];
    }
}
