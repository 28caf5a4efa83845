#include "sinter/codegen/reference/Draws.h"
#include "sinter/codegen/reference/OpEvaluation.h"

#include <cmath>

using namespace mlir;

namespace sinter::codegen::reference {
namespace {

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
