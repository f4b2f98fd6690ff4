package io.embed4j.cli.base;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a terminal shows. */
class StatusLineTest {
  private final ByteArrayOutputStream sent = new ByteArrayOutputStream();
  private int columns = 40;
  private final StatusLine line = new StatusLine(sent, () -> columns);
  private final PrintStream others = new PrintStream(line, true, StandardCharsets.UTF_8);

  @Test
  void otherLinesScrollByAboveIt() {
    others.println("before");
    line.show(-1, "one");
    others.println("a warning");
    line.show(-1, "two");
    others.print("half");
    others.println(" a line");
    assertEquals(List.of("before", "a warning", "half a line", "two"), screen());
    line.clear();
    others.println("after");
    assertEquals(List.of("before", "a warning", "half a line", "after", ""), screen());
  }

  @Test
  void aShorterOneLeavesNothingOfALongerOne() {
    line.show(-1, "a longer one");
    line.show(-1, "short");
    assertEquals(List.of("short"), screen());
  }

  @Test
  void theBarTakesWhatTheTextLeavesAndTheTextIsCutWhereTheTerminalEnds() {
    assertEquals(" 50 % [==========          ] 12345678", StatusLine.line(0.5, "12345678", 37));
    assertEquals("  9 % 1234567890", StatusLine.line(0.099, "1234567890", 20));
    assertEquals("100 % [" + "=".repeat(40) + "] x", StatusLine.line(1.5, "x", 199));
    assertEquals("1234567890", StatusLine.line(-1, "1234567890", 20));
    assertEquals(" 50 % 1234", StatusLine.line(0.5, "1234567890", 10));
    assertEquals("", StatusLine.line(0.5, "x", 0));
    columns = 9;
    line.show(0.5, "1234567890");
    assertEquals(List.of(" 50 % 12"), screen());
  }

  /** As a terminal that knows carriage return, line feed and erasing to the end of the line. */
  private List<String> screen() {
    List<String> lines = new ArrayList<>();
    StringBuilder last = new StringBuilder();
    int column = 0;
    String text = sent.toString(StandardCharsets.UTF_8);
    for (int i = 0; i < text.length(); i++) {
      if (text.startsWith("\033[K", i)) {
        last.setLength(column);
        i += 2;
      } else if (text.charAt(i) == '\r') {
        column = 0;
      } else if (text.charAt(i) == '\n') {
        lines.add(last.toString());
        last.setLength(0);
        column = 0;
      } else {
        last.replace(column, column + 1, text.substring(i, i + 1));
        column++;
      }
    }
    lines.add(last.toString());
    return lines;
  }
}
