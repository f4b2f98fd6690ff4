package io.embed4j.parity;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ModelInfo;
import io.embed4j.ModelOptions;
import io.embed4j.Task;
import io.embed4j.TextTokenizer;
import io.embed4j.convert.WeightType;
import io.embed4j.ffm.GgufFile;
import io.embed4j.ffm.GgufValue;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Model directories with files missing, exchanged or unknown, and lone text GGUFs. */
class ModelFilesTest {
  private static final EmbeddingRequest TEXT = EmbeddingRequest.text("the");

  @TempDir
  Path folder;

  @Test
  void infoSaysWhatTheConverterWrote() {
    ModelInfo info = ModelInfo.read(TinyModel.of(WeightType.Q8_0));
    assertEquals(List.of(Task.RETRIEVAL, Task.TEXT_MATCHING, Task.CODE), info.tasks());
    assertEquals(List.of(128, 256), info.matryoshkaDims());
    assertEquals(256, info.hiddenSize());
    assertEquals(128, info.multiVectorDim());
    assertEquals(151_936, info.vocabSize());
    assertEquals(List.of("text", "vision", "multivector", "adapter-retrieval", "adapter-text-matching", "adapter-code"),
        info.files().stream().map(ModelInfo.FileInfo::role).toList());
    assertTrue(info.files().getFirst().tensorTypes().containsKey("q8_0"), info.files().toString());
  }

  @Test
  void aMissingAdapterIsNamed() throws IOException {
    Path model = TinyModel.copyOfSmall(folder.resolve("model"));
    Files.delete(model.resolve("adapter-code.gguf"));
    assertRefused("no adapter-code.gguf", EmbeddingException.BAD_MODEL, () -> open(model));
  }

  @Test
  void aTaskThatTheCheckpointNeverHadIsRefused() throws IOException {
    Path model = TinyModel.copyOfSmall(folder.resolve("model"));
    Files.delete(model.resolve("adapter-code.gguf"));
    Files.delete(model.resolve("multivector.gguf"));
    GgufCopy.of(model.resolve("text.gguf")).set("embed4j.task_names", new String[] {"text-matching", "retrieval"})
        .write(model.resolve("text.gguf"));
    try (EmbeddingModel open = EmbeddingModel.open(model); EmbeddingModel whole = EmbeddingModel.open(TinyModel.small())) {
      assertRefused("adapter-code.gguf", EmbeddingException.UNSUPPORTED, () -> open.embed(TEXT.task(Task.CODE)));
      EmbeddingRequest matching = TEXT.task(Task.TEXT_MATCHING);
      assertArrayEquals(whole.embed(matching).dense().toArray(), open.embed(matching).dense().toArray());
    }
  }

  @Test
  void aMissingHeadIsNamedWhenItIsAskedFor() throws IOException {
    Path model = TinyModel.copyOfSmall(folder.resolve("model"));
    Files.delete(model.resolve("multivector.gguf"));
    try (EmbeddingModel open = EmbeddingModel.open(model)) {
      assertRefused("multivector.gguf", EmbeddingException.UNSUPPORTED, () -> open.embed(TEXT.multiVector(true)));
      assertEquals(256, open.embed(TEXT).dense().dimensions());
    }
  }

  @Test
  void anAdapterOfAnotherTaskIsRefused() throws IOException {
    Path model = TinyModel.copyOfSmall(folder.resolve("model"));
    Files.delete(model.resolve("adapter-code.gguf"));
    Files.copy(model.resolve("adapter-retrieval.gguf"), model.resolve("adapter-code.gguf"));
    assertRefused("embed4j.task \"retrieval\", expected \"code\"", EmbeddingException.BAD_MODEL, () -> open(model));
  }

  @Test
  void filesOfAnotherModelAreRefused() {
    Path model = TinyModel.copyOfSmall(folder.resolve("model"));
    GgufCopy.of(model.resolve("text.gguf")).set("qwen2vl.embedding_length", 384).write(model.resolve("text.gguf"));
    assertRefused("256, expected 384", EmbeddingException.BAD_MODEL, () -> open(model));
  }

  @Test
  void unknownFilesAreNamed() throws IOException {
    Path model = TinyModel.copyOfSmall(folder.resolve("model"));
    Files.copy(model.resolve("adapter-code.gguf"), model.resolve("adapter-coding.gguf"));
    assertRefused("adapter-coding.gguf", EmbeddingException.BAD_MODEL, () -> open(model));
  }

