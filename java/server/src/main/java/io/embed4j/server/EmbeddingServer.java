package io.embed4j.server;

import io.embed4j.EmbeddingException;
import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.net.PemKeyCertOptions;
import io.vertx.core.net.PfxOptions;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running server. Vert.x does HTTP/1.1 and HTTP/2, because its event loops notice a client that leaves while its request
 * waits, and hold slow bodies without a thread; each request's own work is done by a virtual thread.
 */
public final class EmbeddingServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(EmbeddingServer.class);
  /** To Vert.x: one free port for all listeners. */
  private static final int ANY_SHARED_PORT = -1;
  private static final Duration CLOSING = Duration.ofSeconds(10);

  private final ServerConfig config;
  private final Metrics metrics = new Metrics();
  private Models models;
  private Vertx vertx;
  private Fetcher fetcher; // null: nothing is fetched
  private Front front;
  private volatile int port;
  private volatile boolean stopping;
  private boolean closed;

  private EmbeddingServer(ServerConfig config) {
    this.config = config;
  }

  /**
   * Opens the models and listens.
   *
   * @throws EmbeddingException of a model, or {@link EmbeddingException#IO_ERROR} when the port or a file of the
   *     configuration cannot be used
   */
  public static EmbeddingServer start(ServerConfig config) {
    return start(config, InetAddress::getAllByName, AddressRules::isPublic);
  }

  static EmbeddingServer start(ServerConfig config, Fetcher.Resolver resolver, Predicate<InetAddress> allowed) {
    LOG.info("configuration:\n{}", config);
    EmbeddingServer server = new EmbeddingServer(config);
    try {
      server.open(resolver, allowed);
    } catch (RuntimeException e) {
      server.close();
      throw e;
    }
    LOG.info("listening on {}://{}:{}", server.tls() ? "https" : "http", config.text(Setting.HOST), server.port());
    return server;
  }

  private void open(Fetcher.Resolver resolver, Predicate<InetAddress> allowed) {
    // Unsafe is on its way out of the JDK, which warns of its use; Netty has other means.
    if (System.getProperty("io.netty.noUnsafe") == null) System.setProperty("io.netty.noUnsafe", "true");
    vertx = Vertx.vertx(new VertxOptions().setFileSystemOptions(
        new FileSystemOptions().setClassPathResolvingEnabled(false).setFileCachingEnabled(false)));
    models = Models.open(config, metrics);
    Budget budget = new Budget(config.memoryBytes());
    Budget pictures = new Budget(config.memoryBytes());
    Connections connections = new Connections(vertx, config);
    int maxFileBytes = config.count(Setting.MAX_FILE_BYTES);
    if (config.flag(Setting.IMAGE_URLS)) {
      fetcher = new Fetcher(vertx, maxFileBytes, config.time(Setting.URL_TIMEOUT), resolver, allowed);
    }
    front = new Front(vertx, config, models, new Embeddings(models, new FileInputs(fetcher, maxFileBytes), pictures, config),
        metrics, budget, connections, () -> stopping);
    metrics.gauge("embed4j.memory.requests", "Bytes of requests and responses in flight", budget::used);
    metrics.gauge("embed4j.memory.pictures", "Bytes of decoded pictures that wait", pictures::used);
    metrics.gauge("embed4j.connections", "Open connections", connections::open);
    metrics.gauge("embed4j.requests.running", "Embeddings requests in flight", front::inFlight);
    int loops = config.count(Setting.EVENT_LOOPS);
    if (loops == 0) loops = Math.clamp(Runtime.getRuntime().availableProcessors() / 4, 1, 8);
    try {
      vertx.deployVerticle(() -> new Listener(connections), new DeploymentOptions().setInstances(loops))
          .toCompletionStage().toCompletableFuture().join();
    } catch (CompletionException e) {
      throw new EmbeddingException(EmbeddingException.IO_ERROR, "cannot listen on " + config.text(Setting.HOST) + ", port "
          + config.number(Setting.PORT) + ": " + e.getCause().getMessage(), e.getCause());
    }
  }

  /** One of the event loops that share the port; connections take turns on them. */
  private final class Listener extends VerticleBase {
    private final Connections connections;

    Listener(Connections connections) {
      this.connections = connections;
    }

    @Override
    public Future<?> start() {
      int configured = config.count(Setting.PORT);
      return vertx.createHttpServer(options()).connectionHandler(connections::add).requestHandler(front::handle)
          .listen(configured == 0 ? ANY_SHARED_PORT : configured, config.text(Setting.HOST))
          .onSuccess(listener -> port = listener.actualPort());
    }
  }

  private HttpServerOptions options() {
    HttpServerOptions options = new HttpServerOptions().setMaxHeaderSize(16_384).setMaxInitialLineLength(8_192)
        .setIdleTimeout((int) config.time(Setting.REQUEST_TIMEOUT).toSeconds() + 60).setIdleTimeoutUnit(TimeUnit.SECONDS)
        .setTcpNoDelay(true).setSsl(tls()).setUseAlpn(true);
    Path certificate = config.path(Setting.TLS_CERTIFICATE);
    if (certificate != null) {
      options.setKeyCertOptions(new PemKeyCertOptions().setCertPath(certificate.toAbsolutePath().toString())
          .setKeyPath(config.path(Setting.TLS_KEY).toAbsolutePath().toString()));
    } else if (tls()) {
      options.setKeyCertOptions(new PfxOptions().setPath(config.path(Setting.TLS_KEYSTORE).toAbsolutePath().toString())
          .setPassword(config.text(Setting.TLS_KEYSTORE_PASSWORD)));
    }
    return options;
  }

  private boolean tls() {
    return config.path(Setting.TLS_CERTIFICATE) != null || config.path(Setting.TLS_KEYSTORE) != null;
  }

  /** The port it listens on. */
  public int port() {
    return port;
  }

  /**
   * Stops: is not ready from now on, refuses new requests, lets those that were accepted end for
   * {@link Setting#DRAIN_TIMEOUT}, then closes. A second call waits for the first and does nothing.
   */
  @Override
  public synchronized void close() {
    if (closed) return;
    closed = true;
    stopping = true;
    long deadline = System.nanoTime() + config.time(Setting.DRAIN_TIMEOUT).toNanos();
    while (front != null && front.inFlight() > 0 && System.nanoTime() - deadline < 0) sleep();
    if (fetcher != null) fetcher.close();
    if (models != null) models.close();
    if (vertx != null) {
      vertx.close().toCompletionStage().toCompletableFuture().orTimeout(CLOSING.toSeconds(), TimeUnit.SECONDS)
          .exceptionally(late -> null).join();
    }
    metrics.close();
  }

  private static void sleep() {
    try {
      Thread.sleep(10);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
