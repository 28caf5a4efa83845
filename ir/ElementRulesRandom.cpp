#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"

#include <array>
#include <cmath>
#include <numbers>

// Random numbers, computed from the index of each element as Random.td says. Philox4x32-10: Salmon et
// al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

using namespace mlir;
using namespace sinter::ir;

namespace {
/// The four words of an element's group, and the element's place among them.
class Philox {
public:
  Philox(ElementBuilder &b, RankedTensorType type, ValueRange indices, Value seed, Value step,
         int64_t stream)
      : b(b), i32(b.valueType(b.builder.getI32Type())), i64(b.valueType(b.builder.getI64Type())) {
    MLIRContext *context = type.getContext();
    AffineExpr linear = getAffineConstantExpr(0, context);
    for (auto [dim, size] : llvm::enumerate(type.getShape()))
      linear = linear * size + getAffineDimExpr(dim, context);
    bool wide = type.getNumElements() > int64_t(0x7fffffff);
    Type indexType = wide ? b.builder.getI64Type() : b.builder.getI32Type();
    Value group = b.asData(b.apply(linear.floorDiv(4), indices), indexType);
    place = b.asData(b.apply(linear % 4, indices), b.builder.getI32Type());
    Value seedBits = b.element(seed, {}), stepBits = b.element(step, {});
    words = {wide ? low(group) : group, wide ? high(group) : word(0), low(stepBits), word(stream)};
    Value key0 = low(seedBits), key1 = high(seedBits);
    for (int round = 0; round < 10; ++round) {
      if (round) { // the Weyl sequence of the keys
        key0 = arith::AddIOp::create(b.builder, b.loc, key0, word(0x9E3779B9));
        key1 = arith::AddIOp::create(b.builder, b.loc, key1, word(0xBB67AE85));
      }
      auto [high0, low0] = multiply(words[0], 0xD2511F53);
      auto [high1, low1] = multiply(words[2], 0xCD9E8D57);
      words = {exclusiveOr(high1, words[1], key0), low1, exclusiveOr(high0, words[3], key1), low0};
    }
  }

  /// The element's own word.
  Value ownWord() {
    return select(atLeast(2), select(odd(), words[3], words[2]), select(odd(), words[1], words[0]));
  }
  /// The upper 24 bits of a word: u = k * 2^-24.
  Value upper24(Value word) {
    return arith::ShRUIOp::create(b.builder, b.loc, word, this->word(8));
  }
  /// The two words that the element shares with its neighbour.
  std::pair<Value, Value> pair() {
    Value second = atLeast(2);
    return {select(second, words[2], words[0]), select(second, words[3], words[1])};
  }
  Value odd() {
    Value bit = arith::AndIOp::create(b.builder, b.loc, place, word(1));
    return arith::CmpIOp::create(b.builder, b.loc, arith::CmpIPredicate::ne, bit, word(0));
  }
  Value word(uint32_t value) { return constantIntOf(b.builder, b.loc, i32, int32_t(value)); }
  Value select(Value condition, Value yes, Value no) {
    return arith::SelectOp::create(b.builder, b.loc, condition, yes, no);
  }

private:
  Value atLeast(uint32_t bound) {
    return arith::CmpIOp::create(b.builder, b.loc, arith::CmpIPredicate::uge, place, word(bound));
  }
  Value low(Value bits) { return arith::TruncIOp::create(b.builder, b.loc, i32, bits); }
  Value high(Value bits) {
    return low(
        arith::ShRUIOp::create(b.builder, b.loc, bits, constantIntOf(b.builder, b.loc, i64, 32)));
  }
  std::pair<Value, Value> multiply(Value word, uint32_t factor) {
    Value wide = arith::ExtUIOp::create(b.builder, b.loc, i64, word);
    Value product =
        arith::MulIOp::create(b.builder, b.loc, wide, constantIntOf(b.builder, b.loc, i64, factor));
    return {high(product), low(product)};
  }
  Value exclusiveOr(Value x, Value y, Value z) {
    return arith::XOrIOp::create(b.builder, b.loc, arith::XOrIOp::create(b.builder, b.loc, x, y),
                                 z);
  }

