package io.embed4j.server;

import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/** One request and its one response. The event loop's, but for {@link #respond} and what a {@link Reservation} guards. */
final class Exchange {
  /** Of a request whose client left before the answer, in the metrics only. */
  private static final int CLIENT_LEFT = 499;
  private static final long LINGER_MILLIS = 2_000;
  /** Bytes per millisecond below which a client that reads its response is too slow. */
  private static final long SLOWEST_READER = 64;
  private static final SecureRandom RANDOM = new SecureRandom();

  private final Vertx vertx;
  private final Context loop;
  private final HttpServerRequest request;
  private final String route;
  private final Metrics metrics;
  private final ServerConfig config;
  private final Reservation memory;
  private final String id;
  private final long start = System.nanoTime();
  private final AtomicBoolean over = new AtomicBoolean();
  private volatile Job job; // null: none yet
  private volatile boolean gone;
  private volatile boolean late;
  private long deadlineTimer = -1;

  /** Of a request that has just come. */
  Exchange(Vertx vertx, HttpServerRequest request, String route, Metrics metrics, ServerConfig config, Budget budget) {
    this.vertx = vertx;
    this.loop = vertx.getOrCreateContext();
    this.request = request;
    this.route = route;
    this.metrics = metrics;
    this.config = config;
    this.memory = new Reservation(budget);
    byte[] random = new byte[16];
    RANDOM.nextBytes(random);
    this.id = HexFormat.of().formatHex(random);
    request.response().closeHandler(closed -> leave()).exceptionHandler(failed -> leave());
    request.exceptionHandler(failed -> leave());
  }

  HttpServerRequest request() {
    return request;
  }

  /** What the request holds until its response is written. */
  Reservation memory() {
    return memory;
  }

  long startNanos() {
    return start;
  }

  /** The response is due in this time. */
  void due(Duration timeout) {
    deadlineTimer = vertx.setTimer(Math.max(1, timeout.toMillis()), passed -> {
      late = true;
      end();
    });
  }

  /** The job is ended when the response is due, or when the client leaves; at once if that has happened. From any thread. */
  void watch(Job started) {
    job = started;
    end();
  }

  private void end() {
    Job started = job;
    if (started == null) return;
    if (gone) started.cancel("the client has left");
    else if (late) started.expire();
  }

  private void leave() {
    gone = true;
    vertx.cancelTimer(deadlineTimer);
    if (over.compareAndSet(false, true)) {
      memory.close();
      metrics.request(route, CLIENT_LEFT, System.nanoTime() - start);
    }
    end();
  }

  /** Reads the body within the limits of size, time and memory; otherwise answers with what was exceeded. */
  void body(Consumer<byte[]> then) {
    long most = config.number(Setting.MAX_BODY_BYTES);
    if (declaredLength() > most) {
      refuse(RequestException.of(Problem.TOO_LARGE, "the body has " + declaredLength() + " bytes, the limit is " + most));
      return;
    }
    if ("100-continue".equalsIgnoreCase(request.getHeader("expect"))) request.response().writeContinue();
    long timer = vertx.setTimer(config.time(Setting.BODY_TIMEOUT).toMillis(), late -> refuse(
        RequestException.of(Problem.BODY_TIMEOUT, "the body did not arrive in time")));
    Buffer body = Buffer.buffer();
    request.handler(chunk -> {
      if (over.get()) return;
      if (body.length() + (long) chunk.length() > most) {
        refuse(RequestException.of(Problem.TOO_LARGE, "the body has more than " + most + " bytes"));
      } else if (!memory.take(4L * chunk.length())) { // here, in one piece, as text and as tokens
        refuse(RequestException.busy(Problem.MEMORY_FULL, "too many requests at a time", 1));
      } else {
        body.appendBuffer(chunk);
      }
    });
    request.endHandler(end -> {
      vertx.cancelTimer(timer);
      if (!over.get()) then.accept(body.getBytes());
    });
  }

  private long declaredLength() {
    String length = request.getHeader("content-length");
    return length != null && length.matches("\\d{1,18}") ? Long.parseLong(length) : 0;
  }

  /** Answers with an error before the body is read, in the configured dialect; what still comes is thrown away, for a while. */
  void refuse(RequestException problem) {
    fail(false, List.of(problem));
    if (!request.isEnded()) {
      request.handler(chunk -> {});
      vertx.setTimer(LINGER_MILLIS, late -> {
        if (!request.isEnded()) request.connection().close();
      });
    }
  }

  /** Answers with errors, in the shape of the request's dialect unless the configuration pins one. */
  void fail(boolean jina, List<RequestException> problems) {
    Dialect dialect = switch (config.text(Setting.DIALECT)) {
      case "openai" -> Dialect.OPENAI;
      case "jina" -> Dialect.JINA;
      default -> jina ? Dialect.JINA : Dialect.OPENAI;
    };
    RequestException first = problems.getFirst();
    int status = first.problem().status(dialect);
    long retry = first.retryAfterSeconds();
    respond(status, "application/json", ResponseWriter.error(dialect, status, problems, id),
        retry > 0 ? Map.of("retry-after", Long.toString(retry)) : Map.of());
  }

  /** Answers, unless it has been answered or the client has left. From any thread. */
  void respond(int status, String type, byte[] body, Map<String, String> headers) {
    if (!over.compareAndSet(false, true)) return;
    metrics.request(route, status, System.nanoTime() - start);
    Buffer buffer = Buffer.buffer(body);
    loop.runOnContext(now -> {
      vertx.cancelTimer(deadlineTimer);
      long timer = vertx.setTimer(config.time(Setting.IDLE_TIMEOUT).toMillis() + body.length / SLOWEST_READER,
          late -> request.connection().close());
      headers.forEach(request.response()::putHeader);
      request.response().setStatusCode(status).putHeader("content-type", type).putHeader("x-request-id", id)
          .end(buffer).onComplete(written -> {
            vertx.cancelTimer(timer);
            memory.close();
          });
    });
  }
}
