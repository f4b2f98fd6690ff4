// Deterministic random values for tests (splitmix64).
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

namespace e4j::test {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }  // [0, 1)
  float normal() {
    return static_cast<float>(std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform()));
  }
  int below(int n) { return static_cast<int>(bits() % static_cast<uint64_t>(n)); }
  std::vector<float> normals(size_t n, float scale = 1) {
    std::vector<float> v(n);
    for (float& x : v) x = normal() * scale;
    return v;
  }

 private:
  uint64_t state_;
};

}  // namespace e4j::test
