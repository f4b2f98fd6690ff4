package io.embed4j.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import io.embed4j.server.RunningServer.Answer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Keys, TLS, origins, dialects, URLs, and how the server comes and goes. */
class AccessTest {
  private static final String HELLO = "{'model': 'tiny', 'input': 'hello'}";
  @TempDir
  Path folder;

  @Test
  void keys() throws IOException {
    Path keys = Files.writeString(folder.resolve("keys"), "# of the team\nsecret-1\n\n  secret-2 \n");
    try (RunningServer server = RunningServer.with("api-keys-file=" + keys)) {
      assertEquals(200, server.post(HELLO, "Authorization", "Bearer secret-1").status());
      assertEquals(200, server.post(HELLO, "Authorization", "bearer secret-2").status());
      assertEquals(200, server.get("/health").status());
      assertEquals(401, server.get("/v1/models").status());
      Answer none = server.post(HELLO);
      assertEquals(401, none.status());
      assertEquals("invalid_api_key", none.json().at("/error/code").textValue());
      for (String wrong : List.of("Bearer secret-3", "Bearer ", "Bearer # of the team", "Basic secret-1", "secret-1")) {
        assertEquals(401, server.post(HELLO, "Authorization", wrong).status(), wrong);
      }
    }
    try (RunningServer server = RunningServer.with("api-keys-file=" + keys, "dialect=jina")) {
      Answer missing = server.post(HELLO);
      assertEquals("AUTH_MISSING_API_KEY", missing.json().get("code").textValue());
      assertTrue(missing.json().get("detail").isTextual(), "flat, as Jina's gateway");
      assertEquals("AUTH_INVALID_FORMAT", server.post(HELLO, "Authorization", "Basic x").json().get("code")
          .textValue());
      assertEquals("AUTH_INVALID_API_KEY", server.post(HELLO, "Authorization", "Bearer x").json().get("code")
          .textValue());
    }
    Files.writeString(keys, "# none\n");
    assertThrows(EmbeddingException.class, () -> RunningServer.with("api-keys-file=" + keys));
  }

  @Test
  void aPinnedDialect() {
    try (RunningServer server = RunningServer.with("dialect=openai")) {
      assertEquals("task", server.post("{'model': 'tiny', 'input': 'a', 'task': 'x'}").json().at("/error/param")
          .textValue());
    }
    try (RunningServer server = RunningServer.with("dialect=jina")) {
      assertEquals(422, server.post("{'model': 'tiny', 'input': 5}").status());
    }
  }

  @Test
  void origins() {
    try (RunningServer closed = RunningServer.with();
        RunningServer open = RunningServer.with("cors-origins=https://a.test")) {
      assertTrue(closed.post(HELLO, "Origin", "https://a.test").response().headers()
          .firstValue("access-control-allow-origin").isEmpty());
      assertEquals("https://a.test",
          open.post(HELLO, "Origin", "https://a.test").response().headers().firstValue("access-control-allow-origin")
              .orElse(""));
      assertTrue(open.post(HELLO, "Origin", "https://b.test").response().headers()
          .firstValue("access-control-allow-origin").isEmpty());
      HttpRequest.Builder preflight = open.request("/v1/embeddings").method("OPTIONS", BodyPublishers.noBody());
      assertEquals(204, open.send(preflight.header("Origin", "https://a.test").build()).status());
      assertEquals(405, closed.send(closed.request("/v1/embeddings").method("OPTIONS", BodyPublishers.noBody())
          .header("Origin", "https://a.test").build()).status());
    }
  }

  @Test
  void tlsAndHttp2() throws Exception {
    Path store = folder.resolve("store.p12");
    keytool("-genkeypair", "-alias", "a", "-keyalg", "EC", "-dname", "CN=localhost", "-ext", "san=dns:localhost",
        "-storetype", "PKCS12",
        "-keystore", store.toString(), "-storepass", "changeit");
    KeyStore keys = KeyStore.getInstance(store.toFile(), "changeit".toCharArray());
    Path certificate = pem("CERTIFICATE", keys.getCertificate("a").getEncoded());
    Path key = pem("PRIVATE KEY", keys.getKey("a", "changeit".toCharArray()).getEncoded());
    KeyStore trusted = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    trusted.setCertificateEntry("a", keys.getCertificate("a"));
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(trusted);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    for (String[] settings : new String[][] {{"tls-keystore=" + store, "tls-keystore-password=changeit"},
        {"tls-certificate=" + certificate, "tls-key=" + key}}) {
      try (RunningServer server = RunningServer.with(settings); HttpClient client = HttpClient.newBuilder()
          .sslContext(context).build()) {
        var answer = client.send(HttpRequest.newBuilder(URI.create("https://localhost:" + server.server.port()
            + "/v1/embeddings"))
            .header("content-type", "application/json").POST(BodyPublishers.ofString(HELLO.replace('\'', '"'))).build(),
            BodyHandlers.ofString());
        assertEquals(200, answer.statusCode());
        assertEquals(HttpClient.Version.HTTP_2, answer.version());
      }
    }
    assertThrows(EmbeddingException.class, () -> RunningServer.with("tls-keystore=" + store,
        "tls-keystore-password=wrong"));
  }

