package io.embed4j.ffm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.SequenceLayout;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodType;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The binding says what the header says: every struct field for field, every function argument for argument. */
class HeaderTest {
  private final String header = readHeader();

  private static String readHeader() {
    try {
      return Files.readString(Path.of("../../native/include/embed4j.h")).replaceAll("(?s)/\\*.*?\\*/", " ");
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void everyStructHasItsLayout() {
    TreeMap<String, List<String>> declared = new TreeMap<>();
    Matcher structs = Pattern.compile("typedef struct (\\w+) \\{(.*?)\\} \\1;", Pattern.DOTALL).matcher(header);
    while (structs.find()) declared.put(structs.group(1), declaredFields(structs.group(2)));
    TreeMap<String, List<String>> bound = new TreeMap<>();
    for (StructLayout layout : Layouts.all()) bound.put(layout.name().orElseThrow(), boundFields(layout));
    assertEquals(declared, bound);
  }

  @Test
  void everyLayoutIsLaidOutAsCDoes() {
    for (StructLayout layout : Layouts.all()) {
      long at = 0;
      for (MemoryLayout member : layout.memberLayouts()) {
        assertEquals(0, at % member.byteAlignment(), layout + " needs padding before " + member);
        at += member.byteSize();
      }
      assertEquals(0, at % layout.byteAlignment(), layout + " needs padding at its end");
    }
  }

  @Test
  void everyFunctionHasItsHandle() throws Exception {
    TreeMap<String, String> declared = new TreeMap<>();
    Matcher functions = Pattern.compile("E4J_API (\\w+) (e4j_\\w+)\\(([^)]*)\\);").matcher(header);
    while (functions.find()) {
      String arguments = Arrays.stream(functions.group(3).replaceAll("\\s+", " ").split(","))
          .map(String::trim).filter(argument -> !argument.equals("void"))
          .map(argument -> argument.contains("*") ? "address" : kind(argument.split(" ")[0]))
          .collect(Collectors.joining(","));
      declared.put(functions.group(2), arguments + " -> " + kind(functions.group(1)));
    }
    assertTrue(declared.size() >= 16, declared.toString());
    TreeMap<String, String> bound = new TreeMap<>();
    Functions linked = NativeLibrary.functions();
    for (Field field : Functions.class.getDeclaredFields()) {
      if (field.getType() != MethodHandle.class) continue;
      MethodType type = ((MethodHandle) field.get(linked)).type();
      String name = "e4j_" + field.getName().replaceAll("([A-Z])", "_$1").toLowerCase();
      bound.put(name, type.parameterList().stream().map(HeaderTest::kind).collect(Collectors.joining(","))
          + " -> " + kind(type.returnType()));
    }
    assertEquals(declared, bound);
  }

  @Test
  void theVersionIsTheHeaders() {
    Matcher version = Pattern.compile("#define E4J_ABI_VERSION (\\d+)").matcher(header);
    assertTrue(version.find());
    assertEquals(Integer.parseInt(version.group(1)), NativeLibrary.ABI_VERSION);
  }

  private static List<String> declaredFields(String body) {
    List<String> fields = new ArrayList<>();
    for (String declaration : body.split(";")) {
      String text = declaration.trim().replaceAll("\\s+", " ");
      if (text.isEmpty()) continue;
      boolean pointer = text.contains("*");
      String[] names = text.replaceAll("^(const )?\\w+ ?(\\* ?(const ?\\*)?)?", "").split(", ?");
      String type = text.replaceFirst("^const ", "").split("[ *]")[0];
      for (String name : names) {
        Matcher array = Pattern.compile("(\\w+)\\[(\\d+)\\]").matcher(name.trim());
        fields.add(array.matches() ? array.group(1) + ":" + kind(type) + "*" + array.group(2)
            : name.trim() + ":" + (pointer ? "address" : kind(type)));
      }
    }
    return fields;
  }

  private static List<String> boundFields(StructLayout layout) {
    List<String> fields = new ArrayList<>();
    for (MemoryLayout member : layout.memberLayouts()) {
      fields.add(member.name().orElseThrow() + ":" + switch (member) {
        case SequenceLayout array -> kind(((ValueLayout) array.elementLayout()).carrier()) + "*" + array.elementCount();
        case ValueLayout value -> kind(value.carrier());
        default -> throw new AssertionError(member);
      });
    }
    return fields;
  }

  private static String kind(String cType) {
    return switch (cType) {
      case "int32_t", "uint32_t", "e4j_status" -> "32";
      case "int64_t", "uint64_t" -> "64";
      case "char" -> "8";
      case "void" -> "nothing";
      default -> throw new AssertionError("a C type this test does not know: " + cType);
    };
  }

  private static String kind(Class<?> carrier) {
    if (carrier == int.class) return "32";
    if (carrier == long.class) return "64";
    if (carrier == byte.class) return "8";
    if (carrier == void.class) return "nothing";
    return "address";
  }
}
