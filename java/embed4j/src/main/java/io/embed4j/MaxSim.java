package io.embed4j;

import io.embed4j.ffm.LateInteraction;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;

/**
 * Late interaction: a document's score is, over the query's vectors, the sum of each one's largest dot product with a
 * vector of the document (ColBERT, <a href="https://arxiv.org/abs/2004.12832">arXiv:2004.12832</a>). With vectors of
 * length 1 it lies in -queryRows .. queryRows.
 *
 * <p>The documents are read once, whatever the number of query rows. Against FLOAT32 documents the dots are float32 sums.
 * Against INT8 and BINARY documents the query's vectors are rounded to 8 bits, the dots are exact and the scores are the
 * same on every machine. A score does not depend on the other documents. Thread-safe.
 */
public final class MaxSim {
  private MaxSim() {}

  /**
   * Scores every document, on the calling thread.
   *
   * @return [documents]
   * @throws EmbeddingException {@link EmbeddingException#INVALID_ARGUMENT} when the dimensions differ, or naming the
   *     document whose values are not finite
   */
  public static float[] score(MultiVectorEmbedding query, DocumentVectors documents) {
    return score(vectors(query, documents), documents);
  }

  /**
   * As {@link #score(MultiVectorEmbedding, DocumentVectors)}, the documents shared out among the threads of the common
   * pool, or of the {@link ForkJoinPool} this is called in. Their rows must be accessible from every thread.
   */
  public static float[] scoreParallel(MultiVectorEmbedding query, DocumentVectors documents) {
    return scoreParallel(vectors(query, documents), documents);
  }

  /**
   * As {@link #score(MultiVectorEmbedding, DocumentVectors)}.
   *
   * @param query [queryRows][dimensions], at least one row, finite
   */
  public static float[] score(float[] query, DocumentVectors documents) {
    return score(MemorySegment.ofArray(query), documents);
  }

  /**
   * As {@link #scoreParallel(MultiVectorEmbedding, DocumentVectors)}.
   *
   * @param query [queryRows][dimensions], at least one row, finite
   */
  public static float[] scoreParallel(float[] query, DocumentVectors documents) {
    return scoreParallel(MemorySegment.ofArray(query), documents);
  }

  /**
   * Scores the documents from .. to - 1 on the calling thread without copying anything.
   *
   * @param query [queryRows][dimensions] float32 in native memory
   * @param scores [to - from] float32 in native memory, written
   */
  public static void score(MemorySegment query, DocumentVectors documents, int from, int to, MemorySegment scores) {
    long queryRows = VectorStorage.rows("query", query.byteSize(), (long) Float.BYTES * documents.dimensions());
    LateInteraction.score(documents.storage().id(), documents.dimensions(), query, Math.toIntExact(queryRows),
        documents.segment(), documents.offsets(), from, (long) to - from, scores);
  }

  private static MemorySegment vectors(MultiVectorEmbedding query, DocumentVectors documents) {
    if (query.dimensions() != documents.dimensions()) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          "the query has " + query.dimensions() + " dimensions, the documents " + documents.dimensions());
    }
    return query.segment();
  }

  private static float[] score(MemorySegment heapQuery, DocumentVectors documents) {
    float[] scores = new float[documents.size()];
    score(heapQuery, documents, 0, documents.size(), scores);
    return scores;
  }

  private static float[] scoreParallel(MemorySegment heapQuery, DocumentVectors documents) {
    if (!documents.segment().isAccessibleBy(Thread.ofPlatform().unstarted(() -> {}))) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          "the documents lie in a confined arena: only its thread may score them, with MaxSim.score");
    }
    float[] scores = new float[documents.size()];
    int[] bounds = parts(documents, 4 * ForkJoinPool.getCommonPoolParallelism());
    IntStream.range(0, bounds.length - 1).parallel()
        .forEach(part -> score(heapQuery, documents, bounds[part], bounds[part + 1], scores));
    return scores;
  }

  /** From the heap and back: only the query and the scores are copied. */
  private static void score(MemorySegment heapQuery, DocumentVectors documents, int from, int to, float[] scores) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment part = arena.allocate(ValueLayout.JAVA_FLOAT, to - from);
      score(VectorStorage.copy(heapQuery, arena), documents, from, to, part);
      MemorySegment.copy(part, ValueLayout.JAVA_FLOAT, 0, scores, from, to - from);
    }
  }

  /** Documents cut into at most so many parts of about as many rows; [parts + 1], 0 .. size. */
  private static int[] parts(DocumentVectors documents, int most) {
    int size = documents.size();
    int count = Math.min(most, size);
    long begin = documents.offset(0);
    long rows = documents.offset(size) - begin;
    int[] bounds = new int[count + 1];
    int document = 0;
    for (int part = 1; part <= count; part++) {
      // Every part keeps at least one document.
      document++;
      while (document < size - (count - part)
          && (part == count || documents.offset(document) - begin < rows / count * part)) {
        document++;
      }
      bounds[part] = document;
    }
    return bounds;
  }
}
