package io.embed4j.cli.base;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.function.IntSupplier;

/**
 * Standard error on a terminal, with a last line that says how far something is: whatever else is written scrolls by above
 * it. Why no library draws it: those at hand take Ctrl-C for themselves, and draw over what others write. Thread-safe.
 */
public final class StatusLine extends OutputStream {
  private static final String CLEAR = "\r\033[K";
  private static final int WIDEST_BAR = 40;
  private static final int NARROWEST_BAR = 5;
  private static StatusLine onStandardError; // null: that is no terminal

  private final OutputStream terminal;
  private final IntSupplier columns;
  private String line = "";
  private boolean drawn;

  StatusLine(OutputStream terminal, IntSupplier columns) {
    this.terminal = terminal;
    this.columns = columns;
  }

  /** Makes standard error keep a last line, if it is a terminal; before anything is written to it. */
  public static void install() {
    if (!Terminal.isStandardError()) return;
    onStandardError = new StatusLine(new FileOutputStream(FileDescriptor.err), Terminal::columns);
    System.setErr(new PrintStream(onStandardError, true, System.err.charset()));
  }

  /** Null when standard error is no terminal. */
  public static StatusLine onStandardError() {
    return onStandardError;
  }

  /**
   * Shows a line in place of the one before.
   *
   * @param part of the whole that is done, 0 to 1; negative: unknown
   * @param text of ASCII, cut where the terminal ends
   */
  public synchronized void show(double part, String text) {
    line = line(part, text, columns.getAsInt() - 1); // in the last column some terminals begin a new line
    draw();
  }

  /** Shows none. */
  public synchronized void clear() {
    hide();
    line = "";
  }

  static String line(double part, String text, int width) {
    String percent = part < 0 ? "" : String.format(Locale.ROOT, "%3d %% ", (int) (100 * Math.min(part, 1)));
    int bar = Math.min(WIDEST_BAR, width - percent.length() - text.length() - "[] ".length());
    String all = percent + (part < 0 || bar < NARROWEST_BAR ? "" : bar(part, bar)) + text;
    return all.substring(0, Math.clamp(width, 0, all.length()));
  }

  private static String bar(double part, int width) {
    int full = (int) (width * Math.min(part, 1));
    return "[" + "=".repeat(full) + " ".repeat(width - full) + "] ";
  }

  private void draw() {
    send((CLEAR + line).getBytes(StandardCharsets.US_ASCII));
    drawn = !line.isEmpty();
  }

  private void hide() {
    if (drawn) send(CLEAR.getBytes(StandardCharsets.US_ASCII));
    drawn = false;
  }

  private void send(byte[] bytes) {
    try {
      terminal.write(bytes);
    } catch (IOException e) {
      // nobody looks any more
    }
  }

  @Override
  public void write(int b) throws IOException {
    write(new byte[] {(byte) b}, 0, 1);
  }

  /** What others write; the line comes back behind the end of theirs. */
  @Override
  public synchronized void write(byte[] bytes, int offset, int length) throws IOException {
    if (length == 0) return;
    hide();
    terminal.write(bytes, offset, length);
    if (!line.isEmpty() && bytes[offset + length - 1] == '\n') draw();
  }
}
