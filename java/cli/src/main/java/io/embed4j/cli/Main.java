package io.embed4j.cli;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.cli.base.OutputClosedException;
import io.embed4j.cli.base.StatusLine;
import io.embed4j.cli.base.UnusableException;
import java.io.IOException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** The {@code embed4j} command. Exit codes: {@link #EXIT_CODES}. */
@Command(
    name = "embed4j",
    description = "jina-embeddings-v4 inside a JVM: texts, pictures and PDF pages in, dense and multi-vector embeddings out.",
    mixinStandardHelpOptions = true,
    scope = CommandLine.ScopeType.INHERIT,
    versionProvider = Main.Version.class,
    subcommands = {QuickstartCommand.class, ConvertCommand.class, EmbedCommand.class, ExplainCommand.class,
        TokenizeCommand.class, InfoCommand.class, SynthCommand.class, BenchCommand.class},
    footerHeading = "%n",
    footer = {"Exit codes: " + Main.EXIT_CODES + ".",
        "Start with: embed4j quickstart"})
public final class Main implements Runnable {
  static final String EXIT_CODES = "0 done, 1 some items failed, 2 bad usage or unusable model, 3 too many items failed, "
      + "130 stopped by Ctrl-C";
  static final int DONE = 0;
  static final int SOME_FAILED = 1;
  static final int UNUSABLE = 2;
  static final int TOO_MANY_FAILED = 3;

  @Option(names = {"-v", "--verbose"}, scope = CommandLine.ScopeType.INHERIT,
      description = "Say on standard error what was chosen, and show the stack of an error.")
  private boolean verbose;

  @Spec
  private CommandSpec spec;

  Main() {}

  /** Runs the command line and exits. */
  public static void main(String[] arguments) {
    System.setProperty("java.awt.headless", "true"); // pages are drawn without a screen
    StatusLine.install();
    System.exit(commandLine().execute(arguments));
  }

  static CommandLine commandLine() {
    Main main = new Main();
    return new CommandLine(main)
        .addSubcommand(ServeCommand.command())
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionStrategy(main::run)
        .setExecutionExceptionHandler(main::report);
  }

  @Override
  public void run() {
    throw new CommandLine.ParameterException(spec.commandLine(), "no command given");
  }

  private int run(ParseResult parsed) {
    // slf4j-simple reads this when the first logger is made, which is after this
    if (verbose) System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "info");
    return new CommandLine.RunLast().execute(parsed);
  }

  private int report(Exception e, CommandLine command, ParseResult parsed) {
    if (e instanceof OutputClosedException) return DONE;
    boolean explained = e instanceof EmbeddingException || e instanceof UnusableException || e instanceof IOException;
    if (verbose || !explained) e.printStackTrace(command.getErr());
    command.getErr().println("embed4j " + command.getCommandName() + ": " + (explained ? e.getMessage() : e.toString()));
    return UNUSABLE;
  }

  /** The version in the jar's manifest. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = EmbeddingModel.class.getPackage().getImplementationVersion();
      return new String[] {"embed4j " + (version == null ? "(unpackaged)" : version)
          + ", Java " + Runtime.version()};
    }
  }
}
