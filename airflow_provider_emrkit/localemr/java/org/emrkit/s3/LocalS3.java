package org.emrkit.s3;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;

/** The same file system for {@code FileContext}, which Spark's streaming checkpoints use. */
public final class LocalS3 extends DelegateToFileSystem {
    private final URI uri;

    /**
     * Called by Hadoop, by reflection.
     *
     * @param uri any URI of the bucket, of any scheme this class is configured for
     * @param conf the job's configuration
     * @throws IOException when the configuration is not complete
     * @throws URISyntaxException when the URI is none
     */
    public LocalS3(URI uri, Configuration conf) throws IOException, URISyntaxException {
        super(withHostName(uri), new OfBucket(uri), conf, uri.getScheme(), false);
        this.uri = fsImpl.getUri();
    }

    /** Hadoop takes the bucket for a host here, whose name cannot hold the underscore that a bucket's may. */
    private static URI withHostName(URI uri) {
        return URI.create(uri.getScheme() + "://" + String.valueOf(uri.getRawAuthority()).replace('_', '-'));
    }

    @Override
    public URI getUri() {
        return uri == null ? super.getUri() : uri;
    }

    /** Hadoop 2 takes 0 for a port that paths would have to name. */
    @Override
    public int getUriDefaultPort() {
        return -1;
    }

    /** Stays with the bucket it was made for, whatever URI Hadoop initializes it with. */
    private static final class OfBucket extends LocalS3FileSystem {
        private final URI uri;

        OfBucket(URI uri) {
            this.uri = uri;
        }

        @Override
        public void initialize(URI withHostName, Configuration conf) throws IOException {
            super.initialize(uri, conf);
        }
    }
}
