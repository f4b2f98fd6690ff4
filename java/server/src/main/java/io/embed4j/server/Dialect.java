package io.embed4j.server;

/** Whose shape an error takes; a success satisfies both. */
enum Dialect {
  OPENAI,
  JINA
}
