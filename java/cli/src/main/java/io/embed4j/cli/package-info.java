/**
 * The command line: one class per command, nothing that the library lacks. {@link io.embed4j.cli.Main} runs them;
 * {@code input} reads what there is to embed, {@code output} writes what became of it, {@code job} is the way between.
 */
package io.embed4j.cli;
