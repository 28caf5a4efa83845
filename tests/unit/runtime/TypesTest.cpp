#include "sinter/runtime/Types.h"
#include "RuntimeTest.h"

namespace sinter::runtime {
namespace {

TEST(Types, NamesAndWidths) {
  for (DType type : {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i32, DType::i64,
                     DType::i1, DType::u8})
    EXPECT_EQ(parseDType(name(type)), type);
  EXPECT_EQ(parseDType("f8"), std::nullopt);
  EXPECT_EQ(byteWidth(DType::i1), 1);
  EXPECT_EQ(byteWidth(DType::bf16), 2);
  EXPECT_EQ(byteWidth(DType::f64), 8);
  EXPECT_TRUE(isFloat(DType::f16));
  EXPECT_FALSE(isFloat(DType::i64));
}

TEST(Types, TensorTypeText) {
  TensorType type{DType::f32, {128, 1, 28, 28}};
  EXPECT_EQ(type.text(), "f32[128, 1, 28, 28]");
  EXPECT_EQ(type.numElements(), 100352);
  EXPECT_EQ(type.numBytes(), 401408);
}

TEST(Types, AScalarHasOneElement) {
  EXPECT_EQ((TensorType{DType::i64, {}}.numBytes()), 8);
  EXPECT_EQ((TensorType{DType::i64, {}}.text()), "i64[]");
  EXPECT_EQ((TensorType{DType::f32, {3, 0}}.numBytes()), 0);
}

} // namespace
} // namespace sinter::runtime
