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
/// string, but not within the first `least` columns; rather after a comma, if that leaves no half line
/// empty. npos for none.
static size_t breakIn(const std::string &line, size_t least, size_t limit) {
  size_t space = std::string::npos, comma = std::string::npos;
  bool inString = false;
  for (size_t i = 0; i < line.size() && i < limit; ++i) {
    if (line[i] == '"' && (i == 0 || line[i - 1] != '\\')) inString = !inString;
    if (line[i] != ' ' || inString || i <= least) continue;
    space = i;
    if (line[i - 1] == ',') comma = i;
  }
  return comma != std::string::npos && comma >= limit / 2 ? comma : space;
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
    // Early enough that the comment stands behind the first part.
    size_t room = said ? columns : columns - std::min(columns / 2, comment.size() + 2);
    size_t at = breakIn(line, indent + 8, room);
    if (at == std::string::npos) at = breakIn(line, indent + 8, columns);
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

namespace {

/// Ops one after another that come from one line of the user's share lines of text.
class Page {
public:
  void add(const PrintedLine &line) {
    std::string inside = StringRef(line.text).ltrim().str();
    if (inside == "}" && yields && pending.size() + 4 + comment.size() <= columns) {
      pending += " }";
      return flush();
    }
    bool isWhole = line.op && line.op->getNumRegions() == 0;
    if (!isWhole) {
      flush();
      append(text, line.text, line.op && !isa<ModuleOp>(line.op) ? commentOf(line.op) : "");
      return;
    }
    // A region's end is where the region is from.
    bool needsNone = isa<ir::ConstantOp, ir::YieldOp>(line.op);
    std::string said = needsNone ? "" : commentOf(line.op);
    bool joins = !pending.empty() && (said.empty() || comment.empty() || said == comment) &&
                 pending.size() + 2 + inside.size() + 2 + std::max(said, comment).size() <= columns;
    if (!joins) flush();
    pending += pending.empty() ? line.text : "  " + inside;
    if (!said.empty()) comment = said;
    yields = isa<ir::YieldOp>(line.op);
  }

  std::string take() {
    flush();
    return std::move(text);
  }

private:
  void flush() {
    if (!pending.empty()) append(text, std::exchange(pending, {}), comment);
    comment.clear();
    yields = false;
  }

  std::string text, pending, comment;
  bool yields = false; // at the end of `pending`
};

} // namespace

std::string readable(ModuleOp module) {
  OwningOpRef<ModuleOp> copy = cast<ModuleOp>(module->clone());
  for (auto function : copy->getOps<func::FuncOp>()) function->removeAttr(passes::ledgerAttr);
  Page page;
  for (const PrintedLine &line : printedLines(*copy)) page.add(line);
  return page.take();
}

} // namespace sinter::detail
