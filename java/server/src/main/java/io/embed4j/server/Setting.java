package io.embed4j.server;

import io.embed4j.EmbeddingModel;
import io.embed4j.Task;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** What can be configured. One name serves everywhere: {@code --max-items}, {@code EMBED4J_MAX_ITEMS}, {@code max-items=}. */
public enum Setting {
  /** The models to serve. */
  MODEL(Kind.LIST, "", "[ID=]PATH,...", "Models: a converted directory or a lone text GGUF each; without ID the last name of "
      + "the path. The first also answers to jina-embeddings-v4."),
  /** Further names. */
  ALIAS(Kind.LIST, "", "NAME=ID,...", "Further names of models, such as text-embedding-3-small=my-model."),
  /** Address to bind. */
  HOST(Kind.TEXT, "127.0.0.1", "HOST", "Address to listen on; 0.0.0.0 for all of them."),
  /** Port to bind. */
  PORT(Kind.number(0, 65535), "8080", "N", "Port to listen on; 0 for any that is free."),
  /** Worker threads. */
  THREADS(Kind.number(0, 1024), "0", "N", "Worker threads of each model; 0 for all processors."),
  /** What computes. */
  DEVICE(Kind.TEXT, "cpu", "DEVICE", "cpu, cuda or cuda:N for an NVIDIA GPU, cuda:all for all of them, or auto: a "
      + "GPU where that is possible."),
  /** Of the products. */
  PRECISION(Kind.oneOf("model", "fp8"), "model", "model|fp8", "fp8: the text decoder in 8-bit floating point, on a GPU of compute "
      + "capability 8.9 or newer."),
  /** Of a lone text GGUF. */
  MERGED_TASK(Kind.TASK, "", "TASK", "The task merged into a lone text GGUF whose name does not say it."),
  /** The task of requests that name none. */
  DEFAULT_TASK(Kind.TEXT, "text-matching", "TASK", "Task of requests that name none, such as retrieval.passage; a model that "
      + "serves one task only takes that."),
  /** The shape of errors. */
  DIALECT(Kind.oneOf("auto", "openai", "jina"), "auto", "auto|openai|jina", "Shape of errors; auto: OpenAI's unless the "
      + "request carries a field that only Jina has."),
  /** Batches. */
  MAX_BATCH_TOKENS(Kind.number(1, 1 << 20), "2048", "N", "Tokens of one batch; a longer text goes alone, in "
      + "the background."),
  /** The queue's bound. */
  MAX_QUEUE_TOKENS(Kind.number(1, 1 << 30), "524288", "N", "Tokens that may wait for a model, and the most of one request; "
      + "beyond it 429."),
  /** Memory for requests and responses. */
  MAX_MEMORY_BYTES(Kind.number(0, Long.MAX_VALUE), "0", "N", "Bytes of requests and responses in flight, and as much again of "
      + "decoded pictures; beyond it 429; 0 for a quarter of the heap."),
  /** One request's body. */
  MAX_BODY_BYTES(Kind.number(1, 1 << 30), "33554432", "N", "Bytes of a request's body."),
  /** One response's body. */
  MAX_RESPONSE_BYTES(Kind.number(1, 1 << 30), "134217728", "N", "Bytes of a response's body."),
  /** Tokens of one input. */
  MAX_INPUT_TOKENS(Kind.number(0, EmbeddingModel.MAX_TOKENS), "0", "N", "Tokens of one input, prompt included; 0 for the model's "
      + "context length."),
  /** Items of a request. */
  MAX_ITEMS(Kind.number(1, 1 << 20), "2048", "N", "Inputs of a request; of one with Jina's fields at most 512."),
  /** One picture or PDF. */
  MAX_FILE_BYTES(Kind.number(1, 1 << 30), "8388608", "N", "Bytes of a picture or PDF."),
  /** Pixels of a picture. */
  MAX_IMAGE_PIXELS(Kind.number(1, 715_827_882), "50000000", "N", "Pixels of a picture as it arrives."),
  /** Pages of a PDF. */
  MAX_PDF_PAGES(Kind.number(1, 5000), "64", "N", "Pages of a PDF."),
  /** Concurrent decoding. */
  DECODERS(Kind.number(0, 1024), "0", "N", "Texts and pictures made ready at the same time; 0 for the number of processors."),
  /** Threads of the network. */
  EVENT_LOOPS(Kind.number(0, 64), "0", "N", "Threads that read and write connections; 0 for one per four processors, at most 8."),
  /** Connections. */
  MAX_CONNECTIONS(Kind.number(1, 1 << 20), "4096", "N", "Open connections; further ones are closed at once."),
  /** Reading a request. */
  BODY_TIMEOUT(Kind.TIME, "30", "SECONDS", "Time to send a request's body."),
  /** Between requests. */
  IDLE_TIMEOUT(Kind.TIME, "60", "SECONDS", "Time between a connection's requests, and to send a request's headers."),
  /** A request as a whole. */
  REQUEST_TIMEOUT(Kind.TIME, "600", "SECONDS", "Most time from a request's body to its response; a request may ask for less in "
      + "X-Request-Timeout."),
  /** At the end. */
  DRAIN_TIMEOUT(Kind.TIME, "30", "SECONDS", "Time for accepted requests to end after SIGTERM."),
  /** Keys. */
  API_KEYS_FILE(Kind.PATH, "", "FILE", "Keys that /v1 asks for, one per line; without it no key is asked for."),
  /** PEM certificate. */
  TLS_CERTIFICATE(Kind.PATH, "", "FILE", "Certificate chain, PEM; with --tls-key."),
  /** PEM key. */
  TLS_KEY(Kind.PATH, "", "FILE", "Private key, PEM (PKCS 8)."),
  /** PKCS 12. */
  TLS_KEYSTORE(Kind.PATH, "", "FILE", "Key store, PKCS 12, in place of the PEM files."),
  /** Its password. */
  TLS_KEYSTORE_PASSWORD(Kind.TEXT, "", "PASSWORD", "Password of the key store; better in the environment than as a flag."),
  /** Browsers. */
  CORS_ORIGINS(Kind.LIST, "", "ORIGIN,...", "Origins whose pages may call this server, or *; none by default."),
  /** Fetching. */
  IMAGE_URLS(Kind.FLAG, "false", "true|false", "Fetch pictures and PDFs by http(s) URL, from public addresses only."),
  /** Fetching, time. */
  URL_TIMEOUT(Kind.TIME, "10", "SECONDS", "Time for one fetch, redirects included.");

