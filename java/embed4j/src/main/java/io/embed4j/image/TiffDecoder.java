package io.embed4j.image;

import com.twelvemonkeys.imageio.plugins.tiff.TIFFImageReaderSpi;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * TIFF, first page, turned as its orientation tag says (PIL does so for TIFF alone). The directory is read and checked
 * here, TwelveMonkeys' reader gives the stored samples, and PIL's rules say what they mean.
 */
final class TiffDecoder {
  private static final int WIDTH = 256;
  private static final int HEIGHT = 257;
  private static final int BITS_PER_SAMPLE = 258;
  private static final int COMPRESSION = 259;
  private static final int PHOTOMETRIC = 262;
  private static final int ORIENTATION = 274;
  private static final int SAMPLES_PER_PIXEL = 277;
  private static final int STRIP_BYTE_COUNTS = 279;
  private static final int COLOR_MAP = 320;
  private static final int TILE_WIDTH = 322;
  private static final int TILE_HEIGHT = 323;
  private static final int TILE_BYTE_COUNTS = 325;
  private static final int EXTRA_SAMPLES = 338;
  private static final int SAMPLE_FORMAT = 339;

  private static final Set<Integer> TAGS =
      Set.of(
          WIDTH, HEIGHT, BITS_PER_SAMPLE, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES_PER_PIXEL, STRIP_BYTE_COUNTS,
          COLOR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_BYTE_COUNTS, EXTRA_SAMPLES, SAMPLE_FORMAT);

  /** None, CCITT RLE, T.4, T.6, LZW, old and new JPEG, Deflate (two numbers), PackBits. */
  private static final Set<Long> COMPRESSIONS = Set.of(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 32773L, 32946L);

  /** The reader wants a byte for every 512 it decodes to; a pixel has at most 16. */
  private static final int PIXELS_PER_BYTE = 512 / 16;

  private static final int SHORT = 3;
  private static final int LONG = 4;
  private static final int LONG8 = 16;
  private static final int BIG_TIFF = 43;

  private static final int WHITE_IS_ZERO = 0;
  private static final int BLACK_IS_ZERO = 1;
  private static final int RGB = 2;
  private static final int PALETTE = 3;
  private static final int CMYK = 5;
  private static final int YCBCR = 6;
  private static final int SIGNED = 2;
  private static final int PREMULTIPLIED_ALPHA = 1;

  private final byte[] data;
  private final Map<Integer, long[]> tags = new HashMap<>();

  private TiffDecoder(byte[] data) {
    this.data = data;
  }

  static DecodedImage decode(byte[] data, ImageLimits limits) throws IOException {
    TiffDecoder decoder = new TiffDecoder(data);
    decoder.readDirectory();
    decoder.check(limits);
    Conversion conversion = decoder.conversion();
    long pixels = decoder.value(WIDTH, 0) * decoder.value(HEIGHT, 0);
    BufferedImage image =
        ImageIoReaders.read(
            new TIFFImageReaderSpi(),
            new ImageIoReaders.ByteArrayStream(data, Math.max(data.length, pixels / PIXELS_PER_BYTE)));
    if (image.getColorModel() instanceof IndexColorModel colors && !decoder.tags.containsKey(COLOR_MAP)) {
      conversion = Conversion.palette(colors); // grey of less than 8 bits
    }
    return new DecodedImage(
        Exif.upright(conversion.apply(image.getRaster()), decoder.orientation()), 1);
  }

  private void readDirectory() {
    ByteReader in = new ByteReader(data).littleEndian(data[0] == 'I').skip(2);
    boolean big = in.u16() == BIG_TIFF;
    in.seek(big ? in.skip(4).u64() : in.u32());
    long entries = big ? in.u64() : in.u16();
    for (; entries > 0; entries--) {
      int tag = in.u16();
      int type = in.u16();
      long count = big ? in.u64() : in.u32();
      int next = in.position() + (big ? 8 : 4);
      if (TAGS.contains(tag) && count != 0) {
        readEntry(in, big, tag, type, count);
      }
      in.seek(next);
    }
  }

  private void readEntry(ByteReader in, boolean big, int tag, int type, long count) {
    int bytes = type == SHORT ? 2 : type == LONG ? 4 : type == LONG8 ? 8 : 0;
    if (bytes == 0) {
      throw ImageException.bad("TIFF tag %d has type %d, expected 3, 4 or 16", tag, type);
    }
    if (count < 0 || count > data.length / bytes) {
      throw ImageException.bad("TIFF tag %d has %d values, more than the file", tag, count);
    }
    if (count * bytes > (big ? 8 : 4)) {
      in.seek(big ? in.u64() : in.u32());
    }
    long[] values = new long[(int) count];
    for (int i = 0; i < count; i++) {
      values[i] = type == SHORT ? in.u16() : type == LONG ? in.u32() : in.u64();
    }
    tags.put(tag, values);
  }

