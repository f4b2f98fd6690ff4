package io.embed4j.server;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/** What the server counts, in the text form that Prometheus reads. Thread-safe. */
final class Metrics implements AutoCloseable {
  private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final JvmGcMetrics collections = new JvmGcMetrics();
  private final Map<Answered, Timer> requests = new ConcurrentHashMap<>(); // looking one up by its tags costs microseconds

  private record Answered(String route, int status) {}

  Metrics() {
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new UptimeMetrics().bindTo(registry);
    collections.bindTo(registry);
  }

  /** Of one model. */
  final class OfModel {
    private final Counter refused;
    private final Counter withdrawn;
    private final Counter tokens;
    private final Counter cancelled;
    private final DistributionSummary batchItems;
    private final DistributionSummary batchTokens;
    private final Timer batches;

    private OfModel(String model, LongSupplier queuedTokens) {
      Gauge.builder("embed4j.queue.tokens", queuedTokens::getAsLong).tag("model", model)
          .description("Tokens that wait").register(registry);
      refused = Counter.builder("embed4j.queue.refused").tag("model", model)
          .description("Requests refused because the queue was full").register(registry);
      withdrawn = Counter.builder("embed4j.queue.withdrawn").tag("model", model)
          .description("Items taken back: disconnects and deadlines").register(registry);
      tokens = Counter.builder("embed4j.tokens").tag("model", model).description("Tokens embedded").register(registry);
      cancelled = Counter.builder("embed4j.batch.cancelled").tag("model", model)
          .description("Batches stopped because nobody waited for them any longer").register(registry);
      batchItems = DistributionSummary.builder("embed4j.batch.items").tag("model", model)
          .description("Items of a batch").register(registry);
      batchTokens = DistributionSummary.builder("embed4j.batch.tokens").tag("model", model)
          .description("Tokens of a batch").register(registry);
      batches = Timer.builder("embed4j.batch").tag("model", model).description("Time of a batch").register(registry);
    }

    void refused() {
      refused.increment();
    }

    void withdrawn(int items) {
      withdrawn.increment(items);
    }

    void cancelled() {
      cancelled.increment();
    }

    void batch(int items, long count, long nanos) {
      tokens.increment(count);
      batchItems.record(items);
      batchTokens.record(count);
      batches.record(nanos, TimeUnit.NANOSECONDS);
    }
  }

  OfModel of(String model, LongSupplier queuedTokens) {
    return new OfModel(model, queuedTokens);
  }

  void gauge(String name, String description, LongSupplier value) {
    Gauge.builder(name, value::getAsLong).description(description).register(registry);
  }

  /** A request, answered or given up. */
  void request(String route, int status, long nanos) {
    requests.computeIfAbsent(new Answered(route, status), answered -> Timer.builder("embed4j.requests")
        .description("Time to answer").tag("route", route).tag("status", Integer.toString(status))
        .publishPercentileHistogram().register(registry)).record(nanos, TimeUnit.NANOSECONDS);
  }

  String text() {
    return registry.scrape();
  }

  @Override
  public void close() {
    collections.close();
    registry.close();
  }
}
