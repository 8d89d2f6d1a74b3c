import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Sends one template message, waits for what becomes of it, and shows how a refusal looks.
 * Run it with "java Send.java": Java 17 or newer and nothing else. Settings are in the environment:
 * HONGYAN_URL, HONGYAN_KEY, and APPID, TEMPLATE, OPENID, ORDER, which are the sandbox's if
 * not set. Your program has a JSON library; this one reads the few fields it needs by pattern.
 */
public final class Send {
    private static final String GATEWAY = setting("HONGYAN_URL", "http://127.0.0.1:7800").replaceAll("/+$", "");
    private static final String ORDER = setting("ORDER", "A1001");
    private static final int TRIES = 5;
    private static final HttpClient HTTP = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(10)).build();

    public static void main(String[] args) throws Exception {
        // The key is named after what the message is about, so that a second run, or a
        // second try after an answer was lost, sends nothing twice.
        String message = "";
        for (String word : new String[] {"sent", "again"}) {
            message = send(paid("巧克力"), "order-" + ORDER + "-paid");
            print(word, text(message, "id"));
        }

        // Its fate comes later. A program that has something better to do takes webhooks.
        message = await(message, Duration.ofSeconds(60));
        print("ended", text(message, "id"), text(message, "state"));

        // A refusal says which field is at fault. Nothing was stored.
        try {
            send(paid("一块比模板允许的二十个字还要长得多的巧克力蛋糕"), "order-" + ORDER + "-long");
        } catch (Refused refused) {
            print("refused", String.valueOf(refused.status), refused.code, refused.field);
        }
    }

    /** What the gateway refused: status, code for programs, and the first field at fault. */
    private static final class Refused extends Exception {
        final int status;
        final String code;
        final String field;
        final boolean retryable;

        Refused(int status, String problem) {
            super(text(problem, "detail"));
            this.status = status;
            this.code = text(problem, "code");
            this.field = text(problem, "pointer");
            this.retryable = problem.contains("\"retryable\":true") || code.isEmpty() && status >= 500;
        }
    }

    private static String send(String message, String key) throws Exception {
        return call(request("/v1/messages").header("Idempotency-Key", key)
                .POST(HttpRequest.BodyPublishers.ofString(message)).build());
    }

    /** The message once it has ended. */
    private static String await(String message, Duration atMost) throws Exception {
        Instant until = Instant.now().plus(atMost);
        String id = text(message, "id");
        while (!message.contains("\"final\":true")) {
            if (Instant.now().isAfter(until)) {
                throw new IOException(id + " has not ended yet: it is " + text(message, "state"));
            }
            Thread.sleep(200);
            message = call(request("/v1/messages/" + id).GET().build());
        }
        return message;
    }

    private static HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(GATEWAY + path)).timeout(Duration.ofSeconds(60))
                .header("Authorization", "Bearer " + System.getenv("HONGYAN_KEY"))
                .header("Content-Type", "application/json");
    }

    /**
     * One call, tried again after what passes. Only for calls that are safe to repeat: those
     * that read, and those with an Idempotency-Key.
     */
    private static String call(HttpRequest request) throws Exception {
        for (int n = 1; ; n++) {
            try {
                HttpResponse<String> answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
                if (answer.statusCode() < 300) {
                    return answer.body();
                }
                throw new Refused(answer.statusCode(), answer.body());
            } catch (Refused refused) {
                if (n == TRIES || !refused.retryable) {
                    throw refused;
                }
            } catch (IOException noAnswer) {
                if (n == TRIES) {
                    throw noAnswer;
                }
            }
            Thread.sleep((long) (ThreadLocalRandom.current().nextDouble(0.5, 1) * 250 * (1 << (n - 1))));
        }
    }

    private static String paid(String thing) {
        return """
                {"appid":"%s","touser":"%s","template_id":"%s","url":"https://shop.example.com/orders/%s",
                 "data":{"character_string1":"%4$s","thing2":"%5$s","amount3":"￥39.80","time4":"2026-11-20 10:15"}}
                """.formatted(setting("APPID", "wxa1a1a1a1a1a1a1a1"), setting("OPENID", "oUser00000000000000000000001"),
                setting("TEMPLATE", "SandboxTyped-OrderPaid-00000000000000000002"), ORDER, thing);
    }

    /** The first text of that name in an answer, "" when there is none. */
    private static String text(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\":\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json);
        return found.find() ? found.group(1) : "";
    }

    private static String setting(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    private static void print(String... words) {
        System.out.println(String.join(" ", words));
    }
}
