package io.embed4j.bench.table;

import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * One row of the table.
 *
 * @param id by which it is asked for, such as text-bf16-512
 * @param title what is measured
 * @param unit of value, gate and goal; empty for a ratio
 * @param bound what it must reach, or null
 * @param measure takes the measurement
 */
record Row(String id, String title, String unit, Bound bound, Measure measure) {
  /** A gate to pass and a goal beyond it. */
  record Bound(double gate, double goal, boolean least) {
    static Bound least(double gate, double goal) {
      return new Bound(gate, goal, true);
    }

    static Bound most(double gate, double goal) {
      return new Bound(gate, goal, false);
    }

    boolean passes(double value) {
      return least ? value >= gate : value <= gate;
    }

    boolean reachesGoal(double value) {
      return least ? value >= goal : value <= goal;
    }
  }

  /** Takes the measurement of a row. */
  interface Measure {
    Outcome take(Bench bench);
  }

  /**
   * What came out.
   *
   * @param value or NaN when there is none, as with a peer that aborts
   * @param says in words what the figures are made of
   * @param details every figure by name
   */
  record Outcome(double value, String says, ObjectNode details) {}
}
