package io.embed4j;

import io.embed4j.model.ModelFiles;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a model's files say of it. Sizes carry the names of the checkpoint's config.json.
 *
 * @param name general.name of the text file
 * @param path the directory or file it was read from
 * @param maxPositionEmbeddings positions the model was made for; Embed4J accepts at most
 *     {@value EmbeddingModel#MAX_TOKENS} tokens
 * @param multiVectorDim entries of each multi-vector row; 0: the model has no multi-vector head
 * @param layerBytes of all decoder layers as stored, without adapters: what every batch reads at least once
 * @param matryoshkaDims sizes a dense vector may be cut to, ascending
 * @param tasks the tasks it serves
 * @param mergedTask for a lone text GGUF, the task folded into its weights, when its name says it
 * @param tokenizer of the text file
 * @param files in the order text, vision, multi-vector, adapters
 */
public record ModelInfo(String name, Path path, int hiddenSize, int intermediateSize, int numHiddenLayers,
    int numAttentionHeads, int numKeyValueHeads, int headDim, int vocabSize, int maxPositionEmbeddings, int multiVectorDim,
    long layerBytes, List<Integer> matryoshkaDims, List<Task> tasks, Optional<Task> mergedTask, TokenizerInfo tokenizer,
    List<FileInfo> files) {

  /**
   * The tokenizer inside the text file.
   *
   * @param model tokenizer.ggml.model
   * @param pre tokenizer.ggml.pre
   * @param tokens entries of the vocabulary, special tokens included
   */
  public record TokenizerInfo(String model, String pre, int tokens, int merges) {}

  /**
   * One file.
   *
   * @param role text, vision, multivector or adapter-(task)
   * @param bytes of the file
   * @param parameters values in all tensors together
   * @param tensorTypes tensors by type, such as {bf16=29, f32=17}
   */
  public record FileInfo(String role, Path path, long bytes, long parameters, Map<String, Integer> tensorTypes) {}

  /**
   * Reads the metadata of a model and checks that its files fit together, without loading weights.
   *
   * @param path a converted directory or a text GGUF
   * @throws EmbeddingException {@link EmbeddingException#IO_ERROR}, {@link EmbeddingException#BAD_MODEL},
   *     {@link EmbeddingException#UNSUPPORTED}
   */
  public static ModelInfo read(Path path) {
    return ModelFiles.read(path).info();
  }
}
