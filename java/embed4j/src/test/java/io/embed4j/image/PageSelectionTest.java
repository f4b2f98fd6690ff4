package io.embed4j.image;

import static io.embed4j.image.ImageDecoderTest.assertCode;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PageSelectionTest {

  @Test
  void namesPages() {
    assertEquals(List.of(1, 2, 3, 7), PageSelection.parse("1-3,7", 9));
    assertEquals(List.of(8, 9, 2), PageSelection.parse(" 8- , 2 ", 9));
    assertEquals(List.of(4), PageSelection.parse("4 - 4", 9));
    assertEquals(List.of(1, 2), PageSelection.parse(null, 2));
    assertEquals(List.of(1, 2), PageSelection.parse(" ", 2));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"0", "10", "1-10", "10-", "3-1", "1,,2", "1,", ",", "-3", "a", "1-2-3", "1.5", "2,1-3", "99999999999"})
  void refusesWhatIsNoSelection(String text) {
    assertCode("invalid_argument", () -> PageSelection.parse(text, 9));
  }
}
