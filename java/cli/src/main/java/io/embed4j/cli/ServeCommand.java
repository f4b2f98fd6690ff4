package io.embed4j.cli;

import io.embed4j.server.EmbeddingServer;
import io.embed4j.server.ServerConfig;
import io.embed4j.server.Setting;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "serve",
    description = "Serve POST /v1/embeddings over HTTP, as clients of Jina and of OpenAI call it; GET /docs describes it.",
    footer = {"", "Each option but --config can also be set in the environment (--max-items as EMBED4J_MAX_ITEMS) and in the "
        + "file (max-items=...); flags go first, then the environment. SIGTERM ends it after the requests it has accepted."})
final class ServeCommand implements Callable<Integer> {
  @Option(names = "--config", paramLabel = "FILE", description = "A file of properties, one NAME=VALUE per line.")
  private Path file;

  @Spec
  private CommandSpec spec;

  /** The command with an option for each of the server's settings. */
  static CommandSpec command() {
    CommandSpec command = CommandSpec.forAnnotatedObject(new ServeCommand());
    for (Setting setting : Setting.values()) {
      OptionSpec.Builder option = OptionSpec.builder("--" + setting.key()).paramLabel(setting.label())
          .description(setting.description() + (setting.preset().isEmpty() ? "" : " Default: " + setting.preset() + "."));
      if (setting == Setting.MODEL) option.names("-m", "--model");
      command.addOption((setting.repeatable() ? option.type(String[].class) : option.type(String.class)).build());
    }
    return command;
  }

  @Override
  public Integer call() throws InterruptedException {
    if (System.getProperty("org.slf4j.simpleLogger.defaultLogLevel") == null) {
      System.setProperty("org.slf4j.simpleLogger.log.io.embed4j", "info"); // before the first logger is made
    }
    Map<Setting, String> flags = new EnumMap<>(Setting.class);
    for (Setting setting : Setting.values()) {
      Object value = spec.findOption("--" + setting.key()).getValue();
      if (value != null) flags.put(setting, value instanceof String[] values ? String.join(",", values) : value.toString());
    }
    EmbeddingServer server = EmbeddingServer.start(ServerConfig.of(flags, System.getenv(), file));
    Runtime.getRuntime().addShutdownHook(new Thread(server::close));
    new CountDownLatch(1).await(); // until a signal
    return Main.DONE;
  }
}
