package io.embed4j.server;

import io.embed4j.ChunkedEmbedding;
import io.embed4j.DenseEmbedding;
import io.embed4j.Embedding;
import io.embed4j.EmbeddingException;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ImageInput;
import io.embed4j.MultiVectorEmbedding;
import io.embed4j.Outcome;
import io.embed4j.PdfDocument;
import io.embed4j.PreparedRequest;
import io.embed4j.Prompt;
import io.embed4j.Task;
import io.embed4j.server.Query.Input;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Answers queries, each in a thread of its own: makes the inputs ready, a bounded number at a time, queues them before their
 * model and writes what comes back. Thread-safe.
 */
final class Embeddings {
  /** Pictures of one request that are decoded and not yet embedded. */
  private static final int PICTURES_AHEAD = 4;
  private static final long PATCH_BYTES = 4704;

  private final Models models;
  private final FileInputs files;
  private final Semaphore decoders;
  private final Budget pictures;
  private final ServerConfig config;

  Embeddings(Models models, FileInputs files, Budget pictures, ServerConfig config) {
    this.models = models;
    this.files = files;
    this.pictures = pictures;
    this.decoders = new Semaphore(config.decoders(), true);
    this.config = config;
  }

  /**
   * The response's body.
   *
   * @param deadline of {@link System#nanoTime}
   * @param memory what the request holds; the response is added
   * @param started gets the job, whose end ends this: it has to {@link Job#expire} it at the deadline
   * @throws Job.Cancelled when that happens
   */
  byte[] answer(Query query, long deadline, Reservation memory, Consumer<Job> started)
      throws RequestException, InterruptedException {
    return new Answer(query, models.find(query.model()), deadline, memory, started).body();
  }

  /** One query on its way. */
  private final class Answer {
    private final Query query;
    private final ServedModel model;
    private final long deadline;
    private final Reservation memory;
    private final Consumer<Job> started;
    private final EmbeddingRequest template; // its text is nobody's
    private final List<List<String>> tokenTexts = new ArrayList<>(); // by item, if asked for
    private final Semaphore ahead = new Semaphore(PICTURES_AHEAD);
    private long responseBytes;
    private Job job;

    Answer(Query query, ServedModel model, long deadline, Reservation memory, Consumer<Job> started)
        throws RequestException {
      this.query = query;
      this.model = model;
      this.deadline = deadline;
      this.memory = memory;
      this.started = started;
      this.template = template();
    }

    private EmbeddingRequest template() throws RequestException {
      TaskName name = query.task() == null ? model.defaultTask() : query.task();
      if (!model.model().info().tasks().isEmpty() && !model.model().info().tasks().contains(name.task())) {
        throw RequestException.of(Problem.INVALID, "the model does not serve " + name + ", it serves "
            + model.model().info().tasks(), "task");
      }
      if (query.multiVector() && model.model().info().multiVectorDim() == 0) {
        throw RequestException.of(Problem.INVALID, "the model has no multi-vector head", "return_multivector");
      }
      EmbeddingRequest request = configured(EmbeddingRequest.text(""), name.task(), name.prompt());
      try {
        model.model().check(request);
      } catch (EmbeddingException e) {
        throw RequestException.of(e, "dimensions");
      }
      return request;
    }

    private EmbeddingRequest configured(EmbeddingRequest request, Task task, Prompt prompt) {
      return request.task(task).prompt(prompt).dimensions(query.dimensions()).multiVector(query.multiVector())
          .normalized(query.normalized()).truncate(query.truncate() && !query.lateChunking())
          .maxTokens(config.count(Setting.MAX_INPUT_TOKENS));
    }

    byte[] body() throws RequestException, InterruptedException {
      try {
        if (query.inputs().getFirst() instanceof Input.Pdf pdf) {
          pages(pdf);
        } else if (query.inputs().stream().anyMatch(Input.Image.class::isInstance)) {
          start(query.inputs().size());
          for (int i = 0; i < query.inputs().size() && !job.over(); i++) one(i);
        } else {
          texts();
        }
        await();
        return write();
      } finally {
        if (job != null) model.dispatcher().withdraw(job);
      }
    }

