// Runs a fuzz target without libFuzzer: over every seed, every truncation, every byte changed, and random mutations
// from a fixed generator, so a failure repeats. The input ends where a page without access begins: reading past it ends
// the process in every build.
//   <target> [random mutations per seed]
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fuzz.h"

namespace {

class GuardedInput {
 public:
  explicit GuardedInput(size_t most) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    usable_ = (most + page - 1) / page * page;
    void* mapping = ::mmap(nullptr, usable_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) std::abort();
    begin_ = static_cast<uint8_t*>(mapping);
    if (::mprotect(begin_ + usable_, page, PROT_NONE) != 0) std::abort();
  }
  void run(const std::vector<std::byte>& input) {
    uint8_t* start = begin_ + usable_ - input.size();
    if (!input.empty()) std::memcpy(start, input.data(), input.size());
    LLVMFuzzerTestOneInput(start, input.size());
    ++runs;
  }
  long runs = 0;

 private:
  uint8_t* begin_;
  size_t usable_;
};

// SplitMix64 (Steele, Lea, Flood 2014).
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  size_t below(size_t n) { return static_cast<size_t>(next() % n); }
};

// Counts, lengths and types that break arithmetic.
uint64_t telling_value(Random& random, size_t size) {
  constexpr uint64_t kValues[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff,
                                  uint64_t{1} << 32, uint64_t{1} << 60, uint64_t{1} << 62, uint64_t{1} << 63,
                                  ~uint64_t{0}, ~uint64_t{7}, ~uint64_t{31}};
  constexpr size_t kCount = sizeof kValues / sizeof kValues[0];
  const size_t i = random.below(kCount + 3);
  if (i < kCount) return kValues[i];
  return i == kCount ? random.next() : size - 40 + random.below(80);  // about the size of the file
}

void mutate(std::vector<std::byte>& input, Random& random) {
  const size_t at = random.below(input.size());
  switch (random.below(5)) {
    case 0: {  // a field
      const uint64_t value = telling_value(random, input.size());
      const size_t width = size_t{1} << random.below(4);
      std::memcpy(input.data() + at, &value, std::min(width, input.size() - at));
      break;
    }
    case 1: input[at] ^= static_cast<std::byte>(1u << random.below(8)); break;
    case 2: input.resize(at + 1); break;
    case 3: {  // a run copied elsewhere
      const size_t from = random.below(input.size());
      const size_t n = std::min({random.below(64) + 1, input.size() - at, input.size() - from});
      std::memmove(input.data() + at, input.data() + from, n);
      break;
    }
    default: input.erase(input.begin() + static_cast<ptrdiff_t>(at));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long mutations = argc > 1 ? std::atol(argv[1]) : 60000;
  Random random{20240229};
  for (const std::vector<std::byte>& seed : fuzz_seeds()) {
    GuardedInput input(seed.size() + 1);
    for (size_t n = 0; n <= seed.size(); ++n) input.run({seed.begin(), seed.begin() + static_cast<ptrdiff_t>(n)});
    std::vector<std::byte> bytes = seed;
    for (size_t i = 0; i < seed.size(); ++i) {
      for (const unsigned flip : {0x01u, 0x10u, 0x80u, 0xffu}) {
        bytes[i] = seed[i] ^ static_cast<std::byte>(flip);
        input.run(bytes);
      }
      bytes[i] = seed[i];
    }
    for (long m = 0; m < mutations; ++m) {
      bytes = seed;
      for (size_t k = random.below(4) + 1; k > 0 && !bytes.empty(); --k) mutate(bytes, random);
      input.run(bytes);
    }
    std::printf("seed of %zu bytes: %ld inputs\n", seed.size(), input.runs);
  }
}
