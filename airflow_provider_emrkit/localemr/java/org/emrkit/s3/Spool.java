package org.emrkit.s3;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;

/**
 * Bytes on their way to S3: in memory while they are few, then in a temporary file.
 *
 * <p>The file is unlinked as soon as it is open, so that its space is freed even when the process is killed.
 * An interrupt closes the file's channel for good: a task that is being killed cannot publish what it has so
 * far.
 */
final class Spool implements Body {
    private static final int MEMORY = 64 * 1024;

    private final String directory;
    private final ByteBuffer buffer = ByteBuffer.allocate(MEMORY);
    private FileChannel file;
    private long inFile;

    Spool(String directory) {
        this.directory = directory;
    }

    void write(byte[] bytes, int offset, int length) throws IOException {
        int done = 0;
        while (done < length) {
            if (!buffer.hasRemaining()) {
                spill();
            }
            int n = Math.min(length - done, buffer.remaining());
            buffer.put(bytes, offset + done, n);
            done += n;
        }
    }

    private void spill() throws IOException {
        if (file == null) {
            file = open();
        }
        buffer.flip();
        while (buffer.hasRemaining()) {
            inFile += file.write(buffer, inFile);
        }
        buffer.clear();
    }

    private FileChannel open() throws IOException {
        Path folder = Files.createDirectories(Paths.get(directory));
        Path path = Files.createTempFile(folder, "emrkit-s3-", ".part");
        try {
            return FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } finally {
            Files.delete(path);
        }
    }

    @Override
    public long length() {
        return inFile + buffer.position();
    }

    /** May be called again and again; the spool takes no more bytes once it is being sent. */
    @Override
    public void writeTo(OutputStream out) throws IOException {
        byte[] chunk = new byte[MEMORY];
        for (long position = 0; position < inFile; ) {
            int n = file.read(ByteBuffer.wrap(chunk), position);
            if (n < 0) {
                throw new IOException("the temporary file in " + directory + " was cut at byte " + position);
            }
            out.write(chunk, 0, n);
            position += n;
        }
        out.write(buffer.array(), 0, buffer.position());
    }

    /**
     * Free the space. The file is unlinked already, so a channel that will not close leaves nothing to mend.
     */
    void release() {
        try {
            if (file != null) {
                file.close();
            }
        } catch (IOException unlinked) {
            file = null;
        }
    }
}
