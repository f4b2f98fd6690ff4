package io.embed4j.cli;

import io.embed4j.EmbeddingModel;
import io.embed4j.EmbeddingRequest;
import io.embed4j.ImageInput;
import io.embed4j.PdfDocument;
import io.embed4j.Task;
import io.embed4j.cli.input.Source;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How pictures and pages are read. */
final class PictureOptions {
  private static final long BYTES_PER_PIXEL = 24; // two frames of three float32 values

  @Option(names = "--max-pixels", paramLabel = "N",
      description = "Reduce larger pictures to N pixels; 28 x 28 become a token. Default: the model's own.")
  private long maxPixels;

  @Option(names = "--min-pixels", paramLabel = "N",
      description = "Enlarge smaller pictures to N pixels; default: the model's own.")
  private long minPixels;

  @Option(names = "--dpi", paramLabel = "N",
      description = "Draw pages of a PDF at N pixels per inch; default: so many that A4 fills the pixel budget and is never "
          + "enlarged.")
  private Double dpi;

  @Option(names = "--apply-orientation",
      description = "Turn pictures as their EXIF orientation says; the model's own preprocessing does not.")
  private boolean applyOrientation;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  /** Refuses what no picture could be embedded with; the task is one that the model serves. */
  void check(EmbeddingModel model, Task task) {
    if (dpi != null && !(dpi >= PdfDocument.MIN_DPI && dpi <= PdfDocument.MAX_DPI)) {
      throw new ParameterException(command.commandLine(),
          "--dpi is " + dpi + ", expected " + PdfDocument.MIN_DPI + " .. " + PdfDocument.MAX_DPI);
    }
    if (maxPixels != 0 || minPixels != 0) {
      model.check(request(ImageInput.ofRgb(1, 1, new byte[3])).task(task));
    }
  }

  /** What decides how pictures are read. */
  void settings(Map<String, String> settings) {
    settings.put("--max-pixels", Long.toString(maxPixels));
    settings.put("--min-pixels", Long.toString(minPixels));
    settings.put("--dpi", String.valueOf(dpi));
    settings.put("--apply-orientation", Boolean.toString(applyOrientation));
  }

  /** Bytes of the patches of the largest picture; a guess where the model says how large that is. */
  long patchBytes() {
    return BYTES_PER_PIXEL * Math.max(minPixels, maxPixels == 0 ? 1 << 20 : maxPixels);
  }

  /** A picture as it is to be read. */
  ImageInput picture(Source source) {
    ImageInput picture = source.picture();
    return applyOrientation ? picture.applyOrientation() : picture;
  }

  /** A page as it is to be drawn. */
  ImageInput page(PdfDocument pdf, int page) {
    return dpi == null ? pdf.page(page) : pdf.page(page, dpi);
  }

  /** A request for either. */
  EmbeddingRequest request(ImageInput picture) {
    return EmbeddingRequest.image(picture).maxPixels(maxPixels).minPixels(minPixels);
  }
}
