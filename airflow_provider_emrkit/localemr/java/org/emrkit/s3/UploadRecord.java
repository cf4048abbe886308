package org.emrkit.s3;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;

/**
 * A small file that is there while a multipart upload is under way: bucket, upload id and key, a line each.
 *
 * <p>A process that is killed leaves it behind, and whoever started the process can tell S3 to forget the
 * parts. Everything else finds nothing to do.
 */
final class UploadRecord {
    private final Path file;

    private UploadRecord(Path file) {
        this.file = file;
    }

    /** Write the record of an upload that has begun; where that fails, the upload is aborted. */
    static UploadRecord write(String directory, S3Client client, String id, String key) throws IOException {
        try {
            Path folder = Files.createDirectories(Paths.get(directory));
            Path file = Files.createTempFile(folder, "emrkit-s3-", ".upload");
            // The key is last: it may hold the end of a line.
            Files.write(file, Arrays.asList(client.bucket, id, key), StandardCharsets.UTF_8);
            return new UploadRecord(file);
        } catch (IOException noRecord) {
            client.abortUpload(key, id);
            throw noRecord;
        }
    }

    /** The upload has ended. A record that can't be removed names one that is not there any more: no harm. */
    void remove() {
        try {
            Files.deleteIfExists(file);
        } catch (IOException stays) {
            file.toFile().deleteOnExit();
        }
    }
}
