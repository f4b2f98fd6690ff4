package io.embed4j.convert;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.zip.GZIPInputStream;

/**
 * The tokenizer a synthetic checkpoint carries.
 *
 * @param json tokenizer.json
 * @param settings tokenizer_config.json
 * @param bos &lt;|endoftext|&gt;
 * @param eos &lt;|im_end|&gt;
 * @param visionStart and the next id is &lt;|vision_end|&gt;
 * @param imagePad and the next id is &lt;|video_pad|&gt;
 */
record SynthTokenizer(byte[] json, byte[] settings, int bos, int eos, int visionStart, int imagePad) {
  /** The one every checkpoint of the family carries. */
  static SynthTokenizer family() {
    return new SynthTokenizer(resource("tokenizer.json.gz"), resource("tokenizer_config.json"), 151643, 151645, 151652,
        151655);
  }

  private static byte[] resource(String name) {
    try (InputStream in = SynthTokenizer.class.getResourceAsStream(name)) {
      return (name.endsWith(".gz") ? new GZIPInputStream(in) : in).readAllBytes();
    } catch (IOException e) {
      throw Failure.io("read", Path.of(name), e);
    }
  }
}
