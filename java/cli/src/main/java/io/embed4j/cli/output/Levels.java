package io.embed4j.cli.output;

import java.io.ByteArrayOutputStream;

/** Repetition or definition levels of a page as runs of equal values (Parquet's RLE hybrid), behind their length. */
final class Levels {
  private final ByteArrayOutputStream runs = new ByteArrayOutputStream();
  private int value;
  private int count;

  /** Adds a level, 0 .. 255, so many times. */
  void add(int level, int times) {
    if (level != value) end();
    value = level;
    count = Math.addExact(count, times);
  }

  private void end() {
    if (count == 0) return;
    int header = count << 1; // the lowest bit 0: a run
    while (header >>> 7 != 0) {
      runs.write(header & 0x7F | 0x80);
      header >>>= 7;
    }
    runs.write(header);
    runs.write(value);
    count = 0;
  }

  /** Appends the length, 4 bytes, and the runs, and begins anew. */
  void writeTo(ByteArrayOutputStream page) {
    end();
    Plain.writeInt(page, runs.size());
    page.writeBytes(runs.toByteArray());
    runs.reset();
  }
}
