// The kernel tables a test of kernels goes through, and which of their kernels it has called.
#pragma once
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "cpu/dispatch.h"
#include "emulated_x86.h"

namespace e4j::test {

// A kernel by its member of the table: calls through a counted table note the tier that they reach.
template <auto kMember>
struct Counted;
template <class R, class... A, R (*cpu::Kernels::*kMember)(A...) noexcept>
struct Counted<kMember> {
  static inline R (*kernel)(A...) noexcept = nullptr;
  static inline std::string tier;
  static inline std::set<std::string> reached;
  static R call(A... a) noexcept {
    reached.insert(tier);
    return kernel(a...);
  }
};

enum class TestedIn { Kernels, QuantKernels };  // kernels_test.cpp, quant_kernels_test.cpp

struct KernelMember {
  const char* name;
  TestedIn tested_in;
  bool (*same)(const cpu::Kernels&, const cpu::Kernels&);
  void (*count)(cpu::Kernels&);
  bool (*reached)(const std::string& tier);
};
template <auto kMember>
constexpr KernelMember member(const char* name, TestedIn tested_in) {
  using Calls = Counted<kMember>;
  return {name, tested_in, [](const cpu::Kernels& a, const cpu::Kernels& b) { return a.*kMember == b.*kMember; },
          [](cpu::Kernels& k) {
            Calls::kernel = k.*kMember;
            Calls::tier = k.tier;
            k.*kMember = Calls::call;
          },
          [](const std::string& tier) { return Calls::reached.contains(tier); }};
}
#define E4J_MEMBER(name, tested_in) member<&cpu::Kernels::name>(#name, TestedIn::tested_in)
inline constexpr KernelMember kMembers[] = {
    E4J_MEMBER(gemm_f32, Kernels),
    E4J_MEMBER(gemm_f16, Kernels),
    E4J_MEMBER(gemm_bf16, Kernels),
    E4J_MEMBER(to_bf16, Kernels),
    E4J_MEMBER(rms_norm, Kernels),
    E4J_MEMBER(swiglu, Kernels),
    E4J_MEMBER(rotate, Kernels),
    E4J_MEMBER(softmax_block, Kernels),
    E4J_MEMBER(scale, Kernels),
    E4J_MEMBER(add, Kernels),
    E4J_MEMBER(max_rows, Kernels),
    E4J_MEMBER(expand_bits, Kernels),
    E4J_MEMBER(gemm_quant, QuantKernels),
    E4J_MEMBER(expand_q8_0, QuantKernels),
    E4J_MEMBER(expand_q4_k, QuantKernels),
    E4J_MEMBER(expand_q5_k, QuantKernels),
    E4J_MEMBER(expand_q6_k, QuantKernels),
    E4J_MEMBER(quantize_row, QuantKernels),
    E4J_MEMBER(dot_i8, QuantKernels),
};
#undef E4J_MEMBER
static_assert(sizeof(cpu::Kernels) == sizeof(const char*) + std::size(kMembers) * sizeof(void (*)()), "a kernel is not in kMembers");

// Every tier that runs here, and those whose instructions the processor lacks but EmulatedX86 executes.
inline const std::vector<cpu::Kernels>& tier_tables() {
  static const std::vector<cpu::Kernels> tables = [] {
    std::vector<cpu::Kernels> all;
    for (const std::string& tier : cpu::available_tiers()) all.push_back(cpu::kernels_for(tier));
#if defined(__x86_64__)
    const auto emulate = [&](const std::string& tier, void (*overlay)(cpu::Kernels&) noexcept, const std::string& base) {
      const auto& here = cpu::available_tiers();
      if (std::find(here.begin(), here.end(), tier) != here.end() || std::find(here.begin(), here.end(), base) == here.end()) return;
      EmulatedX86::install();
      all.push_back(cpu::kernels_for(base));
      overlay(all.back());
      std::printf("%s: emulated\n", tier.c_str());
    };
    emulate("avx_vnni", cpu::avx_vnni::overlay, "avx2");
    emulate("amx", cpu::amx::overlay, "avx512_bf16");
#endif
    return all;
  }();
  return tables;
}

// body(const std::string& tier, const Kernels&) over every table, the scalar one first.
template <class Body>
void on_every_tier(Body&& body) {
  for (cpu::Kernels kernels : tier_tables()) {
    for (const KernelMember& m : kMembers) m.count(kernels);
    body(std::string(kernels.tier), kernels);
  }
}

}  // namespace e4j::test
