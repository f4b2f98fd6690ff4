package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ImageInput;
import io.embed4j.ModelOptions;
import io.embed4j.Outcome;
import io.embed4j.Task;
import io.embed4j.convert.WeightType;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Texts and pictures in one batch: each gets the vector it gets alone, and a bad one gets its error. */
class PictureBatchTest {
  private static final String[] SMALL = {"noise_small.png", "alpha.png", "8x9.png", "cmyk.jpg", "palette_57x57.png",
      "tall_60x900.webp", "gradient_gray.png", "animated.gif", "banner.png"};

  @TempDir
  Path folder;

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16", "Q8_0", "Q4_K_M"})
  void sixtyFourMixedItemsAreBitIdenticalToEachAlone(WeightType type) {
    List<EmbeddingRequest> requests = mixed();
    assertEquals(64, requests.size());
    List<float[]> alone = new ArrayList<>();
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.of(type), ModelOptions.defaults().threads(1))) {
      for (EmbeddingRequest request : requests) alone.add(BatchIndependenceTest.values(model.embed(request)));
    }
    for (int maxBatchTokens : new int[] {500, 100_000}) {
      ModelOptions options = ModelOptions.defaults().threads(3).maxBatchTokens(maxBatchTokens);
      try (EmbeddingModel model = EmbeddingModel.open(TinyModel.of(type), options)) {
        List<Outcome> outcomes = model.embedAll(requests);
        for (int i = 0; i < alone.size(); i++) {
          assertArrayEquals(alone.get(i), BatchIndependenceTest.values(outcomes.get(i).orThrow()),
              "item " + i + " in batches of " + maxBatchTokens);
        }
      }
    }
  }

  /** Three pictures to one text; tasks, kinds of vectors and pixel budgets mixed; one larger page. */
  private static List<EmbeddingRequest> mixed() {
    List<EmbeddingRequest> requests = new ArrayList<>();
    for (int i = 0; i < 63; i++) {
      EmbeddingRequest request = i % 4 == 3
          ? Reference.TEXTS.get(i / 4).request().maxTokens(200).truncate(true)
          : EmbeddingRequest.image(Reference.picture(SMALL[i % SMALL.length])).maxPixels(i % 5 == 0 ? 30_000 : 0);
      requests.add(request.task(Task.values()[i % 3]).multiVector(i % 7 < 2).imageTokensOnly(i % 2 == 0));
    }
    requests.add(EmbeddingRequest.image(Reference.picture("chart.jpg")));
    Collections.shuffle(requests, new Random(7));
    return requests;
  }

  @Test
  void everyWayToHandOverAPictureGivesTheSame() throws IOException {
    byte[] png = Reference.bytes("label.png");
    Path mislabelled = Files.write(folder.resolve("label.jpg"), png); // told apart by content, as the reference does
    BufferedImage decoded = ImageIO.read(new ByteArrayInputStream(png));
    byte[] rgb = new byte[3 * decoded.getWidth() * decoded.getHeight()];
    for (int i = 0; i < rgb.length / 3; i++) {
      int pixel = decoded.getRGB(i % decoded.getWidth(), i / decoded.getWidth());
      for (int c = 0; c < 3; c++) rgb[3 * i + c] = (byte) (pixel >> 16 - 8 * c);
    }
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.of(WeightType.BF16))) {
      float[] expected = model.embed(EmbeddingRequest.image(ImageInput.of(png))).dense().toArray();
      for (EmbeddingRequest request : List.of(EmbeddingRequest.image(mislabelled),
          EmbeddingRequest.image(ImageInput.of(decoded)),
          EmbeddingRequest.image(ImageInput.ofRgb(decoded.getWidth(), decoded.getHeight(), rgb)))) {
        assertArrayEquals(expected, model.embed(request).dense().toArray());
      }
    }
  }

  @Test
  void badFilesGetTheirErrorAndLeaveTheOthersAlone() throws IOException {
    Map<String, String> expected = new LinkedHashMap<>(); // file to code
    byte[] png = Reference.bytes("label.png");
    byte[] jpeg = Reference.bytes("chart.jpg");
    byte[] flipped = png.clone();
    flipped[png.length / 2] ^= 0x10;
    write("corrupt.png", flipped, EmbeddingException.BAD_IMAGE, expected);
    write("truncated.png", Arrays.copyOf(png, png.length / 2), EmbeddingException.BAD_IMAGE, expected);
    write("truncated.jpg", Arrays.copyOf(jpeg, jpeg.length / 2), EmbeddingException.BAD_IMAGE, expected);
    write("huge.png", sized(png, 100_000, 100_000), EmbeddingException.IMAGE_LIMIT, expected);
    write("narrow.png", sized(png, 30_000, 2), EmbeddingException.IMAGE_LIMIT, expected);
    write("zero.png", sized(png, 0, 200), EmbeddingException.BAD_IMAGE, expected);
    write("empty.png", new byte[0], EmbeddingException.BAD_IMAGE, expected);
    write("text.png", "This is no picture, whatever its name.".getBytes(StandardCharsets.UTF_8),
        EmbeddingException.UNSUPPORTED_IMAGE, expected);
    write("pdf.png", "%PDF-1.7 and so on, for a while".getBytes(StandardCharsets.UTF_8),
        EmbeddingException.UNSUPPORTED_IMAGE, expected);
    expected.put("absent.png", EmbeddingException.IO_ERROR);
    Files.createDirectory(folder.resolve("folder.png"));
    expected.put("folder.png", EmbeddingException.IO_ERROR);

    EmbeddingRequest good = EmbeddingRequest.image(Reference.picture("noise_small.png"));
    List<EmbeddingRequest> requests = new ArrayList<>();
    for (String file : expected.keySet()) {
      requests.add(good);
      requests.add(EmbeddingRequest.image(folder.resolve(file)));
    }
    requests.add(EmbeddingRequest.text("after them"));
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.of(WeightType.BF16))) {
      float[] alone = model.embed(good).dense().toArray();
      List<Outcome> outcomes = model.embedAll(requests);
      int i = 0;
      for (Map.Entry<String, String> file : expected.entrySet()) {
        assertArrayEquals(alone, outcomes.get(i++).orThrow().dense().toArray(), "beside " + file.getKey());
        EmbeddingException error = ((Outcome.Failure) outcomes.get(i++)).error();
        assertEquals(file.getValue(), error.code(), file.getKey() + ": " + error.getMessage());
        assertTrue(error.getMessage().length() > 15, error.getMessage());
      }
      assertEquals(256, outcomes.getLast().orThrow().dense().dimensions());
    }
  }

  private void write(String file, byte[] bytes, String code, Map<String, String> expected) throws IOException {
    Files.write(folder.resolve(file), bytes);
    expected.put(file, code);
  }

  /** A PNG whose header claims another size, its checksum made right. */
  private static byte[] sized(byte[] png, int width, int height) {
    ByteBuffer copy = ByteBuffer.wrap(png.clone()).putInt(16, width).putInt(20, height);
    CRC32 crc = new CRC32();
    crc.update(copy.array(), 12, 17);
    return copy.putInt(29, (int) crc.getValue()).array();
  }
}
