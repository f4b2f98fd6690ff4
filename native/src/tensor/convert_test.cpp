#include "tensor/convert.h"

#include <bit>
#include <cmath>
#include <limits>

#include "test.h"

using namespace e4j;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Both neighbours on the 16-bit grid are no closer, and a tie goes to the even one.
template <uint16_t (*kTo)(float) noexcept, float (*kFrom)(uint16_t) noexcept>
bool is_nearest_even(float f) {
  const uint16_t h = kTo(f);
  const auto distance = [f](uint16_t g) { return std::abs(static_cast<double>(kFrom(g)) - static_cast<double>(f)); };
  for (const int step : {-1, 1}) {
    const auto neighbour = static_cast<uint16_t>(h + step);
    if ((neighbour ^ h) & 0x8000 || !std::isfinite(kFrom(neighbour))) continue;
    if (distance(neighbour) < distance(h)) return false;
    if (distance(neighbour) == distance(h) && (h & 1) != 0) return false;
  }
  return true;
}

}  // namespace

TEST(every_f16_and_bf16_survives_the_round_trip) {
  for (uint32_t u = 0; u < 65536; ++u) {
    const auto h = static_cast<uint16_t>(u);
    if ((h & 0x7c00) == 0x7c00 && (h & 0x3ff) != 0)
      CHECK(std::isnan(f16_to_f32(h)) && std::isnan(f16_to_f32(f32_to_f16(f16_to_f32(h)))));
    else
      CHECK_EQ(f32_to_f16(f16_to_f32(h)), h);
    if ((h & 0x7f80) == 0x7f80 && (h & 0x7f) != 0)
      CHECK(std::isnan(bf16_to_f32(f32_to_bf16(bf16_to_f32(h)))));
    else
      CHECK_EQ(f32_to_bf16(bf16_to_f32(h)), h);
  }
}

TEST(rounding_is_to_nearest_even) {
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 4093) {
    const float f = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (std::isnan(f) || std::isinf(f)) continue;
    if (std::abs(f) < 65520.0f) CHECK((is_nearest_even<f32_to_f16, f16_to_f32>(f)));
    if (std::abs(f) < 0x1.ffp127f) CHECK((is_nearest_even<f32_to_bf16, bf16_to_f32>(f)));
  }
  CHECK_EQ(f32_to_f16(1.0f + 0x1p-11f), 0x3c00);            // ties: down to even, up to even
  CHECK_EQ(f32_to_f16(1.0f + 3 * 0x1p-11f), 0x3c02);
  CHECK_EQ(f32_to_f16(0x1p-25f), 0x0000);                   // half the smallest subnormal
  CHECK_EQ(f32_to_f16(std::nextafter(0x1p-25f, 1.0f)), 0x0001);
  CHECK_EQ(f32_to_f16(-0x1.ffcp-15f), 0x8400);              // a subnormal rounds up to a normal
  CHECK_EQ(f32_to_bf16(1.0f + 0x1p-8f), 0x3f80);
  CHECK_EQ(f32_to_bf16(1.0f + 3 * 0x1p-8f), 0x3f82);
}

TEST(the_edges_of_f16_and_bf16) {
  CHECK_EQ(f16_to_f32(0x7bff), 65504.0f);
  CHECK_EQ(f16_to_f32(0x0001), 0x1p-24f);
  CHECK_EQ(f16_to_f32(0x3555), 0.333251953125f);
  CHECK_EQ(f32_to_f16(65519.0f), 0x7bff);
  CHECK_EQ(f32_to_f16(65520.0f), 0x7c00);
  CHECK_EQ(f32_to_f16(-kInfinity), 0xfc00);
  CHECK_EQ(f32_to_f16(-0.0f), 0x8000);
  CHECK(std::signbit(f16_to_f32(0x8000)));
  CHECK_EQ(f16_to_f32(0xfc00), -kInfinity);
  CHECK_EQ(f32_to_bf16(kInfinity), 0x7f80);
  CHECK_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
  CHECK(std::isnan(f16_to_f32(f32_to_f16(kNan))));
  CHECK(std::isnan(bf16_to_f32(f32_to_bf16(std::bit_cast<float>(0x7f800001u)))));  // would round to infinity
}
