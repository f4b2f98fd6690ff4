package io.embed4j.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vertx.core.Vertx;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What may be fetched: here 127.0.0.2 plays the public internet, and nothing else is let through. */
@Timeout(60)
class FetcherTest {
  private static final byte[] PICTURE = {1, 2, 3};
  private static final int MAX_BYTES = 1000;
  private final Vertx vertx = Vertx.vertx();
  private final AtomicInteger connections = new AtomicInteger();
  private final AtomicInteger lookups = new AtomicInteger();
  private ServerSocket internet;
  private ServerSocket inside;
  private Fetcher fetcher;
  private volatile String answer;

  @BeforeEach
  void start() throws IOException {
    internet = serve("127.0.0.2");
    inside = serve("127.0.0.1");
    fetcher = new Fetcher(vertx, MAX_BYTES, Duration.ofSeconds(1), this::resolve, address ->
        AddressRules.isPublic(address) || address.getHostAddress().equals("127.0.0.2"));
  }

  @AfterEach
  void stop() throws IOException {
    fetcher.close();
    internet.close();
    inside.close();
    vertx.close().toCompletionStage().toCompletableFuture().join();
  }

  private InetAddress[] resolve(String host) throws UnknownHostException {
    List<String> addresses = Map.of("public.test", List.of("127.0.0.2"), "private.test", List.of("10.1.2.3"),
        "both.test", List.of("127.0.0.2", "127.0.0.1"),
        "rebinding.test", List.of(lookups.getAndIncrement() == 0 ? "127.0.0.2" : "127.0.0.1")).get(host);
    if (addresses == null) return InetAddress.getAllByName(host);
    InetAddress[] resolved = new InetAddress[addresses.size()];
    for (int i = 0; i < resolved.length; i++) resolved[i] = InetAddress.getByName(addresses.get(i));
    return resolved;
  }

  /** Answers every connection with {@link #answer}; "slow" and "endless" never come to an end. */
  private ServerSocket serve(String address) throws IOException {
    ServerSocket socket = new ServerSocket(0, 50, InetAddress.getByName(address));
    Thread.ofVirtual().start(() -> {
      while (!socket.isClosed()) {
        try {
          Socket connection = socket.accept();
          if (address.equals("127.0.0.1")) connections.incrementAndGet();
          Thread.ofVirtual().start(() -> answer(connection));
        } catch (IOException closed) {
          return;
        }
      }
    });
    return socket;
  }

