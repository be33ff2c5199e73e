import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.util.Base64;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Connects with a ticket and prints the first message of the server; then tries the same ticket again. */
public class Client {
    static final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    public static void main(String[] arguments) throws Exception {
        String service = environment("TICKET_URL", "http://localhost:8080");
        String credentials = environment("CREDENTIALS", "ada:secret");

        HttpRequest request = HttpRequest.newBuilder(URI.create(service + "/tickets"))
                .header("Authorization", "Basic " + Base64.getEncoder().encodeToString(credentials.getBytes()))
                .POST(HttpRequest.BodyPublishers.noBody())
                .build();
        HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 201) {
            System.out.println("no ticket: " + answer.statusCode() + " " + field(answer.body(), "code"));
            return;
        }
        String url = field(answer.body(), "url");
        String ticket = field(answer.body(), "ticket");

        connect(url, ticket);
        connect(url, ticket); // a ticket buys one connection
    }

    static void connect(String url, String ticket) {
        CompletableFuture<String> first = new CompletableFuture<>();
        try {
            WebSocket socket = http.newWebSocketBuilder()
                    .header("Authorization", "Ticket " + ticket)
                    .buildAsync(URI.create(url), new FirstMessage(first))
                    .join();
            System.out.println(first.join());
            socket.sendClose(WebSocket.NORMAL_CLOSURE, "").join();
        } catch (CompletionException failure) {
            if (!(failure.getCause() instanceof WebSocketHandshakeException)) throw failure;
            HttpResponse<?> refused = ((WebSocketHandshakeException) failure.getCause()).getResponse();
            System.out.println("refused: " + refused.statusCode() + " " + field(String.valueOf(refused.body()), "code"));
        }
    }

    /** A text field of a JSON object. The JDK cannot parse JSON; an application has a library for it. */
    static String field(String json, String name) {
        Matcher matcher = Pattern.compile('"' + name + "\":\"([^\"]*)\"").matcher(json);
        return matcher.find() ? matcher.group(1) : "";
    }

    static String environment(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null ? otherwise : value;
    }

    record FirstMessage(CompletableFuture<String> message) implements WebSocket.Listener {
        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence text, boolean last) {
            message.complete(text.toString());
            return WebSocket.Listener.super.onText(socket, text, last);
        }

        @Override
        public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
            message.complete("closed: " + code + " " + reason);
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            message.completeExceptionally(error);
        }
    }
}