  private final Kind<?> kind;
  private final String preset;
  private final String label;
  private final String description;

  Setting(Kind<?> kind, String preset, String label, String description) {
    this.kind = kind;
    this.preset = preset;
    this.label = label;
    this.description = description;
  }

  /** As a flag without its dashes and as a key of the file: {@code max-items}. */
  public String key() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** In the environment: {@code EMBED4J_MAX_ITEMS}. */
  public String variable() {
    return "EMBED4J_" + name();
  }

  /** The default, as it would be written; empty: none. */
  public String preset() {
    return preset;
  }

  /** A word for the value in a usage text. */
  public String label() {
    return label;
  }

  /** A sentence. */
  public String description() {
    return description;
  }

  /** Whether a list of values is meant, so that a flag may be repeated. */
  public boolean repeatable() {
    return kind == Kind.LIST;
  }

  /** Whether the value may be shown. */
  boolean secret() {
    return this == TLS_KEYSTORE_PASSWORD;
  }

  Object parse(String value) {
    return kind.parse.apply(value.strip());
  }

  /** How a value is read; throws IllegalArgumentException that says what is expected. */
  private record Kind<T>(Function<String, T> parse) {
    static final Kind<String> TEXT = new Kind<>(value -> value);
    static final Kind<Path> PATH = new Kind<>(value -> value.isEmpty() ? null : Path.of(value));
    static final Kind<Task> TASK = new Kind<>(value -> value.isEmpty() ? null : Task.of(value));
    static final Kind<Boolean> FLAG = new Kind<>(value -> Boolean.valueOf(among(value, "true", "false")));
    static final Kind<List<String>> LIST = new Kind<>(value ->
        Arrays.stream(value.split(",")).map(String::strip).filter(item -> !item.isEmpty()).toList());
    static final Kind<Duration> TIME = new Kind<>(value -> Duration.ofMillis((long) (1000 * seconds(value))));

    static Kind<Long> number(long least, long most) {
      return new Kind<>(value -> {
        long number = Long.MIN_VALUE;
        if (value.matches("-?\\d{1,18}")) number = Long.parseLong(value);
        if (number < least || number > most) throw new IllegalArgumentException("expected " + least + " .. " + most);
        return number;
      });
    }

    static Kind<String> oneOf(String... values) {
      return new Kind<>(value -> among(value, values));
    }

    private static String among(String value, String... values) {
      if (List.of(values).contains(value)) return value;
      throw new IllegalArgumentException("expected one of " + String.join(", ", values));
    }

    private static double seconds(String value) {
      double seconds = value.matches("\\d{1,6}(\\.\\d{1,3})?") ? Double.parseDouble(value) : 0;
      if (seconds < 0.001 || seconds > 86_400) throw new IllegalArgumentException("expected seconds, 0.001 .. 86400");
      return seconds;
    }
  }
}
