package io.embed4j;

import java.util.regex.Pattern;

/**
 * How a model is opened. Immutable; each setting returns a changed copy.
 *
 * @param threads worker threads of the CPU; 0: as many as this process may use
 * @param maxBatchTokens most tokens packed into one native call, 1 .. 2^20; a single longer text goes alone
 * @param mergedTask the task whose adapter is folded into a lone text GGUF, for one whose name does not say it; else null
 * @param device {@code cpu}; {@code cuda} or {@code cuda:N}, an NVIDIA GPU; {@code cuda:all}, the model on every one of them,
 *     batches running side by side; {@code auto}: cuda:0, or the CPU where that is not possible, which is logged with its reason
 * @param precision {@code model}: no product is coarser than the files' weights and bf16; {@code fp8}: the text decoder's
 *     products in 8-bit floating point, on a GPU of compute capability 8.9 or newer, which {@code auto} then insists on
 */
public record ModelOptions(int threads, int maxBatchTokens, Task mergedTask, String device, String precision) {
  private static final int MAX_THREADS = 1024;
  private static final Pattern DEVICE = Pattern.compile("cpu|auto|cuda(:([0-9]{1,4}|all))?");

  /** Checks the ranges. */
  public ModelOptions {
    check("threads", threads, 0, MAX_THREADS);
    check("maxBatchTokens", maxBatchTokens, 1, 1 << 20);
    if (device == null || !DEVICE.matcher(device).matches()) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          "device is " + device + ", expected cpu, cuda, cuda:N with N from 0, cuda:all or auto");
    }
    if (!"model".equals(precision) && !"fp8".equals(precision)) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          "precision is " + precision + ", expected model or fp8");
    }
  }

  /** The CPU with all its processors, 2,048 tokens a batch, the merged task taken from the file, the files' precision. */
  public static ModelOptions defaults() {
    return new ModelOptions(0, 2048, null, "cpu", "model");
  }

  /** Worker threads; 0: as many as this process may use. */
  public ModelOptions threads(int threads) {
    return new ModelOptions(threads, maxBatchTokens, mergedTask, device, precision);
  }

  /** Most tokens packed into one native call. */
  public ModelOptions maxBatchTokens(int maxBatchTokens) {
    return new ModelOptions(threads, maxBatchTokens, mergedTask, device, precision);
  }

  /** The task whose adapter is folded into a lone text GGUF. */
  public ModelOptions mergedTask(Task mergedTask) {
    return new ModelOptions(threads, maxBatchTokens, mergedTask, device, precision);
  }

  /** What computes: {@code cpu}, {@code cuda}, {@code cuda:N}, {@code cuda:all} or {@code auto}. */
  public ModelOptions device(String device) {
    return new ModelOptions(threads, maxBatchTokens, mergedTask, device, precision);
  }

  /** Of the products: {@code model} or {@code fp8}. */
  public ModelOptions precision(String precision) {
    return new ModelOptions(threads, maxBatchTokens, mergedTask, device, precision);
  }

  private static void check(String name, int value, int least, int most) {
    if (value < least || value > most) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          name + " is " + value + ", expected " + least + " .. " + most);
    }
  }
}
