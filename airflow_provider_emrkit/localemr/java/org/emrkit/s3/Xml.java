package org.emrkit.s3;

import java.io.ByteArrayInputStream;
import java.util.HashMap;
import java.util.Map;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/** The little XML that S3 speaks. */
final class Xml {
    /** Finding a factory scans the class path (hundreds of jars in Spark), so there is one for all. */
    private static final XMLInputFactory FACTORY = factory();

    private Xml() {}

    private static XMLInputFactory factory() {
        XMLInputFactory factory = XMLInputFactory.newInstance();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        factory.setProperty(XMLInputFactory.IS_COALESCING, true);
        return factory;
    }

    static XMLStreamReader reader(byte[] document) throws XMLStreamException {
        synchronized (FACTORY) {
            return FACTORY.createXMLStreamReader(new ByteArrayInputStream(document));
        }
    }

    /**
     * The text of each element by its name; the first one wins. Nothing for a body that is no XML: an error
     * page of a proxy must not hide its status code behind a parser's complaint.
     */
    static Map<String, String> leaves(byte[] document) {
        Map<String, String> leaves = new HashMap<>();
        try {
            XMLStreamReader reader = reader(document);
            StringBuilder text = new StringBuilder();
            while (reader.hasNext()) {
                int event = reader.next();
                if (event == XMLStreamReader.START_ELEMENT) {
                    text.setLength(0);
                } else if (event == XMLStreamReader.CHARACTERS) {
                    text.append(reader.getText());
                } else if (event == XMLStreamReader.END_ELEMENT) {
                    leaves.putIfAbsent(reader.getLocalName(), text.toString());
                    text.setLength(0);
                }
            }
        } catch (XMLStreamException notXml) {
            return leaves;
        }
        return leaves;
    }

    static String escaped(String text) {
        StringBuilder out = new StringBuilder(text.length() + 16);
        for (char c : text.toCharArray()) {
            if (c == '&' || c == '<' || c == '>' || c < ' ') {
                out.append("&#").append((int) c).append(';');
            } else {
                out.append(c);
            }
        }
        return out.toString();
    }
}
