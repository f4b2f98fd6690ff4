package io.embed4j.image;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class ImagePositionsTest {
  private static final int IMAGE = 151655;

  @Test
  void areThoseOfGetRopeIndex() {
    List<String[]> lines = Goldens.lines("positions.txt");
    assertEquals(0, lines.size() % 5);
    for (int i = 0; i < lines.size(); i += 5) {
      int[] ids = numbers(lines.get(i));
      List<ImageGrid> grids =
          lines.get(i + 1)[0].equals("-")
              ? List.of()
              : Arrays.stream(lines.get(i + 1)).map(ImagePositionsTest::grid).toList();
      int[][] positions = ImagePositions.of(ids, IMAGE, grids, 2);
      for (int row = 0; row < 3; row++) {
        assertArrayEquals(numbers(lines.get(i + 2 + row)), positions[row], "case " + i / 5 + " row " + row);
      }
    }
  }

  @Test
  void refusesRunsThatDoNotFitTheGrids() {
    int[] ids = {1, IMAGE, IMAGE, 2};
    ImageGrid two = new ImageGrid(1, 2, 4);
    assertThrows(IllegalArgumentException.class, () -> ImagePositions.of(ids, IMAGE, List.of(), 2));
    assertThrows(IllegalArgumentException.class, () -> ImagePositions.of(ids, IMAGE, List.of(two, two), 2));
    assertThrows(
        IllegalArgumentException.class,
        () -> ImagePositions.of(ids, IMAGE, List.of(new ImageGrid(1, 4, 4)), 2));
    assertThrows(
        IllegalArgumentException.class,
        () -> ImagePositions.of(ids, IMAGE, List.of(new ImageGrid(1, 3, 4)), 2));
  }

  private static int[] numbers(String[] fields) {
    return Arrays.stream(fields).mapToInt(Integer::parseInt).toArray();
  }

  private static ImageGrid grid(String field) {
    int[] thw = numbers(field.split(","));
    return new ImageGrid(thw[0], thw[1], thw[2]);
  }
}
