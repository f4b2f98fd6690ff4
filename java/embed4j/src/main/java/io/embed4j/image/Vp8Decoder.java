package io.embed4j.image;

import java.util.Arrays;

/**
 * The key frame of VP8 that a lossy WebP image is (RFC 6386), sample for sample as libwebp decodes it. No ImageIO
 * plug-in does: those at hand differ from it by some eight levels on average.
 */
final class Vp8Decoder {
  private static final int FRAME_HEADER_BYTES = 10;
  private static final int SEGMENTS = 4;
  private static final int COEFFICIENTS = 25 * 16; // 16 luma, 4 + 4 chroma blocks, and the luma blocks' means

  /** Block types of section 13.3. */
  private static final int LUMA_WITHOUT_MEAN = 0;

  private static final int MEANS = 1;
  private static final int CHROMA = 2;
  private static final int LUMA = 3;

  private final int width;
  private final int height;
  private final Vp8Planes planes;
  private final Vp8Prediction prediction = new Vp8Prediction();
  private final Vp8BoolDecoder header;
  private final Vp8BoolDecoder[] partitions;

  private boolean segmented;
  private boolean segmentMap;
  private boolean absoluteSegments = true;
  private final int[] segmentQuantiser = new int[SEGMENTS];
  private final int[] segmentLevel = new int[SEGMENTS];
  private final int[] segmentProbabilities = new int[3];
  private boolean simpleFilter;
  private int filterLevel;
  private int sharpness;
  private boolean levelDeltas;
  private int intraDelta;
  private int blockModeDelta;
  private final int[][] steps = new int[SEGMENTS][6]; // luma dc, ac; means dc, ac; chroma dc, ac
  private final int[] probabilities = new int[Vp8Tables.COEFFICIENT_PROBABILITIES];
  private boolean maySkip;
  private int skipProbability;

  // what the next macroblock needs of those above and to the left
  private final int[] modesAbove; // [4 * columns]
  private final int[] modesLeft = new int[4];
  private final boolean[] codedAbove; // [9 * columns]: 4 luma, 2 + 2 chroma, means
  private final boolean[] codedLeft = new boolean[9];

  private final int[] coefficients = new int[COEFFICIENTS];
  private final int[] means = new int[16];
  private final int[] blockModes = new int[16];
  private final int[] aboveRight = new int[4];

  private Vp8Decoder(byte[] data, int start, int end, int width, int height) {
    ByteReader in = new ByteReader(data, start, end).littleEndian(true);
    int tag = in.u16() | in.u8() << 16;
    int profile = tag >> 1 & 7;
    boolean shown = (tag >> 4 & 1) == 1;
    if (profile > 3 || !shown) {
      throw ImageException.bad(
          "the lossy WebP image has profile %d and shown %s, expected 0 to 3 and true", profile, shown);
    }
    int headerBytes = tag >> 5;
    in.skip(FRAME_HEADER_BYTES - 3).skip(headerBytes);
    this.width = width;
    this.height = height;
    this.planes = new Vp8Planes(width, height);
    this.modesAbove = new int[4 * planes.columns];
    this.codedAbove = new boolean[9 * planes.columns];
    this.header = new Vp8BoolDecoder(data, start + FRAME_HEADER_BYTES, in.position());
    header.number(2); // colour space and clamping: without effect on what libwebp does
    readSegments();
    readFilter();
    this.partitions = partitions(data, in, end);
    readQuantisers();
    header.flag(); // whether probabilities outlive this frame
    readProbabilities();
  }

  /** The frame in data[start, end), whose header gave this size. */
  static RgbImage decode(byte[] data, int start, int end, int width, int height) {
    Vp8Decoder decoder = new Vp8Decoder(data, start, end, width, height);
    decoder.decodeMacroblocks();
    return decoder.planes.toRgb(decoder.width, decoder.height);
  }

  private void readSegments() {
    segmented = header.flag();
    if (!segmented) {
      return;
    }
    segmentMap = header.flag();
    if (header.flag()) {
      absoluteSegments = header.flag();
      for (int i = 0; i < SEGMENTS; i++) {
        segmentQuantiser[i] = header.optionalSigned(7);
      }
      for (int i = 0; i < SEGMENTS; i++) {
        segmentLevel[i] = header.optionalSigned(6);
      }
    }
    for (int i = 0; segmentMap && i < segmentProbabilities.length; i++) {
      segmentProbabilities[i] = header.flag() ? header.number(8) : 255;
    }
  }

