// What the native benchmarks share: repeated timing, hashes and the reply.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace e4j::bench {

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

// Seconds of each of at least `least` calls, more until `seconds` have gone by; one call before them is not counted.
// `prepare` runs before each call, outside the clock.
inline std::vector<double> time_calls(const std::function<void()>& prepare, const std::function<void()>& call, size_t least = 5,
                                      double seconds = 0.4) {
  prepare();
  call();
  std::vector<double> times;
  for (double spent = 0; times.size() < least || spent < seconds;) {
    prepare();
    const double begin = now();
    call();
    times.push_back(now() - begin);
    spent += times.back();
  }
  return times;
}

// FNV-1a, 64 bits.
inline uint64_t hash(const void* data, size_t bytes, uint64_t state = 0xCBF29CE484222325u) {
  const auto* p = static_cast<const uint8_t*>(data);
  for (size_t i = 0; i < bytes; ++i) state = (state ^ p[i]) * 0x100000001B3u;
  return state;
}

// One line of JSON.
class Reply {
 public:
  Reply& put(const char* key, const std::string& value) {
    std::string quoted = "\"";
    return field(key, quoted.append(value).append("\""));
  }
  Reply& put(const char* key, double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return field(key, text);
  }
  Reply& put_hash(const char* key, uint64_t value) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
    return put(key, std::string(text));
  }
  void print() const {
    std::printf("{%s}\n", text_.c_str());
    std::fflush(stdout);
  }

 private:
  Reply& field(const char* key, const std::string& value) {
    text_.append(text_.empty() ? "\"" : ", \"").append(key).append("\": ").append(value);
    return *this;
  }
  std::string text_;
};

// limits.cpp
struct Rate {
  std::string instruction;  // that sets it
  double per_second;        // operations (a multiplication and an addition are two), or bytes
};
enum class Unit { F32, BF16, Int8 };
// The most that all processors of this process compute together: the best instruction of the CPU tier in use, on registers.
Rate peak(Unit unit);
// The most bytes per second that all processors read together from memory.
Rate read_rate();
// Seconds that all processors together need to write once to every page of so much memory that was just allocated.
double new_memory_seconds(size_t bytes);

// products.cpp: y = W x of the CPU backend, activations and result in float32. type: bf16, q8_0, q4_k, ...
void bench_gemm(const std::string& type, int m, int n, int k);
// attention.cpp: `count` sequences of `length` each.
void bench_attention(int num_heads, int num_key_value_heads, int head_dim, bool causal, int count, int length);

}  // namespace e4j::bench
