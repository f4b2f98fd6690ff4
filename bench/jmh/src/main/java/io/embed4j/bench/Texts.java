package io.embed4j.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import java.util.zip.GZIPInputStream;

/** A megabyte of text in 37 languages, the same on every run, made from the bundled fixture texts. */
final class Texts {
  private static final int BYTES = 1_000_000;
  private static final long SEED = 4;

  private final List<String> texts;
  private final Random random = new Random(SEED);

  private Texts(List<String> texts) {
    this.texts = texts;
  }

  static Texts bundled() throws IOException {
    try (InputStream in = new GZIPInputStream(Texts.class.getResourceAsStream("texts.json.gz"))) {
      return new Texts(List.of(new ObjectMapper().readValue(in, String[].class)));
    }
  }

  /** The texts one after the other, over and over: every word is known after the first round. */
  String repeated() {
    return megabyte(() -> String.join("\n", texts) + "\n");
  }

  /**
   * Sentences of words from one text each, every second word the start of one and the end of another, so that new
   * words keep coming as they do in a real corpus, in each script alike. The one text that is a run of 300 letters
   * stays out: ten of those joined would be a third of the megabyte.
   */
  String recombined() {
    List<String> natural = texts.stream().filter(text -> !text.contains("A".repeat(100))).toList();
    return megabyte(() -> sentence(natural.get(random.nextInt(natural.size()))));
  }

  private String sentence(String text) {
    String[] words = text.split(" ", -1);
    StringBuilder sentence = new StringBuilder();
    for (int i = 0; i < 10; i++) {
      String word = words[random.nextInt(words.length)];
      if (random.nextBoolean()) {
        String other = words[random.nextInt(words.length)];
        word = word.substring(0, cut(word)) + other.substring(cut(other));
      }
      sentence.append(word).append(words.length > 1 ? " " : "");
    }
    return sentence.append(random.nextInt(4) == 0 ? "\n" : ". ").toString();
  }

  /** A random place between two code points. */
  private int cut(String word) {
    return word.offsetByCodePoints(0, random.nextInt(word.codePointCount(0, word.length()) + 1));
  }

  private static String megabyte(Supplier<String> parts) {
    StringBuilder text = new StringBuilder();
    for (int bytes = 0; bytes < BYTES; ) {
      String part = parts.get();
      text.append(part);
      bytes += part.getBytes(StandardCharsets.UTF_8).length;
    }
    return text.toString();
  }
}
