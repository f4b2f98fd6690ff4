package io.embed4j.convert;

/**
 * What adapter_config.json says: y = W x + b + (alpha / rank) B (A x). Variants of LoRA that compute anything else are
 * refused.
 *
 * @param rank rows of A, columns of B
 */
record AdapterConfig(int rank, double alpha) {
  static AdapterConfig of(JsonObject config) {
    config.only("peft_type", "LORA", false);
    config.only("bias", "none", true);
    for (String variant : new String[] {"use_rslora", "use_dora", "use_qalora", "use_bdlora", "lora_bias",
        "fan_in_fan_out", "rank_pattern", "alpha_pattern", "modules_to_save", "layer_replication", "target_parameters",
        "trainable_token_indices", "alora_invocation_tokens"}) {
      config.unset(variant);
    }
    int rank = config.extent("r");
    double alpha = config.number("lora_alpha");
    if (alpha <= 0) throw Failure.bad(config.where(), "lora_alpha is " + alpha + ", expected a number above 0");
    return new AdapterConfig(rank, alpha);
  }
}