  private long value(int tag, long otherwise) {
    long[] values = tags.get(tag);
    return values == null ? otherwise : values[0];
  }

  private int orientation() {
    int orientation = (int) value(ORIENTATION, 1);
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
  }

  private void check(ImageLimits limits) {
    limits.checkSize(value(WIDTH, 0), value(HEIGHT, 0));
    long tileWidth = value(TILE_WIDTH, 1);
    long tileHeight = value(TILE_HEIGHT, 1);
    if (tileWidth < 1 || tileHeight < 1 || tileWidth > limits.maxPixels() / tileHeight) {
      throw ImageException.limit(
          "the TIFF tiles are %d x %d pixels, the limit is %d in all",
          tileWidth, tileHeight, limits.maxPixels());
    }
    for (int tag : new int[] {STRIP_BYTE_COUNTS, TILE_BYTE_COUNTS}) {
      for (long bytes : tags.getOrDefault(tag, new long[0])) {
        if (bytes > data.length) {
          throw ImageException.bad(
              "the TIFF file is truncated: a strip or tile has %d bytes, the file %d", bytes, data.length);
        }
      }
    }
    long compression = value(COMPRESSION, 1);
    if (!COMPRESSIONS.contains(compression)) {
      throw ImageException.unsupported(
          "TIFF compression %d is not supported, expected one of %s",
          compression, COMPRESSIONS.stream().sorted().toList());
    }
  }

  private Conversion conversion() {
    int photometric = (int) value(PHOTOMETRIC, WHITE_IS_ZERO);
    long[] depths = tags.getOrDefault(BITS_PER_SAMPLE, new long[] {1});
    int bits = (int) depths[0];
    int samples = (int) value(SAMPLES_PER_PIXEL, depths.length);
    long format = value(SAMPLE_FORMAT, 1);
    boolean equalDepths = Arrays.stream(depths).allMatch(depth -> depth == bits);
    Conversion conversion =
        !equalDepths || format < 1 || format > SIGNED || samples > 8
            ? null
            : switch (photometric) {
              case WHITE_IS_ZERO, BLACK_IS_ZERO -> grey(photometric, bits);
              case RGB -> samples >= 3 ? rgb(bits, samples) : null;
              case PALETTE -> bits <= 8 ? palette(bits) : null;
              case CMYK ->
                  samples < 4 ? null : bits == 8 ? Conversion.CMYK : bits == 16 ? Conversion.CMYK_HIGH_BYTE : null;
              case YCBCR -> bits != 8 ? null : samples == 1 ? Conversion.GREY : Conversion.RGB;
              default -> null;
            };
    if (conversion == null) {
      throw ImageException.unsupported(
          "TIFF with photometric interpretation %d, %d samples of %s bits and sample format %d is not supported",
          photometric, samples, Arrays.toString(depths), format);
    }
    return conversion;
  }

  private static Conversion grey(int photometric, int bits) {
    return switch (bits) {
      case 1, 2, 4 -> Conversion.GREY; // until the reader gives the colours of its indices
      case 8 -> Conversion.GREY;
      // the reader turns white-is-zero round, PIL does not beyond 8 bits
      case 16 ->
          photometric == BLACK_IS_ZERO
              ? Conversion.GREY_CLIPPED
              : (samples, at, rgb, out) -> {
                samples[at] = 0xFFFF - samples[at];
                Conversion.GREY_CLIPPED.convert(samples, at, rgb, out);
              };
      case 32 -> photometric == BLACK_IS_ZERO ? Conversion.GREY_CLIPPED : null;
      default -> null;
    };
  }

  private Conversion rgb(int bits, int samples) {
    boolean premultiplied = samples >= 4 && value(EXTRA_SAMPLES, 0) == PREMULTIPLIED_ALPHA;
    return switch (bits) {
      case 8 -> premultiplied ? Conversion.RGB_PREMULTIPLIED : Conversion.RGB;
      case 16 -> premultiplied ? Conversion.RGB_PREMULTIPLIED_HIGH_BYTE : Conversion.RGB_HIGH_BYTE;
      default -> null;
    };
  }

  private Conversion palette(int bits) {
    long[] map = tags.getOrDefault(COLOR_MAP, new long[0]);
    int colors = map.length / 3;
    if (map.length % 3 != 0 || colors < 1 << bits) {
      throw ImageException.bad("the TIFF palette has %d values, expected %d", map.length, 3 << bits);
    }
    byte[][] channels = new byte[3][256];
    for (int channel = 0; channel < 3; channel++) {
      for (int i = 0; i < Math.min(colors, 256); i++) {
        channels[channel][i] = (byte) (map[channel * colors + i] >> 8);
      }
    }
    return Conversion.palette(channels[0], channels[1], channels[2]);
  }
}
