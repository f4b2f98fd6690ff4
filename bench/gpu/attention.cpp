// Causal attention of the decoder's shape alone, on the kernel in use or the one of warpgroups: TFLOP/s, as PyTorch's flash backend is
// counted.
//   cuda_attention_bench SEQUENCES LENGTH [wgmma]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cuda/cuda_memory.h"

using namespace e4j;
using namespace e4j::cuda;

int main(int argc, char** argv) try {
  const bool wgmma = argc == 4 && std::strcmp(argv[3], "wgmma") == 0;
  if (argc != 3 && !wgmma) return std::fprintf(stderr, "usage: cuda_attention_bench SEQUENCES LENGTH [wgmma]\n"), 2;
  const int sequences = std::atoi(argv[1]), length = std::atoi(argv[2]), heads = 16, kv_heads = 2, dim = 128;
  const Device device("", 0);
  const DeviceApi& api = device.api();
  device.check(api.use(0), "use");
  std::vector<int32_t> cu_seqlens;
  for (int i = 0; i <= sequences; ++i) cu_seqlens.push_back(i * length);
  const AttentionPlan plan = plan_attention(cu_seqlens, heads, kv_heads, dim, true);
  const std::vector<AttentionTile>& tiles = plan.tiles;
  const int64_t row = (heads + 2 * kv_heads) * dim, rows = static_cast<int64_t>(sequences) * length;
  std::vector<uint16_t> host(static_cast<size_t>(rows * row));
  for (size_t i = 0; i < host.size(); ++i) host[i] = static_cast<uint16_t>(0x3c00 + (i * 2654435761u >> 20 & 0x83ff));  // +-0.008 .. 0.06
  const DeviceMemory qkv(device, host.size() * 2), out(device, static_cast<size_t>(rows * heads * dim) * 2), list(device, tiles.size() * sizeof tiles[0]);
  device.check(api.copy(qkv.data(), host.data(), host.size() * 2, nullptr), "copy");
  device.check(api.copy(list.data(), tiles.data(), tiles.size() * sizeof tiles[0], nullptr), "copy");
  const uint16_t* q = qkv.as<uint16_t>();
  const AttentionKernel kernel = wgmma ? AttentionKernel::kCausal128Wgmma : plan.kernel;
  const FlashAttention call{kernel, list.as<AttentionTile>(), static_cast<int>(tiles.size()), heads, kv_heads, 0.08838835f, q, q + heads * dim, q + (heads + kv_heads) * dim,
                            row, row, row, out.as<uint16_t>(), nullptr, int64_t{heads} * dim};
  const auto run = [&](int times) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < times; ++i) device.check(api.attention(call, nullptr), "attention");
    device.check(api.synchronize(nullptr), "attention");
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / times;
  };
  run(3);
  const double seconds = run(20), flop = 2.0 * heads * dim * sequences * static_cast<double>(length) * length;  // half of 4 S S
  std::printf("%.2f\n", flop / seconds / 1e12);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
