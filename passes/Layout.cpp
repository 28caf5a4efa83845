#include "sinter/passes/Passes.h"

#include "sinter/ir/Sinter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes {
#define GEN_PASS_DEF_LAYOUT
#include "sinter/passes/Passes.h.inc"

namespace {

constexpr StringLiteral requestAttr = "sinter.operand_layouts";

/// Row-major in all but name: order 0, 1, 2, ... without blocks or padding.
bool isRowMajor(LayoutAttr layout) {
  auto plain = [](ArrayRef<int64_t> values, int64_t neutral) {
    return llvm::all_of(values, [=](int64_t value) { return value == neutral; });
  };
  return llvm::is_sorted(layout.getOrder()) && plain(layout.getBlocks(), 1) &&
         plain(layout.getPadding(), 0);
}

struct Layout : impl::LayoutBase<Layout> {
  DenseMap<std::pair<Value, Attribute>, Value> relayouts;
  bool asked = false;

  void runOnOperation() override {
    relayouts.clear();
    asked = false;
    // Few ops have such an attribute: the walk looks at nothing else of them.
    auto name = StringAttr::get(&getContext(), requestAttr);
    getOperation().walk([&](Operation *op) {
      if (op->getRawDictionaryAttrs().get(name)) serve(op);
    });
    if (!asked)
      emitRemark(getOperation().getLoc()) << "layout: no op asks for another order than row-major";
  }

  void serve(Operation *op) {
    auto request = op->getAttrOfType<ArrayAttr>(requestAttr);
    if (!request) return;
    asked = true;
    op->removeAttr(requestAttr);
    if (request.size() != op->getNumOperands()) {
      op->emitRemark() << "layout: '" << op->getName() << "' asks for " << request.size()
                       << " layouts, it has " << op->getNumOperands() << " operands";
      return;
    }
    for (auto [i, wanted] : llvm::enumerate(request))
      if (auto layout = dyn_cast<LayoutAttr>(wanted)) change(op, op->getOpOperand(i), layout);
  }

  void change(Operation *op, OpOperand &operand, LayoutAttr layout) {
    RankedTensorType type = tensorType(operand.get());
    auto refuse = [&](const Twine &why) {
      op->emitRemark() << "layout: '" << op->getName() << "' operand " << operand.getOperandNumber()
                       << " stays row-major: " << why;
    };
    if (int64_t(layout.getOrder().size()) != type.getRank())
      return refuse("the layout has another rank");
    if (isRowMajor(layout)) return refuse("the layout is row-major");
    // Asking again for what a relayout undid: take the value before it.
    Value source = operand.get();
    while (auto inner = source.getDefiningOp<RelayoutOp>()) source = inner.getX();
    auto wanted = RankedTensorType::get(type.getShape(), type.getElementType(), layout);
    if (source.getType() == wanted) return operand.set(source);
    Value &made = relayouts[{source, layout}];
    if (!made) {
      OpBuilder builder(op);
      builder.setInsertionPointAfterValue(source);
      made = RelayoutOp::create(builder, op->getLoc(), wanted, source);
    }
    operand.set(made);
  }
};

} // namespace
} // namespace sinter::passes
