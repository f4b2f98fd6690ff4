package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.embed4j.ChunkedEmbedding;
import io.embed4j.DenseEmbedding;
import io.embed4j.Embedding;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ModelOptions;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.Outcome;
import io.embed4j.convert.WeightType;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A text's vector is the same bit for bit whatever its batch, its place there and the number of threads. */
class BatchIndependenceTest {
  @ParameterizedTest
  @EnumSource
  void bitIdenticalInEveryBatchAndOnAnyNumberOfThreads(WeightType type) {
    List<EmbeddingRequest> requests = requests();
    List<float[]> alone = new ArrayList<>();
    try (EmbeddingModel model = open(type, 1, 2048)) {
      for (EmbeddingRequest request : requests) alone.add(values(model.embed(request)));
    }
    Random random = new Random(type.ordinal());
    for (int threads : new int[] {1, 2, 3}) {
      for (int maxBatchTokens : new int[] {1, 100, 5000}) {
        try (EmbeddingModel model = open(type, threads, maxBatchTokens)) {
          List<Integer> order = new ArrayList<>(IntStream.range(0, requests.size()).boxed().toList());
          Collections.shuffle(order, random);
          List<Outcome> outcomes = model.embedAll(order.stream().map(requests::get).toList());
          for (int i = 0; i < order.size(); i++) {
            assertArrayEquals(alone.get(order.get(i)), values(outcomes.get(i).orThrow()),
                "text " + order.get(i) + " with " + threads + " threads and batches of " + maxBatchTokens);
          }
        }
      }
    }
  }

  /** Texts of very different lengths, tasks mixed, every third one multi-vector. */
  private static List<EmbeddingRequest> requests() {
    List<EmbeddingRequest> requests = new ArrayList<>();
    for (int i = 0; i < Reference.TEXTS.size(); i += 4) {
      requests.add(Reference.TEXTS.get(i).request().maxTokens(300).truncate(true).multiVector(i % 3 == 0));
    }
    requests.add(requests.getFirst());
    return requests;
  }

  private static EmbeddingModel open(WeightType type, int threads, int maxBatchTokens) {
    return EmbeddingModel.open(TinyModel.of(type), ModelOptions.defaults().threads(threads).maxBatchTokens(maxBatchTokens));
  }

  static float[] values(Embedding embedding) {
    return switch (embedding) {
      case DenseEmbedding dense -> dense.toArray();
      case ChunkedEmbedding chunked -> throw new AssertionError("no request asked for chunks");
      case MultiVectorEmbedding multi -> multi.segment().toArray(ValueLayout.JAVA_FLOAT);
    };
  }
}
