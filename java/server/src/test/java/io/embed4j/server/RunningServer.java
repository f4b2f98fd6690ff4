package io.embed4j.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Base64;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.Predicate;

/** A server of the tiny model on a free port, and a client that asks it. */
final class RunningServer implements AutoCloseable {
  static final ObjectMapper JSON = new ObjectMapper();

  final EmbeddingServer server;
  final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private RunningServer(EmbeddingServer server) {
    this.server = server;
  }

  /** With settings such as {@code "max-items=3"}. */
  static RunningServer with(String... settings) {
    return new RunningServer(EmbeddingServer.start(config(settings)));
  }

  /** One that fetches URLs, with another idea of the network. */
  static RunningServer fetching(Fetcher.Resolver resolver, Predicate<InetAddress> allowed, String... settings) {
    return new RunningServer(EmbeddingServer.start(config(settings), resolver, allowed));
  }

  private static ServerConfig config(String... settings) {
    Map<Setting, String> flags = new EnumMap<>(Setting.class);
    flags.put(Setting.MODEL, "tiny=" + TinyModel.path());
    flags.put(Setting.PORT, "0");
    for (String setting : settings) {
      String[] parts = setting.split("=", 2);
      flags.put(Arrays.stream(Setting.values()).filter(s -> s.key().equals(parts[0])).findFirst().orElseThrow(),
          parts[1]);
    }
    return ServerConfig.of(flags, Map.of(), null);
  }

  /** A response with its body as JSON. */
  record Answer(int status, JsonNode json, HttpResponse<byte[]> response) {
    float[] vector(int index) {
      JsonNode numbers = json.at("/data/" + index + "/embedding");
      float[] vector = new float[numbers.size()];
      for (int i = 0; i < vector.length; i++) vector[i] = numbers.get(i).floatValue();
      return vector;
    }

    String error() {
      return json.at("/error/message").asText();
    }
  }

  String base() {
    return "http://127.0.0.1:" + server.port();
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(base() + path));
  }

  Answer get(String path) {
    return send(request(path).build());
  }

  /** Posts to /v1/embeddings; {@code '} stands for a quotation mark. */
  Answer post(String json, String... headers) {
    HttpRequest.Builder request = request("/v1/embeddings").header("Content-Type", "application/json")
        .POST(BodyPublishers.ofString(json.replace('\'', '"')));
    if (headers.length > 0) request.headers(headers);
    return send(request.build());
  }

  Answer send(HttpRequest request) {
    try {
      HttpResponse<byte[]> response = client.send(request, BodyHandlers.ofByteArray());
      boolean json = response.headers().firstValue("content-type").orElse("").startsWith("application/json");
      return new Answer(response.statusCode(), json ? JSON.readTree(response.body()) : null, response);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  static float[] decode(JsonNode base64) {
    byte[] bytes = Base64.getDecoder().decode(base64.textValue());
    float[] values = new float[bytes.length / 4];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
    return values;
  }

  @Override
  public void close() {
    client.close();
    server.close();
  }
}
