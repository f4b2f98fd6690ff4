package io.embed4j.cli.output;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;

/**
 * What a row of output is about.
 *
 * @param id of the input
 * @param page of a PDF, from 1; 0: the whole input
 * @param carried values of the input that go into the output, in the order of its columns
 */
public record Origin(JsonNode id, int page, List<JsonNode> carried) {}
