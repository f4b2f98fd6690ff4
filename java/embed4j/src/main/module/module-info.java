/** jina-embeddings-v4 inside a JVM: texts, pictures and pages in, dense and multi-vector embeddings out. */
module io.embed4j {
  requires com.twelvemonkeys.imageio.tiff;
  requires com.twelvemonkeys.imageio.webp;
  requires java.desktop;
  requires org.apache.fontbox;
  requires org.apache.pdfbox;
  requires org.apache.pdfbox.io;
  requires org.bytedeco.javacpp;
  requires org.slf4j;

  exports io.embed4j;
  exports io.embed4j.ffm to io.embed4j.convert;
}
