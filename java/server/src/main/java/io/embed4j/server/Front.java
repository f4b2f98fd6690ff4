package io.embed4j.server;

import io.embed4j.server.RequestReader.Reading;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The routes. Called by event loops; what takes time goes to a virtual thread per request. */
final class Front {
  private static final Logger LOG = LoggerFactory.getLogger(Front.class);
  private static final String JSON = "application/json";
  private static final String MODEL_PREFIX = "/v1/models/";

  private final Vertx vertx;
  private final ServerConfig config;
  private final Models models;
  private final Embeddings embeddings;
  private final Metrics metrics;
  private final Budget budget;
  private final Connections connections;
  private final ApiKeys keys;
  private final RequestReader reader;
  private final BooleanSupplier stopping;
  private final AtomicInteger inFlight = new AtomicInteger();

  /** What there is to call. */
  enum Route {
    EMBEDDINGS("POST", "/v1/embeddings"),
    MODELS("GET", "/v1/models"),
    MODEL("GET", "/v1/models/{model}"),
    HEALTH("GET", "/health"),
    LIVE("GET", "/live"),
    READY("GET", "/ready"),
    METRICS("GET", "/metrics"),
    OPENAPI("GET", "/openapi.json"),
    DOCS("GET", "/docs");

    private final String method;
    private final String path;

    Route(String method, String path) {
      this.method = method;
      this.path = path;
    }

    String method() {
      return method;
    }

    String path() {
      return path;
    }

    private static Optional<Route> of(String path) {
      Optional<Route> exact = Arrays.stream(values()).filter(route -> route.path.equals(path)).findFirst();
      return exact.isEmpty() && path.startsWith(MODEL_PREFIX) ? Optional.of(MODEL) : exact;
    }
  }

  Front(Vertx vertx, ServerConfig config, Models models, Embeddings embeddings, Metrics metrics, Budget budget,
      Connections connections, BooleanSupplier stopping) {
    this.vertx = vertx;
    this.config = config;
    this.models = models;
    this.embeddings = embeddings;
    this.metrics = metrics;
    this.budget = budget;
    this.connections = connections;
    this.stopping = stopping;
    this.keys = ApiKeys.read(config.path(Setting.API_KEYS_FILE));
    this.reader = new RequestReader(config);
  }

  /** Embeddings that are being made. */
  int inFlight() {
    return inFlight.get();
  }

  void handle(HttpServerRequest request) {
    connections.begin(request.connection());
    request.response().endHandler(end -> connections.end(request.connection()));
    Optional<Route> route = Route.of(String.valueOf(request.path()));
    Exchange exchange = new Exchange(vertx, request, route.map(Route::path).orElse("other"), metrics, config, budget);
    if (crossOrigin(exchange)) return;
    if (route.isEmpty()) {
      exchange.refuse(RequestException.of(Problem.NOT_FOUND, "there is nothing at this path"));
    } else if (!request.method().name().equals(route.get().method)) {
      request.response().putHeader("allow", route.get().method);
      exchange.refuse(RequestException.of(Problem.METHOD, "expected " + route.get().method));
    } else {
      try {
        if (route.get().path.startsWith("/v1/")) keys.check(request.getHeader("authorization"));
        answer(route.get(), exchange);
      } catch (RequestException e) {
        if (e.problem() == Problem.KEY_MISSING) request.response().putHeader("www-authenticate", "Bearer");
        exchange.refuse(e);
      } catch (RuntimeException e) {
        LOG.error("a request failed", e);
        exchange.refuse(RequestException.of(Problem.INTERNAL, "internal error"));
      }
    }
  }

  private void answer(Route route, Exchange exchange) throws RequestException {
    switch (route) {
      case EMBEDDINGS -> embeddings(exchange);
      case MODELS -> json(exchange, 200, json -> {
        json.writeStartObject();
        json.writeStringField("object", "list");
        json.writeArrayFieldStart("data");
        for (ServedModel model : models.all()) model.describe(json, model.id());
        json.writeEndArray();
        json.writeEndObject();
      });
      case MODEL -> {
        String name = decoded(exchange.request().path().substring(MODEL_PREFIX.length()));
        ServedModel model = models.find(name);
        json(exchange, 200, json -> model.describe(json, name));
      }
      case HEALTH, LIVE -> status(exchange, 200, "ok");
      case READY -> status(exchange, stopping.getAsBoolean() ? 503 : 200, stopping.getAsBoolean() ? "stopping" : "ok");
      case METRICS -> exchange.respond(200, "text/plain; version=0.0.4; charset=utf-8",
          metrics.text().getBytes(StandardCharsets.UTF_8), Map.of());
      case OPENAPI -> exchange.respond(200, JSON, resource("openapi.json"), Map.of());
      case DOCS -> exchange.respond(200, "text/html; charset=utf-8", resource("docs.html"), Map.of("content-security-policy",
          "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"));
    }
  }

