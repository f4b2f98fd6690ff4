package io.embed4j.cli.input;

import com.fasterxml.jackson.databind.node.TextNode;
import io.embed4j.cli.base.Fingerprint;
import io.embed4j.cli.base.Json;
import io.embed4j.cli.base.UnusableException;
import io.embed4j.EmbeddingException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Files that are an item each, in the order of their paths: pictures, PDFs and, when asked for, whole texts. */
final class FileList extends ListItems<Path> {
  private final String input;
  private final boolean texts;

  private FileList(String input, boolean texts, List<Path> files) {
    super(files);
    this.input = input;
    this.texts = texts;
  }

  /**
   * A file, a folder with all that is below it, or a glob such as {@code scans/**}{@code /*.pdf}.
   *
   * @param texts files that are no picture and no PDF are texts
   */
  static FileList of(String input, boolean texts, Consumer<String> warnings) {
    List<Path> found = Files.exists(Path.of(input)) ? below(Path.of(input), null) : matching(input);
    List<Path> files = found.stream().filter(file -> texts || Source.namesFile(file.toString())).toList();
    if (files.isEmpty()) {
      throw new UnusableException(input + " names " + (found.isEmpty() ? "no file" : "no picture and no PDF; --whole-file reads "
          + "other files as texts"), null);
    }
    if (files.size() < found.size()) {
      warnings.accept("ignoring " + (found.size() - files.size()) + " of " + found.size() + " files in " + input
          + ", which are no pictures and no PDFs by their names");
    }
    return new FileList(input, texts, files);
  }

  /** Whether a name that is no file holds a pattern. */
  static boolean isGlob(String input) {
    return input.chars().anyMatch(c -> "*?[{".indexOf(c) >= 0) && !Files.exists(Path.of(input));
  }

  /** From the last folder before the first pattern. */
  private static List<Path> matching(String glob) {
    int pattern = 0;
    while ("*?[{\\".indexOf(glob.charAt(pattern)) < 0) pattern++;
    int slash = glob.lastIndexOf('/', pattern);
    Path folder = Path.of(slash < 0 ? "" : slash == 0 ? "/" : glob.substring(0, slash));
    if (!Files.isDirectory(folder)) throw new UnusableException(glob + ": the folder " + folder + " does not exist", null);
    return below(folder, FileSystems.getDefault().getPathMatcher("glob:" + glob));
  }

  private static List<Path> below(Path path, PathMatcher matcher) {
    try (var walk = Files.walk(path)) {
      List<Path> files = new ArrayList<>();
      walk.filter(file -> matcher == null || matcher.matches(file)).filter(Files::isRegularFile).forEach(files::add);
      files.sort(null);
      return files;
    } catch (IOException | UncheckedIOException e) {
      throw new UnusableException("cannot read " + path + ": " + e.getMessage(), e);
    }
  }

  @Override
  Item item(Path file, int index) {
    String name = file.toString();
    return Item.of(TextNode.valueOf(name), content(file, name), Place.counted("file", index + 1L, name, index));
  }

  private Item.Content content(Path file, String name) {
    if (Source.namesPicture(name)) return new Item.Content.Picture(new Source(name));
    if (Source.namesPdf(name)) return new Item.Content.Pdf(new Source(name), null);
    try {
      if (Files.size(file) > Json.MAX_LINE_BYTES) {
        throw new EmbeddingException(EmbeddingException.TOO_LONG, name + " has " + Files.size(file) + " bytes, the limit is "
            + Json.MAX_LINE_BYTES);
      }
      return new Item.Content.Text(Utf8.decode(Files.readAllBytes(file)));
    } catch (CharacterCodingException e) {
      return new Item.Content.Failed(new EmbeddingException(EmbeddingException.INVALID_ARGUMENT, name + " is not UTF-8"));
    } catch (IOException e) {
      return new Item.Content.Failed(new EmbeddingException(EmbeddingException.IO_ERROR, "cannot read " + name + ": " + e, e));
    } catch (EmbeddingException e) {
      return new Item.Content.Failed(e);
    }
  }

  @Override
  public Map<String, String> identity() throws IOException {
    StringBuilder list = new StringBuilder();
    for (Path file : list()) {
      list.append(file).append('\0').append(Files.size(file)).append('\0').append(Files.getLastModifiedTime(file)).append('\0');
    }
    return Map.of("input", input + (texts ? ", whole files" : ""), "input content",
        list().size() + " files, " + Fingerprint.of(list.toString()));
  }
}
