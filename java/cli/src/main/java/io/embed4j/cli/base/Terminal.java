package io.embed4j.cli.base;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/** Asks the operating system: {@link System#console} knows standard input and output only. */
final class Terminal {
  private static final int STANDARD_ERROR = 2;
  private static final int USUAL_COLUMNS = 80;
  private static final boolean MAC = System.getProperty("os.name").startsWith("Mac");
  private static final long TIOCGWINSZ = MAC ? 0x40087468L : 0x5413L;

  private Terminal() {}

  /** Whether standard error is a terminal; false where it cannot be known. */
  static boolean isStandardError() {
    // int isatty(int fd)
    return function("isatty", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT)).map(isatty -> {
      try {
        return (int) isatty.invokeExact(STANDARD_ERROR) == 1;
      } catch (Throwable e) {
        throw new IllegalStateException("isatty", e);
      }
    }).orElse(false);
  }

  /** Its width now, in characters; 80 where it does not say. */
  static int columns() {
    // int ioctl(int fd, unsigned long request, struct winsize {unsigned short rows, columns, x, y} *)
    FunctionDescriptor type =
        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS);
    return function("ioctl", type, Linker.Option.firstVariadicArg(2)).map(ioctl -> {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment size = arena.allocate(4 * Short.BYTES, Short.BYTES);
        int columns = (int) ioctl.invokeExact(STANDARD_ERROR, TIOCGWINSZ, size) != 0 ? 0
            : Short.toUnsignedInt(size.get(ValueLayout.JAVA_SHORT, Short.BYTES));
        return columns == 0 ? USUAL_COLUMNS : columns;
      } catch (Throwable e) {
        throw new IllegalStateException("ioctl", e);
      }
    }).orElse(USUAL_COLUMNS);
  }

  private static Optional<MethodHandle> function(String name, FunctionDescriptor type, Linker.Option... options) {
    try {
      return Linker.nativeLinker().defaultLookup().find(name).map(at -> Linker.nativeLinker().downcallHandle(at, type, options));
    } catch (IllegalCallerException withoutNativeAccess) {
      return Optional.empty();
    }
  }
}
