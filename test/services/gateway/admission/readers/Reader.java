import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

/** Answers with the part of the site that it takes a path for: `admin` or `other`. */
class Reader {
    public static void main(String[] arguments) throws Exception {
        var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(System.getenv("PORT")));
        var server = HttpServer.create(address, 0);
        server.createContext("/", exchange -> {
            String path = exchange.getRequestURI().normalize().getPath();
            byte[] part = (path.equals("/admin") || path.startsWith("/admin/") ? "admin" : "other").getBytes();
            exchange.sendResponseHeaders(200, part.length);
            exchange.getResponseBody().write(part);
            exchange.close();
        });
        server.start();
    }
}
