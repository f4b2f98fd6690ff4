package io.embed4j.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ImageProcessorTest {
  private static final float[] MEAN = {0.48145466f, 0.4578275f, 0.40821073f};
  private static final float[] STD = {0.26862954f, 0.26130258f, 0.27577711f};
  private static final ImageProcessor PROCESSOR = new ImageProcessor(3136, 602112, 14, 2, 2, MEAN, STD);

  @Test
  void gridsAreThoseOfSmartResize() {
    for (String[] fields : Goldens.lines("grids.txt")) {
      ImageProcessor processor =
          PROCESSOR.withPixels(Long.parseLong(fields[2]), Long.parseLong(fields[3]));
      ImageGrid grid = processor.grid(Integer.parseInt(fields[0]), Integer.parseInt(fields[1]));
      ImageGrid expected = new ImageGrid(1, Integer.parseInt(fields[4]), Integer.parseInt(fields[5]));
      assertEquals(expected, grid, String.join(" ", fields));
    }
  }

  @Test
  void patchesAreThoseOfTransformersBitForBit() {
    for (String[] fields : Goldens.lines("patches.txt")) {
      RgbImage image = new ImageDecoder().decode(Goldens.bytes("fixtures/" + fields[0]));
      ImageGrid expected = new ImageGrid(1, Integer.parseInt(fields[1]), Integer.parseInt(fields[2]));
      assertEquals(expected, PROCESSOR.grid(image.width(), image.height()), fields[0]);
      if (!fields[3].equals("-") && !fields[0].endsWith(".jpg")) {
        assertEquals(fields[3], Goldens.sha256(patches(image, expected)), fields[0]);
      }
    }
  }

  @Test
  void patchesOfOneImageValueByValue() {
    RgbImage image = new ImageDecoder().decode(Goldens.bytes("fixtures/noise_small.png"));
    assertDifference(Goldens.bytes("fixtures/noise_small.f32.gz"), patches(image, new ImageGrid(1, 4, 6)), 1, 0);
  }

  @Test
  void patchesOfAJpegWithinTwoLevels() {
    RgbImage image = new ImageDecoder().decode(Goldens.bytes("fixtures/chart.jpg"));
    ImageGrid grid = PROCESSOR.grid(image.width(), image.height());
    assertDifference(Goldens.bytes("fixtures/chart.f32.gz"), patches(image, grid), 50, 2 / 255.0 / 0.26);
  }

  @Test
  void aPixelHasItsPlaceInEveryPatch() {
    // one row of 2 x 2 merged groups: 28 rows, 56 columns; no resizing
    byte[] rgb = new byte[3 * 28 * 56];
    RgbImage image = new RgbImage(56, 28, rgb);
    int x = 28 + 14 + 3; // second group, right column
    int y = 14 + 5; // lower row
    rgb[3 * (y * 56 + x) + 1] = (byte) 255;
    ImageProcessor processor = PROCESSOR.withPixels(784, 602112);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment patches = arena.allocate(4L * 8 * 1176, 4);
      assertEquals(new ImageGrid(1, 2, 4), processor.patches(image, patches));
      float bright = (1 - MEAN[1]) / STD[1];
      for (int temporal = 0; temporal < 2; temporal++) {
        long index = 7 * 1176 + (1 * 2 + temporal) * 196 + 5 * 14 + 3;
        assertEquals(bright, patches.getAtIndex(ValueLayout.JAVA_FLOAT, index));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1,201,image_limit", "2011,10,image_limit", "0,5,bad_image"})
  void refusesSizesTheModelCannotTake(int width, int height, String code) {
    assertEquals(code, assertThrows(ImageException.class, () -> PROCESSOR.grid(width, height)).code());
  }

  @Test
  void refusesASegmentOfAnotherSize() {
    RgbImage image = BicubicResizeTest.noise(56, 56);
    MemorySegment heap = MemorySegment.ofArray(new float[16 * 1176 + 1]);
    assertThrows(IllegalArgumentException.class, () -> PROCESSOR.patches(image, heap));
  }

  @Test
  void refusesParametersOutOfRange() {
    assertThrows(
        IllegalArgumentException.class, () -> new ImageProcessor(9, 8, 14, 2, 2, MEAN, STD));
    assertThrows(
        IllegalArgumentException.class, () -> new ImageProcessor(1, 602112, 14, 2, 2, MEAN, new float[3]));
    assertThrows(IllegalArgumentException.class, () -> PROCESSOR.withPixels(0, 602112));
  }

  private static byte[] patches(RgbImage image, ImageGrid grid) {
    byte[] bytes = new byte[4 * grid.patches() * PROCESSOR.patchValues()];
    assertEquals(grid, PROCESSOR.patches(image, MemorySegment.ofArray(bytes)));
    return bytes;
  }

  /** Rows 0, step, 2 step of the patches against the rows expected. */
  private static void assertDifference(byte[] expected, byte[] patches, int step, double tolerance) {
    int rowBytes = 4 * PROCESSOR.patchValues();
    ByteBuffer expectedValues = ByteBuffer.wrap(expected).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer values = ByteBuffer.wrap(patches).order(ByteOrder.nativeOrder());
    assertTrue(expected.length >= rowBytes);
    for (int i = 0; i < expected.length; i += 4) {
      int row = i / rowBytes * step;
      float value = values.getFloat(row * rowBytes + i % rowBytes);
      assertEquals(expectedValues.getFloat(i), value, tolerance, "row " + row);
    }
  }
}
