package io.embed4j.convert;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * model.safetensors.index.json: which file holds which tensor. Checked against the files themselves, in both
 * directions, so that a shard from another download or a missing one is noticed.
 *
 * @param files the shards, by name
 */
record SafetensorsIndex(List<Path> files) {
  static SafetensorsIndex read(Path index) {
    JsonObject map = JsonObject.read(index).object("weight_map");
    Map<Path, Set<String>> expected = new LinkedHashMap<>();
    for (String tensor : map.keys()) {
      String file = map.text(tensor);
      if (!file.matches("[A-Za-z0-9._-]+\\.safetensors")) {
        throw Failure.bad(map.where(), tensor + " is in \"" + file
            + "\", expected a .safetensors file beside the index");
      }
      expected.computeIfAbsent(index.resolveSibling(file), key -> new TreeSet<>()).add(tensor);
    }
    if (expected.isEmpty()) throw Failure.bad(map.where(), "no tensors");
    Path single = index.resolveSibling("model.safetensors");
    if (Files.exists(single) && !expected.containsKey(single)) {
      throw Failure.bad(index.toString(), "model.safetensors lies beside it but is not in it; remove one of the two");
    }
    expected.forEach(SafetensorsIndex::requireTensors);
    return new SafetensorsIndex(expected.keySet().stream().sorted().toList());
  }

  private static void requireTensors(Path file, Set<String> expected) {
    try (SafetensorsFile shard = SafetensorsFile.open(file)) {
      for (String tensor : expected) {
        if (!shard.tensors().containsKey(tensor)) {
          throw Failure.bad(file.toString(), tensor + " is missing, although the index says it is here");
        }
      }
      for (String tensor : shard.tensors().keySet()) {
        if (!expected.contains(tensor)) {
          throw Failure.bad(file.toString(), tensor + " is not in the index");
        }
      }
    }
  }
}
