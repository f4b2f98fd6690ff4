package io.embed4j.cli.output;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import io.embed4j.Embedding;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.PatchGrid;
import io.embed4j.cli.base.Json;
import io.embed4j.cli.output.VectorType.Vectors;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * A result on its way into a row group, and as it is kept until that is full.
 *
 * @param image of a picture: its image tokens; of its multi-vectors also their rows and columns on the picture and the index
 *     of the first; else empty
 */
record Row(Origin origin, List<Integer> image, Vectors vectors) {
  static Row of(Origin origin, Embedding embedding, VectorType type) {
    List<Integer> image = new ArrayList<>();
    if (embedding.grid().isPresent()) {
      PatchGrid grid = embedding.grid().get();
      image.add(grid.tokens());
      if (embedding instanceof MultiVectorEmbedding) image.addAll(List.of(grid.rows(), grid.columns(), grid.firstRow()));
    }
    return new Row(origin, image, type.of(embedding));
  }

  /** Writes it, without the values of its vectors when these are kept elsewhere. */
  void writeTo(DataOutputStream out, boolean values) throws IOException {
    ArrayNode columns = Json.MAPPER.createArrayNode().add(origin.id());
    origin.carried().forEach(columns::add);
    byte[] json = Json.MAPPER.writeValueAsBytes(columns);
    out.writeInt(json.length);
    out.write(json);
    out.writeInt(origin.page());
    out.writeInt(image.size());
    for (int value : image) out.writeInt(value);
    out.writeInt(vectors.rows());
    out.writeInt(values ? vectors.values().length : 0);
    if (values) out.write(vectors.values());
    out.writeInt(vectors.scales().length);
    for (float scale : vectors.scales()) out.writeFloat(scale);
  }

  static Row readFrom(DataInputStream in) throws IOException {
    JsonNode columns = Json.MAPPER.readTree(in.readNBytes(in.readInt()));
    List<JsonNode> carried = new ArrayList<>();
    for (int i = 1; i < columns.size(); i++) carried.add(columns.get(i));
    int page = in.readInt();
    List<Integer> image = new ArrayList<>();
    for (int left = in.readInt(); left > 0; left--) image.add(in.readInt());
    int rows = in.readInt();
    byte[] bytes = in.readNBytes(in.readInt());
    float[] scales = new float[in.readInt()];
    for (int i = 0; i < scales.length; i++) scales[i] = in.readFloat();
    return new Row(new Origin(columns.get(0), page, carried), image, new Vectors(rows, bytes, scales));
  }
}
