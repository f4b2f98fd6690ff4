package io.embed4j.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.embed4j.EmbeddingException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibraryTest {
  @TempDir
  Path folder;

  @Test
  void aLibraryOfAnotherVersionIsRefusedWithBothVersionsAndTheRemedy() throws Exception {
    Path library = compile("int e4j_abi_version(void) { return 4711; }");
    EmbeddingException e = assertThrows(EmbeddingException.class, () -> NativeLibrary.load(library));
    assertEquals(EmbeddingException.NATIVE_LIBRARY, e.code());
    assertTrue(e.getMessage().contains("4711") && e.getMessage().contains("ABI version " + NativeLibrary.ABI_VERSION)
        && e.getMessage().contains("embed4j-natives"), e.getMessage());
  }

  @Test
  void aLibraryOfSomethingElseIsRefused() throws Exception {
    Path library = compile("int answer(void) { return 42; }");
    EmbeddingException e = assertThrows(EmbeddingException.class, () -> NativeLibrary.load(library));
    assertTrue(e.getMessage().contains("not an Embed4J library"), e.getMessage());
  }

  @Test
  void aFileThatIsNoLibraryIsRefused() throws Exception {
    Path file = Files.writeString(folder.resolve("libembed4j.so"), "not ELF");
    EmbeddingException e = assertThrows(EmbeddingException.class, () -> NativeLibrary.load(file));
    assertTrue(e.getMessage().contains("cannot be loaded"), e.getMessage());
  }

  @Test
  void aMissingLibraryNamedByTheUserIsExplained() throws Exception {
    String output = java(List.of("--enable-native-access=ALL-UNNAMED", "-Dembed4j.library=absent/libembed4j.so"));
    assertTrue(output.contains("system property embed4j.library") && output.contains("absent"), output);
  }

  @Test
  void deniedNativeAccessIsExplained() throws Exception {
    assumeTrue(Runtime.version().feature() >= 24, "--illegal-native-access came with JDK 24");
    String output = java(List.of("--illegal-native-access=deny"));
    assertTrue(output.contains("--enable-native-access=ALL-UNNAMED"), output);
  }

  @Test
  void javaCppLoadsNoJniLibrary() throws Exception {
    NativeLibrary.functions();
    Path maps = Path.of("/proc/self/maps");
    assumeTrue(Files.isReadable(maps));
    String mapped = Files.readString(maps);
    assertTrue(mapped.contains("libembed4j.so"));
    assertFalse(mapped.contains("jnijavacpp"));
  }

  @Test
  void twoBuildsOfOneVersionDoNotShareACachedFile() throws Exception {
    URL one = Files.writeString(Files.createDirectory(folder.resolve("a")).resolve("lib.so"), "one").toUri().toURL();
    URL two = Files.writeString(Files.createDirectory(folder.resolve("b")).resolve("lib.so"), "two").toUri().toURL();
    Path first = LibraryResource.extracted(one, folder.resolve("cache"));
    assertEquals(first, LibraryResource.extracted(one, folder.resolve("cache")));
    assertEquals("two", Files.readString(LibraryResource.extracted(two, folder.resolve("cache"))));
    assertEquals("one", Files.readString(first));
  }

  /** Runs {@link Main} in a JVM of its own and returns what it prints. */
  private static String java(List<String> options) throws Exception {
    List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
    command.addAll(options);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return output;
  }

  /** Loads the library and prints the message of what went wrong. */
  static final class Main {
    public static void main(String[] arguments) {
      try {
        NativeLibrary.functions();
        System.out.println("loaded");
      } catch (EmbeddingException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  private Path compile(String source) throws Exception {
    Path file = Files.writeString(folder.resolve("fake.cpp"), "extern \"C\" " + source);
    Path library = folder.resolve(System.mapLibraryName("fake"));
    Process compiler = new ProcessBuilder("c++", "-shared", "-fPIC", "-o", library.toString(), file.toString())
        .inheritIO().start();
    assertEquals(0, compiler.waitFor());
    return library;
  }
}
