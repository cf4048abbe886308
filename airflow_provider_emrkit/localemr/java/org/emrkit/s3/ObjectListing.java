package org.emrkit.s3;

import java.io.IOException;
import java.io.UnsupportedEncodingException;
import java.net.URLDecoder;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/** One page of ListObjectsV2. */
final class ObjectListing {
    final List<ObjectInfo> objects = new ArrayList<>();
    final List<String> commonPrefixes = new ArrayList<>();
    /** Asks for the next page; null on the last one. */
    String nextToken;

    private String encoding = "";
    private boolean inCommonPrefix;
    private String key = "";
    private long size;
    private long modified;
    private String etag = "";

    private ObjectListing() {}

    boolean isEmpty() {
        return objects.isEmpty() && commonPrefixes.isEmpty();
    }

    List<String> keys() {
        List<String> keys = new ArrayList<>(objects.size());
        objects.forEach(object -> keys.add(object.key));
        return keys;
    }

    static ObjectListing parse(byte[] document) throws IOException {
        ObjectListing listing = new ObjectListing();
        try {
            listing.read(Xml.reader(document));
        } catch (XMLStreamException broken) {
            throw new IOException("S3 answered a listing that is not XML", broken);
        }
        listing.decode();
        return listing;
    }

    private void read(XMLStreamReader reader) throws XMLStreamException {
        StringBuilder text = new StringBuilder();
        while (reader.hasNext()) {
            int event = reader.next();
            if (event == XMLStreamReader.START_ELEMENT) {
                text.setLength(0);
                inCommonPrefix |= reader.getLocalName().equals("CommonPrefixes");
            } else if (event == XMLStreamReader.CHARACTERS) {
                text.append(reader.getText());
            } else if (event == XMLStreamReader.END_ELEMENT) {
                endOf(reader.getLocalName(), text.toString());
            }
        }
    }

    private void endOf(String element, String text) {
        switch (element) {
            case "Key": key = text; break;
            case "Size": size = Long.parseLong(text.trim()); break;
            case "LastModified": modified = Instant.parse(text.trim()).toEpochMilli(); break;
            case "ETag": etag = text; break;
            case "Contents": objects.add(new ObjectInfo(key, size, modified, etag)); break;
            case "CommonPrefixes": inCommonPrefix = false; break;
            case "NextContinuationToken": nextToken = text; break;
            case "EncodingType": encoding = text; break;
            case "Prefix":
                // The element of the same name outside CommonPrefixes repeats the request.
                if (inCommonPrefix) {
                    commonPrefixes.add(text);
                }
                break;
            default: break;
        }
    }

    /** Undo {@code encoding-type=url}: asked for, since XML cannot carry every character of a key. */
    private void decode() throws IOException {
        if (!encoding.equals("url")) {
            return;
        }
        try {
            for (int i = 0; i < objects.size(); i++) {
                ObjectInfo object = objects.get(i);
                String name = URLDecoder.decode(object.key, "UTF-8");
                objects.set(i, new ObjectInfo(name, object.length, object.modified, object.etag));
            }
            for (int i = 0; i < commonPrefixes.size(); i++) {
                commonPrefixes.set(i, URLDecoder.decode(commonPrefixes.get(i), "UTF-8"));
            }
        } catch (UnsupportedEncodingException | IllegalArgumentException broken) {
            throw new IOException("S3 answered a listing whose keys are not URL encoded", broken);
        }
    }
}
