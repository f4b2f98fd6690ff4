package io.embed4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.pooling.Similarity;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Late interaction against the plain loop of {@link Similarity#maxSim} over the values that the stored rows stand for. */
class MaxSimTest {
  @TempDir
  Path folder;

  @Property(tries = 150)
  void scoresAreThoseOfThePlainLoop(@ForAll VectorStorage storage, @ForAll @IntRange(min = 1, max = 140) int dimensions,
      @ForAll @IntRange(min = 1, max = 70) int queryRows, @ForAll @IntRange(min = 1, max = 9) int size, @ForAll long seed) {
    Random random = new Random(seed);
    float[] query = unitRows(random, queryRows, dimensions);
    List<float[]> documents = documents(random, size, dimensions);
    // What the library does with the query against rounded documents.
    float[] rounded = storage == VectorStorage.FLOAT32 ? query
        : VectorStorage.INT8.decode(VectorStorage.INT8.encode(query, dimensions), dimensions);
    try (Arena arena = Arena.ofConfined()) {
      float[] scores = MaxSim.score(query, DocumentVectors.encode(storage, dimensions, documents, arena));
      assertEquals(size, scores.length);
      for (int d = 0; d < size; d++) {
        float[] stored = storage.decode(storage.encode(documents.get(d), dimensions), dimensions);
        assertEquals(Similarity.maxSim(rounded, stored, dimensions), scores[d], 1e-5 * queryRows, "document " + d);
      }
    }
  }

  @Property(tries = 50)
  void everyWayToScoreGivesTheSameBits(@ForAll VectorStorage storage, @ForAll @IntRange(min = 1, max = 40) int size,
      @ForAll long seed) {
    Random random = new Random(seed);
    int dimensions = 128;
    float[] query = unitRows(random, 20, dimensions);
    List<float[]> documents = documents(random, size, dimensions);
    List<MultiVectorEmbedding> embeddings = documents.stream().map(rows -> embedding(rows, dimensions)).toList();
    try (Arena arena = Arena.ofShared()) {
      DocumentVectors stored = DocumentVectors.encode(storage, dimensions, documents, arena);
      float[] scores = MaxSim.score(query, stored);
      assertArrayEquals(scores, MaxSim.scoreParallel(query, stored));
      DocumentVectors same = DocumentVectors.encode(storage, embeddings, arena);
      assertArrayEquals(scores, MaxSim.score(embedding(query, dimensions), same));
      assertArrayEquals(scores, MaxSim.scoreParallel(embedding(query, dimensions), same));
      MemorySegment one = arena.allocate(ValueLayout.JAVA_FLOAT);
      for (int d = 0; d < size; d++) {
        MaxSim.score(arena.allocateFrom(ValueLayout.JAVA_FLOAT, query), stored, d, d + 1, one);
        assertEquals(scores[d], one.get(ValueLayout.JAVA_FLOAT, 0));
        assertEquals(documents.get(d).length / dimensions, stored.rows(d));
      }
    }
  }

  @Property(tries = 100)
  void storedRowsComeBackWithinTheirForm(@ForAll @IntRange(min = 1, max = 300) int dimensions,
      @ForAll @IntRange(min = 1, max = 5) int rows, @ForAll long seed) {
    float[] vectors = unitRows(new Random(seed), rows, dimensions);
    assertArrayEquals(vectors, roundTrip(VectorStorage.FLOAT32, vectors, dimensions));
    float[] eight = roundTrip(VectorStorage.INT8, vectors, dimensions);
    float[] signs = roundTrip(VectorStorage.BINARY, vectors, dimensions);
    byte[] bits = VectorStorage.BINARY.encode(vectors, dimensions);
    for (int i = 0; i < vectors.length; i++) {
      assertEquals(vectors[i], eight[i], 0.5001f / 127);
      assertEquals(vectors[i] > 0 ? 1 / Math.sqrt(dimensions) : -1 / Math.sqrt(dimensions), signs[i], 1e-6);
      int row = i / dimensions;
      int column = i % dimensions;
      int octet = bits[row * ((dimensions + 7) / 8) + column / 8];
      assertEquals(vectors[i] > 0, (octet >> (7 - column % 8) & 1) == 1);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aMappedFileIsScoredInPlace(VectorStorage storage) throws Exception {
    Random random = new Random(3);
    float[] query = unitRows(random, 7, 128);
    List<float[]> documents = documents(random, 5, 128);
    try (Arena arena = Arena.ofShared()) {
      DocumentVectors stored = DocumentVectors.encode(storage, 128, documents, arena);
      Path file = folder.resolve("rows.bin");
      Files.write(file, stored.segment().toArray(ValueLayout.JAVA_BYTE));
      long[] offsets = new long[6];
      for (int d = 0; d < 5; d++) offsets[d + 1] = offsets[d] + stored.rows(d);
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
        MemorySegment mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        DocumentVectors inPlace = DocumentVectors.of(storage, 128, mapped, offsets);
        assertArrayEquals(MaxSim.score(query, stored), MaxSim.score(query, inPlace));
        // Writing to a read-only mapping would end the process.
        MemorySegment native4 = arena.allocate(4);
        assertInvalid("read-only", () -> MaxSim.score(arena.allocateFrom(ValueLayout.JAVA_FLOAT, query), inPlace, 0, 1,
            native4.asReadOnly()));
        assertInvalid("read-only", () -> storage.encode(
            arena.allocate(mapped.byteSize() / storage.rowBytes(128) * 512, 4), 128, mapped));
      }
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment rows = arena.allocate(6 * 16, 4);
      assertInvalid("document 1 is empty", () -> DocumentVectors.of(VectorStorage.FLOAT32, 4, rows, new long[] {0, 2, 2, 6}));
      assertInvalid("document 1: offsets falls", () -> DocumentVectors.of(VectorStorage.FLOAT32, 4, rows, new long[] {0, 2, 1}));
      assertInvalid("document 0 ends at row 7 of 6", () -> DocumentVectors.of(VectorStorage.FLOAT32, 4, rows, new long[] {0, 7}));
      assertInvalid("offsets[0] is -1", () -> DocumentVectors.of(VectorStorage.FLOAT32, 4, rows, new long[] {-1, 6}));
      assertInvalid("offsets has 1", () -> DocumentVectors.of(VectorStorage.FLOAT32, 4, rows, new long[] {0}));
      assertInvalid("expected whole rows of 20", () -> DocumentVectors.of(VectorStorage.FLOAT32, 5, rows, new long[] {0, 1}));
      assertInvalid("dim is 5000", () -> DocumentVectors.of(VectorStorage.FLOAT32, 5000, rows, new long[] {0, 1}));
      assertInvalid("heap array", () -> DocumentVectors.of(
          VectorStorage.BINARY, 8, MemorySegment.ofArray(new byte[4]), new long[] {0, 4}));
      assertInvalid("no documents", () -> DocumentVectors.encode(VectorStorage.INT8, 4, List.of(), arena));
      assertInvalid("document 1 has 0 bytes", () -> DocumentVectors.encode(
          VectorStorage.INT8, 4, List.of(new float[4], new float[0]), arena));
      assertInvalid("document 1: row 0, value 2", () -> DocumentVectors.encode(
          VectorStorage.INT8, 4, List.of(new float[4], new float[] {0, 0, Float.NaN, 0}), arena));
      assertInvalid("document 1 has 2 dimensions", () -> DocumentVectors.encode(
          VectorStorage.INT8, List.of(embedding(new float[4], 4), embedding(new float[4], 2)), arena));

      DocumentVectors documents = DocumentVectors.of(VectorStorage.FLOAT32, 4, rows, new long[] {0, 2, 6});
      assertInvalid("whole rows", () -> MaxSim.score(new float[5], documents));
      assertInvalid("at least one", () -> MaxSim.score(new float[0], documents));
      assertInvalid("the query has 8 dimensions, the documents 4", () -> MaxSim.score(embedding(new float[8], 8), documents));
      assertInvalid("query row 1, value 0", () -> MaxSim.score(new float[] {0, 0, 0, 0, Float.NaN, 0, 0, 0}, documents));
      assertInvalid("confined", () -> MaxSim.scoreParallel(new float[4], documents));
      MemorySegment query = arena.allocate(16, 4);
      assertInvalid("documents 0 .. 3 of 2", () -> MaxSim.score(query, documents, 0, 3, arena.allocate(12, 4)));
      assertInvalid("documents -1", () -> MaxSim.score(query, documents, -1, 1, arena.allocate(8, 4)));
      assertInvalid("documents 1 .. 1", () -> MaxSim.score(query, documents, 1, 1, arena.allocate(4, 4)));
      assertInvalid("scores has 4 bytes, expected 8", () -> MaxSim.score(query, documents, 0, 2, arena.allocate(4, 4)));
      rows.setAtIndex(ValueLayout.JAVA_FLOAT, 20, Float.NaN);
      assertInvalid("document 1 (rows 2 .. 5)", () -> MaxSim.score(new float[] {1, 0, 0, 0}, documents));
      assertInvalid("document 1 (rows 2 .. 5)", () -> MaxSim.score(query, documents, 1, 2, arena.allocate(4, 4)));
    }
  }

  @Test
  void aClosedArenaIsAnExceptionNotACrash() {
    Arena arena = Arena.ofShared();
    DocumentVectors documents = DocumentVectors.encode(VectorStorage.INT8, 4, List.of(new float[] {1, 2, 3, 4}), arena);
    arena.close();
    assertThrows(IllegalStateException.class, () -> MaxSim.score(new float[4], documents));
  }

  @Test
  void aDamagedScaleIsNamed() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment rows = arena.allocate(3 * VectorStorage.INT8.rowBytes(4), 4);
      rows.set(ValueLayout.JAVA_FLOAT, 8, Float.NaN);
      DocumentVectors documents = DocumentVectors.of(VectorStorage.INT8, 4, rows, new long[] {0, 3});
      assertInvalid("row 1: its scale is nan", () -> MaxSim.score(new float[4], documents));
    }
  }

  private static void assertInvalid(String message, org.junit.jupiter.api.function.Executable call) {
    EmbeddingException e = assertThrows(EmbeddingException.class, call);
    assertEquals(EmbeddingException.INVALID_ARGUMENT, e.code());
    assertTrue(e.getMessage().contains(message), e.getMessage());
  }

  private static float[] roundTrip(VectorStorage storage, float[] vectors, int dimensions) {
    return storage.decode(storage.encode(vectors, dimensions), dimensions);
  }

  private static MultiVectorEmbedding embedding(float[] vectors, int dimensions) {
    return new MultiVectorEmbedding(vectors, dimensions, new Usage(vectors.length / dimensions, false, Optional.empty()));
  }

  private static List<float[]> documents(Random random, int size, int dimensions) {
    List<float[]> documents = new ArrayList<>();
    for (int d = 0; d < size; d++) documents.add(unitRows(random, 1 + random.nextInt(60), dimensions));
    return documents;
  }

  private static float[] unitRows(Random random, int rows, int dimensions) {
    float[] all = new float[rows * dimensions];
    for (int row = 0; row < all.length; row += dimensions) {
      double[] x = random.doubles(dimensions).map(u -> u - 0.5).toArray();
      double length = Math.sqrt(Arrays.stream(x).map(v -> v * v).sum());
      for (int i = 0; i < dimensions; i++) all[row + i] = (float) (x[i] / length);
    }
    return all;
  }
}
