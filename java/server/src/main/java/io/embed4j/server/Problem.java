package io.embed4j.server;

/** What can be wrong with a request: its status and code in either dialect. */
enum Problem {
  INVALID(400, 422, null, "validation_error"),
  TOO_MANY_TOKENS(400, 400, "context_length_exceeded", "INPUT_TOKEN_LIMIT_EXCEEDED"),
  UNKNOWN_MODEL(404, 400, "model_not_found", "INPUT_MODEL_NOT_FOUND"),
  KEY_MISSING(401, 401, "invalid_api_key", "AUTH_MISSING_API_KEY"),
  KEY_FORMAT(401, 401, "invalid_api_key", "AUTH_INVALID_FORMAT"),
  KEY_UNKNOWN(401, 401, "invalid_api_key", "AUTH_INVALID_API_KEY"),
  NOT_FOUND(404, 404, "not_found", "RESOURCE_NOT_FOUND"),
  METHOD(405, 405, "method_not_allowed", "METHOD_NOT_ALLOWED"),
  BODY_TIMEOUT(408, 408, "request_timeout", "REQUEST_TIMEOUT"),
  TOO_LARGE(413, 413, "request_too_large", "PAYLOAD_TOO_LARGE"),
  MEDIA_TYPE(415, 415, "unsupported_media_type", "UNSUPPORTED_MEDIA_TYPE"),
  QUEUE_FULL(429, 429, "rate_limit_exceeded", "RATE_TOKEN_LIMIT_EXCEEDED"),
  MEMORY_FULL(429, 429, "rate_limit_exceeded", "RATE_CONCURRENCY_LIMIT_EXCEEDED"),
  INTERNAL(500, 500, "internal_error", "INTERNAL_ERROR"),
  UNAVAILABLE(503, 503, "service_unavailable", "SERVICE_UNAVAILABLE"),
  DEADLINE(504, 504, "timeout", "SERVICE_TIMEOUT");

  private final int openAiStatus;
  private final int jinaStatus;
  private final String openAiCode;
  private final String jinaCode;

  Problem(int openAiStatus, int jinaStatus, String openAiCode, String jinaCode) {
    this.openAiStatus = openAiStatus;
    this.jinaStatus = jinaStatus;
    this.openAiCode = openAiCode;
    this.jinaCode = jinaCode;
  }

  int status(Dialect dialect) {
    return dialect == Dialect.JINA ? jinaStatus : openAiStatus;
  }

  /** May be null in OpenAI's dialect. */
  String code(Dialect dialect) {
    return dialect == Dialect.JINA ? jinaCode : openAiCode;
  }
}
