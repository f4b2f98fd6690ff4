package io.embed4j.server;

import io.embed4j.EmbeddingException;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;

/** A server's settings, checked. Immutable. */
public final class ServerConfig {
  private final Map<Setting, String> written = new EnumMap<>(Setting.class);
  private final Map<Setting, Object> values = new EnumMap<>(Setting.class);

  private ServerConfig(Map<Setting, String> written) {
    for (Setting setting : Setting.values()) {
      String value = written.getOrDefault(setting, setting.preset());
      this.written.put(setting, value);
      try {
        values.put(setting, setting.parse(value));
      } catch (IllegalArgumentException | EmbeddingException e) {
        throw invalid(setting.key() + " is " + (setting.secret() ? "not usable" : '"' + value + '"') + ": " + e.getMessage());
      }
    }
    if (list(Setting.MODEL).isEmpty()) throw invalid("no model is given: name one with " + Setting.MODEL.key());
    boolean pem = path(Setting.TLS_CERTIFICATE) != null;
    if (pem != (path(Setting.TLS_KEY) != null)) throw invalid("tls-certificate and tls-key go together");
    if (pem && path(Setting.TLS_KEYSTORE) != null) throw invalid("give tls-certificate and tls-key, or tls-keystore, not both");
    TaskName.of(text(Setting.DEFAULT_TASK));
  }

  /**
   * The settings of the flags, else of the environment, else of the file, else the defaults.
   *
   * @param flags by {@link Setting}
   * @param environment by {@link Setting#variable}; other names are ignored
   * @param file properties by {@link Setting#key}, or null
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} naming the setting and what is expected,
   *     {@link EmbeddingException#IO_ERROR}
   */
  public static ServerConfig of(Map<Setting, String> flags, Map<String, String> environment, Path file) {
    Map<Setting, String> written = new EnumMap<>(Setting.class);
    if (file != null) written.putAll(read(file));
    for (Setting setting : Setting.values()) {
      String value = environment.get(setting.variable());
      if (value != null) written.put(setting, value);
    }
    written.putAll(flags);
    return new ServerConfig(written);
  }

  private static Map<Setting, String> read(Path file) {
    Properties properties = new Properties();
    try (Reader reader = Files.newBufferedReader(file)) {
      properties.load(reader);
    } catch (IOException | IllegalArgumentException e) {
      throw new EmbeddingException(EmbeddingException.IO_ERROR, "cannot read the configuration " + file + ": " + e, e);
    }
    Map<Setting, String> written = new EnumMap<>(Setting.class);
    for (String key : properties.stringPropertyNames()) {
      Setting setting = Arrays.stream(Setting.values()).filter(s -> s.key().equals(key)).findFirst().orElseThrow(() ->
          invalid(file + " sets " + key + ", expected one of "
              + Arrays.stream(Setting.values()).map(Setting::key).collect(Collectors.joining(", "))));
      written.put(setting, properties.getProperty(key));
    }
    return written;
  }

  private static EmbeddingException invalid(String message) {
    return new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, message);
  }

  Object value(Setting setting) {
    return values.get(setting);
  }

  String text(Setting setting) {
    return (String) values.get(setting);
  }

  long number(Setting setting) {
    return (Long) values.get(setting);
  }

  int count(Setting setting) {
    return Math.toIntExact(number(setting));
  }

  boolean flag(Setting setting) {
    return (Boolean) values.get(setting);
  }

  Duration time(Setting setting) {
    return (Duration) values.get(setting);
  }

  Path path(Setting setting) {
    return (Path) values.get(setting);
  }

  @SuppressWarnings("unchecked")
  List<String> list(Setting setting) {
    return (List<String>) values.get(setting);
  }

  /** Bytes of {@link Setting#MAX_MEMORY_BYTES}. */
  long memoryBytes() {
    long bytes = number(Setting.MAX_MEMORY_BYTES);
    return bytes == 0 ? Runtime.getRuntime().maxMemory() / 4 : bytes;
  }

  /** Threads of {@link Setting#DECODERS}. */
  int decoders() {
    int decoders = count(Setting.DECODERS);
    return decoders == 0 ? Runtime.getRuntime().availableProcessors() : decoders;
  }

  /** Every setting but secrets, as a file would have them. */
  @Override
  public String toString() {
    return written.entrySet().stream()
        .map(entry -> entry.getKey().key() + "=" + (entry.getKey().secret() && !entry.getValue().isEmpty() ? "***" : entry.getValue()))
        .collect(Collectors.joining("\n"));
  }
}