  ElementBuilder &b;
  Type i32, i64;
  Value place;
  std::array<Value, 4> words;
};

/// `k * 2^-24`; every k below 2^25 is exact.
Value scaled(ElementBuilder &b, Value k, Type type) {
  Value number = arith::SIToFPOp::create(b.builder, b.loc, type, k);
  return arith::MulFOp::create(b.builder, b.loc, number,
                               constantOf(b.builder, b.loc, type, 0x1p-24));
}

/// Whether u < p, decided on integers: k < ceil(p * 2^24), which no rounding of p can change.
Value below(ElementBuilder &b, Philox &philox, double p) {
  double bound = std::ceil(std::clamp(p, 0.0, 1.0) * 0x1p24);
  return arith::CmpIOp::create(b.builder, b.loc, arith::CmpIPredicate::ult,
                               philox.upper24(philox.ownWord()), philox.word(uint32_t(bound)));
}
} // namespace

Value RandomUniformOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  Philox philox(b, tensorType(getResult()), indices, getSeed(), getStep(), getStream());
  Type type = b.valueType(computeType(elementOf(getResult())));
  Value u = scaled(b, philox.upper24(philox.ownWord()), type);
  double low = getLow().convertToDouble(), high = getHigh().convertToDouble();
  Value width =
      arith::MulFOp::create(b.builder, b.loc, u, constantOf(b.builder, b.loc, type, high - low));
  return arith::AddFOp::create(b.builder, b.loc, constantOf(b.builder, b.loc, type, low), width);
}

Value RandomNormalOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  Philox philox(b, tensorType(getResult()), indices, getSeed(), getStep(), getStream());
  Type type = b.valueType(computeType(elementOf(getResult())));
  auto number = [&](double value) { return constantOf(b.builder, b.loc, type, value); };
  auto mul = [&](Value lhs, Value rhs) -> Value {
    return arith::MulFOp::create(b.builder, b.loc, lhs, rhs);
  };
  auto [first, second] = philox.pair();
  Value k1 = arith::AddIOp::create(b.builder, b.loc, philox.upper24(first), philox.word(1));
  Value u1 = scaled(b, k1, type), u2 = scaled(b, philox.upper24(second), type);
  Value radius = math::SqrtOp::create(b.builder, b.loc,
                                      mul(number(-2), math::LogOp::create(b.builder, b.loc, u1)));
  Value angle = mul(number(2 * std::numbers::pi), u2);
  Value wave = philox.select(philox.odd(), math::SinOp::create(b.builder, b.loc, angle),
                             math::CosOp::create(b.builder, b.loc, angle));
  Value z = mul(mul(radius, wave), number(getStd().convertToDouble()));
  return arith::AddFOp::create(b.builder, b.loc, number(getMean().convertToDouble()), z);
}

Value RandomBernoulliOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  Philox philox(b, tensorType(getResult()), indices, getSeed(), getStep(), getStream());
  Type type = b.valueType(computeType(elementOf(getResult())));
  Value one = constantOf(b.builder, b.loc, type, 1), zero = constantOf(b.builder, b.loc, type, 0);
  return philox.select(below(b, philox, getP().convertToDouble()), one, zero);
}

Value DropoutOp::buildElement(ElementBuilder &b, unsigned, ValueRange indices) {
  Philox philox(b, tensorType(getResult()), indices, getSeed(), getStep(), getStream());
  Value x = b.element(getX(), indices);
  double p = getP().convertToDouble();
  Value zero = constantOf(b.builder, b.loc, x.getType(), 0);
  Value scale = constantOf(b.builder, b.loc, x.getType(), p < 1 ? 1 / (1 - p) : 0);
  return philox.select(below(b, philox, p), zero,
                       arith::MulFOp::create(b.builder, b.loc, x, scale));
}
