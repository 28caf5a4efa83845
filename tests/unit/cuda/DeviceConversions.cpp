// bf16, f16, casts, integer division and Philox of the device library, on every device that runs CUDA text.
#include "KernelTest.h"

#include <bit>
#include <cmath>
#include <limits>

using namespace sinter::test;

namespace {

class DeviceConversions : public OnDevice {};
INSTANTIATE_TEST_SUITE_P(Devices, DeviceConversions, testing::Values("emulated", "cuda"),
                         deviceName);

/// Nearest bf16 with ties to even by search: compares distances in double, sharing no bit trick.
uint16_t bf16Reference(float x) {
  if (std::isnan(x)) return 0x7fc0;
  const auto value = [](uint16_t bits) {
    return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits) << 16));
  };
  const auto down = static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16); // towards zero
  if (value(down) == static_cast<double>(x)) return down;
  const auto up = static_cast<uint16_t>(down + 1);
  // Infinity stands where the next finite value would be.
  const double upper = std::isinf(value(up)) ? std::copysign(std::ldexp(1.0, 128), x) : value(up);
  const double below = std::abs(x - value(down)), above = std::abs(upper - x);
  return below < above || (below == above && !(down & 1)) ? down : up;
}

const char *widen = R"(
extern "C" __global__ void __launch_bounds__(256)
widen(SINTER_GLOBAL_CONST(bf16) in0, SINTER_GLOBAL_CONST(f16) in1, SINTER_GLOBAL(f32) out0, SINTER_GLOBAL(f32) out1) {
  i64 i = i64(blockIdx.x) * 256 + threadIdx.x;
  out0[i] = castTo<f32>(in0[i]);
  out1[i] = castTo<f32>(in1[i]);
})";
const char *narrow = R"(
extern "C" __global__ void __launch_bounds__(256)
narrow(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(bf16) out0, SINTER_GLOBAL(f16) out1, i64 n) {
  for (i64 i = i64(blockIdx.x) * 256 + threadIdx.x; i < n; i += gridDim.x * 256) {
    out0[i] = castTo<bf16>(in0[i]);
    out1[i] = castTo<f16>(in0[i]);
  }
})";

TEST_P(DeviceConversions, everyHalfWidens) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  std::vector<float> fromBf16(65536), fromF16(65536);
  KernelRun run(device(1), "widen", widen);
  ASSERT_OK(run.in(all).in(all).out(fromBf16).out(fromF16).run(256, 256));
  for (uint32_t i = 0; i < 65536; ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(fromBf16[i]), i << 16);
    const auto want = static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(i)));
    if (std::isnan(want))
      EXPECT_TRUE(std::isnan(fromF16[i])) << i;
    else
      EXPECT_EQ(std::bit_cast<uint32_t>(fromF16[i]), std::bit_cast<uint32_t>(want)) << i;
  }
}

TEST_P(DeviceConversions, narrowingRoundsToNearestEven) {
  // Around every value of both types: itself, its neighbours in f32, and every midpoint.
  std::vector<float> values;
  for (uint32_t i = 0; i < 65536; ++i)
    for (uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      values.push_back(std::bit_cast<float>((i << 16) | low));
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto value = static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(i)));
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    for (uint32_t delta : {0u, 1u, 0x0fffu, 0x1000u, 0x1001u, ~0u})
      values.push_back(std::bit_cast<float>(bits + delta));
    const auto next = static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(i + 1)));
    const float middle = value / 2 + next / 2; // subnormals: not a fixed distance in bits
    for (float x : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, value * 2)})
      values.push_back(x);
  }
  values.resize((values.size() + 255) / 256 * 256);
  std::vector<uint16_t> bf16(values.size()), f16(values.size());
  KernelRun run(device(1), "narrow", narrow);
  ASSERT_OK(
      run.in(values).out(bf16).out(f16).scalar(static_cast<int64_t>(values.size())).run(64, 256));
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) {
      ASSERT_TRUE((bf16[i] & 0x7fff) > 0x7f80) << i;
      ASSERT_TRUE((f16[i] & 0x7fff) > 0x7c00) << i;
      continue;
    }
    ASSERT_EQ(bf16[i], bf16Reference(values[i])) << values[i];
    ASSERT_EQ(f16[i], std::bit_cast<uint16_t>(static_cast<_Float16>(values[i]))) << values[i];
  }
}

