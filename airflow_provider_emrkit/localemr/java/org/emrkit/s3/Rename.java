package org.emrkit.s3;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
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
    private final S3Settings settings;
    private final Workers workers;

    Rename(LocalS3FileSystem files, S3Client client, S3Settings settings, Workers workers) {
        this.files = files;
        this.settings = settings;
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
        ObjectInfo file = client.head(from);
        boolean isFile = file != null;
        List<ObjectInfo> objects =
            isFile ? Collections.singletonList(file) : client.objects(KeyPaths.prefix(from));
        if (objects.isEmpty()) {
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
        move(objects, from, KeyPaths.key(target));
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

    /** Move objects whose keys begin with {@code from}: the one of a file, or all below a directory. */
    private void move(List<ObjectInfo> objects, String from, String to) throws IOException {
        List<String> copied = Collections.synchronizedList(new ArrayList<>());
        try {
            workers.forEach(objects, object -> {
                String copy = to + object.key.substring(from.length());
                copy(object, copy);
                copied.add(copy);
            });
        } catch (IOException broken) {
            undo(copied, broken);
            throw broken;
        }
        if (objects.size() == 1) {
            client.delete(objects.get(0).key);
        } else {
            List<String> keys = objects.stream().map(object -> object.key).collect(Collectors.toList());
            client.deleteAll(keys, workers);
        }
    }

    private void copy(ObjectInfo object, String to) throws IOException {
        if (LargeCopy.isNeeded(settings, object)) {
            new LargeCopy(client, settings, object, to).run();
        } else {
            client.copy(object.key, to);
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
