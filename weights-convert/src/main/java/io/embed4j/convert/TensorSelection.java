package io.embed4j.convert;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Hands out a checkpoint's tensors by name and shape and knows in the end which of them nobody asked for. */
final class TensorSelection {
  private final Map<String, CheckpointTensor> tensors;
  private final String kind;
  private final Set<String> taken = new HashSet<>();

  /** @param kind what these tensors are, for messages */
  TensorSelection(String kind, Map<String, CheckpointTensor> tensors) {
    this.kind = kind;
    this.tensors = tensors;
  }

  boolean has(String name) {
    return tensors.containsKey(name);
  }

  /** The tensor of this name; missing or of another shape it ends the conversion. */
  CheckpointTensor take(String name, long... extents) {
    CheckpointTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw Failure.bad(kind, "tensor " + name + " is missing, expected shape " + Shape.of(extents));
    }
    if (!tensor.shape().equals(Shape.of(extents))) {
      throw Failure.bad(tensor.where(), tensor.name() + " has shape " + tensor.shape() + ", expected "
          + Shape.of(extents));
    }
    taken.add(name);
    return tensor;
  }

  /** Ends the conversion when a tensor was not taken: it would be dropped without a word. */
  void requireAllTaken() {
    List<String> left = new ArrayList<>();
    tensors.forEach((name, tensor) -> {
      if (!taken.contains(name)) left.add(tensor.name() + " " + tensor.shape() + " in " + tensor.where());
    });
    if (!left.isEmpty()) {
      String others = left.size() == 1 ? "" : " and " + (left.size() - 1) + " more";
      throw Failure.bad(kind, "unknown tensor " + left.stream().sorted().findFirst().orElseThrow() + others);
    }
  }
}
