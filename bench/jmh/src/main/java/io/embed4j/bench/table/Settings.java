package io.embed4j.bench.table;

import java.nio.file.Path;
import java.util.List;

/**
 * How a run is made.
 *
 * @param home the checkout
 * @param models where the synthetic models lie or are put
 * @param types weight types to measure
 * @param lengths of texts, for the peers' rows
 * @param runs samples of each quantity where one takes less than a minute / runs
 * @param nativeBuild where CMake built embed4j_bench and libembed4j_timed
 * @param peers paths of the peers; null: not there
 */
record Settings(Path home, Path models, List<String> types, List<Integer> lengths, int runs, Path nativeBuild, Peers peers) {
  private static final double MINUTE = 60;

  /**
   * Where the peers are.
   *
   * @param llamaBench ik_llama.cpp's llama-bench
   * @param nodeModules a folder in which npm installed node-llama-cpp
   * @param javaPeers the built module bench/peers
   */
  record Peers(Path llamaBench, Path nodeModules, Path javaPeers) {}

  /** How often something is measured that takes so long. */
  int runsOf(double seconds) {
    return (int) Math.clamp(MINUTE / seconds, 1, runs);
  }

  /** Says what goes on, to whoever waits. */
  void say(String text) {
    System.err.println("bench: " + text);
  }
}
