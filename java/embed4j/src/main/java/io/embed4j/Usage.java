package io.embed4j;

import java.util.Optional;

/**
 * What an embedding was made of.
 *
 * @param tokens embedded, prompt included
 * @param truncated the text was cut
 * @param grid of a picture's image tokens
 */
record Usage(int tokens, boolean truncated, Optional<PatchGrid> grid) {}
