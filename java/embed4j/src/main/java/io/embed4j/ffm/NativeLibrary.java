package io.embed4j.ffm;

import io.embed4j.EmbeddingException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The native library, loaded once per process and never unloaded.
 *
 * <p>It is taken from the path in the system property {@code embed4j.library}, else in the environment variable
 * {@code EMBED4J_LIBRARY}, else from the class path ({@link LibraryResource}). Its ABI version is compared before any
 * other function is looked up.
 */
public final class NativeLibrary {
  /** The E4J_ABI_VERSION this binding was written for. */
  public static final int ABI_VERSION = 1;

  private static final Logger LOG = LoggerFactory.getLogger(NativeLibrary.class);
  private static volatile NativeLibrary loaded;

  private final Functions functions;

  private NativeLibrary(Functions functions) {
    this.functions = functions;
  }

  /**
   * The functions of the library, loading it on the first call. Thread-safe.
   *
   * @throws EmbeddingException {@link EmbeddingException#NATIVE_LIBRARY}: not found, of another ABI version, or native
   *     access is denied; the message says what to do
   */
  static Functions functions() {
    NativeLibrary library = loaded;
    if (library == null) {
      synchronized (NativeLibrary.class) {
        library = loaded;
        if (library == null) loaded = library = new NativeLibrary(load(locate()));
      }
    }
    return library.functions;
  }

  private static Path locate() {
    String path = System.getProperty("embed4j.library");
    String source = "the system property embed4j.library";
    if (path == null) {
      path = System.getenv("EMBED4J_LIBRARY");
      source = "the environment variable EMBED4J_LIBRARY";
    }
    if (path == null) return LibraryResource.path();
    Path file = Path.of(path).toAbsolutePath();
    if (!Files.isReadable(file)) throw unusable(source + " names " + file + ", which is not a readable file", null);
    return file;
  }

  /** Opens a library file, compares its ABI version and links its functions. */
  static Functions load(Path file) {
    try {
      SymbolLookup symbols = SymbolLookup.libraryLookup(file, Arena.global());
      checkVersion(abiVersion(symbols, file), file);
      Functions functions = new Functions(symbols);
      LOG.debug("native library {}", file);
      return functions;
    } catch (IllegalCallerException e) {
      throw unusable("this JVM was started without native access for Embed4J, which calls its C++ runtime through "
          + "java.lang.foreign. Start it with --enable-native-access=ALL-UNNAMED (class path) or "
          + "--enable-native-access=io.embed4j (module path), or put \"Enable-Native-Access: ALL-UNNAMED\" into the "
          + "manifest of your application's jar", e);
    } catch (IllegalArgumentException e) {
      throw unusable(file + " cannot be loaded as a shared library: it is damaged or built for another platform", e);
    }
  }

  private static int abiVersion(SymbolLookup symbols, Path file) {
    MemorySegment symbol = symbols.find("e4j_abi_version").orElseThrow(() -> unusable(
        file + " is not an Embed4J library: it has no function e4j_abi_version", null));
    try {
      return (int) Linker.nativeLinker()
          .downcallHandle(symbol, FunctionDescriptor.of(ValueLayout.JAVA_INT)).invokeExact();
    } catch (Throwable e) {
      throw Calls.rethrown(e);
    }
  }

  /** Refuses a library of another ABI version. */
  static void checkVersion(int found, Path file) {
    if (found != ABI_VERSION) {
      throw unusable(file + " has ABI version " + found + ", this embed4j jar needs ABI version " + ABI_VERSION
          + ": use the embed4j-natives jar of the same version as the embed4j jar"
          + " (or rebuild the library that EMBED4J_LIBRARY names)", null);
    }
  }

  static EmbeddingException unusable(String message, Throwable cause) {
    return new EmbeddingException(EmbeddingException.NATIVE_LIBRARY, message, cause);
  }
}
