package io.embed4j.image;

import java.awt.image.Raster;
import java.io.ByteArrayOutputStream;
import java.io.IOException;

/**
 * JPEG, baseline and progressive, of one, three or four components.
 *
 * <p>Segments are walked here; those that make the pixels reach the JDK's reader (libjpeg), which gives the components
 * as stored. What they mean is decided by libjpeg's and PIL's rules, on the markers that were left out: JFIF, Adobe,
 * the component ids. ICC profiles change nothing.
 */
final class JpegDecoder {
  private static final int SOI = 0xD8;
  private static final int EOI = 0xD9;
  private static final int SOS = 0xDA;
  private static final int APP0 = 0xE0;
  private static final int APP1 = 0xE1;
  private static final int APP14 = 0xEE;
  private static final int APP15 = 0xEF;
  private static final int COMMENT = 0xFE;
  private static final int TEM = 0x01;

  /** A progressive image has some ten scans; each one more costs a pass over all coefficients. */
  private static final int MAX_SCANS = 500;

  private final byte[] data;
  private final ByteReader in;
  private final ByteArrayOutputStream pixels;
  private byte[] componentIds;
  private boolean jfif;
  private boolean adobe;
  private int adobeTransform;
  private int scans;
  private byte[] exif;

  private JpegDecoder(byte[] data) {
    this.data = data;
    this.in = new ByteReader(data);
    this.pixels = new ByteArrayOutputStream(data.length);
  }

  static DecodedImage decode(byte[] data, ImageLimits limits) throws IOException {
    JpegDecoder decoder = new JpegDecoder(data);
    decoder.walk(limits);
    Conversion conversion = decoder.conversion();
    Raster raster = ImageIoReaders.readJpegRaster(decoder.pixels.toByteArray());
    if (raster.getNumBands() != decoder.componentIds.length) {
      throw ImageException.bad(
          "the JPEG image was decoded to %d components, expected %d",
          raster.getNumBands(), decoder.componentIds.length);
    }
    return new DecodedImage(conversion.apply(raster), Exif.orientation(decoder.exif));
  }

  private void walk(ImageLimits limits) {
    if (in.u16() != (0xFF00 | SOI)) {
      throw ImageException.bad("the JPEG file does not begin with a start marker");
    }
    keep(0, 2);
    while (true) {
      int marker = nextMarker();
      int start = in.position() - 2;
      if (marker == EOI) {
        keep(start, in.position());
        break;
      }
      if (marker == TEM || isRestart(marker)) {
        continue;
      }
      int length = in.u16();
      in.skip(length - 2L);
      ByteReader segment = new ByteReader(data, start + 4, in.position());
      if (marker >= APP0 && marker <= APP15) {
        application(marker, segment);
      } else if (marker != COMMENT) {
        if (isFrame(marker)) {
          frame(marker, segment, limits);
        }
        keep(start, in.position());
        if (marker == SOS) {
          scan();
        }
      }
    }
    if (componentIds == null || scans == 0) {
      throw ImageException.bad("the JPEG file has no image");
    }
  }

  private void keep(int start, int end) {
    pixels.write(data, start, end - start);
  }

  /** Skips what is not a marker, as libjpeg does, and any fill bytes. */
  private int nextMarker() {
    int previous = 0;
    while (true) {
      int current = in.u8();
      if (previous == 0xFF && current != 0xFF && current != 0) {
        return current;
      }
      previous = current;
    }
  }

  private static boolean isRestart(int marker) {
    return marker >= 0xD0 && marker <= 0xD7;
  }

  private static boolean isFrame(int marker) {
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
  }

  private void frame(int marker, ByteReader segment, ImageLimits limits) {
    if (marker > 0xC2) {
      throw ImageException.unsupported(
          "JPEG of kind SOF%d is not supported, expected baseline, extended or progressive (0, 1, 2)",
          marker - 0xC0);
    }
    if (componentIds != null) {
      throw ImageException.bad("the JPEG file has two frames");
    }
    int precision = segment.u8();
    if (precision != 8) {
      throw ImageException.unsupported("JPEG of %d bits is not supported, expected 8", precision);
    }
    int height = segment.u16();
    limits.checkSize(segment.u16(), height);
    int components = segment.u8();
    if (components != 1 && components != 3 && components != 4) {
      throw ImageException.unsupported(
          "JPEG of %d components is not supported, expected 1, 3 or 4", components);
    }
    componentIds = new byte[components];
    for (int i = 0; i < components; i++) {
      componentIds[i] = (byte) segment.u8();
      segment.skip(2);
    }
  }

  private void application(int marker, ByteReader segment) {
    if (marker == APP0 && startsWith(segment, "JFIF\0")) {
      jfif = true;
    } else if (marker == APP1 && exif == null && startsWith(segment, "Exif\0")) {
      exif = segment.bytes(segment.remaining());
    } else if (marker == APP14 && segment.remaining() >= 12 && startsWith(segment, "Adobe")) {
      adobe = true;
      adobeTransform = segment.skip(11).u8();
    }
  }

  private boolean startsWith(ByteReader segment, String text) {
    if (segment.remaining() < text.length()) {
      return false;
    }
    for (int i = 0; i < text.length(); i++) {
      if (data[segment.position() + i] != text.charAt(i)) {
        return false;
      }
    }
    return true;
  }

  /** Keeps entropy-coded data up to the next marker, restart markers included. */
  private void scan() {
    if (++scans > MAX_SCANS) {
      throw ImageException.limit("the JPEG image has more than %d scans", MAX_SCANS);
    }
    int start = in.position();
    int at = start;
    while (at + 1 < data.length
        && (data[at] != (byte) 0xFF
            || data[at + 1] == 0
            || data[at + 1] == (byte) 0xFF
            || isRestart(data[at + 1] & 0xFF))) {
      at++;
    }
    in.seek(at);
    keep(start, at);
  }

  private Conversion conversion() {
    return switch (componentIds.length) {
      case 1 -> Conversion.GREY;
      case 3 -> storedAsRgb() ? Conversion.RGB : Conversion.YCBCR;
      default -> adobe && adobeTransform == 2 ? Conversion.YCCK_INVERTED : Conversion.CMYK_INVERTED;
    };
  }

  private boolean storedAsRgb() {
    if (jfif) {
      return false;
    }
    if (adobe) {
      return adobeTransform == 0;
    }
    return componentIds[0] == 'R' && componentIds[1] == 'G' && componentIds[2] == 'B';
  }
}
