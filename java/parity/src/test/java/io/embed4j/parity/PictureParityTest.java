package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ImageInput;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.PatchGrid;
import io.embed4j.convert.WeightType;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Encoded pictures in, vectors out: every picture of the reference under every task. */
class PictureParityTest {
  /** Patches per image token and side. */
  private static final int MERGE = 2;

  @ParameterizedTest
  @EnumSource(names = {"F32", "BF16", "Q8_0"})
  void everyPictureOfTheReference(WeightType type) {
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.of(type))) {
      for (List<Reference.Picture> pictures : List.of(Reference.PICTURES, Reference.FORMATS)) {
        Agreement lossless = Agreement.of(model, pictures.stream().filter(picture -> !isJpeg(picture)).toList());
        Agreement jpeg = Agreement.of(model, pictures.stream().filter(PictureParityTest::isJpeg).toList());
        System.out.println(type + " on " + model.runtime().cpuTier() + ": " + lossless + "; JPEG: " + jpeg);
        lossless.requireOfPictures(type);
        // Decoders of JPEG differ by a level here and there.
        if (type == WeightType.F32) jpeg.requireWorst(0.9999, 0.9999);
        else jpeg.requireOfPictures(type);
      }
    }
  }

  @Test
  void tokensAndGridsAreTheReferences() {
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.of(WeightType.F32))) {
      for (Reference.Picture picture : Stream.concat(Reference.PICTURES.stream(), Reference.FORMATS.stream())
          .filter(picture -> picture.task().equals("retrieval")).toList()) {
        MultiVectorEmbedding all = model.embed(picture.request().multiVector(true)).multiVector();
        PatchGrid grid = all.grid().orElseThrow();
        assertEquals(picture.grid()[1], MERGE * grid.rows(), picture.file());
        assertEquals(picture.grid()[2], MERGE * grid.columns(), picture.file());
        assertEquals(grid.rows() * grid.columns(), all.imageTokens(), picture.file());
        assertEquals(picture.tokens(), all.tokens(), picture.file());
        assertEquals(picture.multi().rows(), all.rows(), picture.file());

        MultiVectorEmbedding image = model.embed(picture.request().multiVector(true).imageTokensOnly(true)).multiVector();
        assertEquals(all.imageTokens(), image.rows(), picture.file());
        assertEquals(new PatchGrid(grid.rows(), grid.columns(), 0), image.grid().orElseThrow(), picture.file());
        for (int i = 0; i < image.rows(); i++) {
          assertArrayEquals(all.row(grid.firstRow() + i), image.row(i), picture.file() + " row " + i);
        }
      }
    }
  }

  /** Grids by the published smart_resize: sides to multiples of 28, pixels into [3136, 602112]. */
  @ParameterizedTest
  @CsvSource({"8, 9, 0, 0, 3, 2", "57, 57, 0, 0, 2, 2", "60, 900, 0, 0, 32, 2", "1, 1, 0, 0, 2, 2", "2, 400, 0, 0, 29, 1",
      "1000, 1000, 0, 0, 27, 27", "1000, 1000, 0, 100000, 11, 11", "100, 100, 200000, 0, 16, 16",
      "640, 480, 50000, 50000, 6, 9", "300, 200, 0, 784, 1, 1"})
  void sizesAndPixelBudgets(int width, int height, long minPixels, long maxPixels, int rows, int columns) {
    byte[] rgb = new byte[3 * width * height];
    for (int i = 0; i < rgb.length; i++) rgb[i] = (byte) (i * 31 ^ i >> 7);
    try (EmbeddingModel model = EmbeddingModel.open(TinyModel.of(WeightType.BF16))) {
      EmbeddingRequest request = EmbeddingRequest.image(ImageInput.ofRgb(width, height, rgb)).minPixels(minPixels)
          .maxPixels(maxPixels);
      PatchGrid grid = model.embed(request).grid().orElseThrow();
      assertEquals(rows + " x " + columns, grid.rows() + " x " + grid.columns());
    }
  }

  private static boolean isJpeg(Reference.Picture picture) {
    return picture.file().endsWith(".jpg");
  }
}
