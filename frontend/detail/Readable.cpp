#include "sinter/frontend/detail/Readable.h"

#include "sinter/frontend/detail/Origin.h"
#include "sinter/frontend/detail/PrintedLines.h"
#include "sinter/ir/Sinter.h"
#include "sinter/passes/fusion/Ledger.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter::detail {

static constexpr size_t columns = 160;

/// Where a line that is too long can be broken: behind the last space before `limit` that is in no
/// string, but not within the first `least` columns. npos for none.
static size_t breakIn(const std::string &line, size_t least, size_t limit) {
  size_t found = std::string::npos;
  bool inString = false;
  for (size_t i = 0; i < line.size() && i < limit; ++i) {
    if (line[i] == '"' && (i == 0 || line[i - 1] != '\\')) inString = !inString;
    if (line[i] == ' ' && !inString && i > least) {
      // After a comma reads best.
      bool comma = line[i - 1] == ',';
      if (comma || found == std::string::npos || line[found - 1] != ',') found = i;
    }
  }
  return found;
}

static void append(std::string &text, std::string line, const std::string &comment) {
  size_t indent = line.find_first_not_of(' ');
  bool said = comment.empty();
  auto put = [&](const std::string &part) {
    text += part;
    if (!said && part.size() + 2 + comment.size() <= columns) {
      text += "  " + comment;
      said = true;
    }
    text += "\n";
  };
  while (line.size() > columns) {
    size_t at = breakIn(line, indent + 8, columns);
    if (at == std::string::npos) break;
    put(line.substr(0, at));
    line = std::string(indent + 4, ' ') + line.substr(at + 1);
  }
  put(line);
  if (!said) text += std::string(indent + 4, ' ') + comment + "\n";
}

static std::string commentOf(Operation *op) {
  std::vector<Origin> origins = originsOf(op->getLoc());
  if (origins.front() == Origin()) return "";
  std::string more = origins.size() > 1 ? fmt::format(", +{}", origins.size() - 1) : "";
  return fmt::format("// {}{}", origins.front().text(), more);
}

std::string readable(ModuleOp module) {
  OwningOpRef<ModuleOp> copy = cast<ModuleOp>(module->clone());
  for (auto function : copy->getOps<func::FuncOp>()) function->removeAttr(passes::ledgerAttr);
  std::string text, constants;
  auto flush = [&] {
    if (!constants.empty()) text += constants + "\n";
    constants.clear();
  };
  for (const PrintedLine &line : printedLines(*copy)) {
    if (line.op && isa<ir::ConstantOp>(line.op) && line.text.size() <= columns) {
      std::string inside = line.text.substr(line.text.find_first_not_of(' '));
      if (constants.size() + 2 + inside.size() > columns) flush();
      constants += constants.empty() ? line.text : "  " + inside;
      continue;
    }
    flush();
    append(text, line.text,
           line.op && !isa<ModuleOp, ir::ConstantOp>(line.op) ? commentOf(line.op) : "");
  }
  flush();
  return text;
}

} // namespace sinter::detail
