package io.embed4j.parity;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The layers: front ends use the library's one exported package; inside it, only ffm touches native memory functions. */
@AnalyzeClasses(packages = "io.embed4j", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  private static final String[] INSIDE = {"io.embed4j.batch..", "io.embed4j.ffm..", "io.embed4j.image..",
      "io.embed4j.model..", "io.embed4j.pooling..", "io.embed4j.prompt..", "io.embed4j.tokenizer.."};

  @ArchTest
  static final ArchRule PURE_JAVA_PARTS_DO_NOT_KNOW_THE_NATIVE_LIBRARY = noClasses()
      .that().resideInAnyPackage("io.embed4j.tokenizer..", "io.embed4j.image..", "io.embed4j.prompt..", "io.embed4j.pooling..")
      .should().dependOnClassesThat().resideInAnyPackage("io.embed4j.ffm..", "io.embed4j.batch..", "io.embed4j.model..");

  @ArchTest
  static final ArchRule ONLY_FFM_CALLS_C = noClasses()
      .that().resideInAPackage("io.embed4j..").and().resideOutsideOfPackages("io.embed4j.ffm..", "io.embed4j.cli..")
      .should().dependOnClassesThat().haveFullyQualifiedName("java.lang.foreign.Linker")
      .orShould().dependOnClassesThat().haveFullyQualifiedName("java.lang.foreign.SymbolLookup");

  @ArchTest
  static final ArchRule FRONT_ENDS_USE_ONLY_EXPORTED_PACKAGES = noClasses()
      .that().resideInAnyPackage("io.embed4j.cli..", "io.embed4j.server..").should().dependOnClassesThat().resideInAnyPackage(INSIDE);

  @ArchTest
  static final ArchRule THE_CONVERTER_USES_ONLY_FFM_OF_THE_INSIDE = noClasses()
      .that().resideInAPackage("io.embed4j.convert..").should().dependOnClassesThat()
      .resideInAnyPackage("io.embed4j.batch..", "io.embed4j.image..", "io.embed4j.model..", "io.embed4j.pooling..",
          "io.embed4j.prompt..", "io.embed4j.tokenizer..");

  @ArchTest
  static final ArchRule NOTHING_DEPENDS_ON_THE_COMMAND_LINE = noClasses()
      .that().resideOutsideOfPackage("io.embed4j.cli..").should().dependOnClassesThat().resideInAPackage("io.embed4j.cli..");

  @ArchTest
  static final ArchRule LIBRARIES_DO_NOT_PRINT_OR_EXIT = noClasses()
      .that().resideOutsideOfPackage("io.embed4j.cli..")
      .should().accessField(System.class, "out").orShould().accessField(System.class, "err")
      .orShould().callMethod(System.class, "exit", int.class);
}
