package org.emrkit.s3;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;

/** The same file system for {@code FileContext}, which Spark's streaming checkpoints use. */
public final class LocalS3 extends DelegateToFileSystem {
    /**
     * Called by Hadoop, by reflection.
     *
     * @param uri any URI of the bucket, of any scheme this class is configured for
     * @param conf the job's configuration
     * @throws IOException when the configuration is not complete
     * @throws URISyntaxException when the URI is none
     */
    public LocalS3(URI uri, Configuration conf) throws IOException, URISyntaxException {
        super(uri, new LocalS3FileSystem(), conf, uri.getScheme(), false);
    }
}
