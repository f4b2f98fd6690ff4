package io.embed4j.server;

import com.fasterxml.jackson.core.JsonGenerator;
import io.embed4j.EmbeddingModel;
import io.embed4j.ModelInfo;
import io.embed4j.Task;
import java.io.IOException;
import java.util.List;

/**
 * A model and the queue before it.
 *
 * @param ids the names it answers to, its own first
 * @param defaultTask of requests that name none
 */
record ServedModel(List<String> ids, EmbeddingModel model, Dispatcher dispatcher, TaskName defaultTask) implements AutoCloseable {
  String id() {
    return ids.getFirst();
  }

  /** Tokens of the longest input. */
  int contextLength() {
    return Math.min(EmbeddingModel.MAX_TOKENS, model.info().maxPositionEmbeddings());
  }

  boolean takesPictures() {
    return model.info().files().stream().anyMatch(file -> file.role().equals("vision"));
  }

  /** The default task, or the only one that the model serves. */
  static TaskName defaultTask(ModelInfo info, Task merged, TaskName configured) {
    List<Task> tasks = info.tasks().isEmpty() && merged != null ? List.of(merged) : info.tasks();
    return tasks.size() != 1 || tasks.contains(configured.task()) ? configured : TaskName.passage(tasks.getFirst());
  }

  /** As an entry of {@code GET /v1/models}: OpenAI's fields and those of Jina's. */
  void describe(JsonGenerator json, String name) throws IOException {
    json.writeStartObject();
    json.writeStringField("id", name);
    json.writeStringField("object", "model");
    json.writeNumberField("created", 0);
    json.writeStringField("owned_by", "embed4j");
    json.writeStringField("name", model.info().name());
    json.writeNumberField("context_length", contextLength());
    json.writeArrayFieldStart("input_modalities");
    json.writeString("text");
    if (takesPictures()) {
      json.writeString("image");
      json.writeString("pdf");
    }
    json.writeEndArray();
    json.writeArrayFieldStart("output_modalities");
    json.writeString("embeddings");
    json.writeEndArray();
    json.writeArrayFieldStart("dimensions");
    for (int dimensions : model.info().matryoshkaDims()) json.writeNumber(dimensions);
    json.writeEndArray();
    json.writeNumberField("multi_vector_dimensions", model.info().multiVectorDim());
    json.writeArrayFieldStart("aliases");
    for (String alias : ids) json.writeString(alias);
    json.writeEndArray();
    json.writeEndObject();
  }

  /** Ends the batches that run. */
  @Override
  public void close() {
    dispatcher.stop();
    model.close();
    dispatcher.close();
  }
}
