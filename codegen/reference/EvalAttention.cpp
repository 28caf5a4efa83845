#include "sinter/codegen/reference/Draws.h"
#include "sinter/codegen/reference/OpEvaluation.h"

#include <cmath>
#include <optional>

using namespace mlir;

namespace sinter::codegen::reference {
namespace {

/// The operands of an attention, element by element, and the scores of a row.
class Rows {
public:
  Rows(OpEvaluation &e, const ir::AttentionFacts &facts, const Arithmetic &m, unsigned first)
      : f(facts), m(m), query(e.operand(first)), key(e.operand(first + 1)),
        value(e.operand(first + 2)), scale(m.constant(f.scale)) {
    unsigned next = unsigned(e.numOperands()) - (f.seed ? 2 : 0);
    if (f.seed) draws.emplace(e.operand(next), e.operand(next + 1), f.stream);
    if (!f.mask) return;
    mask.emplace(e.operand(next - 1));
    isBoolean = !e.operand(next - 1).isFloat();
    auto strides = stridesOf(ir::shapeOf(f.mask));
    for (unsigned dim = 0; dim < 4; ++dim)
      maskStrides[dim] = ir::shapeOf(f.mask)[dim] == 1 ? 0 : strides[dim];
  }

  /// Row `row` of all heads of all batches; `group` is that of its head.
  struct Place {
    int64_t row, group, batch, head, line;
  };
  Place place(int64_t row) const {
    int64_t line = row % f.rows, head = row / f.rows % f.heads, batch = row / f.rows / f.heads;
    return {row, batch * f.groups + head / f.shared(), batch, head, line};
  }
  Ball scaledQuery(const Place &at, int64_t i) const {
    return m.mul(query[at.row * f.features + i], scale);
  }
  Ball keyAt(const Place &at, int64_t j, int64_t i) const {
    return key[(at.group * f.keys + j) * f.features + i];
  }
  Ball valueAt(const Place &at, int64_t j, int64_t i) const {
    return value[(at.group * f.keys + j) * f.values + i];
  }
  /// Nothing for a key that takes no part.
  std::optional<Ball> score(const Place &at, int64_t j) const {
    if (f.isCausal && j > at.line) return std::nullopt;
    Ball added;
    if (mask) {
      added = (*mask)[at.batch * maskStrides[0] + at.head * maskStrides[1] +
                      at.line * maskStrides[2] + j * maskStrides[3]];
      if (isBoolean) {
        if (added.value == 0) return std::nullopt;
        added = {0, added.error == 0 ? 0 : HUGE_VAL};
      }
      if (added.value == -HUGE_VAL && added.error == 0) return std::nullopt;
    }
    Sum sum;
    for (int64_t i = 0; i < f.features; ++i) sum.add(m.mul(scaledQuery(at, i), keyAt(at, j, i)));
    Ball score = sum.finish(m, 2);
    return mask ? m.add(score, added) : score;
  }
  /// What a weight is multiplied by: 1 / (1 - p), or 0 where it is dropped.
  Ball kept(const Place &at, int64_t j) {
    if (!draws) return {1, 0};
    bool drops = draws->uniform(at.row * f.keys + j) < f.drop;
    Ball factor = m.constant(1 / (1 - f.drop));
    return {drops ? 0 : factor.value, draws->error() != 0 ? HUGE_VAL : factor.error};
  }
  int64_t count() const { return f.batch * f.heads * f.rows; }

