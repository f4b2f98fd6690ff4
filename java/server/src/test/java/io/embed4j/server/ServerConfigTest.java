package io.embed4j.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ServerConfigTest {
  @TempDir
  Path folder;

  @Test
  void flagsGoBeforeTheEnvironmentAndThatBeforeTheFile() throws IOException {
    Path file = Files.writeString(folder.resolve("server.properties"),
        "model=a\nport=1\nmax-items=1\nbody-timeout=0.5\n");
    ServerConfig config = ServerConfig.of(Map.of(Setting.PORT, "3"),
        Map.of("EMBED4J_PORT", "2", "EMBED4J_MAX_ITEMS", "2", "EMBED4J_LIBRARY", "elsewhere"), file);
    assertEquals(3, config.count(Setting.PORT));
    assertEquals(2, config.count(Setting.MAX_ITEMS));
    assertEquals(Duration.ofMillis(500), config.time(Setting.BODY_TIMEOUT));
    assertEquals("text-matching", config.text(Setting.DEFAULT_TASK));
  }

  @Test
  void secretsAreNotShown() {
    ServerConfig config = ServerConfig.of(Map.of(Setting.MODEL, "a", Setting.TLS_KEYSTORE, "b",
        Setting.TLS_KEYSTORE_PASSWORD, "hush"),
        Map.of(), null);
    assertFalse(config.toString().contains("hush"));
    assertTrue(config.toString().contains("port=8080\n"));
  }

  @ParameterizedTest
  @CsvSource({"PORT, 65536, 0 .. 65535", "PORT, x, 0 .. 65535", "BODY_TIMEOUT, 0, seconds", "DIALECT, poem, auto",
      "IMAGE_URLS, yes, true", "DEFAULT_TASK, retrieval, retrieval.passage", "MERGED_TASK, x, retrieval",
      "TLS_CERTIFICATE, a.pem, go together", "MODEL, '', no model"})
  void whatIsWrongIsNamed(Setting setting, String value, String expected) {
    Map<Setting, String> flags = new EnumMap<>(Map.of(Setting.MODEL, "a"));
    flags.put(setting, value);
    EmbeddingException e = assertThrows(EmbeddingException.class, () -> ServerConfig.of(flags, Map.of(), null));
    assertTrue(e.getMessage().contains(expected), e.getMessage());
  }

  @Test
  void unknownKeysOfAFileAreRefused() throws IOException {
    Path file = Files.writeString(folder.resolve("server.properties"), "model=a\nmax-itmes=1\n");
    assertTrue(assertThrows(EmbeddingException.class, () -> ServerConfig.of(Map.of(), Map.of(), file)).getMessage()
        .contains("max-itmes"));
    assertThrows(EmbeddingException.class, () -> ServerConfig.of(Map.of(), Map.of(), folder.resolve("absent")));
  }
}