TEST_P(DeviceConversions, floatToIntegerSaturates) {
  const float inf = std::numeric_limits<float>::infinity(),
              nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> in = {0.0f,
                           -0.0f,
                           1.9f,
                           -1.9f,
                           127.5f,
                           300.0f,
                           -1.0f,
                           2147483520.0f,
                           2147483648.0f,
                           -2147483648.0f,
                           -2147483904.0f,
                           9.2233715e18f,
                           9.2233720e18f,
                           -9.2233720e18f,
                           1e30f,
                           -1e30f,
                           inf,
                           -inf,
                           nan,
                           255.9f};
  std::vector<int32_t> i32(in.size());
  std::vector<int64_t> i64(in.size());
  std::vector<uint8_t> u8(in.size()), i1(in.size());
  KernelRun run(device(1), "ints", R"(
extern "C" __global__ void __launch_bounds__(32)
ints(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(i32) out0, SINTER_GLOBAL(i64) out1, SINTER_GLOBAL(u8) out2, SINTER_GLOBAL(i1) out3, i64 n) {
  i64 i = threadIdx.x;
  if (i < n) {
    out0[i] = castTo<i32>(in0[i]), out1[i] = castTo<i64>(castTo<f64>(in0[i]));
    out2[i] = castTo<u8>(in0[i]), out3[i] = castTo<i1>(in0[i]);
  }
})");
  ASSERT_OK(run.in(in)
                .out(i32)
                .out(i64)
                .out(u8)
                .out(i1)
                .scalar(static_cast<int64_t>(in.size()))
                .run(1, 32));
  for (size_t i = 0; i < in.size(); ++i) {
    const auto clamp = [&](long double low, long double high) -> long double {
      return std::isnan(in[i])
                 ? 0.0L
                 : std::trunc(std::min(std::max(static_cast<long double>(in[i]), low), high));
    };
    EXPECT_EQ(i32[i], clamp(-2147483648.0L, 2147483647.0L)) << in[i];
    EXPECT_EQ(i64[i], clamp(-9223372036854775808.0L, 9223372036854775807.0L)) << in[i];
    EXPECT_EQ(u8[i], clamp(0, 255)) << in[i];
    EXPECT_EQ(i1[i], in[i] != 0) << in[i];
  }
}

TEST_P(DeviceConversions, integerDivisionNeverTraps) {
  const std::vector<int32_t> values = {0, 1, -1, 2, -2, 7, -7, 100, INT32_MAX, INT32_MIN};
  const int64_t n = static_cast<int64_t>(values.size());
  std::vector<int32_t> out(values.size() * values.size() * 5);
  KernelRun run(device(1), "div", R"(
extern "C" __global__ void __launch_bounds__(128)
div(SINTER_GLOBAL_CONST(i32) in0, SINTER_GLOBAL(i32) out0, i64 n) {
  i64 i = threadIdx.x;
  if (i >= n * n)
    return;
  i32 a = in0[i / n], b = in0[i % n];
  out0[i * 5] = truncDiv(a, b), out0[i * 5 + 1] = truncRem(a, b), out0[i * 5 + 2] = floorDiv(a, b);
  out0[i * 5 + 3] = floorRem(a, b), out0[i * 5 + 4] = ceilDiv(a, b);
})");
  ASSERT_OK(run.in(values).out(out).scalar(n).run(1, 128));
  for (int64_t i = 0; i < n * n; ++i) {
    const int64_t a = values[i / n], b = values[i % n];
    if (b == 0) continue;
    const double quotient = static_cast<double>(a) / static_cast<double>(b);
    const auto floor = static_cast<int64_t>(std::floor(quotient)),
               ceil = static_cast<int64_t>(std::ceil(quotient));
    EXPECT_EQ(out[i * 5], static_cast<int32_t>(a / b));
    EXPECT_EQ(out[i * 5 + 1], static_cast<int32_t>(a % b));
    EXPECT_EQ(out[i * 5 + 2], static_cast<int32_t>(floor));
    EXPECT_EQ(out[i * 5 + 3], static_cast<int32_t>(a - floor * b));
    EXPECT_EQ(out[i * 5 + 4], static_cast<int32_t>(ceil)) << a << " / " << b;
  }
}