  ir::AttentionFacts f;
  const Arithmetic &m;

private:
  Reader query, key, value;
  Ball scale;
  std::optional<Reader> mask;
  bool isBoolean = false;
  int64_t maskStrides[4] = {};
  std::optional<Stream> draws;
};

/// A factor of a product, which a device may round to the op's type, before or after it is divided by a sum of
/// up to `total`: relative to itself, or below normal numbers to what they are a part of.
Ball factorOf(Ball x, Value query, double total = 1) {
  const Format &declared = formatOf(dtypeOf(ir::elementOf(query)));
  if (&declared == &computeFormatOf(declared.dtype) || !std::isfinite(x.value)) return x;
  double away = declared.unit() * (std::fabs(x.value) + x.error + declared.smallest() * total);
  return {x.value, x.error + away};
}

/// Blocks of keys are brought to a new maximum one after another: an exponential is a product of some.
constexpr double blockUlps = 16;

LogicalResult attention(OpEvaluation &e) {
  auto op = cast<ir::AttentionOp>(e.op);
  bool track = e.options.trackErrors;
  Writer out(e.result(0), track), logs(e.result(1), track);
  const Arithmetic &m = out.arithmetic;
  Rows rows(e, op.getFacts(), m, 0);
  const ir::AttentionFacts &f = rows.f;
  std::vector<std::optional<Ball>> scores(f.keys);
  for (int64_t row = 0; row < rows.count(); ++row) {
    Rows::Place at = rows.place(row);
    Ball most{-HUGE_VAL, 0};
    for (int64_t j = 0; j < f.keys; ++j) {
      scores[j] = rows.score(at, j);
      if (scores[j]) most = m.maximum(most, *scores[j]);
    }
    if (std::isinf(most.value) && most.value < 0) { // no key: 0 / 0
      for (int64_t i = 0; i < f.values; ++i) out.set(row * f.values + i, {NAN, 0});
      logs.set(row, {-HUGE_VAL, 0});
      continue;
    }
    Sum total;
    std::vector<Ball> weights(f.keys);
    // Errors of the maximum cancel: whatever is subtracted, it is the same of all.
    Ball shift{most.value, 0};
    for (int64_t j = 0; j < f.keys; ++j) {
      if (!scores[j]) continue;
      weights[j] = m.exp(m.sub(*scores[j], shift));
      weights[j] = m.loosened(weights[j], blockUlps, weights[j].value);
      total.add(weights[j]);
    }
    Ball sum = total.finish(m);
    for (int64_t i = 0; i < f.values; ++i) {
      Sum along;
      bool isSure = true; // what is left out may be multiplied by a weight of 0
      for (int64_t j = 0; j < f.keys; ++j)
        if (scores[j])
          along.add(m.mul(factorOf(m.mul(weights[j], rows.kept(at, j)), f.query, sum.high()),
                          rows.valueAt(at, j, i)));
        else
          isSure &= std::isfinite(rows.valueAt(at, j, i).value);
      Ball result = m.div(along.finish(m, 3), sum);
      if (!isSure) result.error = HUGE_VAL;
      out.set(row * f.values + i, result);
    }
    Ball logarithm = m.add(shift, m.log(sum));
    logs.set(row, m.loosened(logarithm, 4, std::fabs(shift.value) + 1));
  }
  return success();
}

LogicalResult attentionBackward(OpEvaluation &e) {
  auto op = cast<ir::AttentionBackwardOp>(e.op);
  bool track = e.options.trackErrors;
  Writer forQuery(e.result(0), track), forKey(e.result(1), track), forValue(e.result(2), track);
  const Arithmetic &m = forQuery.arithmetic;
  Rows rows(e, op.getFacts(), m, 1);
  const ir::AttentionFacts &f = rows.f;
  Reader grad(e.operand(0)), logs(e.operand(4)), delta(e.operand(5));
  int64_t keys = f.batch * f.groups * f.keys;
  std::vector<Sum> keySums(keys * f.features), valueSums(keys * f.values);
  Ball scale = m.constant(f.scale);
  for (int64_t row = 0; row < rows.count(); ++row) {
    Rows::Place at = rows.place(row);
    std::vector<Sum> querySums(f.features);
    for (int64_t j = 0; j < f.keys; ++j) {
      std::optional<Ball> score = rows.score(at, j);
      // exp(-inf - lse): 0, but no number where the row takes no key at all.
      if (!score && !(std::isinf(logs[row].value) && logs[row].value < 0)) continue;
      Ball p = m.exp(m.sub(score.value_or(Ball{-HUGE_VAL, 0}), logs[row]));
      p = m.loosened(p, 4, p.value);
      Ball factor = rows.kept(at, j);
      Sum along;
      for (int64_t i = 0; i < f.values; ++i) {
        Ball g = grad[row * f.values + i];
        along.add(m.mul(g, rows.valueAt(at, j, i)));
        valueSums[(at.group * f.keys + j) * f.values + i].add(
            m.mul(factorOf(m.mul(p, factor), f.query), g));
      }
      Ball ds = factorOf(m.mul(p, m.sub(m.mul(along.finish(m, 1), factor), delta[row])), f.query);
      for (int64_t i = 0; i < f.features; ++i) {
        querySums[i].add(m.mul(ds, rows.keyAt(at, j, i)));
        keySums[(at.group * f.keys + j) * f.features + i].add(m.mul(ds, rows.scaledQuery(at, i)));
      }
    }
    for (int64_t i = 0; i < f.features; ++i)
      forQuery.set(row * f.features + i, m.mul(querySums[i].finish(m, 2), scale));
  }
  for (size_t i = 0; i < keySums.size(); ++i) forKey.set(int64_t(i), keySums[i].finish(m, 2));
  for (size_t i = 0; i < valueSums.size(); ++i) forValue.set(int64_t(i), valueSums[i].finish(m, 2));
  return success();
}

} // namespace

void addAttention(Handlers &handlers) {
  handlers["sinter.attention"] = attention;
  handlers["sinter.attention_backward"] = attentionBackward;
}

} // namespace sinter::codegen::reference
