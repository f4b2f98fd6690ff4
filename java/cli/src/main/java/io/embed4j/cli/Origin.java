package io.embed4j.cli;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * What a line of output is about.
 *
 * @param id of the input
 * @param page of a PDF, from 1; 0: the whole input
 */
record Origin(JsonNode id, int page) {}