  private static String decoded(String name) {
    try {
      return URLDecoder.decode(name.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      return name; // which no model has
    }
  }

  private static void status(Exchange exchange, int status, String word) {
    json(exchange, status, json -> {
      json.writeStartObject();
      json.writeStringField("status", word);
      json.writeEndObject();
    });
  }

  private static void json(Exchange exchange, int status, ResponseWriter.Body body) {
    exchange.respond(status, JSON, ResponseWriter.json(512, body), Map.of());
  }

  private static byte[] resource(String name) {
    try (InputStream in = Front.class.getResourceAsStream(name)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Answers a browser's preflight, and marks what pages of allowed origins may read; without origins it does nothing. */
  private boolean crossOrigin(Exchange exchange) {
    HttpServerRequest request = exchange.request();
    String origin = request.getHeader("origin");
    List<String> origins = config.list(Setting.CORS_ORIGINS);
    if (origin == null || !origins.contains(origin) && !origins.contains("*")) return false;
    request.response().putHeader("access-control-allow-origin", origins.contains("*") ? "*" : origin).putHeader("vary", "origin");
    if (!request.method().name().equals("OPTIONS")) return false;
    exchange.respond(204, "text/plain", new byte[0], Map.of("access-control-allow-methods", "GET, POST",
        "access-control-allow-headers", "authorization, content-type, x-request-timeout", "access-control-max-age", "3600"));
    return true;
  }

  private void embeddings(Exchange exchange) throws RequestException {
    if (stopping.getAsBoolean()) throw RequestException.busy(Problem.UNAVAILABLE, "the server is stopping", 1);
    String type = String.valueOf(exchange.request().getHeader("content-type"));
    if (!type.split(";", 2)[0].strip().equalsIgnoreCase(JSON)) {
      throw RequestException.of(Problem.MEDIA_TYPE, "expected the header Content-Type: " + JSON);
    }
    if (exchange.request().getHeader("content-encoding") != null) {
      throw RequestException.of(Problem.MEDIA_TYPE, "expected a body without Content-Encoding");
    }
    Duration timeout = timeout(exchange.request().getHeader("x-request-timeout"));
    exchange.body(body -> {
      exchange.due(timeout);
      inFlight.incrementAndGet();
      Thread.ofVirtual().name("request").start(() -> embed(exchange, body, timeout));
    });
  }

  private Duration timeout(String asked) throws RequestException {
    Duration most = config.time(Setting.REQUEST_TIMEOUT);
    if (asked == null) return most;
    try {
      Duration timeout = (Duration) Setting.REQUEST_TIMEOUT.parse(asked);
      return timeout.compareTo(most) < 0 ? timeout : most;
    } catch (IllegalArgumentException e) {
      throw RequestException.of(Problem.INVALID, "the header X-Request-Timeout is not usable: " + e.getMessage());
    }
  }

  private void embed(Exchange exchange, byte[] body, Duration timeout) {
    boolean jina = false;
    try {
      Reading reading = reader.read(body);
      jina = reading.jina();
      if (reading.problems().isEmpty()) {
        byte[] response = embeddings.answer(reading.query(), System.nanoTime() + timeout.toNanos(), exchange.memory(),
            exchange::watch);
        exchange.respond(200, JSON, response, Map.of());
      } else {
        exchange.fail(jina, reading.problems());
      }
    } catch (RequestException e) {
      exchange.fail(jina, List.of(e));
    } catch (Job.Cancelled | InterruptedException e) {
      exchange.fail(jina, List.of(RequestException.of(Problem.UNAVAILABLE, String.valueOf(e.getMessage()))));
    } catch (RuntimeException | Error e) {
      LOG.error("a request failed", e);
      exchange.fail(jina, List.of(RequestException.of(Problem.INTERNAL, "internal error")));
    } finally {
      inFlight.decrementAndGet();
    }
  }
}
