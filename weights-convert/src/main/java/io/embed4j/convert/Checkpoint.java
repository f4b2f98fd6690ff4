package io.embed4j.convert;

import java.util.Map;
import java.util.Optional;

/**
 * What a conversion needs of a model, whether it lies in a directory or is computed. Tensor names are those of the flat
 * style: {@code model.layers.0...}, {@code visual...}, {@code multi_vector_projector...}, and for an adapter
 * {@code <module>.lora_A.<task>}.
 */
interface Checkpoint extends AutoCloseable {
  /** What the files call the model: general.name. */
  String name();

  /** Where it lies, for messages. */
  String where();

  ModelConfig config();

  Preprocessing preprocessing();

  Vocabulary vocabulary();

  /** Absent for a checkpoint whose adapters were merged or that never had any. */
  Optional<AdapterConfig> adapterConfig();

  Map<String, CheckpointTensor> tensors();

  /** Empty without adapters. */
  Map<String, CheckpointTensor> adapterTensors();

  @Override
  void close();
}
