#include "sinter/check/Places.h"

#include "sinter/ir/Sinter.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

using namespace mlir;

namespace sinter::check {

static void collect(Location loc, bool names, std::vector<std::string> &places) {
  auto add = [&](std::string place) {
    if (std::find(places.begin(), places.end(), place) == places.end())
      places.push_back(std::move(place));
  };
  if (auto fused = dyn_cast<FusedLoc>(loc)) {
    for (Location each : fused.getLocations()) collect(each, names, places);
  } else if (auto site = dyn_cast<CallSiteLoc>(loc)) {
    collect(site.getCallee(), names, places);
    collect(site.getCaller(), names, places);
  } else if (auto name = dyn_cast<NameLoc>(loc)) {
    collect(name.getChildLoc(), names, places);
    if (names) add(name.getName().str());
  } else if (auto file = dyn_cast<FileLineColLoc>(loc)) {
    StringRef path = file.getFilename().getValue();
    add(fmt::format("{}:{}", path.substr(path.rfind('/') + 1).str(), file.getLine()));
  }
}

std::vector<std::string> placesOf(Location loc) {
  std::vector<std::string> places;
  collect(loc, /*names=*/true, places);
  return places;
}

std::set<std::string> linesOf(ModuleOp module) {
  std::set<std::string> all;
  llvm::SmallPtrSet<const void *, 32> seen; // locations are uniqued, and many ops share one
  module.walk([&](Operation *op) {
    if (!seen.insert(op->getLoc().getAsOpaquePointer()).second) return;
    std::vector<std::string> lines;
    collect(op->getLoc(), /*names=*/false, lines);
    all.insert(lines.begin(), lines.end());
  });
  return all;
}

std::string addedRounding(ModuleOp before, ModuleOp after) {
  std::map<std::string, std::set<unsigned>> widths; // of the floats on each line
  before.walk([&](Operation *op) {
    std::vector<std::string> lines;
    collect(op->getLoc(), /*names=*/false, lines);
    auto note = [&](Type type) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      if (!tensor || !isa<FloatType>(tensor.getElementType())) return;
      for (const std::string &line : lines) widths[line].insert(tensor.getElementTypeBitWidth());
    };
    // What an op reads, too: its gradient is of that type.
    llvm::for_each(op->getOperandTypes(), note);
    llvm::for_each(op->getResultTypes(), note);
  });
  std::string found;
  after.walk([&](ir::CastOp op) {
    Type from = ir::elementOf(op.getX()), to = ir::elementOf(op.getResult());
    if (!isa<FloatType>(from) || !isa<FloatType>(to)) return WalkResult::advance();
    unsigned width = to.getIntOrFloatBitWidth();
    if (from.getIntOrFloatBitWidth() <= width) return WalkResult::advance();
    std::vector<std::string> lines;
    collect(op->getLoc(), /*names=*/false, lines);
    bool wasThere = llvm::any_of(lines, [&](const std::string &line) {
      return !widths[line].empty() && *widths[line].begin() <= width;
    });
    if (wasThere || lines.empty()) return WalkResult::advance();
    found = describe(op);
    return WalkResult::interrupt();
  });
  return found;
}

std::string describe(Operation *op) {
  std::string text = op->getName().getStringRef().str();
  llvm::raw_string_ostream os(text);
  auto attributes = op->getAttrDictionary().getValue();
  bool first = true;
  for (NamedAttribute attribute : attributes) {
    os << (first ? " {" : ", ") << attribute.getName().getValue() << " = ";
    std::string value;
    llvm::raw_string_ostream valueStream(value);
    attribute.getValue().print(valueStream);
    os << (value.size() > 60 ? value.substr(0, 57) + "..." : value);
    first = false;
  }
  if (!first) os << "}";
  os << " : ";
  llvm::interleaveComma(op->getOperandTypes(), os << "(");
  os << ") -> ";
  llvm::interleaveComma(op->getResultTypes(), os);
  std::vector<std::string> places = placesOf(op->getLoc());
  return fmt::format("{} ({})", text,
                     places.empty() ? "no location" : fmt::format("{}", fmt::join(places, ", ")));
}

std::string changedOps(ModuleOp before, ModuleOp after, size_t limit) {
  std::map<std::string, int> count;
  std::vector<std::string> order;
  auto add = [&](ModuleOp module, int sign) {
    module.walk([&](Operation *op) {
      if (!isa<ir::SinterDialect>(op->getDialect()) || op->getNumRegions()) return;
      std::string text = describe(op);
      auto [at, isNew] = count.try_emplace(text, 0);
      if (isNew) order.push_back(text);
      at->second += sign;
    });
  };
  add(before, -1);
  add(after, 1);
  std::string text;
  for (bool made : {false, true}) {
    size_t listed = 0, all = 0;
    for (const std::string &op : order) {
      if (made ? count[op] <= 0 : count[op] >= 0) continue;
      if (all++ >= limit) continue;
      ++listed;
      text += fmt::format("    {} {}\n", made ? "+" : "-", op);
    }
    if (all > listed) text += fmt::format("    {} and {} more\n", made ? "+" : "-", all - listed);
  }
  return text;
}

} // namespace sinter::check
