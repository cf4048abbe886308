package org.emrkit.s3;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.ParentNotDirectoryException;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathIsNotEmptyDirectoryException;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * {@code s3://}, {@code s3a://} and {@code s3n://} on one S3 endpoint of this machine, for Hadoop 3.2 to 3.5.
 *
 * <p>A path is a file when an object has its key, and a directory when some key lies below it or when an
 * empty object with a slash at its end marks it. Directories hold no more than that: no owner, no permission,
 * no time. Deleting or moving the last file of a directory leaves a marker, so that the directory stays, as
 * Hadoop's callers expect.
 *
 * <p>Example configuration: {@code fs.s3.impl=org.emrkit.s3.LocalS3FileSystem} and
 * {@code fs.emrkit.s3.endpoint=http://127.0.0.1:5005}.
 */
public class LocalS3FileSystem extends FileSystem {
    private KeyPaths paths;
    private S3Settings settings;
    private S3Client client;
    private Workers uploads;
    private Workers requests;
    private Rename rename;
    private Path workingDirectory;
    private final Set<S3OutputStream> writing = ConcurrentHashMap.newKeySet();

    @Override
    public void initialize(URI name, Configuration conf) throws IOException {
        super.initialize(name, conf);
        setConf(conf);
        paths = new KeyPaths(name);
        settings = new S3Settings(conf);
        client = new S3Client(new S3Http(settings), paths.bucket);
        uploads = new Workers("emrkit-s3-upload", settings.partParallelism);
        requests = new Workers("emrkit-s3-request", settings.renameParallelism);
        rename = new Rename(this, client, settings, requests);
        workingDirectory = getHomeDirectory();
    }

    @Override
    public String getScheme() {
        return paths == null ? "s3" : paths.root.getScheme();
    }

    @Override
    public URI getUri() {
        return paths.root;
    }

    /** No tokens are needed, and looking up a bucket's name as a host would only take time. */
    @Override
    public String getCanonicalServiceName() {
        return null;
    }

    @Override
    @SuppressWarnings("deprecation")
    public long getDefaultBlockSize() {
        return settings.blockSize;
    }

    @Override
    public Path getWorkingDirectory() {
        return workingDirectory;
    }

    @Override
    public void setWorkingDirectory(Path directory) {
        workingDirectory = makeQualified(directory);
    }

    private Path absolute(Path path) {
        checkPath(path);
        return makeQualified(path);
    }

    // ---- reading

    @Override
    public FSDataInputStream open(Path file, int bufferSize) throws IOException {
        Path path = absolute(file);
        ObjectInfo object = path.isRoot() ? null : client.head(KeyPaths.key(path));
        if (object == null) {
            getFileStatus(path);
            throw new FileNotFoundException(path + " is a directory; only a file can be opened");
        }
        return new FSDataInputStream(new S3InputStream(client, object, settings, statistics));
    }

    @Override
    public FileStatus getFileStatus(Path file) throws IOException {
        Path path = absolute(file);
        FileStatus status = statusOrNull(path);
        if (status == null) {
            throw new FileNotFoundException("No such file or directory: " + path);
        }
        return status;
    }

    /** The status of an absolute path, or null when there is nothing; a missing bucket is an error. */
    FileStatus statusOrNull(Path path) throws IOException {
        String key = KeyPaths.key(path);
        ObjectInfo object = key.isEmpty() ? null : client.head(key);
        if (object != null) {
            return fileStatus(object, path);
        }
        return isDirectory(key) ? directoryStatus(path) : null;
    }

    /** Whether anything lies below the key; true for the root of an existing bucket. */
    private boolean isDirectory(String key) throws IOException {
        List<String> below = client.firstKeys(KeyPaths.prefix(key), 1);
        return key.isEmpty() || !below.isEmpty();
    }

    FileStatus fileStatus(ObjectInfo object, Path path) {
        return new FileStatus(object.length, false, 1, settings.blockSize, object.modified, path);
    }

    /** S3 keeps no time of a directory; now is the one that no clean-up of old directories acts upon. */
    private static FileStatus directoryStatus(Path path) {
        return new FileStatus(0, true, 1, 0, System.currentTimeMillis(), path);
    }

    LocatedFileStatus located(FileStatus status) throws IOException {
        return new LocatedFileStatus(status, getFileBlockLocations(status, 0, status.getLen()));
    }

    /** The path of a key, or null when Hadoop has none for it. */
    Path path(String key) {
        return paths.path(key);
    }

    @Override
    public FileStatus[] listStatus(Path directory) throws IOException {
        Path path = absolute(directory);
        String prefix = KeyPaths.prefix(KeyPaths.key(path));
        List<FileStatus> found = new ArrayList<>();
        boolean[] exists = {prefix.isEmpty()};
        client.forEachPage(prefix, "/", page -> {
            exists[0] |= !page.isEmpty();
            addChildren(page, prefix, found);
        });
        if (!exists[0]) {
            found.add(getFileStatus(path));
        }
        return found.toArray(new FileStatus[0]);
    }

    private void addChildren(ObjectListing page, String prefix, List<FileStatus> found) {
        for (ObjectInfo object : page.objects) {
            Path path = object.key.equals(prefix) ? null : paths.path(object.key);
            if (path != null) {
                found.add(fileStatus(object, path));
            }
        }
        for (String below : page.commonPrefixes) {
            Path path = paths.path(below);
            if (path != null) {
                found.add(directoryStatus(path));
            }
        }
    }

    @Override
    public RemoteIterator<LocatedFileStatus> listFiles(Path directory, boolean recursive) throws IOException {
        Path path = absolute(directory);
        boolean flat = recursive && (path.isRoot() || client.head(KeyPaths.key(path)) == null);
        return flat ? new FlatListing(this, client, path) : super.listFiles(path, recursive);
    }

    // ---- writing

    @Override
    public FSDataOutputStream create(Path file, FsPermission permission, boolean overwrite, int bufferSize,
            short replication, long blockSize, Progressable progress) throws IOException {
        Path path = absolute(file);
        String key = KeyPaths.key(path);
        if (isDirectory(key)) {
            throw new FileAlreadyExistsException(path + " is a directory; a file cannot take its place");
        }
        if (!overwrite && client.head(key) != null) {
            throw new FileAlreadyExistsException(path + " exists, and is not to be overwritten");
        }
        S3OutputStream stream =
            new S3OutputStream(client, settings, uploads, key, !overwrite, writing::remove);
        writing.add(stream);
        return new FSDataOutputStream(stream, statistics);
    }

    @Override
    public FSDataOutputStream createNonRecursive(Path file, FsPermission permission,
            EnumSet<CreateFlag> flags, int bufferSize, short replication, long blockSize,
            Progressable progress) throws IOException {
        Path parent = absolute(file).getParent();
        if (parent != null && !getFileStatus(parent).isDirectory()) {
            throw new ParentNotDirectoryException(parent + " is a file");
        }
        boolean overwrite = flags.contains(CreateFlag.OVERWRITE);
        return create(file, permission, overwrite, bufferSize, replication, blockSize, progress);
    }

    @Override
    public FSDataOutputStream append(Path file, int bufferSize, Progressable progress) {
        throw new UnsupportedOperationException(absolute(file)
            + " cannot be appended to: S3 objects are written whole; write another file beside it");
    }

    @Override
    public boolean mkdirs(Path directory, FsPermission permission) throws IOException {
        Path path = absolute(directory);
        FileStatus existing = statusOrNull(path);
        if (existing != null && existing.isFile()) {
            throw new FileAlreadyExistsException(path + " is a file; a directory cannot take its place");
        }
        if (existing == null) {
            checkAncestors(path);
            client.putDirectory(KeyPaths.prefix(KeyPaths.key(path)));
        }
        return true;
    }

    /** A file on the way would hide what is made below it. */
    private void checkAncestors(Path path) throws IOException {
        for (Path above = path.getParent(); above != null && !above.isRoot(); above = above.getParent()) {
            if (client.head(KeyPaths.key(above)) != null) {
                throw new ParentNotDirectoryException(path + " cannot be made: " + above + " is a file");
            }
        }
    }

    @Override
    public boolean rename(Path source, Path destination) throws IOException {
        return rename.run(absolute(source), absolute(destination));
    }

    /** The root itself stays, as the bucket does; deleting it recursively empties it. */
    @Override
    public boolean delete(Path file, boolean recursive) throws IOException {
        Path path = absolute(file);
        String key = KeyPaths.key(path);
        boolean existed = true;
        if (!path.isRoot() && client.head(key) != null) {
            client.delete(key);
        } else {
            existed = deleteDirectory(path, recursive);
        }
        if (existed) {
            keepDirectory(path.getParent());
        }
        return existed;
    }

    /** Whether there was such a directory; it is gone now. */
    private boolean deleteDirectory(Path path, boolean recursive) throws IOException {
        String prefix = KeyPaths.prefix(KeyPaths.key(path));
        List<String> keys = recursive ? client.keys(prefix) : client.firstKeys(prefix, 2);
        if (!recursive && keys.stream().anyMatch(key -> !key.equals(prefix))) {
            throw new PathIsNotEmptyDirectoryException(path.toString());
        }
        client.deleteAll(keys, requests);
        return path.isRoot() || !keys.isEmpty();
    }

    /** Mark a directory that has just lost its last file or directory; null and the root need no mark. */
    void keepDirectory(Path directory) throws IOException {
        if (directory != null && !directory.isRoot() && !isDirectory(KeyPaths.key(directory))) {
            client.putDirectory(KeyPaths.prefix(KeyPaths.key(directory)));
        }
    }

    /** Whoever closes the file system while something is being written gets nothing half-written. */
    @Override
    public void close() throws IOException {
        super.close();
        for (S3OutputStream stream : writing) {
            stream.abort("the file system was closed before the file was");
        }
    }

    @Override
    public String toString() {
        String state = paths == null ? "not initialized" : paths.root + " on " + settings.endpoint;
        return "LocalS3FileSystem{" + state + "}";
    }
}
