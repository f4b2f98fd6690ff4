package io.embed4j.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.server.RunningServer.Answer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests meant to break the server: each gets its error, names nothing of the machine, and leaves nothing behind. */
@Timeout(60)
class HostileTest {
  private static RunningServer server;

  @BeforeAll
  static void start() {
    server = RunningServer.with("max-body-bytes=2000000", "body-timeout=1", "idle-timeout=1", "max-connections=40");
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @AfterEach
  void serverIsWell() throws Exception {
    assertEquals(200, server.post("{'model': 'tiny', 'input': 'hello'}").status());
    String left = "";
    for (int i = 0; i < 200; i++) {
      String metrics = new String(server.get("/metrics").response().body(), StandardCharsets.UTF_8);
      left = List.of("embed4j_memory_requests", "embed4j_memory_pictures", "embed4j_requests_running",
          "embed4j_queue_tokens{model=\"tiny\"}")
          .stream().filter(gauge -> !metrics.contains("\n" + gauge + " 0.0")).toList().toString();
      if (left.equals("[]")) return;
      Thread.sleep(20);
    }
    assertEquals("[]", left, "still held");
  }

  private static Answer refused(String body) {
    Answer answer = server.post(body);
    assertTrue(answer.status() == 400 || answer.status() == 422, () -> answer.status() + " " + answer.json());
    String text = answer.json().toString();
    for (String trace : new String[] {"Exception", "io.embed4j", "java.", "jackson", TinyModel.path().toString()}) {
      assertFalse(text.contains(trace), text);
    }
    return answer;
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "[]", "null", "5", "'x'", "{}x", "{'model':'tiny','input':'a'",
      "{'model':'tiny','input':['a'",
      "{'model':'tiny','input':[[1,2", "{'model':'tiny','input':{'text':'a'", "{'model':'tiny','input':'a'} {}",
      "{'model':'tiny','input':[[[1]]]}", "{'model':'tiny','input':[[1,[2],3],'a']}", "{'model':'tiny','input':[null]}",
      "{'model':'tiny','input':[{}]}", "{'model':'tiny','input':[{'image':5}]}",
          "{'model':'tiny','input':[{'image':{'a':[1]}}]}",
      "{'model':'tiny','input':{'image':'/etc/passwd'}}", "{'model':'tiny','input':{'image':'file:///etc/passwd'}}",
      "{'model':'tiny','input':{'pdf':'JVBERi0='}}", "{'model':'tiny','input':{'image':'data:image/png,abc'}}",
      "{'model':{'a':1},'input':'a'}", "{'model':'tiny','input':'a','embedding_type':[]}",
      "{'model':'tiny','input':'a','embedding_type':{'float':1}}", "{'model':'tiny','input':'a','dimensions':1e400}",
      "{'model':'tiny','input':'a','dimensions':-9223372036854775809}", "{'model':'tiny','input':'a','task':['x']}",
      "{'model':'tiny','input':'\\udc00'}", "{'model':'tiny','input':[1,-1]}",
          "{'model':'tiny','input':[1,2000000000]}"})
  void wrongBodies(String body) {
    refused(body);
  }

  @Test
  void deepWideAndLongJson() {
    refused("{'model':'tiny','input':" + "[".repeat(100_000));
    refused("{'model':'tiny','x':" + "[".repeat(100_000) + "]".repeat(100_000) + ",'input':'a'}");
    refused("{'model':'tiny','x':" + "{'a':".repeat(100_000));
    refused("{'model':'tiny','input':'a','dimensions':" + "1".repeat(100_000) + "}");
    refused("{'model':'tiny','input':[" + "1,".repeat(600_000) + "1]}");
    refused("{'model':'tiny','input':[" + "'',".repeat(300_000) + "'']}");
    refused("{'model':'tiny','input':'a','embedding_type':[" + "'float',".repeat(100_000) + "'hex']}");
    refused("{'" + "m".repeat(100_000) + "':'tiny','input':'a'}");
  }

  @Test
  void bytesThatAreNotUtf8() {
    byte[] body = "{\"model\":\"tiny\",\"input\":\"a?\"}".getBytes(StandardCharsets.UTF_8);
    body[body.length - 3] = (byte) 0xff;
    Answer answer = server.send(server.request("/v1/embeddings").header("content-type", "application/json")
        .POST(BodyPublishers.ofByteArray(body)).build());
    assertEquals(400, answer.status());
  }

  @Test
  void pictureBombs() throws IOException {
    Answer answer = refused("{'model':'tiny','input':['a',{'image':'" + Base64.getEncoder()
        .encodeToString(png(60_000, 60_000)) + "'}]}");
    assertTrue(answer.json().toString().contains("60000 x 60000"), answer.json().toString());
    refused("{'model':'tiny','input':{'image':'" + "A".repeat(1_900_001) + "'}}");
  }

