package io.embed4j.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.embed4j.EmbeddingException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A directory shows either nothing of a run or all of it. */
class OutputTest {
  private static final Set<String> MODEL = Set.of("text.gguf", "vision.gguf", "multivector.gguf",
      "adapter-retrieval.gguf", "adapter-text-matching.gguf", "adapter-code.gguf");

  @TempDir Path temp;

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.3, 0.9, 1})
  void anInterruptLeavesNothing(double at) throws InterruptedException {
    Path out = temp.resolve("out");
    AtomicReference<EmbeddingException> thrown = new AtomicReference<>();
    AtomicReference<Boolean> flag = new AtomicReference<>();
    Thread converting = Thread.ofPlatform().unstarted(() -> {
      Thread self = Thread.currentThread();
      Conversion conversion = Conversion.of(MiniModel.checkpoint(SynthConfig.Style.FLAT)).to(out)
          .progress((done, total) -> {
            if (done >= at * total) self.interrupt();
          });
      thrown.set(assertThrows(EmbeddingException.class, conversion::run));
      flag.set(self.isInterrupted());
    });
    converting.start();
    converting.join();
    assertEquals(EmbeddingException.CANCELLED, thrown.get().code());
    assertTrue(flag.get(), "the interrupt is kept");
    assertFalse(Files.exists(out));
  }

  @Test
  void aCheckpointThatBreaksMidwayLeavesNothing() throws IOException {
    Path checkpoint = MiniModel.write(temp.resolve("checkpoint"));
    Path weights = checkpoint.resolve("model.safetensors");
    Path out = temp.resolve("out");
    EmbeddingException e = assertThrows(EmbeddingException.class, () -> Conversion.of(checkpoint).to(out).threads(1)
        .progress((done, total) -> cut(weights)).run());
    assertEquals(EmbeddingException.BAD_MODEL, e.code());
    assertTrue(e.getMessage().contains("model.safetensors: the file ends at byte"), e.getMessage());
    assertFalse(Files.exists(out));
  }

  @Test
  void aFailedRunKeepsTheOldModel() throws IOException {
    Path out = model("out");
    byte[] before = Files.readAllBytes(out.resolve("text.gguf"));
    Thread.currentThread().interrupt();
    Conversion again = Conversion.of(MiniModel.checkpoint(SynthConfig.Style.FLAT)).to(out).force(true);
    assertThrows(EmbeddingException.class, () -> again.type(WeightType.F32).run());
    assertTrue(Thread.interrupted());
    assertEquals(MODEL, names(out));
    assertArrayEquals(before, Files.readAllBytes(out.resolve("text.gguf")));
  }

  @Test
  void aDirectoryWithFilesIsRefusedUnlessForced() throws IOException {
    Path out = Files.createDirectories(temp.resolve("out"));
    Files.writeString(out.resolve("notes.txt"), "mine");
    EmbeddingException e = assertThrows(EmbeddingException.class,
        () -> Conversion.of(MiniModel.checkpoint(SynthConfig.Style.FLAT)).to(out).run());
    assertEquals(EmbeddingException.INVALID_ARGUMENT, e.code());
    assertTrue(e.getMessage().contains("is not empty (it has notes.txt)"), e.getMessage());
    assertEquals(Set.of("notes.txt"), names(out));
  }

  @Test
  void forceReplacesOurFilesAndNoOthers() throws IOException {
    Path out = model("out");
    Files.writeString(out.resolve("notes.txt"), "mine");
    Files.writeString(out.resolve("adapter-old.gguf"), "of an earlier run");
    Files.createDirectories(out.resolve("sub"));
    Files.writeString(out.resolve("sub/text.gguf"), "not ours");
    Path merged = ConversionTest.merged(MiniModel.write(temp.resolve("merged")));
    Conversion.of(merged).to(out).force(true).run();
    assertEquals(Set.of("text.gguf", "vision.gguf", "multivector.gguf", "notes.txt", "sub"), names(out));
    assertTrue(Files.exists(out.resolve("sub/text.gguf")));
  }

  @Test
  void whatAKilledRunLeftIsRemoved() throws IOException {
    Path out = Files.createDirectories(temp.resolve("out"));
    Files.writeString(out.resolve("text.gguf.partial"), "half");
    Files.writeString(out.resolve("adapter-code.gguf.partial"), "half");
    Conversion.of(MiniModel.checkpoint(SynthConfig.Style.FLAT)).to(out).run();
    assertEquals(MODEL, names(out));
  }

  @Test
  void aFileInTheWayIsNamed() throws IOException {
    Path out = Files.writeString(temp.resolve("out"), "a file");
    EmbeddingException e = assertThrows(EmbeddingException.class,
        () -> Conversion.of(MiniModel.checkpoint(SynthConfig.Style.FLAT)).to(out).run());
    assertTrue(e.getMessage().contains("out is not a directory"), e.getMessage());
    EmbeddingException under = assertThrows(EmbeddingException.class,
        () -> Conversion.of(MiniModel.checkpoint(SynthConfig.Style.FLAT)).to(out.resolve("under")).run());
    assertEquals(EmbeddingException.IO_ERROR, under.code());
  }

  @Test
  void aDiskWithoutRoomIsNoticedBeforeWriting() {
    try (OutputDirectory out = new OutputDirectory(temp.resolve("out"), name -> true, false)) {
      EmbeddingException e = assertThrows(EmbeddingException.class, () -> out.requireSpace(Long.MAX_VALUE));
      assertEquals(EmbeddingException.IO_ERROR, e.code());
      assertTrue(e.getMessage().contains("the files need " + Long.MAX_VALUE + " bytes, the disk has"), e.getMessage());
    }
    assertFalse(Files.exists(temp.resolve("out")));
  }

  /** What the operating system says when it happens midway: here by the file that is always full. */
  @Test
  @EnabledOnOs(OS.LINUX)
  void aDiskThatFillsUpMidwayIsNamed() throws IOException {
    Path full = Path.of("/dev/full");
    try (FileChannel channel = FileChannel.open(full, StandardOpenOption.WRITE)) {
      IOException e = assertThrows(IOException.class, () -> channel.write(ByteBuffer.allocate(8)));
      assertEquals("cannot write out/text.gguf.partial: No space left on device",
          Failure.io("write", Path.of("out/text.gguf.partial"), e).getMessage());
    }
  }

  @Test
  void aSyntheticCheckpointIsPublishedLikeAModel() throws IOException {
    Path out = temp.resolve("checkpoint");
    List<Path> files = MiniModel.checkpoint(SynthConfig.Style.FLAT).write(out, false, Progress.NONE);
    assertEquals(out.resolve("config.json"), files.getLast());
    assertEquals(7, files.size());
    assertThrows(EmbeddingException.class, () -> MiniModel.write(out));
    Thread.currentThread().interrupt();
    Path other = temp.resolve("other");
    assertThrows(EmbeddingException.class, () -> MiniModel.write(other));
    assertTrue(Thread.interrupted());
    assertFalse(Files.exists(other));
  }

  private Path model(String name) {
    Path out = temp.resolve(name);
    Conversion.of(MiniModel.checkpoint(SynthConfig.Style.FLAT)).to(out).run();
    return out;
  }

  private static Set<String> names(Path directory) throws IOException {
    try (var files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).collect(Collectors.toSet());
    }
  }

  private static void cut(Path file) {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.truncate(channel.size() / 2);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
