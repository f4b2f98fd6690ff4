// What the machine can do at most: instructions on registers alone, and reading memory.
#include <algorithm>
#include <cstring>
#include <functional>
#include <thread>

#include "base/buffer.h"
#include "base/thread_pool.h"
#include "bench.h"
#include "cpu/dispatch.h"

namespace e4j::bench {
namespace {

// A loop of `rounds` rounds over independent accumulators, written as assembly so that no compiler can shorten it.
struct Loop {
  const char* tier;
  Unit unit;
  const char* instruction;
  double operations;  // per round
  void (*run)(int64_t rounds);
};

#define E4J_12(I) I(0) I(1) I(2) I(3) I(4) I(5) I(6) I(7) I(8) I(9) I(10) I(11)
#define E4J_24(I) E4J_12(I) I(12) I(13) I(14) I(15) I(16) I(17) I(18) I(19) I(20) I(21) I(22) I(23)

#if defined(__x86_64__)

#define E4J_LOWER "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", \
                  "xmm13", "xmm14", "xmm15"
#define E4J_UPPER "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", \
                  "xmm28", "xmm29", "xmm30", "xmm31"
// All accumulators start at zero, as do the operands.
#define E4J_LOOP(name, features, zero, body, ...)                                                          \
  __attribute__((target(features))) void name(int64_t rounds) {                                             \
    asm volatile(zero ".p2align 5\n1:\n" body "dec %0\njnz 1b\nvzeroupper\n" : "+r"(rounds)::"cc", __VA_ARGS__); \
  }
#define E4J_ZERO_UPPER "vpxord %%zmm30, %%zmm30, %%zmm30\nvpxord %%zmm31, %%zmm31, %%zmm31\n"
#define E4J_ZERO_WIDE(n) "vpxord %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n"
#define E4J_DPBF16(n) "vdpbf16ps %%zmm31, %%zmm30, %%zmm" #n "\n"
#define E4J_DPBUSD(n) "vpdpbusd %%zmm31, %%zmm30, %%zmm" #n "\n"
#define E4J_FMA_512(n) "vfmadd231ps %%zmm31, %%zmm30, %%zmm" #n "\n"
#define E4J_ZERO_256(n) "vpxor %%ymm" #n ", %%ymm" #n ", %%ymm" #n "\n"
#define E4J_ZERO_OPERANDS "vpxor %%ymm14, %%ymm14, %%ymm14\nvpxor %%ymm15, %%ymm15, %%ymm15\n"
#define E4J_FMA_256(n) "vfmadd231ps %%ymm15, %%ymm14, %%ymm" #n "\n"
#define E4J_DPBUSD_256(n) "%{vex%} vpdpbusd %%ymm15, %%ymm14, %%ymm" #n "\n"
#define E4J_MADD(n)                              \
  "vpmaddubsw %%ymm15, %%ymm14, %%ymm12\n"       \
  "vpmaddwd %%ymm15, %%ymm12, %%ymm12\n"         \
  "vpaddd %%ymm12, %%ymm" #n ", %%ymm" #n "\n"

E4J_LOOP(dpbf16, "avx512f,avx512bf16", E4J_24(E4J_ZERO_WIDE) E4J_ZERO_UPPER, E4J_24(E4J_DPBF16), E4J_LOWER, E4J_UPPER)
E4J_LOOP(dpbusd, "avx512f,avx512vnni", E4J_24(E4J_ZERO_WIDE) E4J_ZERO_UPPER, E4J_24(E4J_DPBUSD), E4J_LOWER, E4J_UPPER)
E4J_LOOP(fma_512, "avx512f", E4J_24(E4J_ZERO_WIDE) E4J_ZERO_UPPER, E4J_24(E4J_FMA_512), E4J_LOWER, E4J_UPPER)
E4J_LOOP(dpbusd_256, "avx2,avxvnni", E4J_12(E4J_ZERO_256) E4J_ZERO_OPERANDS, E4J_12(E4J_DPBUSD_256), E4J_LOWER)
E4J_LOOP(fma_256, "avx2,fma", E4J_12(E4J_ZERO_256) E4J_ZERO_OPERANDS, E4J_12(E4J_FMA_256), E4J_LOWER)
E4J_LOOP(madd_256, "avx2", E4J_12(E4J_ZERO_256) E4J_ZERO_OPERANDS, E4J_12(E4J_MADD), E4J_LOWER)

constexpr Loop kLoops[] = {
    {"avx2", Unit::F32, "vfmadd231ps ymm", 12 * 16, fma_256},
    {"avx2", Unit::Int8, "vpmaddubsw + vpmaddwd + vpaddd ymm", 12 * 64, madd_256},
    {"avx_vnni", Unit::Int8, "vpdpbusd ymm", 12 * 64, dpbusd_256},
    {"avx512", Unit::F32, "vfmadd231ps zmm", 24 * 32, fma_512},
    {"avx512_vnni", Unit::Int8, "vpdpbusd zmm", 24 * 128, dpbusd},
    {"avx512_bf16", Unit::BF16, "vdpbf16ps zmm", 24 * 64, dpbf16},
};

#elif defined(__aarch64__)

#define E4J_VECTORS "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", \
                    "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v30", "v31"
#define E4J_LOOP(name, features, body)                                                                        \
  __attribute__((target(features))) void name(int64_t rounds) {                                                \
    asm volatile(E4J_24(E4J_ZERO) "movi v30.4s, #0\nmovi v31.4s, #0\n1:\n" body "subs %0, %0, #1\nb.ne 1b\n" : "+r"(rounds):: \
                     "cc", E4J_VECTORS);                                                                      \
  }
#define E4J_ZERO(n) "movi v" #n ".4s, #0\n"
#define E4J_FMLA(n) "fmla v" #n ".4s, v30.4s, v31.4s\n"
#define E4J_SDOT(n) "sdot v" #n ".4s, v30.16b, v31.16b\n"
#define E4J_SMMLA(n) "smmla v" #n ".4s, v30.16b, v31.16b\n"
#define E4J_BFMMLA(n) "bfmmla v" #n ".4s, v30.8h, v31.8h\n"
E4J_LOOP(fmla, "arch=armv8-a", E4J_24(E4J_FMLA))
E4J_LOOP(sdot, "arch=armv8.2-a+dotprod", E4J_24(E4J_SDOT))
E4J_LOOP(smmla, "arch=armv8.2-a+i8mm", E4J_24(E4J_SMMLA))
E4J_LOOP(bfmmla, "arch=armv8.2-a+bf16", E4J_24(E4J_BFMMLA))

constexpr Loop kLoops[] = {
    {"neon", Unit::F32, "fmla", 24 * 8, fmla},
    {"neon_dotprod", Unit::Int8, "sdot", 24 * 32, sdot},
    {"neon_i8mm", Unit::Int8, "smmla", 24 * 64, smmla},
    {"neon_bf16", Unit::BF16, "bfmmla", 24 * 32, bfmmla},
};

#else
#error "no instruction loop for this processor"
#endif

// Whether `tier` is not above the tier in use.
bool usable(const std::string& tier) {
  const std::string used = cpu::selected_kernels().tier;
  for (const std::string& name : cpu::available_tiers()) {
    if (name == tier) return true;
    if (name == used) return false;
  }
  return false;
}

// Runs body(thread) on every processor at once; seconds of the slowest.
double on_all_threads(const std::function<void(int)>& body) {
  const int threads = usable_processors();
  std::vector<double> ended(static_cast<size_t>(threads));
  std::vector<std::thread> others;
  const double begin = now() + 1e-3;
  auto run = [&](int thread) {
    while (now() < begin) {}
    body(thread);
    ended[static_cast<size_t>(thread)] = now();
  };
  for (int t = 1; t < threads; ++t) others.emplace_back(run, t);
  run(0);
  for (std::thread& t : others) t.join();
  return *std::max_element(ended.begin(), ended.end()) - begin;
}

// Exclusive or of bytes [0, bytes) read as `streams` neighbouring parts side by side.
template <int streams>
uint64_t read_streams(const std::byte* data, size_t bytes) {
  using Vector [[gnu::vector_size(64)]] = uint64_t;
  Vector sums[streams] = {};
  const size_t part = bytes / streams;
  for (size_t at = 0; at < part; at += sizeof(Vector)) {
    for (int s = 0; s < streams; ++s) sums[s] ^= *reinterpret_cast<const Vector*>(data + static_cast<size_t>(s) * part + at);
  }
  uint64_t sum = 0;
  for (const Vector& v : sums) {
    for (int i = 0; i < 8; ++i) sum ^= v[i];
  }
  return sum;
}

}  // namespace

Rate peak(Unit unit) {
  const Loop* best = nullptr;
  for (const Loop& loop : kLoops) {
    const bool fits = loop.unit == unit || (unit == Unit::BF16 && loop.unit == Unit::F32);  // bf16 widened, where nothing multiplies it
    if (fits && usable(loop.tier)) best = &loop;
  }
  if (best == nullptr) return {"none", 0};
  int64_t rounds = 1 << 16;
  std::vector<double> rates;
  while (rates.size() < 5) {
    const double seconds = on_all_threads([&](int) { best->run(rounds); });
    if (seconds < 0.02) rounds *= 2;
    else rates.push_back(static_cast<double>(rounds) * best->operations * usable_processors() / seconds);
  }
  return {best->instruction, median(rates)};
}

Rate read_rate() {
  static Buffer memory = [] {
    Buffer b(size_t{1} << 30);
    std::memset(b.data(), 1, b.size());
    return b;
  }();
  using Read = uint64_t (*)(const std::byte*, size_t);
  static constexpr Read kReads[] = {read_streams<1>, read_streams<2>, read_streams<4>, read_streams<8>};
  const size_t part = memory.size() / static_cast<size_t>(usable_processors()) & ~size_t{4095};
  double best = 0;
  for (const Read read : kReads) {
    std::vector<double> rates;
    for (int i = 0; i < 3; ++i) {
      std::atomic<uint64_t> sum{0};
      const double seconds = on_all_threads([&](int t) { sum ^= read(memory.data() + static_cast<size_t>(t) * part, part); });
      rates.push_back(static_cast<double>(part) * usable_processors() / seconds);
    }
    best = std::max(best, median(rates));
  }
  return {"64-byte loads, 1 to 8 streams a thread", best};
}

double new_memory_seconds(size_t bytes) {
  Buffer memory(bytes);
  const size_t part = bytes / static_cast<size_t>(usable_processors());
  return on_all_threads([&](int t) {
    for (size_t at = 0; at < part; at += 4096) memory.data()[static_cast<size_t>(t) * part + at] = std::byte{1};
  });
}

}  // namespace e4j::bench