TEST_P(DeviceConversions, maximumAndMinimumPropagateNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> a = {1, nan, 1, nan, 0.0f, -0.0f, -3}, b = {2, 1, nan, nan, -0.0f, 0.0f, -4},
                     high(7), low(7);
  KernelRun run(device(1), "extremes", R"(
extern "C" __global__ void __launch_bounds__(32)
extremes(SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL_CONST(f32) in1, SINTER_GLOBAL(f32) out0, SINTER_GLOBAL(f32) out1) {
  if (threadIdx.x < 7) {
    out0[threadIdx.x] = maximum(in0[threadIdx.x], in1[threadIdx.x]);
    out1[threadIdx.x] = minimum(in0[threadIdx.x], in1[threadIdx.x]);
  }
})");
  ASSERT_OK(run.in(a).in(b).out(high).out(low).run(1, 32));
  for (int i = 1; i < 4; ++i) EXPECT_TRUE(std::isnan(high[i]) && std::isnan(low[i])) << i;
  EXPECT_EQ(high[0], 2);
  EXPECT_EQ(low[0], 1);
  EXPECT_EQ(high[6], -3);
  EXPECT_EQ(low[6], -4);
  for (int i = 4; i < 6; ++i) {
    EXPECT_FALSE(std::signbit(high[i]));
    EXPECT_TRUE(std::signbit(low[i]));
  }
}

TEST_P(DeviceConversions, philoxKnownAnswers) {
  // From the authors' Random123, kat_vectors: counter, key, result.
  std::vector<uint32_t> words(12);
  KernelRun run(device(1), "philoxWords", R"(
extern "C" __global__ void __launch_bounds__(32) philoxWords(SINTER_GLOBAL(u32) out0) {
  if (threadIdx.x)
    return;
  u32x4 r[3] = {philoxRounds(0, 0, 0, 0, 0, 0),
                philoxRounds(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu),
                philoxRounds(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u)};
  for (int i = 0; i < 12; ++i)
    out0[i] = r[i / 4][i % 4];
})");
  ASSERT_OK(run.out(words).run(1, 32));
  const std::vector<uint32_t> want = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8,
                                      0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
                                      0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
  EXPECT_EQ(words, want);
}

TEST_P(DeviceConversions, normalsAndUniforms) {
  const int64_t n = 40000;
  std::vector<float> normals(n), uniforms(n);
  KernelRun run(device(1), "draws", R"(
extern "C" __global__ void __launch_bounds__(256)
draws(SINTER_GLOBAL(f32) out0, SINTER_GLOBAL(f32) out1, i64 n) {
  for (i64 i = i64(blockIdx.x) * 256 + threadIdx.x; i < n; i += gridDim.x * 256)
    out0[i] = randomNormal(7, i, 3, 11), out1[i] = randomUniform(7, i, 3, 11);
})");
  ASSERT_OK(run.out(normals).out(uniforms).scalar(n).run(8, 256));
  double mean = 0, square = 0, level = 0;
  for (int64_t i = 0; i < n; ++i) {
    mean += normals[i], square += double(normals[i]) * normals[i], level += uniforms[i];
    ASSERT_TRUE(uniforms[i] >= 0 && uniforms[i] < 1);
  }
  EXPECT_NEAR(mean / n, 0, 0.03);
  EXPECT_NEAR(square / n, 1, 0.04);
  EXPECT_NEAR(level / n, 0.5, 0.01);
}

} // namespace
