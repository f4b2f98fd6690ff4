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
 * The decoders of the JDK. They are asked for by name, so that another plug-in on the class path cannot change what a
 * pixel is.
 */
final class ImageIoReaders {
  private ImageIoReaders() {}

  /** The first image of the JDK's reader for a format (bmp, gif, jpeg, png, tiff). */
  static BufferedImage read(String format, byte[] data) throws IOException {
    ImageReader reader = reader(format);
    try {
      reader.setInput(new ByteArrayStream(data), false, true);
      return reader.read(0);
    } finally {
      reader.dispose();
    }
  }

  /** The first image as it is stored, before any conversion of colours; of the jpeg reader. */
  static Raster readRaster(String format, byte[] data) throws IOException {
    ImageReader reader = reader(format);
    try {
      reader.setInput(new ByteArrayStream(data), false, true);
      return reader.readRaster(0, null);
    } finally {
      reader.dispose();
    }
  }

  private static ImageReader reader(String format) throws IOException {
    Iterator<ImageReaderSpi> providers =
        IIORegistry.getDefaultInstance().getServiceProviders(ImageReaderSpi.class, true);
    String prefix = "com.sun.imageio.plugins." + format + ".";
    while (providers.hasNext()) {
      ImageReaderSpi provider = providers.next();
      if (provider.getClass().getName().startsWith(prefix)) {
        return provider.createReaderInstance();
      }
    }
    throw ImageException.unsupported("this Java runtime has no %s decoder of its own", format);
  }

  /** An array as ImageIO's input, without its disk cache. */
  static class ByteArrayStream extends ImageInputStreamImpl {
    private final byte[] data;
    private boolean overrun;

    ByteArrayStream(byte[] data) {
      this.data = data;
    }

    /** Whether a read was tried beyond the end. */
    boolean overrun() {
      return overrun;
    }

    @Override
    public int read() {
      bitOffset = 0;
      if (streamPos >= data.length) {
        overrun = true;
        return -1;
      }
      return data[(int) streamPos++] & 0xFF;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) {
      bitOffset = 0;
      if (streamPos >= data.length) {
        overrun |= length > 0;
        return length == 0 ? 0 : -1;
      }
      int count = (int) Math.min(length, data.length - streamPos);
      System.arraycopy(data, (int) streamPos, bytes, offset, count);
      streamPos += count;
      return count;
    }

    @Override
    public long length() {
      return data.length;
    }
  }
}
