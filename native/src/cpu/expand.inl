// Packed panels -> ExpandedPanel, in plain C++ that each tier's compiler vectorises; included once by each tier.
// The packed layouts are described in tensor/packed.h.

inline float half_to_float(uint16_t h) noexcept {
  // Shifts exponent and mantissa into place, then rescales by 2^112; inf and NaN get their exponent back.
  const uint32_t magnitude = (static_cast<uint32_t>(h) & 0x7FFFu) << 13;
  const float scaled = bits_to_float(magnitude) * bits_to_float(0x77800000u);
  const uint32_t special = (h & 0x7C00u) == 0x7C00u ? (magnitude | 0x7F800000u) : float_to_bits(scaled);
  return bits_to_float(special | (static_cast<uint32_t>(h & 0x8000u) << 16));
}

inline uint16_t load_u16(const std::byte* p) noexcept {
  uint16_t v;
  __builtin_memcpy(&v, p, 2);
  return v;
}

inline void load_halves(const std::byte* p, float* out) noexcept {
  for (int r = 0; r < kPanelRows; ++r) out[r] = half_to_float(load_u16(p + 2 * r));
}

void expand_q8_0(const std::byte* packed, int blocks, ExpandedPanel* out) noexcept {
  for (int b = 0; b < blocks; ++b) load_halves(packed + 32 * b, out->scale[b]);
}

// Scales and minimums of q4_k and q5_k: d[16], dmin[16] halves, then scale[8][16], min[8][16] bytes.
inline void expand_k_scales(const std::byte* packed, ExpandedPanel* out) noexcept {
  float d[kPanelRows], dmin[kPanelRows];
  load_halves(packed, d);
  load_halves(packed + 32, dmin);
  const uint8_t* s = reinterpret_cast<const uint8_t*>(packed + 64);
  for (int g = 0; g < 8; ++g)
    for (int r = 0; r < kPanelRows; ++r) {
      out->scale[g][r] = d[r] * static_cast<float>(s[g * kPanelRows + r]);
      out->min[g][r] = dmin[r] * static_cast<float>(s[(g + 8) * kPanelRows + r]);
    }
}

// 32 vectors of 64 nibble pairs: low nibbles are vectors 0..31 of q, high ones 32..63.
inline void expand_nibbles(const std::byte* packed, uint8_t* q) noexcept {
  const uint8_t* nibbles = reinterpret_cast<const uint8_t*>(packed);
  for (int i = 0; i < 2048; ++i) {
    q[i] = static_cast<uint8_t>(nibbles[i] & 15);
    q[i + 2048] = static_cast<uint8_t>(nibbles[i] >> 4);
  }
}

void expand_q4_k(const std::byte* packed, int, ExpandedPanel* out) noexcept {
  expand_k_scales(packed, out);
  uint8_t* q = &out->q[0][0][0];
  expand_nibbles(packed + 320, q);
}

void expand_q5_k(const std::byte* packed, int, ExpandedPanel* out) noexcept {
  expand_k_scales(packed, out);
  uint8_t* q = &out->q[0][0][0];
  expand_nibbles(packed + 320, q);
  // Fifth bits: 8 vectors of 64; bit i of vector v belongs to vector v * 8 + i of q.
  const uint8_t* high = reinterpret_cast<const uint8_t*>(packed + 320 + 2048);
  for (int v = 0; v < 8; ++v)
    for (int i = 0; i < 8; ++i)
      for (int l = 0; l < 64; ++l)
        q[(v * 8 + i) * 64 + l] = static_cast<uint8_t>(q[(v * 8 + i) * 64 + l] | (((high[v * 64 + l] >> i) & 1) << 4));
}

void expand_q6_k(const std::byte* packed, int, ExpandedPanel* out) noexcept {
  float d[kPanelRows];
  load_halves(packed, d);
  const int8_t* s = reinterpret_cast<const int8_t*>(packed + 32);
  for (int g = 0; g < 16; ++g)
    for (int r = 0; r < kPanelRows; ++r) out->scale[g][r] = d[r] * static_cast<float>(s[g * kPanelRows + r]);
  uint8_t* q = &out->q[0][0][0];
  expand_nibbles(packed + 288, q);
  // High pairs of bits: 16 vectors of 64; bits 2i, 2i+1 of vector v belong to vector v * 4 + i of q.
  const uint8_t* high = reinterpret_cast<const uint8_t*>(packed + 288 + 2048);
  for (int v = 0; v < 16; ++v)
    for (int i = 0; i < 4; ++i)
      for (int l = 0; l < 64; ++l) {
        uint8_t& value = q[(v * 4 + i) * 64 + l];
        value = static_cast<uint8_t>((value | (((high[v * 64 + l] >> (2 * i)) & 3) << 4)) - 32 + 128);
      }
}

void overlay_expand(Kernels& k) noexcept {
  k.expand_q8_0 = expand_q8_0;
  k.expand_q4_k = expand_q4_k;
  k.expand_q5_k = expand_q5_k;
  k.expand_q6_k = expand_q6_k;
}
