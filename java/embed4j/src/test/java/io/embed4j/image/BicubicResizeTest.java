package io.embed4j.image;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class BicubicResizeTest {

  static Stream<String> pillow() {
    return Goldens.lines("resize.txt").stream().map(fields -> String.join(" ", fields));
  }

  @ParameterizedTest
  @MethodSource("pillow")
  void equalsPillowByteForByte(String line) {
    String[] fields = line.split(" ");
    int width = Integer.parseInt(fields[1]);
    int height = Integer.parseInt(fields[2]);
    RgbImage image = fields[0].equals("noise") ? noise(width, height) : stripes(width, height);
    RgbImage resized =
        BicubicResize.resize(image, Integer.parseInt(fields[3]), Integer.parseInt(fields[4]));
    assertEquals(fields[5], Goldens.sha256(resized.rgb()));
  }

  @Test
  void sameSizeIsTheSameImage() {
    RgbImage image = noise(5, 7);
    assertSame(image, BicubicResize.resize(image, 5, 7));
  }

  @Test
  void refusesSizesThatCannotBe() {
    RgbImage image = noise(2, 2);
    assertThrows(IllegalArgumentException.class, () -> BicubicResize.resize(image, 0, 2));
    assertThrows(IllegalArgumentException.class, () -> BicubicResize.resize(image, 40_000, 40_000));
  }

  /** A hash of each byte's index, as the goldens' generator fills its images. */
  static RgbImage noise(int width, int height) {
    byte[] rgb = new byte[3 * width * height];
    for (int i = 0; i < rgb.length; i++) {
      int x = i * (int) 2654435761L;
      x ^= x >>> 15;
      x *= (int) 2246822519L;
      rgb[i] = (byte) (x >>> 24);
    }
    return new RgbImage(width, height, rgb);
  }

  /** Hard edges between 0 and 255: overshoot has to be clipped. */
  private static RgbImage stripes(int width, int height) {
    byte[] rgb = new byte[3 * width * height];
    for (int y = 0, out = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        rgb[out++] = (byte) (x / 3 % 2 * 255);
        rgb[out++] = (byte) (y / 5 % 2 * 255);
        rgb[out++] = (byte) ((x + y) / 7 % 2 * 255);
      }
    }
    return new RgbImage(width, height, rgb);
  }
}
