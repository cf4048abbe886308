package org.emrkit.s3;

import java.io.IOException;
import java.io.OutputStream;

/** The bytes of a request. They can be written any number of times, since a request may be retried. */
interface Body {
    long length();

    void writeTo(OutputStream out) throws IOException;

    static Body of(byte[] bytes) {
        return new Body() {
            @Override
            public long length() {
                return bytes.length;
            }

            @Override
            public void writeTo(OutputStream out) throws IOException {
                out.write(bytes);
            }
        };
    }
}
