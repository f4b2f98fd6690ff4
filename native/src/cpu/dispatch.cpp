#include "cpu/dispatch.h"

#include <cstdlib>

#include "base/status.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace e4j::cpu {
namespace {

struct Tier {
  const char* name;
  void (*overlay)(Kernels&) noexcept;
  bool (*runs_here)() noexcept;
  bool chosen_unasked = true;                                   // false: only when EMBED4J_CPU_TIER names it
  bool (*enable)() noexcept = [] () noexcept { return true; };  // before the first use of a table with this tier
};

#if defined(__x86_64__)
// What CPUID reports and what the operating system saves on a context switch (XCR0): both are needed.
struct X86 {
  bool avx2_fma_f16c = false, avx_vnni = false, avx512 = false, avx512_vnni = false, avx512_bf16 = false, amx = false;

  X86() noexcept {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    const auto bit = [](unsigned word, int i) { return (word >> i & 1u) != 0; };
    const bool osxsave = bit(c, 27), avx = bit(c, 28), fma = bit(c, 12), f16c = bit(c, 29);
    if (!osxsave || !avx) return;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    const bool ymm_saved = (low & 0x06) == 0x06, zmm_saved = (low & 0xE6) == 0xE6, tiles_saved = (low & 0x60000) == 0x60000;
    if (!ymm_saved || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    unsigned sub_leaf_1 = 0;  // EAX of leaf 7, sub-leaf 1
    if (a >= 1) __get_cpuid_count(7, 1, &sub_leaf_1, &low, &low, &low);
    avx2_fma_f16c = bit(b, 5) && fma && f16c;
    avx_vnni = avx2_fma_f16c && bit(sub_leaf_1, 4);
    const bool f_dq_bw_vl = bit(b, 16) && bit(b, 17) && bit(b, 30) && bit(b, 31);
    avx512 = avx2_fma_f16c && zmm_saved && f_dq_bw_vl;
    avx512_vnni = avx512 && bit(c, 11);
    avx512_bf16 = avx512_vnni && bit(sub_leaf_1, 5);
    const bool tile_bf16_int8 = bit(d, 24) && bit(d, 22) && bit(d, 25);
    amx = avx512_bf16 && tiles_saved && tile_bf16_int8 && tile_data_supported();
  }

  // Linux gives a process the 8 KiB tile registers only on request (arch_prctl(2)).
  static constexpr unsigned kGetSupported = 0x1021, kRequestPermission = 0x1023, kTileData = 18;
  static bool tile_data_supported() noexcept {
    unsigned long features = 0;
    return ::syscall(SYS_arch_prctl, kGetSupported, &features) == 0 && (features >> kTileData & 1u) != 0;
  }
  static bool request_tile_data() noexcept { return ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0; }
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
    {"avx_vnni", avx_vnni::overlay, [] () noexcept { return x86().avx_vnni; }},
    {"avx512", avx512::overlay, [] () noexcept { return x86().avx512; }},
    {"avx512_vnni", avx512_vnni::overlay, [] () noexcept { return x86().avx512_vnni; }},
    {"avx512_bf16", avx512_bf16::overlay, [] () noexcept { return x86().avx512_bf16; }},
    {"amx", amx::overlay, [] () noexcept { return x86().amx; }, false, X86::request_tile_data},
#elif defined(__aarch64__)
    {"neon", neon::overlay, [] () noexcept { return true; }},
    {"neon_dotprod", neon_dotprod::overlay, [] () noexcept { return (::getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }},
    {"neon_i8mm", neon_i8mm::overlay, [] () noexcept { return (::getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0; }},
    {"neon_bf16", neon_bf16::overlay, [] () noexcept { return (::getauxval(AT_HWCAP2) & HWCAP2_BF16) != 0; }},
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
    if (!t.runs_here()) continue;
    if (tier != t.name && !t.chosen_unasked) continue;
    t.overlay(table);
    if (tier != t.name) continue;
    if (!t.enable()) fail(E4J_INVALID_ARGUMENT, "CPU tier \"%s\": the operating system refused its registers to this process", t.name);
    return table;
  }
  std::string known;
  for (const std::string& name : available_tiers()) known += (known.empty() ? "" : " ") + name;
  fail(E4J_INVALID_ARGUMENT, "CPU tier \"%s\" cannot run here; this machine has: %s", tier.c_str(), known.c_str());
}

Kernels selected_kernels() {
  const char* wanted = std::getenv("EMBED4J_CPU_TIER");
  if (wanted != nullptr && *wanted != 0) return kernels_for(wanted);
  const char* highest = "scalar";
  for (const Tier& t : kTiers)
    if (t.chosen_unasked && t.runs_here()) highest = t.name;
  return kernels_for(highest);
}

}  // namespace e4j::cpu