  private void answer(Socket connection) {
    try (connection) {
      connection.getInputStream().read(new byte[4096]);
      OutputStream out = connection.getOutputStream();
      switch (answer) {
        case "silent" -> Thread.sleep(10_000);
        case "slow" -> {
          out.write("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
          for (int i = 0; i < 900; i++) {
            out.write('x');
            Thread.sleep(20);
          }
        }
        case "endless" -> {
          out.write("HTTP/1.1 200 OK\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
          while (true) out.write(new byte[500]);
        }
        case "endless headers" -> {
          out.write("HTTP/1.1 200 OK\r\n".getBytes(StandardCharsets.US_ASCII));
          while (true) out.write("x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".getBytes(StandardCharsets.US_ASCII));
        }
        default -> out.write(answer.getBytes(StandardCharsets.ISO_8859_1));
      }
    } catch (IOException | InterruptedException gone) {
      // the fetcher has had enough
    }
  }

  private byte[] fetch(String url) throws Exception {
    return fetcher.fetch(url.replace("INTERNET", "" + internet.getLocalPort())
        .replace("INSIDE", "" + inside.getLocalPort()), "input");
  }

  private void refuses(String url) {
    RequestException e = assertThrows(RequestException.class, () -> fetch(url));
    assertEquals(Problem.INVALID, e.problem());
    assertFalse(e.getMessage().contains("127.0.0"), e.getMessage());
    assertEquals(0, connections.get(), "nothing inside was reached by " + url);
  }

  private static String found(String body) {
    return "HTTP/1.1 200 OK\r\ncontent-length: " + body.length() + "\r\n\r\n" + body;
  }

  private static String moved(String location) {
    return "HTTP/1.1 302 Found\r\nlocation: " + location + "\r\ncontent-length: 0\r\n\r\n";
  }

  @Test
  void fetchesWhatIsPublic() throws Exception {
    answer = found(new String(PICTURE, StandardCharsets.ISO_8859_1));
    assertArrayEquals(PICTURE, fetch("http://public.test:INTERNET/a%20b.png?c=d"));
  }

  @Test
  void followsRedirectsWithinTheInternetOnly() throws Exception {
    AtomicInteger hops = new AtomicInteger();
    answer = moved("http://127.0.0.1:" + inside.getLocalPort() + "/");
    refuses("http://public.test:INTERNET/");
    answer = moved("http://private.test/");
    refuses("http://public.test:INTERNET/");
    answer = moved("file:///etc/passwd");
    refuses("http://public.test:INTERNET/");
    answer = moved("//localhost:" + inside.getLocalPort() + "/");
    refuses("http://public.test:INTERNET/");
    answer = moved("/again");
    refuses("http://public.test:INTERNET/");
    assertEquals(0, hops.get());
  }

  @ParameterizedTest
  @ValueSource(strings = {"http://127.0.0.1:INSIDE/", "http://localhost:INSIDE/", "http://2130706433:INSIDE/",
      "http://0x7f000001:INSIDE/", "http://0x7f.0.0.1:INSIDE/", "http://0177.0.0.1:INSIDE/",
          "http://017700000001:INSIDE/",
      "http://127.1:INSIDE/", "http://0:INSIDE/", "http://0.0.0.0:INSIDE/", "http://[::1]:INSIDE/",
          "http://[::]:INSIDE/",
      "http://[::ffff:127.0.0.1]:INSIDE/", "http://[::ffff:7f00:1]:INSIDE/",
          "http://[0:0:0:0:0:ffff:7f00:0001]:INSIDE/",
      "http://[::127.0.0.1]:INSIDE/", "http://[64:ff9b::7f00:1]:INSIDE/", "http://[2002:7f00:1::]:INSIDE/",
      "http://[fe80::1%25lo]:INSIDE/", "http://[fd00::1]/", "http://private.test/", "http://both.test:INSIDE/",
      "http://169.254.169.254/latest/meta-data/", "http://100.64.0.1/", "http://224.0.0.1/",
          "http://user@public.test:INTERNET/",
      "ftp://public.test/", "file:///etc/passwd", "http:///x", "http://", "http://127。0。0。1:INSIDE/",
          "http://nowhere.invalid/"})
  void doesNotReachInside(String url) {
    answer = found("secret");
    refuses(url);
  }

  @Test
  void connectsToTheAddressThatWasChecked() throws Exception {
    answer = found("abc");
    assertEquals(3, fetch("http://rebinding.test:INTERNET/").length);
    assertEquals(1, lookups.get(), "resolved once");
    refuses("http://rebinding.test:INSIDE/");
  }

  @ParameterizedTest
  @ValueSource(strings = {"silent", "slow", "endless", "endless headers", "nonsense\r\n\r\n", "",
      "HTTP/1.1 200 OK\r\ncontent-length: 9999999\r\n\r\nx", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\nabc", "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n"})
  void endsInTimeWhateverComes(String kind) {
    answer = kind;
    long start = System.nanoTime();
    refuses("http://public.test:INTERNET/");
    assertTrue(System.nanoTime() - start < 3e9);
  }

  @Test
  void publicAddresses() throws Exception {
    for (String address : List.of("8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111",
        "2a00:1450::1")) {
      assertTrue(AddressRules.isPublic(InetAddress.getByName(address)), address);
    }
    for (String address : Arrays.asList("192.168.0.1", "172.31.255.255", "198.19.0.1", "203.0.113.9", "255.255.255.255",
        "2001::1", "2001:db8::1", "3fff::1", "fec0::1", "ff02::1", "64:ff9b:1::1", "::8.8.8.8", "100::1", "5f00::1")) {
      assertFalse(AddressRules.isPublic(InetAddress.getByName(address)), address);
    }
  }
}
