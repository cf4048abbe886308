package org.emrkit.s3;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Signs a request as S3 wants it (AWS Signature Version 4, in the headers).
 *
 * <p>The body is left out: a request may be repeated, and its body need not be read for that. What keeps it
 * whole is its length and its MD5, which are among the headers.
 */
final class Signature {
    private static final String ALGORITHM = "AWS4-HMAC-SHA256";
    private static final String UNSIGNED = "UNSIGNED-PAYLOAD";
    private static final DateTimeFormatter AMZ_DATE = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'");

    private final S3Settings settings;
    private final String host;

    Signature(S3Settings settings) {
        this.settings = settings;
        host = host(settings.endpoint);
    }

    /** What the JDK sends as Host: the port only where it is not the scheme's own. */
    private static String host(URI endpoint) {
        int usual = endpoint.getScheme().equals("https") ? 443 : 80;
        boolean named = endpoint.getPort() >= 0 && endpoint.getPort() != usual;
        return endpoint.getHost() + (named ? ":" + endpoint.getPort() : "");
    }

    /** All headers to send: the request's own, and those that sign it as of now. */
    Map<String, String> headers(S3Request request) {
        return headers(request, AMZ_DATE.format(ZonedDateTime.now(ZoneOffset.UTC)));
    }

    private Map<String, String> headers(S3Request request, String date) {
        SortedMap<String, String> signed = new TreeMap<>();
        request.headers.forEach((name, value) -> signed.put(name.toLowerCase(Locale.ROOT), value.trim()));
        signed.put("host", host);
        signed.put("x-amz-content-sha256", UNSIGNED);
        signed.put("x-amz-date", date);
        if (!settings.sessionToken.isEmpty()) {
            signed.put("x-amz-security-token", settings.sessionToken);
        }
        String names = String.join(";", signed.keySet());
        String scope = date.substring(0, 8) + "/" + settings.region + "/s3/aws4_request";
        String canonical = canonical(request, signed, names);
        String toSign = String.join("\n", ALGORITHM, date, scope, hex(sha256(canonical)));
        String signature = hex(hmac(key(date.substring(0, 8)), toSign));
        // The connection says by itself where it goes.
        signed.remove("host");
        signed.put("Authorization", ALGORITHM + " Credential=" + settings.accessKey + "/" + scope
            + ", SignedHeaders=" + names + ", Signature=" + signature);
        return signed;
    }

    private static String canonical(S3Request request, Map<String, String> signed, String names) {
        StringBuilder headers = new StringBuilder();
        signed.forEach((name, value) -> headers.append(name).append(':').append(value).append('\n'));
        String query = request.queryString();
        return String.join("\n", request.method, request.path(), query, headers, names, UNSIGNED);
    }

    private byte[] key(String day) {
        byte[] key = ("AWS4" + settings.secretKey).getBytes(StandardCharsets.UTF_8);
        for (String part : new String[] {day, settings.region, "s3", "aws4_request"}) {
            key = hmac(key, part);
        }
        return key;
    }

    private static byte[] hmac(byte[] key, String text) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(key, "HmacSHA256"));
            return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException("Java without HmacSHA256", impossible);
        }
    }

    private static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException("Java without SHA-256", impossible);
        }
    }

    static String hex(byte[] bytes) {
        StringBuilder hex = new StringBuilder(2 * bytes.length);
        for (byte b : bytes) {
            hex.append(Character.forDigit(b >> 4 & 0xf, 16)).append(Character.forDigit(b & 0xf, 16));
        }
        return hex.toString();
    }
}
