package io.embed4j;

/**
 * A half-open range of a text's characters (UTF-16 units).
 *
 * @param begin first one, at least 0
 * @param end one past the last, above begin
 */
public record TextSpan(int begin, int end) {

  /** Throws IllegalArgumentException for a range that is empty or begins below 0. */
  public TextSpan {
    if (begin < 0 || end <= begin) {
      throw new IllegalArgumentException("a span from " + begin + " to " + end + ", expected 0 <= begin < end");
    }
  }
}
