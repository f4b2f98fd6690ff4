// Benchmarks of the native runtime below the model. One command from the arguments, or one per line of standard input; one
// line of JSON per command, {"error": ...} for one that fails.
#include <iostream>
#include <sstream>

#include "base/status.h"
#include "base/thread_pool.h"
#include "bench.h"

namespace {

using namespace e4j;
using namespace e4j::bench;

constexpr const char* kUsage =
    "peak f32|bf16|int8 | read | new-memory BYTES | gemm TYPE M N K | attention HEADS KEY_VALUE_HEADS HEAD_DIM causal|full SEQUENCES LENGTH";

void put_rate(const char* what, const Rate& rate) {
  Reply().put("bench", what).put("instruction", rate.instruction).put("threads", usable_processors())
      .put("per_second", rate.per_second).print();
}

void run(const std::string& line) {
  std::istringstream in(line);
  std::string command, word;
  in >> command;
  if (command == "peak") {
    in >> word;
    const Unit unit = word == "f32" ? Unit::F32 : word == "bf16" ? Unit::BF16 : Unit::Int8;
    if (in && (word == "int8" || unit != Unit::Int8)) return put_rate(("peak " + word).c_str(), peak(unit));
  } else if (command == "read") {
    return put_rate("read", read_rate());
  } else if (command == "new-memory") {
    double bytes;
    if (in >> bytes && bytes >= 1 && bytes <= 1e12) {
      return Reply().put("bench", command).put("bytes", bytes).put("seconds", new_memory_seconds(static_cast<size_t>(bytes))).print();
    }
  } else if (command == "gemm") {
    int m, n, k;
    if (in >> word >> m >> n >> k) return bench_gemm(word, m, n, k);
  } else if (command == "attention") {
    int heads, key_value_heads, head_dim, count, length;
    if (in >> heads >> key_value_heads >> head_dim >> word >> count >> length && (word == "causal" || word == "full")) {
      return bench_attention(heads, key_value_heads, head_dim, word == "causal", count, length);
    }
  }
  throw Error(E4J_INVALID_ARGUMENT, "\"" + line + "\" is no command; expected " + kUsage);
}

// False when it failed.
bool answer(const std::string& line) {
  try {
    run(line);
    return true;
  } catch (const std::exception& e) {
    std::string text;
    for (const char* c = e.what(); *c; ++c) {
      if (*c == '"' || *c == '\\') text += '\\';
      text += *c;
    }
    Reply().put("error", text).print();
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    std::string line;
    for (int i = 1; i < argc; ++i) line.append(i > 1 ? " " : "").append(argv[i]);
    return answer(line) ? 0 : 1;
  }
  for (std::string line; std::getline(std::cin, line);) answer(line);
}
