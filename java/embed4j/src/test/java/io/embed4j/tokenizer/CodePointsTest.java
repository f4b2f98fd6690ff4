package io.embed4j.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.function.IntPredicate;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** The table against the running JDK's, for the code points that both know. */
class CodePointsTest {
  private static final Pattern WHITE_SPACE = Pattern.compile("\\p{IsWhite_Space}");
  private static final int LETTERS = 141_028; // of Unicode 16.0
  private static final int NUMBERS = 1_911;

  @Test
  void classesAreThoseOfTheJdkWhereBothKnowTheCodePoint() {
    for (int codePoint = 0; codePoint <= Character.MAX_CODE_POINT; codePoint++) {
      boolean laterThanTable = CodePoints.propertiesOf(codePoint) == CodePoints.LATER;
      if (Character.getType(codePoint) != Character.UNASSIGNED && !laterThanTable) {
        assertEquals(expected(codePoint), CodePoints.classOf(codePoint), Integer.toHexString(codePoint));
      }
    }
  }

  @Test
  void theTableIsUnicode16() {
    assertEquals(LETTERS, count(codePoint -> CodePoints.classOf(codePoint) == CodePoints.LETTER));
    assertEquals(NUMBERS, count(codePoint -> CodePoints.classOf(codePoint) == CodePoints.NUMBER));
    assertEquals(23, count(codePoint -> CodePoints.classOf(codePoint) == CodePoints.SPACE));
    assertEquals(2, count(codePoint -> CodePoints.classOf(codePoint) == CodePoints.NEWLINE));
  }

  @Test
  void combiningClassesBelongToMarks() {
    for (int codePoint = 0; codePoint <= Character.MAX_CODE_POINT; codePoint++) {
      boolean mark = (CodePoints.propertiesOf(codePoint) & CodePoints.MARK) != 0;
      assertEquals(mark, CodePoints.combiningClassOf(codePoint) != 0, Integer.toHexString(codePoint));
    }
    assertEquals(230, CodePoints.combiningClassOf(0x0301));
    assertEquals(220, CodePoints.combiningClassOf(0x0323));
    assertEquals(9, CodePoints.combiningClassOf(0x094D));
  }

  private static int expected(int codePoint) {
    if (Character.isLetter(codePoint)) {
      return CodePoints.LETTER;
    }
    return switch (Character.getType(codePoint)) {
      case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> CodePoints.NUMBER;
      default -> {
        if (codePoint == '\r' || codePoint == '\n') {
          yield CodePoints.NEWLINE;
        }
        yield WHITE_SPACE.matcher(Character.toString(codePoint)).matches() ? CodePoints.SPACE : CodePoints.OTHER;
      }
    };
  }

  private static long count(IntPredicate predicate) {
    return IntStream.rangeClosed(0, Character.MAX_CODE_POINT).filter(predicate).count();
  }
}
