package io.embed4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.Prompt;
import io.embed4j.cli.base.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The server as its user starts, asks and ends it. */
@Timeout(120)
class ServeCommandTest {
  private static final Path HOME = Path.of("../..");
  @TempDir
  Path folder;

  @Test
  void theReadmesCallsWorkAndATerminatedServerEnds() throws Exception {
    String model = folder.resolve("model").toString();
    assertEquals(0, CommandLineTest.run("synth", model, "--type", "bf16").code());
    Path config = Files.writeString(folder.resolve("server.properties"), "port=0\n");
    Process server = CommandLineTest.start("serve", "-m", "mine=" + model, "--config", config.toString());
    try (BufferedReader log = server.errorReader(StandardCharsets.UTF_8)) {
      Matcher listening = Pattern.compile("listening on http://127\\.0\\.0\\.1:(\\d+)").matcher("");
      for (String line = log.readLine(); line != null && !listening.reset(line).find(); line = log.readLine()) {
        assertTrue(!line.contains("WARN") && !line.contains("ERROR"), line);
      }
      String address = "127.0.0.1:" + listening.group(1);
      List<String> calls = calls();
      assertEquals(5, calls.size());
      List<String> answers = new ArrayList<>();
      for (String call : calls) answers.add(shell(call.replace("localhost:8080", address).replace("curl ", "curl -sSf ")));
      JsonNode passages = Json.MAPPER.readTree(answers.get(0));
      try (EmbeddingModel open = EmbeddingModel.open(Path.of(model))) {
        CommandLineTest.assertVector(open.embed(EmbeddingRequest.text("Mars is red.").prompt(Prompt.PASSAGE)).dense().toArray(),
            passages.at("/data/0/embedding"));
      }
      assertEquals(2, Json.MAPPER.readTree(answers.get(2)).get("data").size(), "pages");
      assertEquals("mine", Json.MAPPER.readTree(answers.get(3)).at("/data/0/id").textValue());

      server.toHandle().destroy(); // which leaves its log readable
      assertTrue(server.waitFor(30, TimeUnit.SECONDS), "it ends");
      assertEquals(143, server.exitValue(), "by the signal");
      assertEquals(List.of(), log.lines().toList(), "quietly");
    } finally {
      server.destroyForcibly();
    }
  }

  @Test
  void whatCannotBeServedIsSaid() {
    CommandLineTest.assertUnusable("no model is given", "serve");
    CommandLineTest.assertUnusable("port is \"x\"", "serve", "-m", "absent", "--port", "x");
    CommandLineTest.assertUnusable("does not exist", "serve", "-m", "absent", "--port", "0");
  }

  /** The lines of the README's section that call curl, each with its continuations. */
  private static List<String> calls() throws IOException {
    Matcher section = Pattern.compile("## As a server\n(.*?)\n## ", Pattern.DOTALL).matcher(Files.readString(HOME.resolve("README.md")));
    assertTrue(section.find());
    Matcher call = Pattern.compile("(?m)^    (?:curl|echo) .*(?:\n      .*)*").matcher(section.group(1));
    List<String> calls = new ArrayList<>();
    while (call.find()) calls.add(call.group());
    return calls;
  }

  private static String shell(String command) throws Exception {
    Process process = new ProcessBuilder("bash", "-c", "set -o pipefail; " + command).directory(HOME.toFile()).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), command + "\n" + output);
    return output;
  }
}
