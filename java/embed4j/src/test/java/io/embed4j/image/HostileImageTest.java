package io.embed4j.image;

import static io.embed4j.image.ImageDecoderTest.assertCode;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whatever the bytes: an image or an ImageException, and no allocation beyond the limits. */
class HostileImageTest {
  private static final List<byte[]> SAMPLES =
      Goldens.IMAGES.entrySet().stream()
          .filter(entry -> !entry.getKey().endsWith(".rgb"))
          .map(Map.Entry::getValue)
          .toList();
  private static final ImageDecoder SMALL = new ImageDecoder(new ImageLimits(1 << 20, 1 << 20), true);

  @Property(tries = 3000, shrinking = ShrinkingMode.OFF)
  void damagedBytes(
      @ForAll @IntRange(min = 0, max = 10_000) int sample,
      @ForAll long seed,
      @ForAll @IntRange(min = 1, max = 8) int flips) {
    Random random = new Random(seed);
    byte[] bytes = SAMPLES.get(sample % SAMPLES.size()).clone();
    for (int i = 0; i < flips; i++) {
      // headers are short: aim at them half of the time
      int at = random.nextInt(random.nextBoolean() ? Math.min(64, bytes.length) : bytes.length);
      bytes[at] = random.nextBoolean() ? (byte) random.nextInt() : (byte) (bytes[at] ^ 1 << random.nextInt(8));
    }
    decodeOrRefuse(bytes.length > 8 && bytes[1] == 'P' && bytes[2] == 'N' ? withChecksums(bytes) : bytes);
  }

  @Property(tries = 800, shrinking = ShrinkingMode.OFF)
  void cutOrSpliced(@ForAll @IntRange(min = 0, max = 10_000) int sample, @ForAll long seed) {
    Random random = new Random(seed);
    byte[] bytes = SAMPLES.get(sample % SAMPLES.size());
    byte[] other = SAMPLES.get(random.nextInt(SAMPLES.size()));
    byte[] cut = Arrays.copyOf(bytes, random.nextInt(bytes.length));
    decodeOrRefuse(cut);
    byte[] spliced = Arrays.copyOf(bytes, bytes.length);
    int at = random.nextInt(bytes.length);
    System.arraycopy(other, 0, spliced, at, Math.min(other.length, bytes.length - at));
    decodeOrRefuse(spliced);
  }

  private static void decodeOrRefuse(byte[] bytes) {
    try {
      SMALL.decode(bytes);
    } catch (ImageException e) {
      assertTrue(e.getMessage().length() > 10, e.getMessage());
      assertFalse(e.getCause() instanceof Error, "the limits come first: " + e.getMessage());
    }
  }

  /** A PNG with its chunks' checksums made right, so that damage goes further than the first check. */
  private static byte[] withChecksums(byte[] png) {
    ByteBuffer buffer = ByteBuffer.wrap(png);
    for (int at = 8; at + 12 <= png.length; ) {
      int length = buffer.getInt(at);
      if (length < 0 || length > png.length - at - 12) {
        break;
      }
      CRC32 crc = new CRC32();
      crc.update(png, at + 4, length + 4);
      buffer.putInt(at + 8 + length, (int) crc.getValue());
      at += 12 + length;
    }
    return png;
  }

  @ParameterizedTest
  @CsvSource({
    "rgb8.png", "rgb420.jpg", "progressive.jpg", "p8.gif", "rgb24.bmp", "rle8.bmp", "rgb8_raw.tif", "rgb8_tiff_lzw.tif",
    "lossless.webp", "lossy.webp"
  })
  void everyTruncationIsAnError(String name) {
    byte[] bytes = Goldens.IMAGES.get(name);
    int end = name.equals("rgb8.png") ? bytes.length - 12 : bytes.length - 2; // PNG's end chunk holds nothing
    List<Integer> decoded = new ArrayList<>();
    for (int length = 0; length < end; length += 1 + length / 40) {
      try {
        SMALL.decode(Arrays.copyOf(bytes, length));
        decoded.add(length);
      } catch (ImageException expected) {
        // as it should be
      }
    }
    assertEquals(List.of(), decoded);
  }

  @ParameterizedTest
  @CsvSource({
    "rgb8.png, 16, BIG4, 20", "rgb420.jpg, -1, BIG2, -3", "rgb24.bmp, 18, LITTLE4, 22", "p8.gif, 6, LITTLE2, 8",
    "offset.gif, 6, LITTLE2, 8", "anim.webp, 24, LITTLE3, 27"
  })
  void aHugeOrEmptySizeIsRefusedFromTheHeader(String name, int width, String kind, int height) {
    byte[] bytes = Goldens.IMAGES.get(name);
    int frame = indexOf(bytes, 0xFF, 0xC0); // JPEG: height, width
    int x = width < 0 ? frame + 7 : width;
    int y = height < 0 ? frame + 5 : height;
    byte[] huge = patched(bytes, x, kind, 60_000);
    assertCode("image_limit", () -> new ImageDecoder().decode(patched(huge, y, kind, 60_000)));
    if (!name.endsWith("webp") && !name.endsWith("gif")) {
      assertCode("bad_image", () -> new ImageDecoder().decode(patched(bytes, x, kind, 0)));
    }
  }

  private static byte[] patched(byte[] bytes, int at, String kind, int value) {
    byte[] patched = bytes.clone();
    int width = kind.charAt(kind.length() - 1) - '0';
    for (int i = 0; i < width; i++) {
      patched[at + (kind.startsWith("BIG") ? width - 1 - i : i)] = (byte) (value >> 8 * i);
    }
    return patched[1] == 'P' ? withChecksums(patched) : patched;
  }

  private static int indexOf(byte[] bytes, int first, int second) {
    for (int i = 0; i + 1 < bytes.length; i++) {
      if ((bytes[i] & 0xFF) == first && (bytes[i + 1] & 0xFF) == second) {
        return i;
      }
    }
    return -1;
  }

  @Test
  void tiffSizesAndTilesAreChecked() {
    byte[] tiled = Goldens.IMAGES.get("tiled8.tif");
    for (int tag : new int[] {256, 322}) {
      byte[] huge = tiled.clone();
      ByteBuffer buffer = ByteBuffer.wrap(huge).order(ByteOrder.LITTLE_ENDIAN);
      for (int entry = 10; entry < 10 + 12 * buffer.getShort(8); entry += 12) {
        int found = buffer.getShort(entry);
        if (found == tag || found == tag + 1) {
          buffer.putInt(entry + 8, 60_000);
        }
      }
      assertCode("image_limit", () -> new ImageDecoder().decode(huge));
    }
  }

  @Test
  void limitsAreTheCallers() {
    byte[] png = Goldens.IMAGES.get("rgb8.png");
    RgbImage image = new ImageDecoder().decode(png);
    long pixels = (long) image.width() * image.height();
    assertEquals(image.width(), new ImageDecoder(new ImageLimits(pixels, png.length), false).decode(png).width());
    assertCode("image_limit", () -> new ImageDecoder(new ImageLimits(pixels - 1, png.length), false).decode(png));
    assertCode("image_limit", () -> new ImageDecoder(new ImageLimits(pixels, png.length - 1), false).decode(png));
  }

  @Test
  void aNarrowImageIsRefused() {
    assertCode("image_limit", () -> new ImageLimits(1 << 20, 1 << 20).checkSize(1, 201));
    new ImageLimits(1 << 20, 1 << 20).checkSize(200, 1);
  }
}
