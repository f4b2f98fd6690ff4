// That the tiers found are those the system reports, that each brings its kernels, and which one is chosen.
#include "cpu/dispatch.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "test.h"
#include "tier_tables.h"

using namespace e4j;
using namespace e4j::cpu;

namespace {

struct Expected {
  std::string features;  // as /proc/cpuinfo spells them; a tier runs where its own and those of its base are
  std::string base;      // the tier that it presupposes
  std::string kernels;   // its own at least, not taken over from the tiers below
};

const std::vector<std::pair<std::string, Expected>> kExpected = {
#if defined(__x86_64__)
    {"avx2", {"avx2 fma f16c", "scalar", "gemm_f32 gemm_f16 gemm_bf16 gemm_quant dot_i8 expand_q4_k rms_norm max_rows expand_bits"}},
    {"avx_vnni", {"avx_vnni", "avx2", "gemm_quant dot_i8"}},
    {"avx512", {"avx512f avx512bw avx512dq avx512vl", "avx2",
                "gemm_f32 gemm_f16 gemm_bf16 expand_q4_k quantize_row softmax_block rms_norm max_rows expand_bits"}},
    {"avx512_vnni", {"avx512_vnni", "avx512", "gemm_quant dot_i8 expand_q8_0 expand_q4_k expand_q5_k expand_q6_k"}},
    {"avx512_bf16", {"avx512_bf16", "avx512_vnni", "gemm_bf16 to_bf16"}},
    {"amx", {"amx_tile amx_bf16 amx_int8", "avx512_bf16", "gemm_bf16 gemm_quant"}},
#elif defined(__aarch64__)
    {"neon", {"asimd", "scalar", "gemm_f32 gemm_f16 gemm_bf16 gemm_quant dot_i8"}},
    {"neon_dotprod", {"asimddp", "neon", "gemm_quant dot_i8"}},
    {"neon_i8mm", {"i8mm", "neon", "gemm_quant dot_i8"}},
    {"neon_bf16", {"bf16", "neon", "gemm_bf16"}},
#endif
};

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> all;
  for (std::string word; in >> word;) all.push_back(word);
  return all;
}

bool contains(const std::vector<std::string>& all, const std::string& one) { return std::find(all.begin(), all.end(), one) != all.end(); }

// The processor's features as the system reports them; none where /proc/cpuinfo is not of this processor (an emulator's host).
std::vector<std::string> reported_features() {
#if defined(__aarch64__)
  const std::string key = "Features";
#else
  const std::string key = "flags";
#endif
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(key)) return words(line.substr(line.find(':') + 1));
  return {};
}

}  // namespace

TEST(tiers_are_those_the_system_reports) {
  const auto& tiers = available_tiers();
  CHECK(tiers.front() == "scalar");
  const std::vector<std::string> features = reported_features();
  if (features.empty()) std::printf("no features in /proc/cpuinfo\n");
  std::vector<std::string> expected = {"scalar"};
  for (const auto& [tier, of] : kExpected) {
    bool runs = contains(expected, of.base);
    for (const std::string& feature : words(of.features)) runs = runs && contains(features, feature);
    if (runs) expected.push_back(tier);
    if (!features.empty() && runs != contains(tiers, tier))
      test::failed(__FILE__, __LINE__, tier + (runs ? " is not found, though the system reports: " : " is found, though the system does not report: ") + of.features);
  }
  for (const std::string& tier : tiers) std::printf("%s ", tier.c_str());
  std::printf("run here\n");
}

TEST(a_tier_brings_its_own_kernels) {
  const std::vector<Kernels>& tables = test::tier_tables();
  const auto table = [&](const std::string& tier) {
    return std::find_if(tables.begin(), tables.end(), [&](const Kernels& k) { return k.tier == tier; });
  };
  for (const auto& [tier, of] : kExpected) {
    const auto here = table(tier);
    if (here == tables.end()) {
      std::printf("%s: not reached on this machine\n", tier.c_str());
      continue;
    }
    for (const Kernels& below : tables) {
      if (&below == &*here) break;
      for (const test::KernelMember& m : test::kMembers)
        if (contains(words(of.kernels), m.name) && m.same(*here, below))
          test::failed(__FILE__, __LINE__, tier + " " + m.name + " is that of " + below.tier);
    }
  }
  for (const Kernels& k : tables)
    CHECK(k.tier == std::string("scalar") ||
          std::any_of(kExpected.begin(), kExpected.end(), [&](const auto& expected) { return expected.first == k.tier; }));
}

TEST(the_highest_tier_is_chosen_unless_another_is_named) {
  ::unsetenv("EMBED4J_CPU_TIER");
  std::string highest;
  for (const std::string& tier : available_tiers())
    if (tier != "amx") highest = tier;  // never run by its authors: only when named
  CHECK(selected_kernels().tier == highest);
  for (const std::string& tier : available_tiers()) {
    ::setenv("EMBED4J_CPU_TIER", tier.c_str(), 1);
    CHECK(selected_kernels().tier == tier);
    CHECK(kernels_for(tier).tier == tier);
  }
  ::setenv("EMBED4J_CPU_TIER", "avx9000", 1);
  CHECK_THROWS(selected_kernels(), E4J_INVALID_ARGUMENT, "this machine has: scalar");
}
