#include "sinter/codegen/IndexMath.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <limits>
#include <numeric>

using namespace mlir;
using namespace llvm;

namespace sinter::codegen {
namespace {

/// constant + sum of coefficient * atom, where an atom is a dimension, a floordiv or a mod.
struct Sum {
  SmallVector<std::pair<AffineExpr, int64_t>> terms;
  int64_t constant = 0;

  void add(AffineExpr atom, int64_t coefficient) {
    if (coefficient == 0) return;
    for (auto &[known, sum] : terms)
      if (known == atom) {
        sum += coefficient;
        return;
      }
    terms.push_back({atom, coefficient});
  }
  void add(const Sum &other, int64_t factor) {
    for (auto [atom, coefficient] : other.terms) add(atom, coefficient * factor);
    constant += other.constant * factor;
  }
  void dropZeros() {
    erase_if(terms, [](auto term) { return term.second == 0; });
  }
  AffineExpr expr(MLIRContext *context) const {
    // Equal sums are one expression: dimensions come in their order, before everything else.
    auto place = [](const std::pair<AffineExpr, int64_t> &term) {
      auto dim = dyn_cast<AffineDimExpr>(term.first);
      return dim ? dim.getPosition() : std::numeric_limits<unsigned>::max();
    };
    auto ordered = terms;
    stable_sort(ordered, [&](auto &lhs, auto &rhs) { return place(lhs) < place(rhs); });
    AffineExpr result = getAffineConstantExpr(constant, context);
    for (auto [atom, coefficient] : ordered) result = result + atom * coefficient;
    return result;
  }
  std::optional<int64_t> asConstant() const {
    if (terms.empty()) return constant;
    return std::nullopt;
  }
};

class Simplifier {
public:
  Simplifier(MLIRContext *context, IndexRanges ranges) : context(context), ranges(ranges) {}

  std::optional<IndexRange> range(const Sum &sum) const {
    IndexRange result{sum.constant, sum.constant};
    for (auto [atom, coefficient] : sum.terms) {
      std::optional<IndexRange> of = rangeOf(atom, ranges);
      if (!of) return std::nullopt;
      int64_t a = of->least * coefficient, b = of->most * coefficient;
      result.least += std::min(a, b);
      result.most += std::max(a, b);
    }
    return result;
  }

  Sum visit(AffineExpr expr) {
    Sum result;
    switch (expr.getKind()) {
    case AffineExprKind::Constant:
      result.constant = cast<AffineConstantExpr>(expr).getValue();
      return result;
    case AffineExprKind::DimId:
    case AffineExprKind::SymbolId:
      if (auto dim = dyn_cast<AffineDimExpr>(expr); dim && dim.getPosition() < ranges.size())
        if (auto of = ranges[dim.getPosition()]; of && of->least == of->most) {
          result.constant = of->least;
          return result;
        }
      result.add(expr, 1);
      return result;
    default:
      break;
    }
    auto binary = cast<AffineBinaryOpExpr>(expr);
    Sum lhs = visit(binary.getLHS()), rhs = visit(binary.getRHS());
    std::optional<int64_t> factor = rhs.asConstant();
    switch (expr.getKind()) {
    case AffineExprKind::Add:
      lhs.add(rhs, 1);
      recombine(lhs);
      return lhs;
    case AffineExprKind::Mul:
      if (!factor) {
        std::swap(lhs, rhs);
        factor = rhs.asConstant();
      }
      if (factor) {
        result.add(lhs, *factor);
        result.dropZeros();
        return result;
      }
      break;
    case AffineExprKind::FloorDiv:
      if (factor && *factor > 0) return floorDivide(lhs, *factor);
      break;
    case AffineExprKind::Mod:
      if (factor && *factor > 0) return modulo(lhs, *factor);
      break;
    default:
      break;
    }
    result.add(expr, 1);
    return result;
  }

private:
  /// Takes the multiples of `divisor` out of `sum`: returns them divided, leaves the rest.
  static Sum takeMultiples(Sum &sum, int64_t divisor) {
    Sum multiples, rest;
    for (auto [atom, coefficient] : sum.terms) {
      int64_t whole = divideFloorSigned(coefficient, divisor);
      if (whole * divisor == coefficient)
        multiples.add(atom, whole);
      else
        rest.add(atom, coefficient);
    }
    multiples.constant = divideFloorSigned(sum.constant, divisor);
    rest.constant = sum.constant - multiples.constant * divisor;
    sum = rest;
    return multiples;
  }

  Sum floorDivide(Sum sum, int64_t divisor) {
    if (divisor == 1) return sum;
    Sum result = takeMultiples(sum, divisor);
    std::optional<IndexRange> left = range(sum);
    if (left && left->least >= 0 && left->most < divisor) return result;
    // (g a + r) floordiv (g k) is a floordiv k when 0 <= r < g.
    for (auto [atom, coefficient] : sum.terms) {
      int64_t g = std::gcd(coefficient, divisor);
      if (g <= 1) continue;
      Sum small = sum;
      Sum large = takeMultiples(small, g);
      std::optional<IndexRange> rest = range(small);
      if (rest && rest->least >= 0 && rest->most < g) {
        result.add(floorDivide(large, divisor / g), 1);
        return result;
      }
    }
    // (x floordiv a + s) floordiv b is (x + s a) floordiv (a b).
    for (auto [atom, coefficient] : sum.terms) {
      auto inner = dyn_cast<AffineBinaryOpExpr>(atom);
      if (coefficient != 1 || !inner || inner.getKind() != AffineExprKind::FloorDiv) continue;
      auto by = dyn_cast<AffineConstantExpr>(inner.getRHS());
      if (!by || by.getValue() <= 0) continue;
      Sum dividend = visit(inner.getLHS());
      Sum rest = sum;
      rest.add(atom, -1);
      dividend.add(rest, by.getValue());
      dividend.dropZeros();
      result.add(floorDivide(dividend, by.getValue() * divisor), 1);
      return result;
    }
    result.add(sum.expr(context).floorDiv(divisor), 1);
    return result;
  }

