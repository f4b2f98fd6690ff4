package io.embed4j;

/** How a call stands to others of the same model. */
public enum Priority {
  /** Calls take turns in the order in which they came. */
  NORMAL,
  /**
   * Beside the others, and slower: on the CPU the call has the model's threads only while no normal one wants them. It then
   * pauses within milliseconds, in the midst of its work, and goes on where it was, with the same result. For long texts and
   * corpora that must not hold up short ones. It ends only if normal calls leave gaps. On a GPU the two run side by side.
   */
  BACKGROUND
}
