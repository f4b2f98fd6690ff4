package io.embed4j.convert;

/** Told how far a conversion is: one call at a time, from threads of the conversion, with growing numbers. */
@FunctionalInterface
public interface Progress {
  /** Tells nobody. */
  Progress NONE = (done, total) -> {};

  /**
   * @param done bytes written, 0 .. total
   * @param total bytes of all files together, the same in every call
   */
  void at(long done, long total);
}
