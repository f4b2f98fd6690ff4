package io.embed4j.parity;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ImageInput;
import io.embed4j.Prompt;
import io.embed4j.Task;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.zip.GZIPInputStream;

/** What the published model's code gives in float32 for the tiny synthetic checkpoint. */
final class Reference {
  /** What an input gives: tokens with the prompt's, dense [256], dense128 [128]. */
  interface Expected {
    String id();

    EmbeddingRequest request();

    int tokens();

    float[] dense();

    float[] dense128();

    Rows multi();
  }

  /** One text. */
  record Case(String id, String task, String prompt, String text, int[] ids, float[] dense, float[] dense128, Rows multi)
      implements Expected {

    @Override
    public EmbeddingRequest request() {
      return EmbeddingRequest.text(text).task(Task.of(task)).prompt(Prompt.of(prompt)).specialTokens(true);
    }

    @Override
    public int tokens() {
      return ids.length;
    }
  }

  /** One picture; size width, height in pixels; grid temporal, height, width in patches. */
  record Picture(String file, String task, int[] size, int[] grid, int tokens, float[] dense, float[] dense128, Rows multi)
      implements Expected {

    @Override
    public String id() {
      return file;
    }

    @Override
    public EmbeddingRequest request() {
      return EmbeddingRequest.image(picture(file)).task(Task.of(task));
    }
  }

  /** Of the multi-vector rows: their number, three of them and the mean of all, each [128]. */
  record Rows(int rows, float[] first, float[] middle, float[] last, float[] mean) {}

  static final List<Case> TEXTS = read("text.json.gz", new TypeReference<>() {});
  static final List<Picture> PICTURES = read("image.json.gz", new TypeReference<>() {});
  /** Small pictures of every format, depth and odd size, by the same reference. */
  static final List<Picture> FORMATS = read("formats.json.gz", new TypeReference<>() {});

  private Reference() {}

  /** A picture of the reference, as its file lies among the test's resources. */
  static ImageInput picture(String file) {
    return ImageInput.of(bytes(file));
  }

  static byte[] bytes(String file) {
    try (InputStream in = Reference.class.getResourceAsStream("images/" + file)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static <T> List<T> read(String resource, TypeReference<List<T>> type) {
    try (InputStream in = new GZIPInputStream(Reference.class.getResourceAsStream(resource))) {
      return JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build().readValue(in, type);
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
