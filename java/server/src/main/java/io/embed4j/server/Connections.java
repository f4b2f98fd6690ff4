package io.embed4j.server;

import io.vertx.core.Vertx;
import io.vertx.core.http.HttpConnection;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Bounds the open connections in number and in the time between their requests. Thread-safe. */
final class Connections {
  private static final Logger LOG = LoggerFactory.getLogger(Connections.class);

  private final Vertx vertx;
  private final int most;
  private final long idleMillis;
  private final AtomicInteger open = new AtomicInteger();
  private final Map<HttpConnection, Idle> idle = new ConcurrentHashMap<>();

  /** When a connection may be closed; used by its event loop only. */
  private static final class Idle {
    private int requests;
    private long timer = -1;
  }

  Connections(Vertx vertx, ServerConfig config) {
    this.vertx = vertx;
    this.most = config.count(Setting.MAX_CONNECTIONS);
    this.idleMillis = config.time(Setting.IDLE_TIMEOUT).toMillis();
  }

  int open() {
    return open.get();
  }

  void add(HttpConnection connection) {
    boolean full = open.incrementAndGet() > most;
    idle.put(connection, new Idle());
    connection.closeHandler(closed -> {
      open.decrementAndGet();
      vertx.cancelTimer(idle.remove(connection).timer);
    });
    connection.exceptionHandler(broken -> LOG.debug("a connection broke", broken));
    if (full) connection.close();
    else wait(connection, idle.get(connection));
  }

  /** A request has come; its response ends with {@link #end}. */
  void begin(HttpConnection connection) {
    Idle state = idle.get(connection);
    if (state == null) return;
    state.requests++;
    vertx.cancelTimer(state.timer);
  }

  void end(HttpConnection connection) {
    Idle state = idle.get(connection);
    if (state != null && --state.requests == 0) wait(connection, state);
  }

  private void wait(HttpConnection connection, Idle state) {
    state.timer = vertx.setTimer(idleMillis, late -> connection.close());
  }
}
