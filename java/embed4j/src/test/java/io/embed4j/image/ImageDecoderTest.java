package io.embed4j.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.image.BufferedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImageDecoderTest {
  private final ImageDecoder decoder = new ImageDecoder();

  static Stream<String> pillow() {
    return Goldens.lines("images.txt").stream().map(fields -> String.join(" ", fields));
  }

  @ParameterizedTest
  @MethodSource("pillow")
  void givesThePixelsOfPillow(String line) {
    String[] fields = line.split(" ");
    RgbImage image = decoder.decode(Goldens.IMAGES.get(fields[0]));
    assertEquals(Integer.parseInt(fields[1]), image.width());
    assertEquals(Integer.parseInt(fields[2]), image.height());
    byte[] lossy = Goldens.IMAGES.get(fields[0] + ".rgb");
    if (lossy == null) {
      assertEquals(fields[4], Goldens.sha256(image.rgb()));
    } else {
      assertWithin(2, lossy, image.rgb()); // libjpeg of the JDK and libjpeg-turbo of Pillow: 0 where this was written
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"exif6.jpg", "exif6.png", "exif6.webp"})
  void turnsAnImageWhenAsked(String name) {
    byte[] bytes = Goldens.IMAGES.get(name);
    RgbImage stored = decoder.decode(bytes);
    RgbImage upright = new ImageDecoder(ImageLimits.DEFAULT, true).decode(bytes);
    assertEquals(stored.height(), upright.width());
    // orientation 6: the stored left column, from bottom to top, is the upright first row
    for (int x = 0; x < upright.width(); x++) {
      int from = 3 * (stored.height() - 1 - x) * stored.width();
      for (int channel = 0; channel < 3; channel++) {
        assertEquals(stored.rgb()[from + channel], upright.rgb()[3 * x + channel]);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
  void everyOrientationMovesTheFirstPixelWhereExifSays(int orientation) {
    RgbImage image = new RgbImage(3, 2, new byte[18]);
    image.rgb()[0] = 1;
    RgbImage upright = Exif.upright(image, orientation);
    int right = upright.width() - 1;
    int bottom = upright.height() - 1;
    int[][] corners = {{0, 0}, {right, 0}, {right, bottom}, {0, bottom}};
    int[] corner = corners[(orientation - 1) % 4];
    assertEquals(1, upright.rgb()[3 * (corner[1] * upright.width() + corner[0])]);
    assertEquals(orientation >= 5 ? 2 : 3, upright.width());
  }

  @Test
  void readsFiles(@TempDir Path directory) throws Exception {
    Path file = directory.resolve("mislabelled.jpg");
    Files.write(file, Goldens.IMAGES.get("rgb8.png"));
    assertArrayEquals(decoder.decode(Goldens.IMAGES.get("rgb8.png")).rgb(), decoder.decode(file).rgb());
    assertCode("io_error", () -> decoder.decode(directory.resolve("missing.png")));
    assertCode("io_error", () -> decoder.decode(directory));
  }

  @Test
  void takesBufferedImagesWithoutColourManagement() {
    int[] types = {
      BufferedImage.TYPE_INT_RGB, BufferedImage.TYPE_INT_ARGB, BufferedImage.TYPE_INT_BGR,
      BufferedImage.TYPE_3BYTE_BGR, BufferedImage.TYPE_4BYTE_ABGR
    };
    for (int type : types) {
      BufferedImage image = new BufferedImage(3, 2, type);
      image.setRGB(2, 1, 0x80C81E05);
      byte[] rgb = decoder.decode(image).rgb();
      assertEquals("c81e05", HexFormat.of().formatHex(rgb, 15, 18), "type " + type);
    }
    BufferedImage grey = new BufferedImage(3, 2, BufferedImage.TYPE_BYTE_GRAY);
    grey.getRaster().setSample(1, 0, 0, 77);
    assertEquals(77, decoder.decode(grey).rgb()[3]);
    assertEquals(0, decoder.decode(grey.getSubimage(2, 0, 1, 2)).rgb()[0]);
    assertEquals(77, decoder.decode(grey.getSubimage(1, 0, 2, 2)).rgb()[0]);
  }

  @Test
  void refusesWhatItCannotDecodeByName() {
    assertCode("unsupported_image", () -> decoder.decode("%PDF-1.7 and so on and on".getBytes()));
    assertCode("unsupported_image", () -> decoder.decode(new byte[64]));
    assertCode("bad_image", () -> decoder.decode(new byte[0]));
  }

  static void assertCode(String code, Executable executable) {
    ImageException e = assertThrows(ImageException.class, executable);
    assertEquals(code, e.code(), e.getMessage());
  }

  private static void assertWithin(int levels, byte[] expected, byte[] actual) {
    assertEquals(expected.length, actual.length);
    for (int i = 0; i < expected.length; i++) {
      int difference = Math.abs((expected[i] & 0xFF) - (actual[i] & 0xFF));
      assertTrue(difference <= levels, "byte " + i + " differs by " + difference);
    }
  }
}
