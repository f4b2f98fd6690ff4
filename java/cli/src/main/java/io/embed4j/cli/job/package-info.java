/**
 * A run over a corpus: reading, preparing, embedding and writing side by side, in the order of the input, in bounded memory;
 * and what makes it survive a crash.
 */
package io.embed4j.cli.job;
