package io.embed4j.bench;

import io.embed4j.image.ImageDecoder;
import io.embed4j.image.ImageGrid;
import io.embed4j.image.ImageLimits;
import io.embed4j.image.ImageProcessor;
import io.embed4j.image.RgbImage;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import javax.imageio.ImageIO;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** A page of A4 at 150 dpi, as a scanner leaves it, on its way to the model on one thread: decoded, resized, cut into patches. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = {"-Xmx2g", "-Djava.awt.headless=true", "--enable-native-access=ALL-UNNAMED"})
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
public class ImageBenchmark {
  private static final int WIDTH = 1240;
  private static final int HEIGHT = 1754;
  // preprocessor_config.json of the checkpoint
  private static final long MIN_PIXELS = 3136;
  private static final long MAX_PIXELS = 602_112;
  private static final float[] MEAN = {0.48145466f, 0.4578275f, 0.40821073f};
  private static final float[] STD = {0.26862954f, 0.26130258f, 0.27577711f};

  @Param({"png", "jpg"})
  public String format;

  private final ImageDecoder decoder = new ImageDecoder(ImageLimits.DEFAULT, false);
  private final ImageProcessor processor = new ImageProcessor(MIN_PIXELS, MAX_PIXELS, 14, 2, 2, MEAN, STD);
  private byte[] encoded;
  private RgbImage page;
  private MemorySegment patches;

  @Setup(Level.Trial)
  public void draw() throws IOException {
    BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
    Graphics2D g = image.createGraphics();
    g.setColor(Color.WHITE);
    g.fillRect(0, 0, WIDTH, HEIGHT);
    for (int line = 0; line < 60; line++) { // strokes where a text has letters
      for (int x = 100; x < WIDTH - 100; x += 9) {
        g.setColor(new Color(20 + (line * 7 + x * 13) % 60, 20, 30));
        g.drawLine(x, 100 + 26 * line, x + (x * 31 + line) % 7, 112 + 26 * line);
      }
    }
    g.dispose();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    if (!ImageIO.write(image, format, bytes)) throw new IllegalStateException("no encoder for " + format);
    encoded = bytes.toByteArray();
    page = decoder.decode(encoded);
    ImageGrid grid = processor.grid(WIDTH, HEIGHT);
    if (page.width() != WIDTH || page.height() != HEIGHT) throw new IllegalStateException("decoded to another size");
    patches = MemorySegment.ofArray(new float[grid.patches() * processor.patchValues()]);
  }

  @Benchmark
  public RgbImage decode() {
    return decoder.decode(encoded);
  }

  @Benchmark
  public ImageGrid resizeAndPatch() {
    return processor.patches(page, patches);
  }

  @Benchmark
  public ImageGrid all() {
    return processor.patches(decoder.decode(encoded), patches);
  }
}
