package io.embed4j.cli.output;

import io.embed4j.cli.input.Column;
import java.nio.file.Path;
import java.util.List;

/**
 * What all rows of an output have in common.
 *
 * @param type of the values
 * @param dimensions of each vector
 * @param multiVector rows hold several vectors
 * @param id type of the ids
 * @param carried columns of the input that are in the output, too
 */
public record Shape(VectorType type, int dimensions, boolean multiVector, Column.Type id, List<Column> carried) {
  List<String> carriedNames() {
    return carried.isEmpty() ? List.of() : carried.stream().map(Column::name).toList();
  }

  /** What a file is called before it is complete. */
  static Path part(Path path) {
    return path.resolveSibling(path.getFileName() + ".part");
  }
}
