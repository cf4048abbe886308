package org.emrkit.s3;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Copies an object that is larger than S3 copies at once, part by part; its bytes never leave the server. */
final class LargeCopy {
    private final S3Client client;
    private final S3Settings settings;
    private final ObjectInfo source;
    private final String target;

    LargeCopy(S3Client client, S3Settings settings, ObjectInfo source, String target) {
        this.client = client;
        this.settings = settings;
        this.source = source;
        this.target = target;
    }

    /** Whether an object can't be copied in one request. */
    static boolean isNeeded(S3Settings settings, ObjectInfo source) {
        return source.length > settings.copySize;
    }

    void run() throws IOException {
        String id = client.startUpload(target);
        UploadRecord record = UploadRecord.write(settings.bufferDir, client, id, target);
        try {
            client.completeUpload(target, id, parts(id), source.length, false);
            record.remove();
        } catch (IOException broken) {
            abort(id, record, broken);
            throw broken;
        }
    }

    private List<String> parts(String id) throws IOException {
        List<String> etags = new ArrayList<>();
        for (long start = 0; start < source.length; start += settings.copySize) {
            long end = Math.min(source.length, start + settings.copySize);
            etags.add(client.copyPart(source, target, id, etags.size() + 1, start, end));
        }
        return etags;
    }

    private void abort(String id, UploadRecord record, IOException cause) {
        try {
            client.abortUpload(target, id);
            record.remove();
        } catch (IOException partsLeft) {
            cause.addSuppressed(partsLeft);
        }
    }
}
