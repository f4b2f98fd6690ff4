package io.embed4j.cli.base;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Asks the operating system: {@link System#console} knows standard input and output only. */
public final class Terminal {
  private static final int STANDARD_ERROR = 2;

  private Terminal() {}

  /** Whether standard error is a terminal; false where it cannot be known. */
  public static boolean isStandardError() {
    try {
      // int isatty(int fd)
      return Linker.nativeLinker().defaultLookup().find("isatty")
          .map(isatty -> Linker.nativeLinker().downcallHandle(
              isatty, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT)))
          .map(Terminal::invoke).orElse(false);
    } catch (IllegalCallerException withoutNativeAccess) {
      return false;
    }
  }

  private static boolean invoke(MethodHandle isatty) {
    try {
      return (int) isatty.invokeExact(STANDARD_ERROR) == 1;
    } catch (Throwable e) {
      throw new IllegalStateException("isatty", e);
    }
  }
}
