package io.embed4j.convert;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * A directory that shows either nothing of a run or all of it. Files are written under temporary names and renamed at
 * the end, the one without which nothing opens last; when it is replaced, it goes first. Files of other programs are
 * never touched.
 */
final class OutputDirectory implements AutoCloseable {
  private static final String PARTIAL = ".partial";

  private final Path directory;
  private final Predicate<String> ours;
  private final boolean created;
  private final List<Path> written = new ArrayList<>();
  private boolean published;

  /**
   * Makes or checks the directory.
   *
   * @param ours tells the files that such a run writes by their path within the directory, '/' between names
   * @param force whether a directory with files in it may be used; what a killed run has left is removed either way
   */
  OutputDirectory(Path directory, Predicate<String> ours, boolean force) {
    this.directory = directory;
    this.ours = ours;
    try {
      created = !Files.exists(directory);
      if (!created && !Files.isDirectory(directory)) throw Failure.invalid(directory + " is not a directory");
      Files.createDirectories(directory);
      List<String> present = files();
      List<String> left = present.stream().filter(this::isPartial).toList();
      if (!force && left.size() < present.size()) {
        throw Failure.invalid(directory + " is not empty (it has " + present.stream().filter(name -> !isPartial(name))
            .findFirst().orElseThrow() + "); choose another directory or force it");
      }
      for (String name : left) Files.delete(directory.resolve(name));
    } catch (IOException e) {
      throw Failure.io("write to", directory, e);
    }
  }

  /** Fails before anything is written when the disk has no room for that many bytes. */
  void requireSpace(long bytes) {
    try {
      long usable = Files.getFileStore(directory).getUsableSpace();
      if (usable < bytes) throw noSpace(bytes, usable);
    } catch (IOException e) {
      throw Failure.io("write to", directory, e);
    }
  }

  private RuntimeException noSpace(long bytes, long usable) {
    return Failure.io("write to", directory, new IOException("the files need " + bytes + " bytes, the disk has "
        + usable + " left"));
  }

  /** Where to write a file until {@link #publish}; its directory is made. */
  Path partial(String name) {
    Path file = directory.resolve(name + PARTIAL);
    try {
      Files.createDirectories(file.getParent());
    } catch (IOException e) {
      throw Failure.io("write to", directory, e);
    }
    written.add(file);
    return file;
  }

  /**
   * Gives all files their names, {@code last} at the end, and deletes those of an earlier run that this one did not
   * write.
   */
  List<Path> publish(String last) {
    List<Path> named = new ArrayList<>();
    try {
      Files.deleteIfExists(directory.resolve(last));
      for (String name : files()) {
        boolean replaced = written.contains(directory.resolve(name + PARTIAL));
        if (ours.test(name) && !replaced) Files.delete(directory.resolve(name));
      }
      written.sort((a, b) -> Boolean.compare(isLast(a, last), isLast(b, last)));
      for (Path file : written) {
        if (isLast(file, last)) sync();
        String name = file.getFileName().toString();
        Path target = file.resolveSibling(name.substring(0, name.length() - PARTIAL.length()));
        Files.move(file, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        named.add(target);
      }
      sync();
    } catch (IOException e) {
      throw Failure.io("finish", directory, e);
    }
    published = true;
    return named;
  }

  private boolean isLast(Path file, String last) {
    return file.equals(directory.resolve(last + PARTIAL));
  }

  /** Removes what was not published. */
  @Override
  public void close() {
    if (published) return;
    try {
      for (Path file : written) Files.deleteIfExists(file);
      if (created) deleteEmpty();
    } catch (IOException e) {
      throw Failure.io("remove", directory, e);
    }
  }

  private void deleteEmpty() throws IOException {
    Set<Path> directories = new TreeSet<>(Comparator.reverseOrder());
    for (Path file : written) directories.add(file.getParent());
    directories.add(directory);
    for (Path path : directories) {
      try {
        Files.deleteIfExists(path);
      } catch (DirectoryNotEmptyException e) {
        return; // another program has written into it meanwhile
      }
    }
  }

  /** Everything at most one directory deep, which is as deep as runs write; what cannot be looked into included. */
  private List<String> files() throws IOException {
    List<String> names = new ArrayList<>();
    Files.walkFileTree(directory, Set.of(), 2, new SimpleFileVisitor<>() {
      @Override
      public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
        names.add(directory.relativize(file).toString().replace('\\', '/'));
        return FileVisitResult.CONTINUE;
      }

      @Override
      public FileVisitResult visitFileFailed(Path file, IOException e) {
        return visitFile(file, null);
      }
    });
    return names.stream().sorted().toList();
  }

  private boolean isPartial(String name) {
    return name.endsWith(PARTIAL) && ours.test(name.substring(0, name.length() - PARTIAL.length()));
  }

  /** Makes renames durable; where directories cannot be opened the operating system sees to that itself. */
  private void sync() {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      return;
    }
  }
}
