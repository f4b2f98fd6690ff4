package io.embed4j.cli.job;

import io.embed4j.EmbeddingException;
import io.embed4j.PdfDocument;
import io.embed4j.cli.input.Cursor;
import io.embed4j.cli.input.Item;
import io.embed4j.cli.input.Item.Content;
import io.embed4j.cli.input.Items;
import io.embed4j.cli.input.Source;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/** From items to rows to come: a PDF becomes its pages. */
final class Reading implements AutoCloseable {
  private static final int TEXT_BYTES = 512; // of a short text's objects
  private static final int BYTES_PER_CHARACTER = 8; // characters and tokens
  private static final long BYTES_PER_DECODER = 1L << 30; // the largest picture, decoded

  private final Items items;
  private final Requests requests;
  private final Semaphore decoders = new Semaphore((int) Math.clamp(Runtime.getRuntime().maxMemory() / BYTES_PER_DECODER, 1, 64));
  private final Set<OpenPdf> pdfs = ConcurrentHashMap.newKeySet();
  private int pagesDone;

  Reading(Items items, Requests requests, Cursor start) {
    this.items = items;
    this.requests = requests;
    this.pagesDone = start.pages();
  }

  /** Where rows go, in order. */
  interface Rows {
    /** Waits while there is too much on the way. */
    void add(Unit unit) throws InterruptedException;
  }

  /** Hands on the rows of the next item; false after the last. */
  boolean next(Rows rows) throws IOException, InterruptedException {
    Item item = items.next();
    if (item == null) return false;
    switch (item.content()) {
      case Content.Text(String text) -> {
        long weight = TEXT_BYTES + BYTES_PER_CHARACTER * item.length() + requests.vectorBytes(item.length());
        rows.add(new Unit(item, 0, item.place().after(), weight, model -> model.prepare(requests.text(item, text))));
      }
      case Content.Picture(Source source) -> rows.add(new Unit(item, 0, item.place().after(), weight(item),
          model -> decoding(() -> model.prepare(requests.picture(item, source)))));
      case Content.Pdf(Source source, String pages) -> pages(item, source, pages, rows);
      case Content.Failed(EmbeddingException error) -> rows.add(Unit.failed(item, error));
    }
    pagesDone = 0;
    return true;
  }

  private long weight(Item item) {
    return requests.pictureBytes() + item.length();
  }

  private void pages(Item item, Source source, String selection, Rows rows) throws InterruptedException {
    OpenPdf pdf = null;
    List<Integer> pages;
    try {
      pdf = new OpenPdf(source.pdf());
      pages = pdf.document.pages(selection);
      requests.page(item, pdf.document, pages.getFirst()); // what is wrong with the item is not said page by page
    } catch (EmbeddingException e) {
      if (pdf != null) pdf.close();
      rows.add(Unit.failed(item, e));
      return;
    }
    pages(item, pdf, pages, rows);
  }

  private void pages(Item item, OpenPdf pdf, List<Integer> pages, Rows rows) throws InterruptedException {
    pdf.begin(pages.size() - pagesDone);
    for (int i = pagesDone; i < pages.size(); i++) {
      int page = pages.get(i);
      Cursor after = i + 1 == pages.size() ? item.place().after() : item.place().before().withPages(i + 1);
      rows.add(new Unit(item, page, after, weight(item), model -> {
        try {
          return decoding(() -> model.prepare(requests.page(item, pdf.document, page)));
        } finally {
          pdf.pageDone();
        }
      }));
    }
  }

  /** Few at a time: a picture may take a gigabyte while it is decoded. */
  private <T> T decoding(Supplier<T> decode) {
    decoders.acquireUninterruptibly();
    try {
      return decode.get();
    } finally {
      decoders.release();
    }
  }

  @Override
  public void close() {
    new ArrayList<>(pdfs).forEach(OpenPdf::close);
  }

  /** Stays open until its last page was drawn. */
  private final class OpenPdf {
    private final PdfDocument document;
    private final AtomicInteger pagesLeft = new AtomicInteger();

    OpenPdf(PdfDocument document) {
      this.document = document;
      pdfs.add(this);
    }

    void begin(int pages) {
      pagesLeft.set(pages);
      if (pages <= 0) close();
    }

    void pageDone() {
      if (pagesLeft.decrementAndGet() == 0) close();
    }

    void close() {
      if (pdfs.remove(this)) document.close();
    }
  }
}
