import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Takes webhooks of a gateway and believes those that are signed with the endpoint's secret. Run it
 * with "java Receive.java": Java 17 or newer and nothing else. Settings are in the environment:
 * WEBHOOK_SECRET (whsec_…) and LISTEN, by default a free port of loopback.
 */
public final class Receive {
    /**
     * How old, or from the future, a webhook may be, in seconds. An older one may be a recording
     * that somebody plays again.
     */
    private static final long TOLERANCE = 300;

    private static final int MAX_BODY = 64 << 10;
    private static final byte[] SECRET =
            Base64.getDecoder().decode(System.getenv("WEBHOOK_SECRET").replaceFirst("^whsec_", ""));

    public static void main(String[] args) throws IOException {
        String listen = System.getenv().getOrDefault("LISTEN", "127.0.0.1:0");
        int colon = listen.lastIndexOf(':');
        var address = new InetSocketAddress(listen.substring(0, colon), Integer.parseInt(listen.substring(colon + 1)));
        HttpServer server = HttpServer.create(address, 0);
        server.createContext("/", Receive::receive);
        server.start();
        System.out.println("listening http://" + listen.substring(0, colon) + ":" + server.getAddress().getPort());
    }

    /** Answers 204 to what it believes. Anything else is sent again later. */
    private static void receive(HttpExchange exchange) throws IOException {
        try (exchange) {
            byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY);
            String wrong = verify(exchange, body);
            if (!wrong.isEmpty()) {
                System.out.println("refused " + wrong);
                exchange.sendResponseHeaders(401, -1);
                return;
            }
            // The same webhook may come twice: remember its webhook-id with what it led to.
            String event = new String(body, StandardCharsets.UTF_8);
            System.out.println("webhook " + text(event, "type") + " " + text(event, "message_id"));
            exchange.sendResponseHeaders(204, -1);
        }
    }

    /** Says why a webhook is not to be believed; "" = it is. See standardwebhooks.com. */
    private static String verify(HttpExchange exchange, byte[] body) {
        var headers = exchange.getRequestHeaders();
        String stamp = String.valueOf(headers.getFirst("webhook-timestamp"));
        if (!stamp.matches("[0-9]{1,12}")) {
            return "no timestamp";
        }
        if (Math.abs(Instant.now().getEpochSecond() - Long.parseLong(stamp)) > TOLERANCE) {
            return "too old, or from the future";
        }
        String want = "v1," + sign(headers.getFirst("webhook-id") + "." + stamp + ".", body);
        // While a secret is rotated there is a signature for each.
        for (String signature : String.valueOf(headers.getFirst("webhook-signature")).split(" ")) {
            if (MessageDigest.isEqual(signature.getBytes(StandardCharsets.UTF_8), want.getBytes(StandardCharsets.UTF_8))) {
                return "";
            }
        }
        return "the signature is not the gateway's";
    }

    private static String sign(String start, byte[] body) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(SECRET, "HmacSHA256"));
            mac.update(start.getBytes(StandardCharsets.UTF_8));
            return Base64.getEncoder().encodeToString(mac.doFinal(body));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e); // every Java has HmacSHA256
        }
    }

    /** The first text of that name, "" when there is none. */
    private static String text(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\":\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json);
        return found.find() ? found.group(1) : "";
    }
}
