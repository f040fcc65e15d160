import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Gets every URL with Java's older client, or with its newer one: Call URLConnection|HttpClient URL… */
class Call {
    public static void main(String[] words) throws Exception {
        for (int index = 1; index < words.length; index++) {
            URI uri = URI.create(words[index]);
            System.out.println(words[0].equals("HttpClient") ? withHttpClient(uri) : withUrlConnection(uri));
        }
    }

    private static int withUrlConnection(URI uri) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection();
        return connection.getResponseCode();
    }

    private static int withHttpClient(URI uri) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(uri).build();
        return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).statusCode();
    }
}
