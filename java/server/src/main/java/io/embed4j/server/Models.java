package io.embed4j.server;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ModelOptions;
import io.embed4j.Task;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The models of a server, by every name they answer to. Thread-safe. */
final class Models implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Models.class);
  private static final List<String> PUBLISHED = List.of("jina-embeddings-v4", "jinaai/jina-embeddings-v4");

  private final List<ServedModel> models = new ArrayList<>();
  private final Map<String, ServedModel> byName = new LinkedHashMap<>();

  private Models() {}

  /** Opens the configured models; closes those it opened when one cannot be. */
  static Models open(ServerConfig config, Metrics metrics) {
    Map<String, Path> paths = paths(config.list(Setting.MODEL));
    Map<String, List<String>> names = names(paths.keySet(), config.list(Setting.ALIAS));
    Models open = new Models();
    try {
      paths.forEach((id, path) -> open.add(names.get(id), path, config, metrics));
    } catch (RuntimeException e) {
      open.close();
      throw e;
    }
    return open;
  }

  /** Models by id, from {@code [ID=]PATH}. */
  private static Map<String, Path> paths(List<String> settings) {
    Map<String, Path> paths = new LinkedHashMap<>();
    for (String setting : settings) {
      int equals = Files.exists(Path.of(setting)) ? -1 : setting.indexOf('=');
      Path path = Path.of(setting.substring(equals + 1));
      String last = String.valueOf(path.toAbsolutePath().normalize().getFileName()).replaceFirst("\\.gguf$", "");
      String id = equals < 0 ? last : setting.substring(0, equals);
      if (id.isBlank()) throw invalid("the model " + setting + " has an empty id");
      if (paths.put(id, path) != null) throw invalid("two models have the id " + id + ": name them with ID=PATH");
    }
    return paths;
  }

  private static Map<String, List<String>> names(Set<String> ids, List<String> aliases) {
    Map<String, List<String>> names = new LinkedHashMap<>();
    for (String id : ids) names.put(id, new ArrayList<>(List.of(id)));
    Set<String> taken = new HashSet<>(ids);
    for (String alias : aliases) {
      int equals = alias.indexOf('=');
      String id = alias.substring(equals + 1);
      if (equals < 1 || !names.containsKey(id)) throw invalid("the alias " + alias + " is not NAME=ID with an ID of " + ids);
      if (!taken.add(alias.substring(0, equals))) throw invalid("the name in the alias " + alias + " is taken");
      names.get(id).add(alias.substring(0, equals));
    }
    List<String> first = names.values().iterator().next();
    for (String name : PUBLISHED) if (taken.add(name)) first.add(name);
    return names;
  }

  private void add(List<String> ids, Path path, ServerConfig config, Metrics metrics) {
    int batchTokens = config.count(Setting.MAX_BATCH_TOKENS);
    Task merged = (Task) config.value(Setting.MERGED_TASK);
    EmbeddingModel model = EmbeddingModel.open(path, ModelOptions.defaults().threads(config.count(Setting.THREADS))
        .maxBatchTokens(batchTokens).mergedTask(merged).device(config.text(Setting.DEVICE)).precision(config.text(Setting.PRECISION)));
    TaskName task = ServedModel.defaultTask(model.info(), merged, TaskName.of(config.text(Setting.DEFAULT_TASK)));
    try {
      model.check(EmbeddingRequest.text("").task(task.task()));
    } catch (EmbeddingException e) {
      model.close();
      throw e;
    }
    long queueTokens = config.number(Setting.MAX_QUEUE_TOKENS);
    Dispatcher dispatcher = new Dispatcher(ids.getFirst(), model, batchTokens * model.runtime().devices(), queueTokens, metrics);
    ServedModel served = new ServedModel(List.copyOf(ids), model, dispatcher, task);
    models.add(served);
    for (String id : ids) byName.put(id, served);
    LOG.info("serving {} as {}, default task {}", path, String.join(", ", ids), task);
  }

  private static EmbeddingException invalid(String message) {
    return new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, message);
  }

  List<ServedModel> all() {
    return models;
  }

  ServedModel find(String name) throws RequestException {
    ServedModel model = byName.get(name);
    if (model != null) return model;
    throw RequestException.of(Problem.UNKNOWN_MODEL, "no such model here, expected one of " + String.join(", ", byName.keySet()),
        "model");
  }

  @Override
  public void close() {
    models.forEach(ServedModel::close);
  }
}
