package io.embed4j.convert;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** multivector.gguf: the multi-vector head with its bias and one LoRA per task. The format is this project's own. */
final class MultiVectorFile {
  static final String NAME = "multivector.gguf";
  private static final String MODULE = "multi_vector_projector";

  private MultiVectorFile() {}

  /** Empty for a checkpoint without a head, which only one that is not the published model may be. */
  static Optional<GgufContents> contents(Checkpoint checkpoint, TensorSelection tensors, TensorSelection adapters,
      WeightType weights, List<String> tasks) {
    ModelConfig config = checkpoint.config();
    boolean stated = tensors.has(MODULE + ".weight") || tensors.has(MODULE + ".bias");
    if (!stated && !config.published() && tasks.isEmpty()) return Optional.empty();
    long hidden = config.text().hiddenSize();
    long dim = config.multiVectorDim().orElseGet(() -> (int) rows(checkpoint));
    WeightType stored = weights.ofAdapters();
    GgufMetadata metadata = TextFile.general("embed4j-multivector", "model", checkpoint.name(), stored)
        .u32("embed4j.multivector_dim", (int) dim);
    List<OutputTensor> out = new ArrayList<>();
    out.add(OutputTensor.of("multivector.weight", stored.matrix(), tensors.take(MODULE + ".weight", dim, hidden)));
    out.add(TextFile.vector("multivector.bias", tensors.take(MODULE + ".bias", dim)));
    checkpoint.adapterConfig().ifPresent(adapter -> {
      metadata.u32("embed4j.lora.rank", adapter.rank()).f32("embed4j.lora.alpha", adapter.alpha());
      metadata.strings("embed4j.task_names", tasks);
      for (String task : tasks) {
        AdapterFile.addPair(out, adapters, stored, MODULE, task, "multivector." + task, adapter.rank(), dim, hidden);
      }
    });
    return Optional.of(new GgufContents(NAME, metadata, out));
  }

  /** The head's own extent, where config.json does not state it. */
  private static long rows(Checkpoint checkpoint) {
    CheckpointTensor weight = checkpoint.tensors().get(MODULE + ".weight");
    return weight == null ? 1 : weight.shape().extents().getFirst();
  }
}