  private Path pem(String type, byte[] der) throws IOException {
    return Files.writeString(folder.resolve(type.replace(' ', '-') + ".pem"), "-----BEGIN " + type + "-----\n"
        + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der) + "\n-----END " + type + "-----\n");
  }

  private static void keytool(String... arguments) throws Exception {
    String[] command = new String[arguments.length + 1];
    command[0] = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    assertEquals(0, new ProcessBuilder(command).inheritIO().start().waitFor());
  }

  @Test
  void severalLoopsShareAPort() throws Exception {
    try (RunningServer server = RunningServer.with("event-loops=3");
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      float[] expected = server.post(HELLO).vector(0);
      List<Future<float[]>> answers = IntStream.range(0, 60)
          .mapToObj(i -> threads.submit(() -> server.post(HELLO).vector(0))).toList();
      for (Future<float[]> answer : answers) assertArrayEquals(expected, answer.get());
    }
  }

  @Test
  void aTakenPortIsAnErrorThatNamesIt() throws IOException {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      EmbeddingException e = assertThrows(EmbeddingException.class, () ->
          RunningServer.with("port=" + taken.getLocalPort()));
      assertTrue(e.getMessage().contains("" + taken.getLocalPort()), e.getMessage());
    }
  }

  @Test
  void picturesByUrl() throws Exception {
    byte[] png = Files.readAllBytes(Path.of("../cli/src/main/resources/io/embed4j/cli/invoice.png"));
    try (ServerSocket web = new ServerSocket(0, 5, InetAddress.getByName("127.0.0.2"))) {
      Thread.ofVirtual().start(() -> {
        try (var connection = web.accept()) {
          connection.getInputStream().read(new byte[4096]);
          connection.getOutputStream()
              .write(("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: " + png.length + "\r\n\r\n")
              .getBytes());
          connection.getOutputStream().write(png);
        } catch (IOException closed) {
          // by the test's end
        }
      });
      try (RunningServer server = RunningServer.fetching(InetAddress::getAllByName, a -> a.getHostAddress()
          .equals("127.0.0.2"), "image-urls=true")) {
        Answer fetched = server.post("{'model': 'tiny', 'input': [{'url': 'http://127.0.0.2:" + web.getLocalPort()
            + "/x'}]}");
        assertEquals(200, fetched.status(), () -> fetched.json().toString());
        assertArrayEquals(server.post("{'model': 'tiny', 'input': {'image': '" + Base64.getEncoder()
            .encodeToString(png) + "'}}").vector(0),
            fetched.vector(0));
        Answer inside = server.post("{'model': 'tiny', 'input': {'image': 'http://127.0.0.1:1/'}}");
        assertEquals("body -> input -> image", inside.json().at("/errors/0/field").textValue());
      }
    }
  }

  @Test
  void deadlines() {
    try (RunningServer server = RunningServer.with("request-timeout=30")) {
      Answer late = server.post("{'model': 'tiny', 'input': ['" + "a b ".repeat(3_000) + "']}", "X-Request-Timeout",
          "0.05");
      assertEquals(504, late.status());
      assertEquals("timeout", late.json().at("/error/code").textValue());
      assertEquals(400, server.post(HELLO, "X-Request-Timeout", "soon").status());
      assertEquals(200, server.post(HELLO, "X-Request-Timeout", "9").status());
    }
  }

  @Test
  void acceptedRequestsEndBeforeTheServerDoes() throws Exception {
    RunningServer server = RunningServer.with();
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<Answer>> answers = IntStream.range(0, 8)
          .mapToObj(i -> threads.submit(() ->
              server.post("{'model': 'tiny', 'input': ['" + "a b ".repeat(1_500) + "']}"))).toList();
      Thread.sleep(300);
      Future<?> closing = threads.submit(server.server::close);
      Thread.sleep(50);
      if (!closing.isDone()) {
        assertEquals(503, server.get("/ready").status());
        assertEquals(200, server.get("/live").status());
        assertEquals(503, server.post(HELLO).status());
      }
      for (Future<Answer> answer : answers) assertEquals(200, answer.get().status());
      closing.get();
      assertFalse(answers.isEmpty());
    }
    server.close();
  }
}