  @Test
  void whatIsNoModelIsNamed() throws IOException {
    assertRefused("text.gguf does not exist", EmbeddingException.IO_ERROR, () -> open(folder));
    assertRefused("absent.gguf does not exist", EmbeddingException.IO_ERROR, () -> open(folder.resolve("absent.gguf")));
    Path text = Files.writeString(folder.resolve("notes.gguf"), "These are notes, not a model at all.");
    assertRefused("notes.gguf", EmbeddingException.BAD_MODEL, () -> open(text));
    Path empty = Files.createFile(folder.resolve("empty.gguf"));
    assertRefused("empty.gguf", EmbeddingException.BAD_MODEL, () -> open(empty));
    assertRefused("architecture", EmbeddingException.UNSUPPORTED,
        () -> open(TinyModel.of(WeightType.F32).resolve("vision.gguf")));
  }

  @Test
  void anotherTokenizerIsRefused() {
    Path text = folder.resolve("text.gguf");
    GgufCopy.of(TinyModel.small().resolve("text.gguf")).set("tokenizer.ggml.pre", "llama-bpe").write(text);
    assertRefused("llama-bpe", EmbeddingException.UNSUPPORTED, () -> TextTokenizer.open(text));
    assertRefused("llama-bpe", EmbeddingException.UNSUPPORTED, () -> open(text));
  }

  /** Names in the manner of the published task-merged files. */
  @ParameterizedTest
  @CsvSource({
      "jina-embeddings-v4-text-retrieval-F16.gguf, x, retrieval",
      "model.gguf, Jina Embeddings v4 Text Matching, text-matching",
      "jina_embeddings_v4_text_matching.gguf, x, text-matching",
      "jina-embeddings-v4-text-code-Q8_0.gguf, Jina Embeddings v4 Text Code, code"})
  void aLoneTextFileSaysWhichTaskItServes(String file, String name, String task) {
    Path text = lone(file, name);
    try (EmbeddingModel open = EmbeddingModel.open(text)) {
      assertEquals(Optional.of(Task.of(task)), open.info().mergedTask());
      assertEquals(256, open.embed(TEXT.task(Task.of(task))).dense().dimensions());
      assertRefused("multivector.gguf", EmbeddingException.UNSUPPORTED,
          () -> open.embed(TEXT.task(Task.of(task)).multiVector(true)));
      for (Task other : Task.values()) {
        if (other == Task.of(task)) continue;
        assertRefused("serves " + task, EmbeddingException.UNSUPPORTED, () -> open.embed(TEXT.task(other)));
      }
    }
  }

  @Test
  void aLoneTextFileOfAnyNameNeedsTheTaskSaid() {
    Path text = lone("decoder.gguf", "encoder for retrieval and code");
    try (EmbeddingModel open = EmbeddingModel.open(text)) {
      assertRefused("ModelOptions.mergedTask", EmbeddingException.UNSUPPORTED, () -> open.embed(TEXT));
    }
    try (EmbeddingModel open = EmbeddingModel.open(text, ModelOptions.defaults().mergedTask(Task.CODE))) {
      assertEquals(256, open.embed(TEXT.task(Task.CODE)).dense().dimensions());
    }
    assertRefused("mergedTask", EmbeddingException.INVALID_ARGUMENT,
        () -> EmbeddingModel.open(TinyModel.small(), ModelOptions.defaults().mergedTask(Task.CODE)));
  }

  @Test
  void withoutAListTheFamilysSizesServe() {
    Path text = folder.resolve("retrieval.gguf");
    GgufCopy.of(TinyModel.small().resolve("text.gguf")).remove("embed4j.matryoshka_dims").write(text);
    assertEquals(List.of(128, 256), ModelInfo.read(text).matryoshkaDims());
  }

  @Test
  void aClosedFileIsNeverRead() {
    GgufFile file = GgufFile.open(TinyModel.small().resolve("text.gguf"));
    GgufValue name = file.metadata().get("general.name");
    MemorySegment data = file.tensors().getFirst().data();
    assertEquals("jina-embeddings-v4", name.string());
    file.close();
    file.close();
    assertThrows(IllegalStateException.class, name::string);
    assertThrows(IllegalStateException.class, () -> data.get(ValueLayout.JAVA_BYTE, 0));
  }

  private Path lone(String file, String name) {
    Path path = folder.resolve(file);
    GgufCopy.of(TinyModel.small().resolve("text.gguf")).set("general.name", name).remove("embed4j.task_names")
        .remove("embed4j.matryoshka_dims").write(path);
    return path;
  }

  private static void open(Path path) {
    EmbeddingModel.open(path).close();
  }

  private static void assertRefused(String message, String code, Executable call) {
    EmbeddingException e = assertThrows(EmbeddingException.class, call);
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertEquals(code, e.code(), e.getMessage());
  }
}
