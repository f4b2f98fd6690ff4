package io.embed4j.image;

import java.awt.image.BufferedImage;
import java.awt.image.Raster;
import java.io.IOException;
import java.util.Iterator;
import javax.imageio.ImageReader;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;
import javax.imageio.stream.ImageInputStreamImpl;

/**
 * Decoders of ImageIO. Each is asked for by name, so that another plug-in on the class path cannot change what a pixel
 * is, and reads from memory.
 */
final class ImageIoReaders {
  private ImageIoReaders() {}

  /** The first image of the JDK's reader for a format: bmp, gif or png. */
  static BufferedImage read(String format, byte[] data) throws IOException {
    return read(jdk(format), new ByteArrayStream(data, data.length));
  }

  /** The first image of a reader. */
  static BufferedImage read(ImageReaderSpi provider, ByteArrayStream input) throws IOException {
    ImageReader reader = provider.createReaderInstance();
    try {
      reader.setInput(input, false, true);
      return reader.read(0);
    } finally {
      reader.dispose();
    }
  }

  /** The first image of the JDK's JPEG reader as it is stored, before any conversion of colours. */
  static Raster readJpegRaster(byte[] data) throws IOException {
    ImageReader reader = jdk("jpeg").createReaderInstance();
    try {
      reader.setInput(new ByteArrayStream(data, data.length), false, true);
      return reader.readRaster(0, null);
    } finally {
      reader.dispose();
    }
  }

  private static ImageReaderSpi jdk(String format) {
    Iterator<ImageReaderSpi> providers =
        IIORegistry.getDefaultInstance().getServiceProviders(ImageReaderSpi.class, true);
    String prefix = "com.sun.imageio.plugins." + format + ".";
    while (providers.hasNext()) {
      ImageReaderSpi provider = providers.next();
      if (provider.getClass().getName().startsWith(prefix)) {
        return provider;
      }
    }
    throw ImageException.unsupported("this Java runtime has no %s decoder of its own", format);
  }

  /** An array as ImageIO's input, without its disk cache. */
  static final class ByteArrayStream extends ImageInputStreamImpl {
    private static final int MAX_OVERRUNS = 100;

    private final byte[] data;
    private final long length;
    private int overruns;

    /**
     * An input that calls itself this long. TwelveMonkeys' readers refuse what they find too well compressed for their
     * input's length, blank pages among them; sizes were checked before they are asked.
     */
    ByteArrayStream(byte[] data, long length) {
      this.data = data;
      this.length = length;
    }

    /** Whether a read was tried beyond the end. */
    boolean overrun() {
      return overruns > 0;
    }

    /** Some decoders take the end for zeros, without end. */
    private void countOverrun() {
      if (++overruns > MAX_OVERRUNS) {
        throw ImageException.bad("the image is truncated: its data ends before its pixels");
      }
    }

    @Override
    public int read() {
      bitOffset = 0;
      if (streamPos >= data.length) {
        countOverrun();
        return -1;
      }
      return data[(int) streamPos++] & 0xFF;
    }

    @Override
    public int read(byte[] bytes, int offset, int count) {
      bitOffset = 0;
      if (streamPos >= data.length) {
        if (count == 0) {
          return 0;
        }
        countOverrun();
        return -1;
      }
      int available = (int) Math.min(count, data.length - streamPos);
      System.arraycopy(data, (int) streamPos, bytes, offset, available);
      streamPos += available;
      return available;
    }

    @Override
    public long length() {
      return length;
    }
  }
}
