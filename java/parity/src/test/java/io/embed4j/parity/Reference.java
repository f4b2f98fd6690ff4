package io.embed4j.parity;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.embed4j.EmbeddingRequest;
import io.embed4j.Prompt;
import io.embed4j.Task;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.zip.GZIPInputStream;

/** What the published model's code gives in float32 for the tiny synthetic checkpoint. */
final class Reference {
  /** One text; dense [256], dense128 [128]. */
  record Case(String id, String task, String prompt, String text, int[] ids, float[] dense, float[] dense128, Rows multi) {

    EmbeddingRequest request() {
      return EmbeddingRequest.text(text).task(Task.of(task)).prompt(Prompt.of(prompt)).specialTokens(true);
    }
  }

  /** Of the multi-vector rows: their number, three of them and the mean of all, each [128]. */
  record Rows(int rows, float[] first, float[] middle, float[] last, float[] mean) {}

  static final List<Case> TEXTS = read();

  private Reference() {}

  private static List<Case> read() {
    try (InputStream in = new GZIPInputStream(Reference.class.getResourceAsStream("text.json.gz"))) {
      return JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build()
          .readValue(in, new TypeReference<List<Case>>() {});
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static double cosine(float[] a, float[] b) {
    if (a.length != b.length) throw new AssertionError(a.length + " and " + b.length + " entries");
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += (double) a[i] * b[i];
      aa += (double) a[i] * a[i];
      bb += (double) b[i] * b[i];
    }
    return ab / Math.sqrt(aa * bb);
  }
}
