/** What becomes of embeddings: the forms of their vectors and the files they are written to, which survive a crash. */
package io.embed4j.cli.output;
