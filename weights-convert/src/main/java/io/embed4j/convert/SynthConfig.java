package io.embed4j.convert;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Sizes of a synthetic model. Head size, rotary sections, patch and window sizes and adapter rank are those of the
 * published family.
 *
 * @param hidden of the decoder; heads * 128
 * @param fullAttention vision layers that attend over the whole image
 * @param matryoshkaDims sizes a dense vector may be cut to
 */
public record SynthConfig(
    String name,
    int vocabSize,
    int hidden,
    int heads,
    int kvHeads,
    int intermediate,
    int layers,
    int visionHidden,
    int visionHeads,
    int visionIntermediate,
    int visionDepth,
    List<Integer> fullAttention,
    List<Integer> matryoshkaDims) {

  static final int HEAD_SIZE = 128;
  private static final int VOCAB_SIZE = 151936;

  /** About 40 million values: 86 MB in bf16, of which the embedding is 78. */
  public static final SynthConfig TINY = new SynthConfig("tiny", VOCAB_SIZE, 256, 2, 1, 512, 4, 160, 2, 428, 4,
      List.of(1, 3), List.of(128, 256));
  /** About 160 million values. */
  public static final SynthConfig SMALL = new SynthConfig("small", VOCAB_SIZE, 768, 6, 2, 2112, 6, 320, 4, 860, 6,
      List.of(2, 5), List.of(128, 256, 512, 768));
  /** The sizes of jina-embeddings-v4: about 4 billion values. */
  public static final SynthConfig FULL = new SynthConfig("full", VOCAB_SIZE, 2048, 16, 2, 11008, 36, 1280, 16, 3420, 32,
      List.of(7, 15, 23, 31), List.of(128, 256, 512, 1024, 2048));

  private static final List<SynthConfig> ALL = List.of(TINY, SMALL, FULL);

  /** Checks that the decoder's heads have the family's size. */
  public SynthConfig {
    if (hidden != heads * HEAD_SIZE) {
      throw Failure.invalid("hidden is " + hidden + ", expected heads * " + HEAD_SIZE + " = " + heads * HEAD_SIZE);
    }
    fullAttention = List.copyOf(fullAttention);
    matryoshkaDims = List.copyOf(matryoshkaDims);
  }

  /** The named one: tiny, small or full. */
  public static SynthConfig of(String name) {
    return ALL.stream()
        .filter(config -> config.name.equals(name))
        .findFirst()
        .orElseThrow(() -> Failure.invalid("unknown config " + name + "; known are "
            + ALL.stream().map(SynthConfig::name).collect(Collectors.joining(", "))));
  }

  /** How names are spelled in config.json and in the weights. */
  public enum Style {
    /** As Qwen2.5-VL checkpoints have them: text settings at the top level, model.layers.*, visual.*. */
    FLAT,
    /** As newer library versions save them: text_config, model.language_model.layers.*, model.visual.*. */
    NESTED;

    /** The style of a name as the command line spells it, in lower or upper case. */
    public static Style of(String name) {
      return Arrays.stream(values())
          .filter(style -> style.name().equalsIgnoreCase(name))
          .findFirst()
          .orElseThrow(() -> Failure.invalid("unknown style " + name + "; known are flat, nested"));
    }

    String restyled(String flat) {
      if (this == FLAT) return flat;
      if (flat.startsWith("visual.")) return "model." + flat;
      return flat.startsWith("model.") ? "model.language_model." + flat.substring("model.".length()) : flat;
    }
  }
}
