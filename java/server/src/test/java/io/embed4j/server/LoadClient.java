package io.embed4j.server;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The load generator of {@link LoadBench}, a process of its own with one thread: {@code LoadClient PORT FILE...}, one
 * file per request body. For each line {@code CONNECTIONS MILLIS} on standard input it keeps so many connections busy,
 * connection i with body i modulo their number, and answers with one line: responses after the first of each
 * connection, nanoseconds from there to the last of them, median nanoseconds of a response, processor time it took
 * itself per elapsed time. A response must be byte for byte the first one to its body, which lies beside it as
 * FILE.response for others to check.
 */
final class LoadClient {
  private static final int RECEIVED_BYTES = 1 << 20;

  private final int port;
  private final List<Path> files = new ArrayList<>();
  private final List<byte[]> requests = new ArrayList<>();
  private final byte[][] expected;

  private LoadClient(int port, List<Path> files) throws IOException {
    this.port = port;
    this.files.addAll(files);
    for (Path file : files) {
      byte[] body = Files.readAllBytes(file);
      byte[] head = ("POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
          + "content-length: "
          + body.length + "\r\n\r\n").getBytes(StandardCharsets.US_ASCII);
      byte[] request = Arrays.copyOf(head, head.length + body.length);
      System.arraycopy(body, 0, request, head.length, body.length);
      requests.add(request);
    }
    this.expected = new byte[files.size()][];
  }

  /** One request at a time on a connection of its own. */
  private final class Connection {
    private final int kind;
    private final SocketChannel channel;
    private final ByteBuffer request;
    private ByteBuffer response = ByteBuffer.allocate(RECEIVED_BYTES);
    private int head = -1; // bytes up to the body, once they are there
    private int length;    // of head and body
    private long sent;

    Connection(Selector selector, int kind) throws IOException {
      this.kind = kind;
      this.channel = SocketChannel.open(new InetSocketAddress("127.0.0.1", port));
      this.request = ByteBuffer.wrap(requests.get(kind));
      channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
      channel.configureBlocking(false);
      channel.register(selector, SelectionKey.OP_READ, this);
    }

    void send() throws IOException {
      request.rewind();
      sent = System.nanoTime();
      while (request.hasRemaining()) channel.write(request); // small beside a socket's buffer
    }

    /** Reads what is there; true when it ends a response. */
    boolean receive() throws IOException {
      if (channel.read(response) < 0) throw new IOException("the server closed a connection");
      if (head < 0) readHead();
      if (head >= 0 && response.capacity() < length) response = ByteBuffer.allocate(length).put(response.flip());
      if (head < 0 || response.position() < length) return false;
      check();
      response.clear();
      head = -1;
      return true;
    }

    private void readHead() throws IOException {
      byte[] bytes = response.array();
      for (int i = 3; i < response.position() && head < 0; i++) {
        if (bytes[i] == '\n' && bytes[i - 1] == '\r' && bytes[i - 2] == '\n') head = i + 1;
      }
      if (head < 0) return;
      String text = new String(bytes, 0, head, StandardCharsets.US_ASCII);
      if (!text.startsWith("HTTP/1.1 200")) throw new IOException(text);
      int at = text.indexOf("content-length: ") + 16;
      length = head + Integer.parseInt(text.substring(at, text.indexOf('\r', at)));
    }

    private void check() throws IOException {
      byte[] bytes = response.array();
      if (expected[kind] == null) {
        expected[kind] = Arrays.copyOfRange(bytes, head, length);
        Files.write(Path.of(files.get(kind) + ".response"), expected[kind]);
      } else if (!Arrays.equals(bytes, head, length, expected[kind], 0, expected[kind].length)) {
        throw new IOException("another response to request " + kind);
      }
    }
  }

  private String load(int connections, long millis) throws IOException {
    long processor = processorNanos();
    long start = System.nanoTime();
    long[] times = new long[1 << 20];
    int done = 0;
    long begun = 0; // when every connection could have had a response: from here on, batches are full
    long last = 0;
    try (Selector selector = Selector.open()) {
      List<Connection> open = new ArrayList<>();
      for (int i = 0; i < connections; i++) {
        open.add(new Connection(selector, i % requests.size()));
        open.getLast().send();
      }
      long end = start + millis * 1_000_000;
      while (System.nanoTime() < end) {
        selector.select(100);
        for (SelectionKey key : selector.selectedKeys()) {
          Connection connection = (Connection) key.attachment();
          if (!connection.receive()) continue;
          last = System.nanoTime();
          times[done++ % times.length] = last - connection.sent;
          if (done == connections) begun = last;
          connection.send();
        }
        selector.selectedKeys().clear();
      }
      for (Connection connection : open) connection.channel.close();
    }
    long elapsed = System.nanoTime() - start;
    long[] sorted = Arrays.copyOf(times, Math.min(done, times.length));
    Arrays.sort(sorted);
    if (done <= connections) throw new IOException("only " + done + " responses in " + millis + " ms");
    return (done - connections) + " " + (last - begun) + " " + sorted[sorted.length / 2] + " "
        + (processorNanos() - processor) / (double) elapsed;
  }

  private static long processorNanos() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getProcessCpuTime();
  }

  public static void main(String[] arguments) throws IOException {
    LoadClient client = new LoadClient(Integer.parseInt(arguments[0]),
        Arrays.stream(arguments).skip(1).map(Path::of).toList());
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      String[] words = line.split(" ");
      System.out.println(client.load(Integer.parseInt(words[0]), Long.parseLong(words[1])));
    }
  }
}
