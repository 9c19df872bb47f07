// A TLS client on Java: asks for / as often as `times` says, each time on a connection of its own, and
// prints the bodies; with library=http it is the JDK's HttpClient that asks. Arguments are NAME=VALUE:
// port, ca, name, times, versions and ciphers (with commas). The rest is told by -Djdk.tls…
import java.io.FileInputStream;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public class Ask {
  private static final Map<String, String> given = new HashMap<>();

  private static SSLContext context() throws Exception {
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    try (InputStream file = new FileInputStream(given.get("ca"))) {
      for (Certificate authority : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
        trusted.setCertificateEntry("authority " + trusted.size(), authority);
      }
    }
    TrustManagerFactory managers =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return context;
  }

  private static String askBySocket(SSLContext context, int port) throws Exception {
    try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", port)) {
      SSLParameters parameters = socket.getSSLParameters();
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      if (given.containsKey("name")) {
        parameters.setServerNames(List.of(new SNIHostName(given.get("name"))));
      }
      if (given.containsKey("versions")) parameters.setProtocols(given.get("versions").split(","));
      if (given.containsKey("ciphers")) parameters.setCipherSuites(given.get("ciphers").split(","));
      socket.setSSLParameters(parameters);
      socket.getOutputStream().write(
          "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n".getBytes());
      String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return answer.substring(answer.indexOf("\r\n\r\n") + 4);
    }
  }

  public static void main(String[] arguments) throws Exception {
    for (String argument : arguments) {
      String[] parts = argument.split("=", 2);
      given.put(parts[0], parts[1]);
    }
    SSLContext context = context();
    int port = Integer.parseInt(given.get("port"));
    HttpClient client = HttpClient.newBuilder().sslContext(context).build();
    for (int left = Integer.parseInt(given.getOrDefault("times", "1")); left > 0; left--) {
      if (given.getOrDefault("library", "").equals("http")) {
        HttpRequest request = HttpRequest.newBuilder(URI.create("https://localhost:" + port + "/")).build();
        System.out.print(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
      } else {
        System.out.print(askBySocket(context, port));
      }
    }
  }
}