  private void readFilter() {
    simpleFilter = header.flag();
    filterLevel = header.number(6);
    sharpness = header.number(3);
    levelDeltas = header.flag();
    if (levelDeltas && header.flag()) {
      int[] deltas = new int[8]; // by reference frame, by mode; a key frame uses the first of each
      for (int i = 0; i < deltas.length; i++) {
        deltas[i] = header.optionalSigned(6);
      }
      intraDelta = deltas[0];
      blockModeDelta = deltas[4];
    }
  }

  private Vp8BoolDecoder[] partitions(byte[] data, ByteReader in, int end) {
    int count = 1 << header.number(2);
    Vp8BoolDecoder[] decoders = new Vp8BoolDecoder[count];
    int start = in.position() + 3 * (count - 1);
    for (int i = 0; i < count; i++) {
      int next = i == count - 1 ? end : start + (in.u16() | in.u8() << 16);
      if (start > next || next > end) {
        throw ImageException.bad("the lossy WebP image is truncated: partition %d ends at byte %d of %d", i, next, end);
      }
      decoders[i] = new Vp8BoolDecoder(data, start, next);
      start = next;
    }
    return decoders;
  }

  private void readQuantisers() {
    int base = header.number(7);
    int[] deltas = new int[5]; // luma dc, means dc, means ac, chroma dc, chroma ac
    for (int i = 0; i < deltas.length; i++) {
      deltas[i] = header.optionalSigned(4);
    }
    for (int i = 0; i < SEGMENTS; i++) {
      int index = !segmented ? base : absoluteSegments ? segmentQuantiser[i] : base + segmentQuantiser[i];
      steps[i][0] = Vp8Tables.DC_STEPS[Math.clamp(index + deltas[0], 0, 127)];
      steps[i][1] = Vp8Tables.AC_STEPS[Math.clamp(index, 0, 127)];
      steps[i][2] = Vp8Tables.DC_STEPS[Math.clamp(index + deltas[1], 0, 127)] * 2;
      steps[i][3] = Math.max(8, Vp8Tables.AC_STEPS[Math.clamp(index + deltas[2], 0, 127)] * 155 / 100);
      steps[i][4] = Vp8Tables.DC_STEPS[Math.clamp(index + deltas[3], 0, 117)];
      steps[i][5] = Vp8Tables.AC_STEPS[Math.clamp(index + deltas[4], 0, 127)];
    }
  }

  private void readProbabilities() {
    for (int i = 0; i < probabilities.length; i++) {
      boolean update = header.bit(Vp8Tables.updateProbability(i)) == 1;
      probabilities[i] = update ? header.number(8) : Vp8Tables.defaultProbability(i);
    }
    maySkip = header.flag();
    skipProbability = maySkip ? header.number(8) : 0;
  }

  private void decodeMacroblocks() {
    Vp8LoopFilter.Strength[] strengths = new Vp8LoopFilter.Strength[planes.columns * planes.rows];
    for (int row = 0; row < planes.rows; row++) {
      Arrays.fill(modesLeft, Vp8Tables.DC_PRED);
      Arrays.fill(codedLeft, false);
      for (int column = 0; column < planes.columns; column++) {
        strengths[row * planes.columns + column] = macroblock(column, row);
      }
    }
    if (filterLevel > 0) {
      new Vp8LoopFilter(planes, simpleFilter).filter(strengths);
    }
  }

