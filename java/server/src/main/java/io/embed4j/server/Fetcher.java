package io.embed4j.server;

import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.net.SocketAddress;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;

/**
 * Fetches a picture or PDF by http(s) URL for somebody who is not trusted. Every host, also of a redirect, is resolved here,
 * all of its addresses have to be allowed, and the connection goes to the address that was checked: a name that
 * resolves to another one the next time gains nothing. Bounded in time, bytes and redirects; what the other side says never
 * reaches the client. Thread-safe.
 */
final class Fetcher implements AutoCloseable {
  private static final int MAX_REDIRECTS = 3;
  private static final int MAX_URL_CHARS = 8192;

  /** From a name to its addresses. */
  interface Resolver {
    InetAddress[] resolve(String host) throws UnknownHostException;
  }

  private final HttpClient client;
  private final Resolver resolver;
  private final Predicate<InetAddress> allowed;
  private final int maxBytes;
  private final Duration timeout;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();

  /** With the addresses that may be connected to; {@link AddressRules#isPublic} in a server. */
  Fetcher(Vertx vertx, int maxBytes, Duration timeout, Resolver resolver, Predicate<InetAddress> allowed) {
    this.client = vertx.createHttpClient(new HttpClientOptions().setKeepAlive(false).setMaxHeaderSize(16_384)
        .setConnectTimeout((int) timeout.toMillis()), new PoolOptions().setHttp1MaxSize(32).setMaxWaitQueueSize(64));
    this.resolver = resolver;
    this.allowed = allowed;
    this.maxBytes = maxBytes;
    this.timeout = timeout;
  }

  /** A status that is not a redirect's and has no body here. */
  private record Answer(int status, String location, byte[] body) {}

  byte[] fetch(String url, Object... field) throws RequestException, InterruptedException {
    long deadline = System.nanoTime() + timeout.toNanos();
    Future<byte[]> fetched = threads.submit(() -> follow(url, deadline, field)); // resolving cannot be ended by itself
    try {
      return fetched.get(timeout.toMillis() + 1, TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      throw RequestException.of(Problem.INVALID, "the URL took longer than " + timeout.toMillis() + " ms", field);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RequestException known) throw known;
      throw RequestException.of(Problem.INVALID, "the URL could not be fetched", field);
    } finally {
      fetched.cancel(true);
    }
  }

  private byte[] follow(String url, long deadline, Object... field) throws Exception {
    URI at = parse(url, field);
    for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
      Answer answer = get(at, address(at, field), deadline, field);
      if (answer.body != null) return answer.body;
      if (answer.status < 300 || answer.status > 399 || answer.location == null) {
        throw RequestException.of(Problem.INVALID, "the URL answered with status " + answer.status, field);
      }
      URI next = at.resolve(parse(answer.location, field));
      if (at.getScheme().equalsIgnoreCase("https") && !"https".equalsIgnoreCase(next.getScheme())) {
        throw RequestException.of(Problem.INVALID, "the URL redirects from https to http", field);
      }
      at = next;
    }
    throw RequestException.of(Problem.INVALID, "the URL redirects more than " + MAX_REDIRECTS + " times", field);
  }

  private static URI parse(String url, Object... field) throws RequestException {
    try {
      if (url.length() <= MAX_URL_CHARS) return new URI(url);
    } catch (URISyntaxException e) {
      // answered below
    }
    throw RequestException.of(Problem.INVALID, "not a URL", field);
  }

  /** The address to connect to. Any address of the host that is not allowed rules the host out. */
  private InetAddress address(URI url, Object... field) throws RequestException {
    String scheme = String.valueOf(url.getScheme());
    if (!scheme.equalsIgnoreCase("http") && !scheme.equalsIgnoreCase("https") || url.getHost() == null
        || url.getRawUserInfo() != null) {
      throw RequestException.of(Problem.INVALID, "expected an http or https URL with a host and without a user", field);
    }
    InetAddress[] addresses;
    try {
      addresses = resolver.resolve(url.getHost());
    } catch (UnknownHostException e) {
      throw RequestException.of(Problem.INVALID, "the URL's host is not known", field);
    }
    for (InetAddress address : addresses) {
      if (!allowed.test(address)) {
        throw RequestException.of(Problem.INVALID, "the URL's host is not on the public internet", field);
      }
    }
    return addresses[0];
  }

  private Answer get(URI url, InetAddress address, long deadline, Object... field) throws Exception {
    boolean tls = url.getScheme().equalsIgnoreCase("https");
    int port = url.getPort() >= 0 ? url.getPort() : tls ? 443 : 80;
    String path = url.getRawPath() == null || url.getRawPath().isEmpty() ? "/" : url.getRawPath();
    RequestOptions options = new RequestOptions().setMethod(HttpMethod.GET).setSsl(tls).setFollowRedirects(false)
        .setServer(SocketAddress.inetSocketAddress(port, address.getHostAddress()))
        .setHost(url.getHost()).setPort(port).setURI(url.getRawQuery() == null ? path : path + "?" + url.getRawQuery())
        .putHeader("accept", "image/*, application/pdf").putHeader("accept-encoding", "identity")
        .putHeader("user-agent", "embed4j");
    CompletableFuture<Answer> answer = new CompletableFuture<>();
    client.request(options).onFailure(answer::completeExceptionally).onSuccess(request -> {
      request.connection().exceptionHandler(answer::completeExceptionally);
      answer.whenComplete((done, failed) -> request.connection().close()); // one request each: what still comes is not read
      request.send().onFailure(answer::completeExceptionally).onSuccess(response -> read(response, answer, field));
    });
    try {
      return answer.get(Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof Exception cause ? cause : e;
    } finally {
      answer.cancel(false);
    }
  }

  private void read(HttpClientResponse response, CompletableFuture<Answer> answer, Object... field) {
    if (response.statusCode() != 200) {
      answer.complete(new Answer(response.statusCode(), response.getHeader("location"), null));
      return;
    }
    if (response.getHeader("content-encoding") != null) {
      answer.completeExceptionally(RequestException.of(Problem.INVALID, "the URL answered compressed, unasked", field));
      return;
    }
    Buffer body = Buffer.buffer();
    response.exceptionHandler(answer::completeExceptionally);
    response.handler(chunk -> {
      if (body.length() + chunk.length() <= maxBytes) {
        body.appendBuffer(chunk);
      } else {
        answer.completeExceptionally(RequestException.of(Problem.INVALID,
            "the URL gives more bytes than the limit, " + maxBytes, field));
      }
    });
    response.endHandler(end -> answer.complete(new Answer(200, null, body.getBytes())));
  }

  @Override
  public void close() {
    threads.shutdownNow();
    client.close();
  }
}
