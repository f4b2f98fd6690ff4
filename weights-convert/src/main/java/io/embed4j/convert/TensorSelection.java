package io.embed4j.convert;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Hands out a checkpoint's tensors by name and shape and knows in the end which of them nobody asked for. */
final class TensorSelection {
  private final Map<String, CheckpointTensor> tensors;
  private final String where;
  private final Set<String> taken = new HashSet<>();

  /** @param where they come from, for messages */
  TensorSelection(String where, Map<String, CheckpointTensor> tensors) {
    this.where = where;
    this.tensors = tensors;
  }

  boolean has(String name) {
    return tensors.containsKey(name);
  }

  /** The tensor of this name; missing or of another shape it ends the conversion. */
  CheckpointTensor take(String name, long... extents) {
    CheckpointTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw Failure.bad(where, "tensor " + name + " is missing, expected shape " + Shape.of(extents));
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
      throw Failure.bad(where, "unknown tensor " + left.stream().sorted().findFirst().orElseThrow() + others);
    }
  }
}
