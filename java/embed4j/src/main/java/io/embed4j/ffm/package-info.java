/**
 * The binding to {@code native/include/embed4j.h}: {@link io.embed4j.ffm.Functions} holds one method handle per C
 * function, {@link io.embed4j.ffm.Layouts} one layout per C struct, {@link io.embed4j.ffm.NativeLibrary} finds and checks
 * the library. Everything else wraps a handle ({@link io.embed4j.ffm.GgufFile}, {@link io.embed4j.ffm.NativeModel},
 * {@link io.embed4j.ffm.NativeSession}) so that no call ever reaches a closed one.
 */
package io.embed4j.ffm;
