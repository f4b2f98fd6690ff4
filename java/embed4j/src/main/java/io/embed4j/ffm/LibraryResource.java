package io.embed4j.ffm;

import java.io.IOException;
import java.io.InputStream;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.bytedeco.javacpp.Loader;

/**
 * The library inside {@code embed4j-natives-<version>-<platform>.jar}, at
 * {@code io/embed4j/natives/<platform>/libembed4j.so} as JavaCPP lays such jars out, copied into JavaCPP's cache folder.
 *
 * <p>The copy lies in a folder named by its content: JavaCPP's own cache goes by name, size and time, and would let two
 * builds of one version overwrite each other's library between copying and loading. Only {@link Loader#getPlatform} and
 * {@link Loader#getCacheDir} are used, which load no JNI library.
 */
final class LibraryResource {
  private LibraryResource() {}

  /** The path of the library on disk. */
  static Path path() {
    String platform = Loader.getPlatform();
    String name = "io/embed4j/natives/" + platform + "/" + System.mapLibraryName("embed4j");
    URL resource = LibraryResource.class.getClassLoader().getResource(name);
    if (resource == null) {
      throw NativeLibrary.unusable("no native library for " + platform + " on the class path: add "
          + "io.embed4j:embed4j-natives with the classifier " + platform
          + ", or set EMBED4J_LIBRARY to the path of " + System.mapLibraryName("embed4j"), null);
    }
    return file(resource);
  }

  /** A library among the class path's resources as a file: where it is, or a copy in JavaCPP's cache folder. */
  static Path file(URL resource) {
    try {
      if (resource.getProtocol().equals("file")) return Path.of(resource.toURI());
      return extracted(resource, Loader.getCacheDir().toPath());
    } catch (IOException | URISyntaxException e) {
      throw NativeLibrary.unusable("the native library " + resource + " cannot be copied to JavaCPP's cache folder ("
          + e + "): make it writable, or name another with -Dorg.bytedeco.javacpp.cachedir=DIR", e);
    }
  }

  /** Copies the resource to cache/embed4j/(its SHA-256)/ unless it is there; a reader never sees half a file. */
  static Path extracted(URL resource, Path cache) throws IOException {
    byte[] bytes;
    try (InputStream in = resource.openStream()) {
      bytes = in.readAllBytes();
    }
    String name = Path.of(resource.getPath()).getFileName().toString();
    Path file = cache.resolve("embed4j").resolve(sha256(bytes)).resolve(name);
    if (Files.isRegularFile(file) && Files.size(file) == bytes.length) return file;
    Files.createDirectories(file.getParent());
    Path partial = Files.createTempFile(file.getParent(), name, ".partial");
    try {
      Files.write(partial, bytes);
      Files.move(partial, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(partial);
    }
    return file;
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}
