#include "sinter/frontend/detail/PrintedLines.h"

#include "sinter/ir/Segments.h"

#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace sinter::detail {

std::vector<PrintedLine> printedLines(Operation *op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->print(stream, OpPrintingFlags().assumeVerified());

  std::vector<Operation *> inOrder;
  auto isPrinted = [](Operation *inner) {
    auto fused = dyn_cast_or_null<ir::FusedOp>(inner->getParentOp());
    return !fused || !ir::onlySegments(fused.getBody().front());
  };
  op->walk<WalkOrder::PreOrder>([&](Operation *inner) {
    if (inner == op || isPrinted(inner)) inOrder.push_back(inner);
  });
  std::vector<PrintedLine> lines;
  size_t next = 0;
  SmallVector<StringRef> texts;
  StringRef(text).rtrim().split(texts, '\n');
  for (StringRef line : texts) {
    StringRef inside = line.ltrim();
    bool begins = !inside.empty() && !StringRef("}^#!{").contains(inside.front());
    Operation *owner = begins && next < inOrder.size() ? inOrder[next++] : nullptr;
    lines.push_back({line.str(), owner});
  }
  // A printer that leaves ops out, or puts two on a line, would give lines to the wrong ones.
  if (next != inOrder.size())
    for (PrintedLine &line : lines) line.op = nullptr;
  return lines;
}

} // namespace sinter::detail
