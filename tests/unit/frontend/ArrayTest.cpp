#include "FrontendTest.h"

#include <cmath>
#include <limits>

using namespace sinter;

TEST(Array, FromListsVectorsAndPointers) {
  Array a({1.f, 2.f, 3.f});
  EXPECT_EQ(a.spec().text(), "f32[3]");
  Array b({1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(b.spec().text(), "i32[2, 3]");
  Array c({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}});
  EXPECT_EQ(c.spec().text(), "f64[3, 2]");
  Array d(std::vector<bool>{true, false});
  EXPECT_EQ(d.spec().text(), "i1[2]");
  int64_t raw[] = {7, 8};
  Array e = Array::from(raw, {2, 1});
  EXPECT_EQ(e.spec().text(), "i64[2, 1]");
  EXPECT_EQ(e.at(1), 8);
  EXPECT_EQ(Array::scalar(2.5).item(), 2.5);
  EXPECT_EQ(c.rows(1, 3).text(), "[[3, 4],\n [5, 6]]");
  EXPECT_EQ(b.reshape({3, -1}).spec().text(), "i32[3, 2]");
}

TEST(Array, MistakesNameTheFacts) {
  std::vector<float> five(5);
  EXPECT_USER_ERROR(Array(five, {2, 3}), "Array: 5 values for shape [2, 3]");
  Array a(five);
  EXPECT_USER_ERROR(a.data<double>(), "Array::data: the elements are f32, not f64");
  EXPECT_USER_ERROR(a.reshape({2, 2}), "Array::reshape: f32[5] cannot become [2, 2]");
  EXPECT_USER_ERROR(a.item(), "Array::item: f32[5] has 5 elements, not one");
  EXPECT_USER_ERROR(a.rows(3, 9), "Array::rows: [3, 9) of f32[5]");
}

TEST(Array, TextIsAbridged) {
  EXPECT_EQ(Array({1.5f, -2.f}).text(), "[1.5, -2]");
  EXPECT_EQ(Array::scalar(3).text(), "3");
  EXPECT_EQ(Array(std::vector<bool>{true, false}).text(), "[true, false]");
  EXPECT_EQ(Array(std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).text(),
            "[0, 1, 2, ..., 7, 8, 9]");
  EXPECT_EQ(fmt::format("{}", Array({1, 2})), "[1, 2]");
}

TEST(Array, ConversionsSaturateAndRoundToNearestEven) {
  float nan = std::numeric_limits<float>::quiet_NaN();
  Array a({1.9f, -1.9f, 3e9f, -3e9f, nan, 300.f});
  EXPECT_EQ(a.to(i32).text(), "[1, -1, 2147483647, -2147483648, 0, 300]");
  EXPECT_EQ(a.to(u8).text(), "[1, 0, 255, 0, 0, 255]");
  EXPECT_EQ(Array({1e300, -1e300}).to(i64).text(), "[9223372036854775807, -9223372036854775808]");
  EXPECT_EQ(Array({0.f, 0.5f, nan}).to(i1).text(), "[false, true, true]");
  // 1 + 2^-8 lies between two bf16: to the even one. 1 + 3 * 2^-8 likewise, upwards.
  EXPECT_EQ(Array({1.00390625f, 1.01171875f}).to(bf16).to(f64).at(0), 1.0);
  EXPECT_EQ(Array({1.00390625f, 1.01171875f}).to(bf16).to(f64).at(1), 1.015625);
  EXPECT_EQ(Array({65504.f, 65519.f, 65520.f, 5.9604645e-8f, 2.98e-8f}).to(f16).text(),
            "[65504, 65504, inf, 5.96046e-08, 0]");
  for (int bits = 0; bits < 0x7C00; ++bits) { // every finite f16 survives the way to f32 and back
    auto half = static_cast<uint16_t>(bits);
    Array one = Array::copy(&half, {1}, f16);
    EXPECT_EQ(*static_cast<const uint16_t *>(one.to(f32).to(f16).raw()), half);
  }
}