  /** A PNG that promises more than it holds. */
  static byte[] png(int width, int height) {
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    try (DeflaterOutputStream deflater = new DeflaterOutputStream(data)) {
      deflater.write(new byte[1 << 20]);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    ByteBuffer header = ByteBuffer.allocate(13).putInt(width).putInt(height).put(new byte[] {8, 2, 0, 0, 0});
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    png.writeBytes(new byte[] {(byte) 0x89, 'P', 'N', 'G', 13, 10, 26, 10});
    chunk(png, "IHDR", header.array());
    chunk(png, "IDAT", data.toByteArray());
    chunk(png, "IEND", new byte[0]);
    return png.toByteArray();
  }

  private static void chunk(ByteArrayOutputStream png, String type, byte[] data) {
    byte[] named = new byte[data.length + 4];
    System.arraycopy(type.getBytes(StandardCharsets.US_ASCII), 0, named, 0, 4);
    System.arraycopy(data, 0, named, 4, data.length);
    CRC32 crc = new CRC32();
    crc.update(named);
    png.writeBytes(ByteBuffer.allocate(4).putInt(data.length).array());
    png.writeBytes(named);
    png.writeBytes(ByteBuffer.allocate(4).putInt((int) crc.getValue()).array());
  }

  private static Socket connect() throws IOException {
    Socket socket = new Socket("127.0.0.1", server.server.port());
    socket.setSoTimeout(10_000);
    return socket;
  }

  private static String head(String length) {
    return "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n" + length + "\r\n\r\n";
  }

  private static void write(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
    socket.getOutputStream().flush();
  }

  /** Everything until the server closes. */
  private static String readAll(Socket socket) throws IOException {
    return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }

  @Test
  void bodiesThatStopOrCrawl() throws Exception {
    try (Socket truncated = connect(); Socket slow = connect(); Socket none = connect(); Socket headers = connect()) {
      write(truncated, head("content-length: 100") + "{\"model\":");
      write(slow, head("content-length: 1000"));
      write(headers, "POST /v1/embeddings HTTP/1.1\r\nhost: ");
      for (int i = 0; i < 15; i++) {
        write(slow, " ");
        Thread.sleep(100);
      }
      assertTrue(readAll(slow).startsWith("HTTP/1.1 408 "));
      assertTrue(readAll(truncated).startsWith("HTTP/1.1 408 "));
      assertFalse(none.isClosed());
    }
  }

  @Test
  void bodiesThatAreTooLarge() throws Exception {
    try (Socket declared = connect(); Socket chunked = connect()) {
      write(declared, head("content-length: 99999999999"));
      assertTrue(readAll(declared).startsWith("HTTP/1.1 413 "));
      write(chunked, head("transfer-encoding: chunked"));
      String chunk = "10000\r\n" + " ".repeat(0x10000) + "\r\n";
      try {
        for (int i = 0; i < 1000; i++) write(chunked, chunk);
      } catch (IOException closed) {
        // by a server that has read enough
      }
    }
    assertEquals(413, server.post(" ".repeat(2_000_001)).status());
  }

  @ParameterizedTest
  @ValueSource(strings = {"GET / HTTP/9.9\r\n\r\n", "\r\n\r\n\r\n", "GET\r\n\r\n",
      "POST /v1/embeddings HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
      "POST /v1/embeddings HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
          "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001",
      "POST /v1/embeddings HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\nzz\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"})
  void nonsense(String bytes) throws Exception {
    try (Socket socket = connect()) {
      write(socket, bytes);
      socket.shutdownOutput();
      String answer = readAll(socket);
      assertFalse(answer.startsWith("HTTP/1.1 2"), answer);
    } catch (SocketException reset) {
      // as good an answer
    }
  }

  @Test
  void headersWithoutEnd() throws Exception {
    try (Socket socket = connect()) {
      write(socket, "GET /health HTTP/1.1\r\nhost: x\r\n");
      try {
        for (int i = 0; i < 100_000; i++) write(socket, "x" + i
            + ": yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n");
        assertTrue(readAll(socket).contains("431"));
      } catch (IOException closed) {
        // by a server that has read enough
      }
    }
  }

  @Test
  void clientsThatLeaveTakeTheirWorkWithThem() throws Exception {
    String body = "{\"model\":\"tiny\",\"input\":[" + "\"" + "a b ".repeat(2_000) + "\",".repeat(1) + "\"b\"]}";
    for (int i = 0; i < 20; i++) {
      try (Socket socket = connect()) {
        write(socket, head("content-length: " + body.length()) + body);
        Thread.sleep(5);
      }
    }
    String metrics = new String(server.get("/metrics").response().body(), StandardCharsets.UTF_8);
    assertTrue(metrics.contains("status=\"499\""), "a disconnect is counted");
  }

  @Test
  void tooManyConnections() throws Exception {
    List<Socket> sockets = new ArrayList<>();
    try {
      int closed = 0;
      for (int i = 0; i < 60; i++) {
        sockets.add(connect());
        try {
          write(sockets.getLast(), "GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
          if (sockets.getLast().getInputStream().read() < 0) closed++;
        } catch (IOException reset) {
          closed++;
        }
      }
      assertTrue(closed >= 15, closed + " were closed");
    } finally {
      for (Socket socket : sockets) socket.close();
    }
    Thread.sleep(100);
  }

  @Test
  void idleConnectionsAreClosed() throws Exception {
    try (Socket socket = connect()) {
      write(socket, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
      String all = readAll(socket);
      assertTrue(all.startsWith("HTTP/1.1 200 ") && all.endsWith("}"), all);
    }
  }

  @Test
  void pipelinedRequestsAreAnsweredInOrder() throws Exception {
    String one = head("content-length: 34") + "{\"model\":\"tiny\",\"input\":\"hello\"}  ";
    String two = head("content-length: 34") + "{\"model\":\"nope\",\"input\":\"hello\"}  ";
    try (Socket socket = connect()) {
      write(socket, one + two + one);
      String all = readAll(socket);
      assertTrue(all.matches("(?s)HTTP/1.1 200 .*HTTP/1.1 404 .*HTTP/1.1 200 .*"), all);
    }
  }
}
