// Row-wise kernels in plain C++, written in lanes of 16 so that every tier's compiler vectorises them; included once by each
// tier, inside its namespace. Sums run over 16 fixed lanes, so their order is the same on every tier.
// No standard headers here: see cmake/CpuTiers.cmake.

inline float lane_sum(const float* lanes) noexcept {
  float s[8];
  for (int i = 0; i < 8; ++i) s[i] = lanes[i] + lanes[i + 8];
  for (int i = 0; i < 4; ++i) s[i] = s[i] + s[i + 4];
  return (s[0] + s[2]) + (s[1] + s[3]);
}

inline float bits_to_float(uint32_t u) noexcept { return __builtin_bit_cast(float, u); }
inline uint32_t float_to_bits(float f) noexcept { return __builtin_bit_cast(uint32_t, f); }

// 1.5 * 2^23: adding and subtracting rounds to the nearest integer, ties to even, for |x| < 2^22.
constexpr float kRound = 12582912.0f;

// exp(x) for x in [-87, 88], relative error below 2e-7: 2^n times a degree-6 polynomial on [-ln2/2, ln2/2] (Cephes expf).
inline float exp_lane(float x) noexcept {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float n = (x * 1.44269504088896341f + kRound) - kRound;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float y = (p * (r * r) + r) + 1.0f;
  return y * bits_to_float(static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23);
}

void to_bf16(const float* x, int n, uint16_t* y) noexcept {
  for (int i = 0; i < n; ++i) {
    const uint32_t u = float_to_bits(x[i]);
    const uint32_t rounded = (u + 0x7FFFu + ((u >> 16) & 1u)) >> 16;
    const uint32_t quiet = (u >> 16) | 0x40u;
    y[i] = static_cast<uint16_t>((u & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
  }
}

void quantize_row(const float* x, int n, const QuantRow& out) noexcept {
  for (int b = 0; b < n / kQuantBlock; ++b, x += kQuantBlock) {
    float lanes[16], zeros[16];
    for (int i = 0; i < 16; ++i) {
      const float lo = __builtin_fabsf(x[i]), hi = __builtin_fabsf(x[i + 16]);
      lanes[i] = lo > hi ? lo : hi;
      zeros[i] = lo * 0.0f + hi * 0.0f;  // NaN where a value is not finite: 8 bits could not say so, the scale can
    }
    for (int half = 8; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) lanes[i] = lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
    const float amax = lanes[0];
    const float finite = lane_sum(zeros);
    const float inverse = amax > 1e-30f ? 127.0f / amax : 0.0f;
    int8_t values[kQuantBlock];  // of no meaning where the scale is NaN
    for (int i = 0; i < kQuantBlock; ++i) values[i] = static_cast<int8_t>(static_cast<int32_t>((x[i] * inverse + kRound) - kRound));
    __builtin_memcpy(out.q + b * kQuantBlock, values, sizeof values);
    int32_t first = 0, second = 0;
    for (int i = 0; i < 16; ++i) first += values[i];
    for (int i = 16; i < kQuantBlock; ++i) second += values[i];
    out.scale[b] = (amax > 1e-30f ? amax / 127.0f : 0.0f) + finite;
    out.sum[b] = out.scale[b] * static_cast<float>(first + second);
    out.offset[b] = -128 * (first + second);
    out.half_offset[2 * b] = -128 * first;
    out.half_offset[2 * b + 1] = -128 * second;
  }
}

void rms_norm(const float* x, const float* weight, int n, float eps, float* y) noexcept {
  float lanes[16] = {};
  int i = 0;
  for (; i + 16 <= n; i += 16)
    for (int l = 0; l < 16; ++l) lanes[l] = lanes[l] + x[i + l] * x[i + l];
  for (int l = 0; i + l < n; ++l) lanes[l] = lanes[l] + x[i + l] * x[i + l];
  const float scale = 1.0f / __builtin_sqrtf(lane_sum(lanes) / static_cast<float>(n) + eps);
  for (i = 0; i < n; ++i) y[i] = (x[i] * scale) * weight[i];
}

void swiglu(float* gate, const float* up, int n) noexcept {
  for (int i = 0; i < n; ++i) gate[i] = gate[i] / (1.0f + exp_lane(-gate[i])) * up[i];
}

void rotate(float* x, const float* cos, const float* sin, int half) noexcept {
  for (int j = 0; j < half; ++j) {
    const float a = x[j], b = x[j + half];
    x[j] = a * cos[j] - b * sin[j];
    x[j + half] = b * cos[j] + a * sin[j];
  }
}

float softmax_block(float* scores, int n, int valid, float softmax_scale, float* max, float* sum) noexcept {
  float lanes[16];
  for (int l = 0; l < 16; ++l) lanes[l] = -__builtin_inff();
  int i = 0;
  for (; i + 16 <= valid; i += 16)
    for (int l = 0; l < 16; ++l) lanes[l] = scores[i + l] > lanes[l] ? scores[i + l] : lanes[l];
  for (int l = 0; i + l < valid; ++l) lanes[l] = scores[i + l] > lanes[l] ? scores[i + l] : lanes[l];
  float block_max = lanes[0];
  for (int l = 1; l < 16; ++l) block_max = lanes[l] > block_max ? lanes[l] : block_max;
  block_max = block_max * softmax_scale;
  const float before = *max;
  const float now = block_max > before ? block_max : before;
  if (valid <= 0) {
    for (i = 0; i < n; ++i) scores[i] = 0.0f;
    return 1.0f;
  }
  float sums[16] = {};
  for (i = 0; i < valid; ++i) scores[i] = exp_lane(scores[i] * softmax_scale - now);
  for (i = valid; i < n; ++i) scores[i] = 0.0f;
  i = 0;
  for (; i + 16 <= valid; i += 16)
    for (int l = 0; l < 16; ++l) sums[l] = sums[l] + scores[i + l];
  for (int l = 0; i + l < valid; ++l) sums[l] = sums[l] + scores[i + l];
  // Nothing was summed before the first block: its maximum is -inf and the factor 0.
  const float factor = before == -__builtin_inff() ? 0.0f : exp_lane(before - now);
  *sum = *sum * factor + lane_sum(sums);
  *max = now;
  return factor;
}

void scale(float* x, int n, float factor) noexcept {
  for (int i = 0; i < n; ++i) x[i] = x[i] * factor;
}

void add(float* x, const float* y, int n) noexcept {
  for (int i = 0; i < n; ++i) x[i] = x[i] + y[i];
}

void overlay_elementwise(Kernels& k) noexcept {
  k.to_bf16 = to_bf16;
  k.quantize_row = quantize_row;
  k.rms_norm = rms_norm;
  k.swiglu = swiglu;
  k.rotate = rotate;
  k.softmax_block = softmax_block;
  k.scale = scale;
  k.add = add;
}