  private Vp8LoopFilter.Strength macroblock(int column, int row) {
    int segment =
        !segmentMap
            ? 0
            : header.bit(segmentProbabilities[0]) == 0
                ? header.bit(segmentProbabilities[1])
                : 2 + header.bit(segmentProbabilities[2]);
    boolean skip = maySkip && header.bit(skipProbability) == 1;
    boolean blocks = header.bit(145) == 0;
    int mode = blocks ? readBlockModes(column) : readMode(column);
    int chromaMode =
        header.bit(142) == 0
            ? Vp8Tables.DC_PRED
            : header.bit(114) == 0
                ? Vp8Tables.V_PRED
                : header.bit(183) == 1 ? Vp8Tables.TM_PRED : Vp8Tables.H_PRED;
    boolean coded = !skip && readCoefficients(partitions[row % partitions.length], column, blocks, steps[segment]);
    if (skip) {
      Arrays.fill(codedLeft, 0, blocks ? 8 : 9, false);
      Arrays.fill(codedAbove, 9 * column, 9 * column + (blocks ? 8 : 9), false);
    }
    if (!coded) {
      Arrays.fill(coefficients, 0);
    }
    reconstruct(column, row, blocks, mode, chromaMode, coded);
    return strength(segment, blocks, coded);
  }

  private int readMode(int column) {
    int mode =
        header.bit(156) == 1
            ? header.bit(128) == 1 ? Vp8Tables.TM_PRED : Vp8Tables.H_PRED
            : header.bit(163) == 1 ? Vp8Tables.V_PRED : Vp8Tables.DC_PRED;
    Arrays.fill(modesLeft, mode);
    Arrays.fill(modesAbove, 4 * column, 4 * column + 4, mode);
    return mode;
  }

  private int readBlockModes(int column) {
    for (int y = 0; y < 4; y++) {
      for (int x = 0; x < 4; x++) {
        int above = modesAbove[4 * column + x];
        int node = 0;
        do {
          int probability = Vp8Tables.blockModeProbability(above, modesLeft[y], node >> 1);
          node = Vp8Tables.BLOCK_MODE_TREE[node + header.bit(probability)];
        } while (node > 0);
        blockModes[4 * y + x] = -node;
        modesAbove[4 * column + x] = -node;
        modesLeft[y] = -node;
      }
    }
    return Vp8Tables.DC_PRED;
  }

  /** Reads and scales all coefficients; whether any is not zero. */
  private boolean readCoefficients(Vp8BoolDecoder in, int column, boolean blocks, int[] steps) {
    Arrays.fill(coefficients, 0);
    int above = 9 * column;
    boolean coded = false;
    int type = LUMA;
    if (!blocks) {
      Arrays.fill(means, 0);
      int context = (codedLeft[8] ? 1 : 0) + (codedAbove[above + 8] ? 1 : 0);
      boolean any = readBlock(in, MEANS, context, 0, steps[2], steps[3], means, 0) > 0;
      codedLeft[8] = any;
      codedAbove[above + 8] = any;
      prediction.spreadMeans(means, coefficients);
      type = LUMA_WITHOUT_MEAN;
    }
    for (int block = 0; block < 16; block++) {
      coded |= readBlock(in, type, block, above + (block & 3), block >> 2, steps[0], steps[1]);
    }
    for (int block = 0; block < 8; block++) {
      int side = 4 + (block >> 2) * 2; // first the four of U, then those of V
      coded |=
          readBlock(in, CHROMA, 16 + block, above + side + (block & 1), side + (block >> 1 & 1), steps[4], steps[5]);
    }
    return coded;
  }

  /** Reads one block in the context of its neighbours; whether it has a coefficient, its mean included. */
  private boolean readBlock(Vp8BoolDecoder in, int type, int block, int above, int left, int dc, int ac) {
    int first = type == LUMA_WITHOUT_MEAN ? 1 : 0;
    int context = (codedLeft[left] ? 1 : 0) + (codedAbove[above] ? 1 : 0);
    int end = readBlock(in, type, context, first, dc, ac, coefficients, 16 * block);
    codedLeft[left] = end > first;
    codedAbove[above] = end > first;
    return end > 1 || coefficients[16 * block] != 0;
  }

