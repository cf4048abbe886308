package org.emrkit.s3;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.ParentNotDirectoryException;
import org.apache.hadoop.fs.Path;

/**
 * One rename: copies on the server, then deletes.
 *
 * <p>S3 has no rename, so this is not atomic; the order makes it safe. Nothing of the source is deleted
 * before every copy has succeeded, and the copies of a rename that fails are removed again.
 */
final class Rename {
    private final LocalS3FileSystem files;
    private final S3Client client;
    private final Workers workers;

    Rename(LocalS3FileSystem files, S3Client client, Workers workers) {
        this.files = files;
        this.client = client;
        this.workers = workers;
    }

    /**
     * Follow the FileSystem specification: a directory as destination means into it, a missing source or an
     * existing file as destination is an error, and moving a directory into itself is refused by returning
     * false. A missing parent of the destination comes into being, as directories do on S3.
     */
    boolean run(Path source, Path destination) throws IOException {
        if (source.isRoot()) {
            return false;
        }
        String from = KeyPaths.key(source);
        boolean isFile = client.head(from) != null;
        List<String> keys = isFile ? Collections.singletonList(from) : client.keys(KeyPaths.prefix(from));
        if (keys.isEmpty()) {
            throw new FileNotFoundException("No such file or directory: " + source);
        }
        if (source.equals(destination)) {
            return isFile;
        }
        if (!isFile && KeyPaths.key(destination).startsWith(KeyPaths.prefix(from))) {
            return false;
        }
        Path target = target(source, destination);
        if (target.equals(source)) {
            return isFile;
        }
        move(keys, from, KeyPaths.key(target));
        if (!target.getParent().equals(source.getParent())) {
            files.keepDirectory(source.getParent());
        }
        return true;
    }

    /** Where the source goes; the path is free when this returns, unless it is the source itself. */
    private Path target(Path source, Path destination) throws IOException {
        FileStatus existing = files.statusOrNull(destination);
        if (existing == null) {
            checkParent(source, destination);
            return destination;
        }
        if (existing.isFile()) {
            throw taken(source, destination);
        }
        // Not new Path(destination, name): that takes a name with a colon for a URI with a scheme.
        Path inside = files.path(KeyPaths.prefix(KeyPaths.key(destination)) + source.getName());
        if (!inside.equals(source) && files.statusOrNull(inside) != null) {
            throw taken(source, inside);
        }
        return inside;
    }

    private static IOException taken(Path source, Path target) {
        return new FileAlreadyExistsException(source + " cannot be renamed to " + target + ", which exists");
    }

    private void checkParent(Path source, Path destination) throws IOException {
        Path parent = destination.getParent();
        boolean known = parent.isRoot() || parent.equals(source.getParent());
        if (!known && client.head(KeyPaths.key(parent)) != null) {
            throw new ParentNotDirectoryException(destination + ": its parent is a file");
        }
    }

    /** Move keys that begin with {@code from}: the one of a file, or all below a directory. */
    private void move(List<String> keys, String from, String to) throws IOException {
        List<String> copied = Collections.synchronizedList(new ArrayList<>());
        try {
            workers.forEach(keys, key -> {
                String copy = to + key.substring(from.length());
                client.copy(key, copy);
                copied.add(copy);
            });
        } catch (IOException broken) {
            undo(copied, broken);
            throw broken;
        }
        if (keys.size() == 1) {
            client.delete(keys.get(0));
        } else {
            client.deleteAll(keys, workers);
        }
    }

    private void undo(List<String> copied, IOException cause) {
        try {
            client.deleteAll(copied, workers);
        } catch (IOException copiesLeft) {
            cause.addSuppressed(copiesLeft);
        }
    }
}
