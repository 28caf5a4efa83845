#pragma once

#include "mlir/IR/Operation.h"

#include <string>
#include <vector>

namespace sinter::detail {

/// A line of an op's text and the op that begins there: null for ends of regions and block labels.
struct PrintedLine {
  std::string text;
  mlir::Operation *op = nullptr;
};

/// An op as MLIR prints it without locations, line by line.
std::vector<PrintedLine> printedLines(mlir::Operation *op);

} // namespace sinter::detail