  /** Section 13: coefficients from position first on; the position after the last one. */
  private int readBlock(
      Vp8BoolDecoder in, int type, int context, int first, int dc, int ac, int[] target, int offset) {
    int at = Vp8Tables.context(type, first, context);
    for (int position = first; position < 16; position++) {
      if (in.bit(probabilities[at]) == 0) {
        return position;
      }
      while (in.bit(probabilities[at + 1]) == 0) {
        at = Vp8Tables.context(type, ++position, 0);
        if (position == 16) {
          return 16;
        }
      }
      int value = 1;
      int magnitude = 1;
      if (in.bit(probabilities[at + 2]) == 1) {
        value = largeValue(in, at);
        magnitude = 2;
      }
      at = Vp8Tables.context(type, position + 1, magnitude);
      int scaled = value * (position > 0 ? ac : dc);
      target[offset + Vp8Tables.ZIGZAG[position]] = (short) (in.flag() ? -scaled : scaled);
    }
    return 16;
  }

  private int largeValue(Vp8BoolDecoder in, int at) {
    if (in.bit(probabilities[at + 3]) == 0) {
      return in.bit(probabilities[at + 4]) == 0 ? 2 : 3 + in.bit(probabilities[at + 5]);
    }
    if (in.bit(probabilities[at + 6]) == 0) {
      if (in.bit(probabilities[at + 7]) == 0) {
        return 5 + in.bit(159);
      }
      return 7 + 2 * in.bit(165) + in.bit(145);
    }
    int high = in.bit(probabilities[at + 8]);
    int category = 2 * high + in.bit(probabilities[at + 9 + high]);
    int extra = 0;
    for (int probability : Vp8Tables.CATEGORY_BITS[category]) {
      extra = 2 * extra + in.bit(probability);
    }
    return extra + 3 + (8 << category);
  }

  private void reconstruct(int column, int row, boolean blocks, int mode, int chromaMode, boolean coded) {
    Vp8Planes.Plane luma = planes.y;
    int at = luma.origin + 16 * row * luma.stride + 16 * column;
    if (blocks) {
      readAboveRight(luma, at, column, row);
    } else {
      prediction.predictSquare(luma, at, 16, mode, column > 0, row > 0);
    }
    for (int block = 0; block < 16; block++) {
      int corner = at + 4 * (block >> 2) * luma.stride + 4 * (block & 3);
      if (blocks) {
        predictBlock(luma, corner, block);
      }
      if (coded) {
        prediction.addTransform(luma, corner, coefficients, 16 * block);
      }
    }
    reconstructChroma(planes.u, 16, column, row, chromaMode, coded);
    reconstructChroma(planes.v, 20, column, row, chromaMode, coded);
  }

  /** The four samples above and to the right of the macroblock, which serve all blocks of its right column. */
  private void readAboveRight(Vp8Planes.Plane luma, int at, int column, int row) {
    for (int i = 0; i < 4; i++) {
      boolean outside = column == planes.columns - 1;
      aboveRight[i] =
          row == 0 ? 127 : luma.samples[at - luma.stride + (outside ? 15 : 16 + i)] & 0xFF;
    }
  }

  private void predictBlock(Vp8Planes.Plane luma, int corner, int block) {
    if ((block & 3) == 3) {
      prediction.predictBlock(luma, corner, blockModes[block], aboveRight);
      return;
    }
    int[] inside = means; // free while blocks are predicted one by one
    for (int i = 0; i < 4; i++) {
      inside[i] = luma.samples[corner - luma.stride + 4 + i] & 0xFF;
    }
    prediction.predictBlock(luma, corner, blockModes[block], inside);
  }

  private void reconstructChroma(Vp8Planes.Plane plane, int first, int column, int row, int mode, boolean coded) {
    int at = plane.origin + 8 * row * plane.stride + 8 * column;
    prediction.predictSquare(plane, at, 8, mode, column > 0, row > 0);
    for (int block = 0; coded && block < 4; block++) {
      int corner = at + 4 * (block >> 1) * plane.stride + 4 * (block & 1);
      prediction.addTransform(plane, corner, coefficients, 16 * (first + block));
    }
  }

  private Vp8LoopFilter.Strength strength(int segment, boolean blocks, boolean coded) {
    int level =
        !segmented ? filterLevel : absoluteSegments ? segmentLevel[segment] : filterLevel + segmentLevel[segment];
    if (levelDeltas) {
      level += intraDelta + (blocks ? blockModeDelta : 0);
    }
    return Vp8LoopFilter.strength(Math.clamp(level, 0, 63), sharpness, blocks || coded);
  }
}
