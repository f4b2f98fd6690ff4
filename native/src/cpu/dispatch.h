// Which tiers this processor and operating system can run, and the kernel table made of them.
#pragma once
#include <string>
#include <vector>

#include "cpu/kernels.h"

namespace e4j::cpu {

// Names of the tiers that can run here, lowest first; the first is "scalar".
const std::vector<std::string>& available_tiers();

// The table of the named tier: those of the tiers up to it that run here, overlaid in order. Fails with E4J_INVALID_ARGUMENT
// for a tier that is unknown or cannot run here, naming those that can.
Kernels kernels_for(const std::string& tier);

// The table in use: the highest tier that needs no asking for (amx does), or the one EMBED4J_CPU_TIER names (read at every
// call; a model keeps its table).
Kernels selected_kernels();

}  // namespace e4j::cpu
