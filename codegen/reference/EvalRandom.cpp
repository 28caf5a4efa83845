#include "sinter/codegen/reference/OpEvaluation.h"

#include <array>
#include <cmath>

using namespace mlir;

namespace sinter::codegen::reference {
namespace {

using Words = std::array<uint32_t, 4>;

/// Philox4x32-10 as published (Salmon et al., SC 2011), written for this file: the devices have one
/// of their own.
Words philox(Words counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = 0xD2511F53ull * counter[0], b = 0xCD9E8D57ull * counter[2];
    counter = {uint32_t(b >> 32) ^ counter[1] ^ key0, uint32_t(b),
               uint32_t(a >> 32) ^ counter[3] ^ key1, uint32_t(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// The words of an op's elements.
class Stream {
public:
  Stream(const HostTensor &seed, const HostTensor &step, int64_t stream)
      : seed(static_cast<uint64_t>(seed.integers[0])),
        step(static_cast<uint32_t>(step.integers[0])), stream(static_cast<uint32_t>(stream)),
        doubt(seed.errorAt(0) != 0 || step.errorAt(0) != 0) {}

  const Words &group(int64_t index) {
    if (index / 4 != current) {
      current = index / 4;
      words = philox({uint32_t(current), uint32_t(uint64_t(current) >> 32), step, stream},
                     uint32_t(seed), uint32_t(seed >> 32));
    }
    return words;
  }
  /// In [0, 1), a multiple of 2^-24.
  double uniform(int64_t index) { return unit(group(index)[index % 4]); }
  static double unit(uint32_t word) { return (word >> 8) * 0x1p-24; }
  double error() const { return doubt ? HUGE_VAL : 0; }

private:
  uint64_t seed;
  uint32_t step, stream;
  bool doubt;
  int64_t current = -1;
  Words words{};
};

LogicalResult uniform(OpEvaluation &e) {
  auto op = cast<ir::RandomUniformOp>(e.op);
  Stream stream(e.operand(0), e.operand(1), op.getStream());
  Writer out(e.result(), e.options.trackErrors);
  const Arithmetic &m = out.arithmetic;
  double low = op.getLow().convertToDouble(), high = op.getHigh().convertToDouble();
  for (int64_t i = 0; i < e.result().numElements(); ++i) {
    Ball y = m.mul(m.constant(high - low), {stream.uniform(i), stream.error()});
    out.set(i, m.add(m.constant(low), y));
  }
  return success();
}

LogicalResult normal(OpEvaluation &e) {
  auto op = cast<ir::RandomNormalOp>(e.op);
  Stream stream(e.operand(0), e.operand(1), op.getStream());
  Writer out(e.result(), e.options.trackErrors);
  const Arithmetic &m = out.arithmetic;
  double mean = op.getMean().convertToDouble(), deviation = op.getStd().convertToDouble();
  for (int64_t i = 0; i < e.result().numElements(); ++i) {
    const Words &words = stream.group(i);
    uint32_t first = words[i % 4 / 2 * 2], second = words[i % 4 / 2 * 2 + 1];
    double u1 = ((first >> 8) + 1.0) * 0x1p-24, turn = Stream::unit(second);
    Ball radius = m.sqrt(m.mul({-2, 0}, m.log({u1, 0})));
    // 2 pi u2 is rounded before its sine is taken.
    double angle = 2 * M_PI * turn;
    double wave = i % 2 == 0 ? std::cos(angle) : std::sin(angle);
    Ball direction{wave, (angle * 4 + 2 * functionUlps) * m.format.unit()};
    Ball z = m.mul(radius, direction);
    z.error += stream.error();
    out.set(i, m.add(m.constant(mean), m.mul(m.constant(deviation), z)));
  }
  return success();
}

/// Whether u < p; in doubt where rounding p to compute type changes the answer.
Ball below(const Arithmetic &m, double u, double p) {
  double kept = m.format.round(p);
  return {double(u < kept), double((u < p) != (u < kept))};
}

LogicalResult bernoulli(OpEvaluation &e) {
  auto op = cast<ir::RandomBernoulliOp>(e.op);
  Stream stream(e.operand(0), e.operand(1), op.getStream());
  Writer out(e.result(), e.options.trackErrors);
  double p = op.getP().convertToDouble();
  for (int64_t i = 0; i < e.result().numElements(); ++i) {
    Ball drawn = below(out.arithmetic, stream.uniform(i), p);
    out.set(i, {drawn.value, drawn.error + stream.error()});
  }
  return success();
}

LogicalResult dropout(OpEvaluation &e) {
  auto op = cast<ir::DropoutOp>(e.op);
  Stream stream(e.operand(1), e.operand(2), op.getStream());
  Writer out(e.result(), e.options.trackErrors);
  const Arithmetic &m = out.arithmetic;
  double p = op.getP().convertToDouble();
  Reader x(e.operand(0));
  for (int64_t i = 0; i < e.result().numElements(); ++i) {
    Ball dropped = below(m, stream.uniform(i), p);
    Ball scaled = m.div(x[i], m.constant(1 - p));
    // Multiplying by the reciprocal rounds once more.
    if (p != 0) scaled = m.loosened(scaled, 2, std::abs(scaled.value));
    Ball y = dropped.value != 0 ? Ball{0, 0} : scaled;
    if (dropped.error != 0 || stream.error() != 0) y.error = std::abs(scaled.value) + scaled.error;
    out.set(i, y);
  }
  return success();
}

} // namespace

void addRandom(Handlers &handlers) {
  handlers["sinter.random_uniform"] = uniform;
  handlers["sinter.random_normal"] = normal;
  handlers["sinter.random_bernoulli"] = bernoulli;
  handlers["sinter.dropout"] = dropout;
}

} // namespace sinter::codegen::reference
