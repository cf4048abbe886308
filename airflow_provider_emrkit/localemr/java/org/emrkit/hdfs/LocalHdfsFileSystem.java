package org.emrkit.hdfs;

import java.io.File;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.util.Arrays;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * A cluster's {@code hdfs://} in a directory of this machine. Every authority means the same directory, as on a
 * cluster there is one name node. Owners and permissions are not kept.
 */
public class LocalHdfsFileSystem extends RawLocalFileSystem {
    /** Key of the directory that holds the files. */
    public static final String DIRECTORY = "fs.emrkit.hdfs.directory";

    private static final String SCHEME = "hdfs";
    private static final String USER = "hadoop";
    private static final Path HOME = new Path("/user/" + USER);
    private static final long BLOCK_SIZE = 128L << 20;
    // Hive refuses a scratch directory that not everybody may write to.
    private static final FsPermission OPEN = new FsPermission((short) 0777);
    private static final FsPermission PLAIN = new FsPermission((short) 0644);

    private static final URI NOWHERE = URI.create(SCHEME + ":///");

    private URI uri;
    private File root;

    @Override
    public void initialize(URI name, Configuration conf) throws IOException {
        String directory = conf.get(DIRECTORY);
        if (directory == null) {
            throw new IOException(DIRECTORY + " is not set; name the directory of the cluster's files in core-site.xml");
        }
        root = new File(directory).getAbsoluteFile();
        String authority = name.getAuthority();
        uri = URI.create(SCHEME + "://" + (authority == null ? "" : authority) + "/");
        super.initialize(name, conf);
        setWorkingDirectory(HOME);
    }

    @Override
    public String getScheme() {
        return SCHEME;
    }

    /** Its name; the constructor of the class above asks before there is one. */
    @Override
    public URI getUri() {
        return uri == null ? NOWHERE : uri;
    }

    @Override
    public Path getHomeDirectory() {
        return makeQualified(HOME);
    }

    @Override
    public long getDefaultBlockSize(Path path) {
        return BLOCK_SIZE;
    }

    /** The file that holds a path; a path that climbs out of the root names nothing. */
    @Override
    public File pathToFile(Path path) {
        checkPath(path);
        Path absolute = path.isAbsolute() ? path : new Path(getWorkingDirectory(), path);
        String inside = absolute.toUri().getPath();
        if (Arrays.asList(inside.split("/")).contains("..")) {
            throw new IllegalArgumentException(path + " leads out of the file system");
        }
        return new File(root, inside);
    }

    @Override
    public FileStatus getFileStatus(Path path) throws IOException {
        File file = pathToFile(path);
        if (!file.exists()) {
            throw new FileNotFoundException("File does not exist: " + path);
        }
        boolean isDirectory = file.isDirectory();
        long length = isDirectory ? 0 : file.length();
        long modified = file.lastModified();
        FsPermission permission = isDirectory ? OPEN : PLAIN;
        return new FileStatus(length, isDirectory, isDirectory ? 0 : 1, BLOCK_SIZE, modified, modified,
                permission, USER, USER, makeQualified(path));
    }

    @Override
    public FileStatus getFileLinkStatus(Path path) throws IOException {
        return getFileStatus(path);
    }

    @Override
    public FileStatus[] listStatus(Path path) throws IOException {
        FileStatus status = getFileStatus(path);
        String[] names = pathToFile(path).list();
        if (names == null) {
            return new FileStatus[] {status};
        }
        Arrays.sort(names);
        FileStatus[] found = new FileStatus[names.length];
        int count = 0;
        for (String name : names) {
            try {
                found[count] = getFileStatus(new Path(status.getPath(), new Path(null, null, name)));
                count++;
            } catch (FileNotFoundException deletedMeanwhile) {
                continue;
            }
        }
        return Arrays.copyOf(found, count);
    }

    /** Renames as HDFS does: into an existing directory, and never over a file. */
    @Override
    public boolean rename(Path source, Path destination) throws IOException {
        File from = pathToFile(source);
        File to = pathToFile(destination);
        if (to.isDirectory()) {
            to = new File(to, from.getName());
        }
        boolean isInItself = (to.getPath() + "/").startsWith(from.getPath() + "/");
        return from.exists() && !to.exists() && !isInItself && from.renameTo(to);
    }

    @Override
    public void moveFromLocalFile(Path local, Path target) throws IOException {
        copyFromLocalFile(true, local, target);
    }

    @Override
    public Path startLocalOutput(Path target, Path local) {
        return local;
    }

    @Override
    public void completeLocalOutput(Path target, Path local) throws IOException {
        moveFromLocalFile(local, target);
    }

    @Override
    public void setPermission(Path path, FsPermission permission) throws IOException {
        getFileStatus(path);
    }

    @Override
    public void setOwner(Path path, String owner, String group) throws IOException {
        getFileStatus(path);
    }
}
