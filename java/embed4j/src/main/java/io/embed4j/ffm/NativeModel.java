package io.embed4j.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;

import io.embed4j.EmbeddingException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/** An open model: its weights, shared by its sessions. Thread-safe. Sessions must be closed first. */
public final class NativeModel extends Handle {
  private final Functions functions;
  private final Info info;

  /**
   * The files of a model.
   *
   * @param numThreads 0: as many as this process may use
   * @param text required
   * @param vision or null: images are refused
   * @param multiVector or null: multi-vector output is refused
   * @param adapters the place in this list is the adapter's index in a batch
   * @param device cpu, cuda, cuda:N, cuda:all or auto
   * @param precision model or fp8
   */
  public record Params(int numThreads, Path text, Path vision, Path multiVector, List<Path> adapters, String device,
      String precision) {
    /** On the CPU. */
    public Params(int numThreads, Path text, Path vision, Path multiVector, List<Path> adapters) {
      this(numThreads, text, vision, multiVector, adapters, "cpu", "model");
    }
  }

  /**
   * struct e4j_model_info: sizes as the checkpoint's config.json names them.
   *
   * @param device what it runs on, in words
   * @param deviceNote with auto: why that is not a GPU; else empty
   * @param numDevices that sessions are spread over
   */
  public record Info(int numThreads, int hiddenSize, int intermediateSize, int numHiddenLayers, int numAttentionHeads,
      int numKeyValueHeads, int headDim, int vocabSize, int maxPositionEmbeddings, int multiVectorDim, int numAdapters,
      int visionPatchValues, int visionMergeSize, long weightBytes, String device,
      String deviceNote, int numDevices) {}

  private NativeModel(MemorySegment address, Functions functions) {
    super("the model", address, functions.modelClose);
    this.functions = functions;
    this.info = readInfo(address);
  }

  /**
   * Opens the files and packs the weights.
   *
   * @throws EmbeddingException {@link EmbeddingException#IO_ERROR}, {@link EmbeddingException#BAD_MODEL} naming tensor or
   *     key with what was found and expected, {@link EmbeddingException#UNSUPPORTED},
   *     {@link EmbeddingException#OUT_OF_MEMORY}, {@link EmbeddingException#DEVICE_UNAVAILABLE}
   */
  public static NativeModel open(Params params) {
    Functions functions = NativeLibrary.functions();
    MemorySegment address;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment struct = Layouts.allocate(arena, Layouts.MODEL_PARAMS);
      MemorySegment adapters = arena.allocate(ADDRESS, Math.max(1, params.adapters().size()));
      for (int i = 0; i < params.adapters().size(); i++) {
        adapters.setAtIndex(ADDRESS, i, path(arena, params.adapters().get(i)));
      }
      Layouts.set(struct, Layouts.MODEL_PARAMS, "num_threads", params.numThreads());
      Layouts.set(struct, Layouts.MODEL_PARAMS, "text_path", path(arena, params.text()));
      Layouts.set(struct, Layouts.MODEL_PARAMS, "vision_path", path(arena, params.vision()));
      Layouts.set(struct, Layouts.MODEL_PARAMS, "multivector_path", path(arena, params.multiVector()));
      Layouts.set(struct, Layouts.MODEL_PARAMS, "adapter_paths", adapters);
      Layouts.set(struct, Layouts.MODEL_PARAMS, "num_adapters", params.adapters().size());
      Layouts.set(struct, Layouts.MODEL_PARAMS, "device", arena.allocateFrom(params.device()));
      Layouts.set(struct, Layouts.MODEL_PARAMS, "precision", arena.allocateFrom(params.precision()));
      if (!params.device().equals("cpu")) {
        Layouts.set(struct, Layouts.MODEL_PARAMS, "cuda_library", path(arena, CudaLibraries.embed4j().orElse(null)));
        Layouts.set(struct, Layouts.MODEL_PARAMS, "cublas_lt_library", path(arena, CudaLibraries.cublasLt().orElse(null)));
      }
      MemorySegment out = arena.allocate(ADDRESS);
      Calls.check(error -> (int) functions.modelOpen.invokeExact(struct, out, error));
      address = out.get(ADDRESS, 0);
    }
    return new NativeModel(address, functions);
  }

  /** Its sizes. */
  public Info info() {
    return info;
  }

  /** Opens a session: workspace for one call at a time. */
  public NativeSession openSession() {
    return use(model -> {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment out = arena.allocate(ADDRESS);
        Calls.check(error -> (int) functions.sessionOpen.invokeExact(model, out, error));
        return new NativeSession(out.get(ADDRESS, 0), functions);
      }
    });
  }

  private static MemorySegment path(Arena arena, Path path) {
    return path == null ? MemorySegment.NULL : arena.allocateFrom(path.toString());
  }

  private Info readInfo(MemorySegment model) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment info = Layouts.allocate(arena, Layouts.MODEL_INFO);
      Calls.check(error -> (int) functions.modelGetInfo.invokeExact(model, info, error));
      return new Info(
          Layouts.getInt(info, Layouts.MODEL_INFO, "num_threads"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "hidden_size"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "intermediate_size"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "num_hidden_layers"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "num_attention_heads"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "num_key_value_heads"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "head_dim"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "vocab_size"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "max_position_embeddings"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "multi_vector_dim"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "num_adapters"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "vision_patch_values"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "vision_merge_size"),
          Layouts.getLong(info, Layouts.MODEL_INFO, "weight_bytes"),
          Layouts.getText(info, Layouts.MODEL_INFO, "device"),
          Layouts.getText(info, Layouts.MODEL_INFO, "device_note"),
          Layouts.getInt(info, Layouts.MODEL_INFO, "num_devices"));
    }
  }
}
