#include "cpu/dispatch.h"

#include <cstdlib>

#include "base/status.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace e4j::cpu {
namespace {

struct Tier {
  const char* name;
  void (*overlay)(Kernels&) noexcept;
  bool (*runs_here)() noexcept;
};

#if defined(__x86_64__)
// What CPUID reports and what the operating system saves on a context switch (XCR0): both are needed.
struct X86 {
  bool avx2_fma_f16c = false, avx512 = false, vnni = false, bf16 = false;

  X86() noexcept {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    const bool osxsave = c & (1u << 27), avx = c & (1u << 28), fma = c & (1u << 12), f16c = c & (1u << 29);
    if (!osxsave || !avx) return;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    const bool ymm_saved = (low & 0x06) == 0x06, zmm_saved = (low & 0xE6) == 0xE6;
    if (!ymm_saved || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    avx2_fma_f16c = (b & (1u << 5)) && fma && f16c;
    const unsigned f_dq_bw_vl = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);
    avx512 = avx2_fma_f16c && zmm_saved && (b & f_dq_bw_vl) == f_dq_bw_vl;
    vnni = avx512 && (c & (1u << 11));
    if (vnni && __get_cpuid_count(7, 1, &a, &b, &c, &d)) bf16 = a & (1u << 5);
  }
};
const X86& x86() noexcept {
  static const X86 features;
  return features;
}
#endif

constexpr Tier kTiers[] = {
    {"scalar", scalar::overlay, [] () noexcept { return true; }},
#if defined(__x86_64__)
    {"avx2", avx2::overlay, [] () noexcept { return x86().avx2_fma_f16c; }},
    {"avx512", avx512::overlay, [] () noexcept { return x86().avx512; }},
    {"avx512_vnni", avx512_vnni::overlay, [] () noexcept { return x86().vnni; }},
    {"avx512_bf16", avx512_bf16::overlay, [] () noexcept { return x86().bf16; }},
#endif
};

}  // namespace

const std::vector<std::string>& available_tiers() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Tier& t : kTiers)
      if (t.runs_here()) all.emplace_back(t.name);
    return all;
  }();
  return names;
}

Kernels kernels_for(const std::string& tier) {
  Kernels table{};
  for (const Tier& t : kTiers) {
    if (!t.runs_here()) break;
    t.overlay(table);
    if (tier == t.name) return table;
  }
  std::string known;
  for (const std::string& name : available_tiers()) known += (known.empty() ? "" : " ") + name;
  fail(E4J_INVALID_ARGUMENT, "CPU tier \"%s\" cannot run here; this machine has: %s", tier.c_str(), known.c_str());
}

Kernels selected_kernels() {
  const char* wanted = std::getenv("EMBED4J_CPU_TIER");
  return kernels_for(wanted != nullptr && *wanted != 0 ? wanted : available_tiers().back());
}

}  // namespace e4j::cpu
