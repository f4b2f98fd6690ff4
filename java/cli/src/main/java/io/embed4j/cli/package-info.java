/**
 * The command line: one class per command, nothing that the library lacks. {@link io.embed4j.cli.Main} runs them,
 * {@link io.embed4j.cli.JsonLinesReader} and {@link io.embed4j.cli.JsonLinesWriter} are the formats they share.
 */
package io.embed4j.cli;
