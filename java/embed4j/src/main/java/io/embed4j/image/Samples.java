package io.embed4j.image;

import java.awt.image.ComponentSampleModel;
import java.awt.image.DataBufferByte;
import java.awt.image.Raster;

/**
 * Rows of samples as they are stored. A raster's numbers are read, never a colour model's: getRGB would apply ICC
 * profiles and a gamma to grey that PIL does not apply.
 */
final class Samples {
  private final Raster raster;
  private final byte[] bytes; // the pixels themselves, where one array of interleaved bytes holds them
  private final ComponentSampleModel layout;
  private final int origin;

  Samples(Raster raster) {
    this.raster = raster;
    boolean plain =
        raster.getDataBuffer() instanceof DataBufferByte buffer
            && buffer.getNumBanks() == 1
            && raster.getSampleModel() instanceof ComponentSampleModel;
    if (plain) {
      this.bytes = ((DataBufferByte) raster.getDataBuffer()).getData();
      this.layout = (ComponentSampleModel) raster.getSampleModel();
      this.origin =
          raster.getDataBuffer().getOffset()
              - raster.getSampleModelTranslateY() * layout.getScanlineStride()
              - raster.getSampleModelTranslateX() * layout.getPixelStride();
    } else {
      this.bytes = null;
      this.layout = null;
      this.origin = 0;
    }
  }

  int width() {
    return raster.getWidth();
  }

  int height() {
    return raster.getHeight();
  }

  int bands() {
    return raster.getNumBands();
  }

  /** Samples of row y (from 0) into row[width * bands], interleaved. */
  void row(int y, int[] row) {
    if (bytes != null) {
      bytesRow(y, row);
    } else {
      raster.getPixels(raster.getMinX(), raster.getMinY() + y, width(), 1, row);
    }
  }

  private void bytesRow(int y, int[] row) {
    int bands = bands();
    int stride = layout.getPixelStride();
    int start = origin + (raster.getMinY() + y) * layout.getScanlineStride() + raster.getMinX() * stride;
    for (int band = 0; band < bands; band++) {
      int at = start + layout.getBandOffsets()[band];
      for (int out = band; out < row.length; out += bands, at += stride) {
        row[out] = bytes[at] & 0xFF;
      }
    }
  }
}
