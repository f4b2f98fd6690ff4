/** An HTTP server that embedding clients already know how to call: Jina's and OpenAI's {@code POST /v1/embeddings}. */
package io.embed4j.server;
