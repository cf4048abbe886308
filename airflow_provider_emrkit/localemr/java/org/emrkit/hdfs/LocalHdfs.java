package org.emrkit.hdfs;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;

/** The same file system for {@code FileContext}, which Spark's streaming checkpoints use. */
public final class LocalHdfs extends DelegateToFileSystem {
    /**
     * Called by Hadoop, by reflection.
     *
     * @param uri any URI of the file system
     * @param conf the job's configuration
     * @throws IOException when the configuration is not complete
     * @throws URISyntaxException when the URI is none
     */
    public LocalHdfs(URI uri, Configuration conf) throws IOException, URISyntaxException {
        super(uri, new LocalHdfsFileSystem(), conf, "hdfs", false);
    }

    /** Hadoop 2 takes 0 for a port that paths would have to name. */
    @Override
    public int getUriDefaultPort() {
        return -1;
    }
}
