#include "sinter/frontend/detail/Readable.h"

#include "sinter/frontend/detail/Origin.h"
#include "sinter/frontend/detail/PrintedLines.h"
#include "sinter/ir/Sinter.h"
#include "sinter/passes/fusion/Ledger.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <fmt/format.h>

#include <regex>
#include <set>

using namespace mlir;

namespace sinter::detail {

static constexpr size_t columns = 160;
static constexpr StringLiteral initName = "init";

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

/// Ops one after another that come from one line of the user's share lines of text. A comment holds until
/// there is another one.
class Page {
public:
  void add(const PrintedLine &line) {
    std::string inside = StringRef(line.text).ltrim().str();
    if (inside == "}" && yields) {
      pending += " }";
      return flush();
    }
    bool isWhole = line.op && line.op->getNumRegions() == 0;
    if (!isWhole) {
      if (opens && StringRef(inside).starts_with("^")) return addArguments(line.text, inside);
      flush();
      pending = line.text;
      if (line.op && !isa<ModuleOp>(line.op)) comment = commentOf(line.op);
      opens = line.op && StringRef(inside).ends_with("{");
      if (!opens) flush();
      return;
    }
    opens = false;
    // A region's end is where the region is from.
    bool needsNone = isa<ir::ConstantOp, ir::YieldOp>(line.op);
    std::string said = needsNone ? "" : commentOf(line.op);
    bool joins =
        !pending.empty() && (said.empty() || comment.empty() || said == comment) &&
        pending.size() + 2 + inside.size() + beside(said.empty() ? comment : said) <= columns;
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
  // A region's, beside its op where there is room, and else the first on the next line.
  void addArguments(const std::string &line, const std::string &inside) {
    opens = false;
    if (width() + 1 + inside.size() <= columns) {
      pending += " " + inside;
      return;
    }
    std::string later;
    if (width() > columns) later = std::exchange(comment, {}); // of the op: beside its arguments
    flush();
    pending = line;
    comment = later;
  }

  void flush() {
    if (!pending.empty()) append(text, std::exchange(pending, {}), comment == last ? "" : comment);
    if (!comment.empty()) last = comment;
    comment.clear();
    yields = opens = false;
  }

  // What a comment takes beside a line.
  size_t beside(const std::string &said) const {
    return said.empty() || said == last ? 0 : said.size() + 2;
  }
  size_t width() const { return pending.size() + beside(comment); }

  std::string text, pending, comment;
  std::string last;                   // of the comments in `text`
  bool yields = false, opens = false; // at the end of `pending`: a region's end, its beginning
};

/// Short names of tensor types, and their list: "!f32_128x10" for "tensor<128x10xf32>".
class TypeNames {
public:
  std::string shortened(const std::string &line) {
    static const std::regex type("tensor<((?:\\d+x)*)(bf16|[fi]\\d+|ui8)>");
    std::string result;
    auto begin = std::sregex_iterator(line.begin(), line.end(), type), end = std::sregex_iterator();
    size_t from = 0;
    for (auto match = begin; match != end; ++match) {
      std::string shape = (*match)[1], name = "!" + (*match)[2].str();
      if (!shape.empty()) name += "_" + shape.substr(0, shape.size() - 1);
      if (known.insert(name).second) list.push_back(name + " = " + match->str());
      result += line.substr(from, size_t(match->position()) - from) + name;
      from = size_t(match->position() + match->length());
    }
    return result + line.substr(from);
  }

  std::string text() const {
    std::string text, line;
    for (const std::string &each : list) {
      if (!line.empty() && line.size() + 2 + each.size() > columns)
        text += std::exchange(line, {}) + "\n";
      line += (line.empty() ? "" : "  ") + each;
    }
    return text + line + (line.empty() ? "" : "\n");
  }

private:
  std::set<std::string> known;
  std::vector<std::string> list; // in order of first use
};

} // namespace

// Drops @init or all but it, and kernels that nothing launches then.
static void keep(ModuleOp module, bool init) {
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    if ((function.getName() == initName) != init) function.erase();
  llvm::DenseSet<StringAttr> launched;
  module.walk([&](ir::LaunchOp launch) { launched.insert(launch.getKernelAttr().getAttr()); });
  for (auto kernel : llvm::make_early_inc_range(module.getOps<ir::KernelOp>()))
    if (!launched.contains(kernel.getSymNameAttr())) kernel.erase();
}

std::string readable(ModuleOp module, bool init) {
  OwningOpRef<ModuleOp> copy = cast<ModuleOp>(module->clone());
  auto functions = copy->getOps<func::FuncOp>();
  bool hasInit = copy->lookupSymbol(initName), isInitAlone = llvm::hasSingleElement(functions);
  if (hasInit && !isInitAlone) keep(*copy, init);
  for (auto function : copy->getOps<func::FuncOp>()) function->removeAttr(passes::ledgerAttr);
  Page page;
  TypeNames types;
  for (PrintedLine &line : printedLines(*copy)) {
    line.text = types.shortened(line.text);
    page.add(line);
  }
  return types.text() + page.take();
}

} // namespace sinter::detail
