// Kernels of late interaction in plain C++, written so that every tier's compiler vectorises them; included once by the tiers
// that overlay them, inside their namespace. No standard headers here: see cmake/CpuTiers.cmake.

// kLanes floats, as wide as the tier's registers: the compiler splits a wider vector into single floats.
typedef float Lanes __attribute__((vector_size(4 * kLanes)));
inline Lanes load_lanes(const float* p) noexcept {
  Lanes x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
inline void store_lanes(float* p, const Lanes& x) noexcept { __builtin_memcpy(p, &x, sizeof x); }

void max_rows(const float* c, int m, int n, size_t c_stride, float* best, float* poison) noexcept {
  for (int p = 0; p < n; p += kLanes) {
    Lanes max = load_lanes(best + p), bad = load_lanes(poison + p);
    const float* row = c + p;
    for (int r = 0; r < m; ++r, row += c_stride) {
      const Lanes x = load_lanes(row);
      max = x > max ? x : max;
      bad = bad + x * 0.0f;
    }
    store_lanes(best + p, max);
    store_lanes(poison + p, bad);
  }
}

// Eight bits, the highest first, to eight bytes of 127 (bit 0) or 129 (bit 1), first in the lowest byte.
inline uint64_t expand_byte(uint8_t bits) noexcept {
  const uint64_t apart = (bits * 0x0101010101010101u) & 0x0102040810204080u;             // byte j: bit 7 - j, in its place
  const uint64_t ones = ((apart + 0x7F7F7F7F7F7F7F7Fu) >> 7) & 0x0101010101010101u;      // no carry: a byte is at most 0x80
  return 0x7F7F7F7F7F7F7F7Fu + 2 * ones;
}
inline void expand_bytes(const uint8_t* bits, int n, uint8_t* y) noexcept {
  for (int i = 0; i < n; ++i) {
    const uint64_t eight = expand_byte(bits[i]);
    __builtin_memcpy(y + 8 * i, &eight, 8);
  }
}
