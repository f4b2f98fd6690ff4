package io.embed4j.cli;

import io.embed4j.EmbeddingException;
import io.embed4j.Prompt;
import io.embed4j.Task;
import io.embed4j.convert.SynthConfig;
import io.embed4j.convert.WeightType;
import java.util.function.Function;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Options whose values are labels of the library; what it does not know is a usage error with its message. */
final class Labels {
  private Labels() {}

  static final class OfTask extends Label<Task> {
    OfTask() {
      super(Task::of);
    }
  }

  static final class OfPrompt extends Label<Prompt> {
    OfPrompt() {
      super(Prompt::of);
    }
  }

  static final class OfWeightType extends Label<WeightType> {
    OfWeightType() {
      super(WeightType::of);
    }
  }

  static final class OfConfig extends Label<SynthConfig> {
    OfConfig() {
      super(SynthConfig::of);
    }
  }

  static final class OfStyle extends Label<SynthConfig.Style> {
    OfStyle() {
      super(SynthConfig.Style::of);
    }
  }

  private abstract static class Label<T> implements ITypeConverter<T> {
    private final Function<String, T> of;

    Label(Function<String, T> of) {
      this.of = of;
    }

    @Override
    public T convert(String label) {
      try {
        return of.apply(label);
      } catch (EmbeddingException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }
}