  Sum modulo(Sum sum, int64_t divisor) {
    takeMultiples(sum, divisor);
    if (divisor == 1) return {};
    std::optional<IndexRange> left = range(sum);
    if (left && left->least >= 0 && left->most < divisor) return sum;
    Sum result;
    result.add(sum.expr(context) % divisor, 1);
    return result;
  }

  /// c k (e floordiv k) + c (e mod k) is c e.
  void recombine(Sum &sum) {
    sum.dropZeros();
    for (bool changed = true; changed;) {
      changed = false;
      for (auto [atom, coefficient] : sum.terms) {
        auto mod = dyn_cast<AffineBinaryOpExpr>(atom);
        if (!mod || mod.getKind() != AffineExprKind::Mod) continue;
        auto by = dyn_cast<AffineConstantExpr>(mod.getRHS());
        if (!by) continue;
        AffineExpr quotient = floorDivide(visit(mod.getLHS()), by.getValue()).expr(context);
        auto *found = find_if(sum.terms, [&, c = coefficient](auto term) {
          return term.first == quotient && term.second == c * by.getValue();
        });
        if (found == sum.terms.end()) continue;
        int64_t factor = coefficient;
        AffineExpr whole = mod.getLHS(), remainder = atom;
        erase_if(sum.terms,
                 [&](auto term) { return term.first == quotient || term.first == remainder; });
        sum.add(visit(whole), factor);
        sum.dropZeros();
        changed = true;
        break;
      }
    }
  }

  MLIRContext *context;
  IndexRanges ranges;
};

} // namespace

std::optional<IndexRange> rangeOf(AffineExpr expr, IndexRanges ranges) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return IndexRange{constant.getValue(), constant.getValue()};
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dim.getPosition() < ranges.size() ? ranges[dim.getPosition()] : std::nullopt;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary) return std::nullopt;
  std::optional<IndexRange> lhs = rangeOf(binary.getLHS(), ranges),
                            rhs = rangeOf(binary.getRHS(), ranges);
  if (!rhs) return std::nullopt;
  if (expr.getKind() == AffineExprKind::Mod && rhs->least == rhs->most && rhs->least > 0) {
    if (lhs && lhs->least >= 0 && lhs->most < rhs->least) return lhs;
    return IndexRange{0, rhs->least - 1};
  }
  if (!lhs) return std::nullopt;
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return IndexRange{lhs->least + rhs->least, lhs->most + rhs->most};
  case AffineExprKind::Mul: {
    int64_t products[] = {lhs->least * rhs->least, lhs->least * rhs->most, lhs->most * rhs->least,
                          lhs->most * rhs->most};
    return IndexRange{*min_element(products), *max_element(products)};
  }
  case AffineExprKind::FloorDiv:
    if (rhs->least == rhs->most && rhs->least > 0)
      return IndexRange{divideFloorSigned(lhs->least, rhs->least),
                        divideFloorSigned(lhs->most, rhs->least)};
    return std::nullopt;
  default:
    return std::nullopt;
  }
}

AffineExpr simplifyIndex(AffineExpr expr, IndexRanges ranges) {
  return Simplifier(expr.getContext(), ranges).visit(expr).expr(expr.getContext());
}

bool dependsOn(AffineExpr expr, unsigned dim) { return expr.isFunctionOfDim(dim); }

std::optional<SmallVector<int64_t>> laneOffsets(AffineExpr expr, unsigned dim, int64_t lanes,
                                                IndexRanges ranges) {
  MLIRContext *context = expr.getContext();
  SmallVector<std::optional<IndexRange>> blockRanges(ranges);
  AffineExpr variable = getAffineDimExpr(dim, context);
  // The dimension now counts blocks of `lanes`.
  if (auto &range = blockRanges[dim])
    range =
        IndexRange{range->least / lanes, std::max(range->least, range->most - lanes + 1) / lanes};
  auto at = [&](int64_t lane) {
    AffineExpr moved = expr.replace(variable, variable * lanes + lane);
    return simplifyIndex(moved, blockRanges);
  };
  AffineExpr first = at(0);
  SmallVector<int64_t> offsets;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    auto distance = dyn_cast<AffineConstantExpr>(simplifyIndex(at(lane) - first, blockRanges));
    if (!distance) return std::nullopt;
    offsets.push_back(distance.getValue());
  }
  return offsets;
}

AffineExpr linearIndex(ArrayRef<AffineExpr> indices, ArrayRef<int64_t> shape,
                       MLIRContext *context) {
  AffineExpr linear = getAffineConstantExpr(0, context);
  for (auto [index, size] : zip_equal(indices, shape)) linear = linear * size + index;
  return linear;
}

} // namespace sinter::codegen