    private void start(int items) {
      job = new Job(items, deadline);
      started.accept(job);
    }

    /** All at once, so that they can share a batch. */
    private void texts() throws RequestException, InterruptedException {
      start(query.lateChunking() ? 1 : query.inputs().size());
      List<PreparedRequest> prepared = decoding(() -> {
        if (query.lateChunking()) return List.of(prepare(EmbeddingRequest.lateChunks(chunks()), "input"));
        List<PreparedRequest> all = new ArrayList<>();
        for (Input input : query.inputs()) {
          if (job.over()) break;
          all.add(prepare(request(input), input.field()));
        }
        return all;
      });
      long chunks = (long) query.inputs().size() * dimensions();
      reserve(query.lateChunking() ? chunks : prepared.stream().mapToLong(this::values).sum());
      if (!job.over()) model.dispatcher().submit(job, 0, prepared, () -> {});
    }

    private List<String> chunks() {
      return query.inputs().stream().map(input -> ((Input.Text) input).text()).toList();
    }

    private void pages(Input.Pdf input) throws RequestException, InterruptedException {
      requirePictures(input.field());
      byte[] bytes = files.read(input.reference(), input.field());
      hold(bytes.length);
      try (PdfDocument pdf = PdfDocument.open(bytes)) {
        int most = config.count(Setting.MAX_PDF_PAGES);
        if (pdf.pageCount() > most) {
          throw RequestException.of(Problem.INVALID, "the PDF has " + pdf.pageCount() + " pages, the limit is " + most,
              input.field());
        }
        start(pdf.pageCount());
        for (int i = 0; i < pdf.pageCount() && !job.over(); i++) picture(i, pdf.page(i + 1), input.field());
      } catch (EmbeddingException e) {
        throw RequestException.of(e, input.field());
      }
    }

    private void one(int index) throws RequestException, InterruptedException {
      if (query.inputs().get(index) instanceof Input.Image(String reference, Object[] field)) {
        requirePictures(field);
        byte[] bytes = files.read(reference, field);
        hold(bytes.length);
        picture(index, ImageInput.of(bytes).limits(config.number(Setting.MAX_IMAGE_PIXELS), config.number(Setting.MAX_FILE_BYTES)),
            field);
      } else {
        Input input = query.inputs().get(index);
        PreparedRequest request = decoding(() -> prepare(request(input), input.field()));
        reserve(values(request));
        if (!job.over()) model.dispatcher().submit(job, index, List.of(request), () -> {});
      }
    }

    private void picture(int index, ImageInput image, Object... field) throws RequestException, InterruptedException {
      if (!ahead.tryAcquire(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS)) throw Job.late();
      if (job.over()) return;
      PreparedRequest request = decoding(() -> prepare(EmbeddingRequest.image(image), field));
      long bytes = PATCH_BYTES * request.patches();
      reserve(values(request));
      boolean taken = index == 0 ? pictures.take(bytes) : pictures.take(bytes, deadline);
      if (!taken) throw busy();
      Runnable embedded = () -> {
        pictures.give(bytes);
        ahead.release();
      };
      try {
        model.dispatcher().submit(job, index, List.of(request), embedded);
      } catch (RequestException | InterruptedException | RuntimeException e) {
        embedded.run();
        throw e;
      }
    }

    private void requirePictures(Object... field) throws RequestException {
      if (!model.takesPictures()) throw RequestException.of(Problem.INVALID, "the model embeds texts only", field);
    }

    private EmbeddingRequest request(Input input) {
      return switch (input) {
        case Input.Text(String text, Object[] field) -> EmbeddingRequest.text(text);
        case Input.Tokens(int[] ids, Object[] field) -> EmbeddingRequest.tokens(ids);
        case Input.Image image -> throw new AssertionError(image);
        case Input.Pdf pdf -> throw new AssertionError(pdf);
      };
    }

