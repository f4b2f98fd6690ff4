package io.embed4j;

/**
 * How a model is opened. Immutable; each setting returns a changed copy.
 *
 * @param threads worker threads; 0: as many as this process may use
 * @param maxBatchTokens most tokens packed into one native call, 1 .. 2^20; a single longer text goes alone
 * @param mergedTask the task whose adapter is folded into a lone text GGUF, for one whose name does not say it; else null
 */
public record ModelOptions(int threads, int maxBatchTokens, Task mergedTask) {
  private static final int MAX_THREADS = 1024;

  /** Checks the ranges. */
  public ModelOptions {
    check("threads", threads, 0, MAX_THREADS);
    check("maxBatchTokens", maxBatchTokens, 1, 1 << 20);
  }

  /** All processors, 2,048 tokens a batch, the merged task taken from the file. */
  public static ModelOptions defaults() {
    return new ModelOptions(0, 2048, null);
  }

  /** Worker threads; 0: as many as this process may use. */
  public ModelOptions threads(int threads) {
    return new ModelOptions(threads, maxBatchTokens, mergedTask);
  }

  /** Most tokens packed into one native call. */
  public ModelOptions maxBatchTokens(int maxBatchTokens) {
    return new ModelOptions(threads, maxBatchTokens, mergedTask);
  }

  /** The task whose adapter is folded into a lone text GGUF. */
  public ModelOptions mergedTask(Task mergedTask) {
    return new ModelOptions(threads, maxBatchTokens, mergedTask);
  }

  private static void check(String name, int value, int least, int most) {
    if (value < least || value > most) {
      throw new EmbeddingException(EmbeddingException.INVALID_ARGUMENT,
          name + " is " + value + ", expected " + least + " .. " + most);
    }
  }
}
