#include "sinter/frontend/detail/Emitter.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter {

using detail::Emitter;

Tensor fusion_barrier(const Tensor &x, Where where) {
  Emitter e("fusion_barrier", where, &x);
  Value value = e[x];
  return e.tensor(e.make<ir::FusionBarrierOp>(value, {}, value.getType()));
}

void expect_fused(const std::vector<Tensor> &values, Where where) {
  SmallVector<const Tensor *> pointers;
  for (const Tensor &value : values) pointers.push_back(&value);
  Emitter e("expect_fused", where, pointers);
  if (values.size() < 2) e.fail(fmt::format("wants two values or more, got {}", values.size()));
  SmallVector<Value> operands;
  for (const Tensor &value : values) {
    operands.push_back(e[value]);
    if (operands.back().getDefiningOp()) continue;
    e.fail(fmt::format("value {} is {}, which no kernel computes", operands.size(),
                       value.name().empty() ? "an input" : "'" + value.name() + "'"));
  }
  e.state<ir::ExpectFusedOp>(operands);
}

void expect_kernels(ExpectKernelsOptions options, Where where) {
  Emitter e("expect_kernels", where, ArrayRef<const Tensor *>());
  if (options.max < 0) e.fail(fmt::format("max is {}", options.max));
  e.state<ir::ExpectKernelsOp>({}, e.integer("max", options.max));
}

} // namespace sinter