    private PreparedRequest prepare(EmbeddingRequest request, Object... field) throws RequestException {
      try {
        PreparedRequest prepared = model.model().prepare(configured(request, template.task(), template.prompt()));
        if (query.tokenizedInput()) tokenTexts.add(prepared.tokenTexts());
        return prepared;
      } catch (EmbeddingException e) {
        throw RequestException.of(e, field);
      }
    }

    /** What needs a processor for a while. */
    private interface Decoding<T> {
      T run() throws RequestException;
    }

    private <T> T decoding(Decoding<T> work) throws RequestException, InterruptedException {
      if (!decoders.tryAcquire()
          && !decoders.tryAcquire(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS)) {
        throw Job.late();
      }
      try {
        return work.run();
      } finally {
        decoders.release();
      }
    }

    /** Floats in the response. */
    private long values(PreparedRequest request) {
      return query.multiVector() ? (long) request.tokens() * dimensions() : dimensions();
    }

    private int dimensions() {
      if (query.multiVector()) return model.model().info().multiVectorDim();
      return query.dimensions() == 0 ? model.model().info().hiddenSize() : query.dimensions();
    }

    /** Memory of so many floats and of their written form. */
    private void reserve(long values) throws RequestException {
      long bytes = ResponseWriter.estimate(values, query.encodings());
      responseBytes += bytes;
      if (responseBytes > config.number(Setting.MAX_RESPONSE_BYTES)) {
        throw RequestException.of(Problem.INVALID, "the response would have about " + responseBytes + " bytes, the limit is "
            + config.number(Setting.MAX_RESPONSE_BYTES) + ": send fewer inputs at a time, or ask for base64", "input");
      }
      hold(2 * bytes + 4 * values);
    }

    private void hold(long bytes) throws RequestException {
      if (!memory.take(bytes)) throw busy();
    }

    private RequestException busy() {
      return RequestException.busy(Problem.MEMORY_FULL, "too many requests at a time", 1);
    }

    /** Whoever got the job from {@link #started} ends it at the deadline: a timed wait here would cost more than it. */
    private void await() throws RequestException, InterruptedException {
      try {
        job.end().get();
      } catch (ExecutionException e) {
        if (e.getCause() instanceof RequestException late) throw late;
        throw (Job.Cancelled) e.getCause();
      }
    }

    private byte[] write() throws RequestException {
      List<ResponseWriter.Item> items = new ArrayList<>();
      long tokens = 0;
      long imageTokens = 0;
      boolean pictured = false;
      Outcome[] outcomes = job.outcomes();
      for (int i = 0; i < outcomes.length; i++) {
        Embedding embedding;
        try {
          embedding = outcomes[i].orThrow();
        } catch (EmbeddingException e) {
          throw RequestException.of(e, query.inputs().get(Math.min(i, query.inputs().size() - 1)).field());
        }
        tokens += embedding.tokens();
        imageTokens += embedding.imageTokens();
        pictured |= embedding.grid().isPresent();
        switch (embedding) {
          case DenseEmbedding dense -> items.add(item(dense));
          case MultiVectorEmbedding rows -> items.add(new ResponseWriter.Item(rows.segment(), rows.dimensions(), true,
              query.tokenizedInput() ? tokenTexts.get(i) : null));
          case ChunkedEmbedding chunked -> chunked.chunks().forEach(chunk -> items.add(item(chunk)));
        }
      }
      return ResponseWriter.embeddings(query.model(), new ResponseWriter.Usage(tokens, pictured ? imageTokens : -1), items,
          query.encodings());
    }

    private ResponseWriter.Item item(DenseEmbedding dense) {
      return new ResponseWriter.Item(dense.segment(), dense.dimensions(), false, null);
    }
  }
}
