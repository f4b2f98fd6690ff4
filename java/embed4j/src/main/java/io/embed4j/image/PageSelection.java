package io.embed4j.image;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/** Pages named as people name them: {@code 1-3,7}, {@code 5-} to the end, counted from 1. */
public final class PageSelection {
  private static final Pattern RANGE = Pattern.compile("\\s*(\\d{1,9})\\s*(-\\s*(\\d{1,9})?\\s*)?");

  private PageSelection() {}

  /**
   * The pages, in the order they are named.
   *
   * @param text the selection; null or blank for every page
   * @param pageCount of the document
   * @throws ImageException invalid_argument when the text is not a selection, a page does not exist or comes twice
   */
  public static List<Integer> parse(String text, int pageCount) {
    if (text == null || text.isBlank()) {
      return IntStream.rangeClosed(1, pageCount).boxed().toList();
    }
    List<Integer> pages = new ArrayList<>();
    BitSet named = new BitSet();
    for (String part : text.split(",", -1)) {
      Matcher range = RANGE.matcher(part);
      if (!range.matches()) {
        throw invalid("pages are '%s', expected numbers and ranges such as 1-3,7", text);
      }
      int first = Integer.parseInt(range.group(1));
      int last =
          range.group(2) == null ? first : range.group(3) == null ? pageCount : Integer.parseInt(range.group(3));
      if (first < 1 || Math.max(first, last) > pageCount) {
        throw invalid("pages are '%s', the document has pages 1 to %d", text, pageCount);
      }
      if (last < first) {
        throw invalid("pages are '%s', expected the lower number of a range first", text);
      }
      for (int page = first; page <= last; page++) {
        if (named.get(page)) {
          throw invalid("pages are '%s', page %d comes twice", text, page);
        }
        named.set(page);
        pages.add(page);
      }
    }
    return List.copyOf(pages);
  }

  private static ImageException invalid(String message, Object... arguments) {
    return new ImageException(ImageException.INVALID_ARGUMENT, message.formatted(arguments));
  }
}
