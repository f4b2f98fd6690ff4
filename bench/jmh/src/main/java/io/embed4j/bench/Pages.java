package io.embed4j.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Synthetic multi-vectors with the structure that decides what rounding costs; no model made them.
 *
 * <p>Every vector has length 1 and 128 values. Its variance falls off over directions as 1 / (1 + rank) and the directions
 * are turned at random, so that signs are neither balanced nor independent; all vectors share a mean (the anisotropy of
 * real embeddings). A page draws its rows from 40 words, some common to all pages and most of its topic, each row being
 * word + 0.5 page + noise. A query has rows of words of the page it looks for.
 */
final class Pages {
  static final int DIMENSIONS = 128;
  private static final int TOPICS = 40;
  private static final int TOPIC_WORDS = 120;
  private static final int COMMON_WORDS = 300;
  private static final int PAGE_WORDS = 40;

  /** What is looked for, and how: rows [rows][DIMENSIONS]. */
  record Query(float[] vectors, int page) {}

  final List<float[]> pages = new ArrayList<>(); // each [rows][DIMENSIONS]
  final List<Query> queries = new ArrayList<>();
  private final Random random;
  private final double[][] turn = new double[DIMENSIONS][]; // orthonormal rows
  private final double[] mean;

  /** noise: length of the noise in a page's row, beside a word of length 1; twice as long in a query's. */
  Pages(long seed, int size, int rows, int queryCount, int queryRows, double noise) {
    random = new Random(seed);
    for (int i = 0; i < DIMENSIONS; i++) turn[i] = orthogonal(i);
    mean = vector(0.5);
    double[][] common = vectors(COMMON_WORDS);
    double[][][] topics = new double[TOPICS][][];
    for (int t = 0; t < TOPICS; t++) topics[t] = vectors(TOPIC_WORDS);
    List<double[][]> words = new ArrayList<>();
    List<double[]> own = new ArrayList<>();
    for (int p = 0; p < size; p++) {
      double[][] topic = topics[random.nextInt(TOPICS)];
      double[][] pageWords = new double[PAGE_WORDS][];
      for (int w = 0; w < PAGE_WORDS; w++) {
        pageWords[w] = w % 4 == 0 ? common[random.nextInt(COMMON_WORDS)] : topic[random.nextInt(TOPIC_WORDS)];
      }
      words.add(pageWords);
      own.add(vector(0.5));
      pages.add(rows(rows, pageWords, own.get(p), noise));
    }
    for (int q = 0; q < queryCount; q++) {
      int page = random.nextInt(size);
      queries.add(new Query(rows(queryRows, words.get(page), own.get(page), 2 * noise), page));
    }
  }

  private float[] rows(int count, double[][] words, double[] page, double noise) {
    float[] out = new float[count * DIMENSIONS];
    for (int r = 0; r < count; r++) {
      double[] word = words[random.nextInt(words.length)];
      double[] error = vector(noise);
      double square = 0;
      for (int i = 0; i < DIMENSIONS; i++) {
        error[i] += word[i] + page[i] + mean[i];
        square += error[i] * error[i];
      }
      for (int i = 0; i < DIMENSIONS; i++) out[r * DIMENSIONS + i] = (float) (error[i] / Math.sqrt(square));
    }
    return out;
  }

  private double[][] vectors(int count) {
    double[][] all = new double[count][];
    for (int i = 0; i < count; i++) all[i] = vector(1);
    return all;
  }

  /** A random vector of this length. */
  private double[] vector(double length) {
    double[] x = new double[DIMENSIONS];
    double square = 0;
    for (int rank = 0; rank < DIMENSIONS; rank++) {
      double along = random.nextGaussian() / Math.sqrt(1 + rank);
      square += along * along;
      for (int i = 0; i < DIMENSIONS; i++) x[i] += along * turn[rank][i];
    }
    for (int i = 0; i < DIMENSIONS; i++) x[i] *= length / Math.sqrt(square);
    return x;
  }

  /** A random unit vector orthogonal to the first `count` rows of turn (Gram-Schmidt). */
  private double[] orthogonal(int count) {
    double[] x = new double[DIMENSIONS];
    for (int i = 0; i < DIMENSIONS; i++) x[i] = random.nextGaussian();
    for (int r = 0; r < count; r++) {
      double along = 0;
      for (int i = 0; i < DIMENSIONS; i++) along += x[i] * turn[r][i];
      for (int i = 0; i < DIMENSIONS; i++) x[i] -= along * turn[r][i];
    }
    double square = 0;
    for (double v : x) square += v * v;
    for (int i = 0; i < DIMENSIONS; i++) x[i] /= Math.sqrt(square);
    return x;
  }
}
