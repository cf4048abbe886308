package org.emrkit.s3;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.NoSuchElementException;
import java.util.Queue;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;

/** All files below a directory, a page of keys per request instead of a request per directory. */
final class FlatListing implements RemoteIterator<LocatedFileStatus> {
    private final LocalS3FileSystem files;
    private final S3Client client;
    private final String prefix;
    private final Queue<LocatedFileStatus> ready = new ArrayDeque<>();
    private String token;

    /** @throws FileNotFoundException when there is no such directory */
    FlatListing(LocalS3FileSystem files, S3Client client, Path directory) throws IOException {
        this.files = files;
        this.client = client;
        prefix = KeyPaths.prefix(KeyPaths.key(directory));
        if (fetch().isEmpty() && !prefix.isEmpty()) {
            throw new FileNotFoundException("No such file or directory: " + directory);
        }
    }

    private ObjectListing fetch() throws IOException {
        ObjectListing page = client.list(prefix, null, S3Client.DELETE_BATCH, token);
        token = page.nextToken;
        for (ObjectInfo object : page.objects) {
            Path path = object.key.endsWith("/") ? null : files.path(object.key);
            if (path != null) {
                ready.add(files.located(files.fileStatus(object, path)));
            }
        }
        return page;
    }

    @Override
    public boolean hasNext() throws IOException {
        while (ready.isEmpty() && token != null) {
            fetch();
        }
        return !ready.isEmpty();
    }

    @Override
    public LocatedFileStatus next() throws IOException {
        if (!hasNext()) {
            throw new NoSuchElementException("no more files below " + prefix);
        }
        return ready.remove();
    }
}
