package io.embed4j.ffm;

import java.io.IOException;
import java.net.URL;
import java.nio.file.Path;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;

/**
 * The libraries that a GPU needs, where the class path has them; else the native side looks for them on the system and says
 * where it did.
 *
 * <ul>
 *   <li>{@code libembed4j_cuda.so} from {@code embed4j-natives-<version>-<platform>-cuda.jar};
 *   <li>NVIDIA's {@code libcublasLt.so.13} from JavaCPP's {@code org.bytedeco:cuda}, classifier
 *       {@code <platform>-redist-cublas}, where that large jar was added.
 * </ul>
 *
 * <p>The environment variables EMBED4J_CUDA_LIBRARY and EMBED4J_CUBLASLT_LIBRARY go first; the native side reads them.
 */
final class CudaLibraries {
  private CudaLibraries() {}

  /** Embed4J's own library for NVIDIA GPUs. */
  static Optional<Path> embed4j() {
    String name = "io/embed4j/natives/" + Loader.getPlatform() + "/" + System.mapLibraryName("embed4j_cuda");
    return Optional.ofNullable(resource(name)).map(LibraryResource::file);
  }

  /** NVIDIA's cuBLASLt. */
  static Optional<Path> cublasLt() {
    for (String version : new String[] {"13", "12"}) {
      URL resource = resource("org/bytedeco/cuda/" + Loader.getPlatform() + "/libcublasLt.so." + version);
      if (resource == null) continue;
      try { // half a gigabyte: JavaCPP's cache copies it once per jar, without reading it all into memory
        return Optional.of(Loader.cacheResource(resource).toPath());
      } catch (IOException e) {
        throw NativeLibrary.unusable(resource + " cannot be copied to JavaCPP's cache folder (" + e + ")", e);
      }
    }
    return Optional.empty();
  }

  private static URL resource(String name) {
    return CudaLibraries.class.getClassLoader().getResource(name);
  }
}
