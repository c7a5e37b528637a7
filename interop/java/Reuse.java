import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.PasswordAuthentication;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.http.auth.AuthScope;
import org.apache.http.auth.UsernamePasswordCredentials;
import org.apache.http.client.config.RequestConfig;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpPost;
import org.apache.http.client.protocol.HttpClientContext;
import org.apache.http.entity.ByteArrayEntity;
import org.apache.http.impl.client.BasicCredentialsProvider;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.util.EntityUtils;

/**
 * Posts a document again and again, each time without credentials first, as both clients do until they are challenged. Neither may
 * repeat what failed: a request that was lost is seen. Prints for each URL how many were answered with 200, and what became of the others.
 *
 * Arguments: url-connection or apache, user, password, the file with the document, how many, the authority's certificate, the URLs.
 */
public class Reuse {
    private static final int CLIENTS = 4;

    interface Client {
        int post(byte[] document) throws IOException;
    }

    public static void main(String[] arguments) throws Exception {
        String user = arguments[1], password = arguments[2];
        byte[] document = Files.readAllBytes(Path.of(arguments[3]));
        int each = (Integer.parseInt(arguments[4]) + CLIENTS - 1) / CLIENTS;
        SSLContext tls = trusting(Path.of(arguments[5]));
        for (String url : List.of(arguments).subList(6, arguments.length)) {
            boolean isApache = arguments[0].equals("apache");
            ask(isApache ? apache(url, user, password, tls) : urlConnection(url, user, password, tls), document, each);
        }
    }

    static void ask(Client client, byte[] document, int each) throws Exception {
        var clients = Executors.newFixedThreadPool(CLIENTS);
        List<Future<List<String>>> running = new ArrayList<>();
        for (int at = 0; at < CLIENTS; at++) {
            int first = at * 5;
            running.add(clients.submit(() -> {
                List<String> failures = new ArrayList<>();
                for (int asked = 0; asked < each; asked++) {
                    Thread.sleep((first + asked * 11) % 21);
                    try {
                        int status = client.post(document);
                        if (status != 200) {
                            failures.add("HTTP " + status);
                        }
                    } catch (IOException lost) {
                        failures.add(lost.toString());
                    }
                }
                return failures;
            }));
        }
        List<String> failures = new ArrayList<>();
        for (Future<List<String>> one : running) {
            failures.addAll(one.get());
        }
        clients.shutdown();
        System.out.println(each * CLIENTS - failures.size() + " answered, " + failures.size() + " lost");
        failures.stream().limit(5).forEach(System.out::println);
    }

    /** A new Authenticator each time: what one was asked for is remembered for it alone. */
    static Client urlConnection(String url, String user, String password, SSLContext tls) {
        System.setProperty("sun.net.http.retryPost", "false");
        return document -> {
            HttpURLConnection connection = (HttpURLConnection) URI.create(url).toURL().openConnection();
            if (connection instanceof HttpsURLConnection secure) {
                secure.setSSLSocketFactory(tls.getSocketFactory());
            }
            connection.setAuthenticator(new Authenticator() {
                @Override
                protected PasswordAuthentication getPasswordAuthentication() {
                    return new PasswordAuthentication(user, password.toCharArray());
                }
            });
            connection.setRequestMethod("POST");
            connection.setRequestProperty("Content-Type", "text/xml; charset=utf-8");
            connection.setDoOutput(true);
            connection.getOutputStream().write(document);
            int status = connection.getResponseCode();
            try (InputStream answer = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
                if (answer != null) {
                    answer.readAllBytes();
                }
            }
            return status;
        };
    }

    /** A new context each time, so that no challenge is remembered. Expects 100 Continue. */
    static Client apache(String url, String user, String password, SSLContext tls) {
        BasicCredentialsProvider credentials = new BasicCredentialsProvider();
        credentials.setCredentials(AuthScope.ANY, new UsernamePasswordCredentials(user, password));
        CloseableHttpClient client = HttpClients.custom()
            .setSSLContext(tls)
            .setDefaultCredentialsProvider(credentials)
            .setDefaultRequestConfig(RequestConfig.custom().setExpectContinueEnabled(true).build())
            .setMaxConnPerRoute(CLIENTS)
            .disableAutomaticRetries()
            .build();
        return document -> {
            HttpPost post = new HttpPost(url);
            post.setHeader("Content-Type", "text/xml; charset=utf-8");
            post.setEntity(new ByteArrayEntity(document));
            try (CloseableHttpResponse answer = client.execute(post, HttpClientContext.create())) {
                EntityUtils.consume(answer.getEntity());
                return answer.getStatusLine().getStatusCode();
            }
        };
    }

    static SSLContext trusting(Path authority) throws Exception {
        KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        var certificate = CertificateFactory.getInstance("X.509")
            .generateCertificate(new ByteArrayInputStream(Files.readAllBytes(authority)));
        trusted.setCertificateEntry("authority", certificate);
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(trusted);
        SSLContext tls = SSLContext.getInstance("TLS");
        tls.init(null, managers.getTrustManagers(), null);
        return tls;
    }
}
