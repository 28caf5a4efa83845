#include "sinter/frontend/detail/Origin.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"

#include <fmt/format.h>

using namespace mlir;

namespace sinter::detail {

std::string baseName(const std::string &file) { return llvm::sys::path::filename(file).str(); }

std::string Origin::place() const {
  return file.empty() ? "" : fmt::format("{}:{}", baseName(file), line);
}

std::string Origin::text() const {
  std::string text = place();
  if (!path.empty()) text += (text.empty() ? "" : " ") + path;
  if (phase == "backward") text += (text.empty() ? "" : " ") + std::string("gradient");
  return text.empty() ? "no line" : text;
}

static void collect(Location location, Origin inside, std::vector<Origin> &found) {
  if (auto named = dyn_cast<NameLoc>(location)) {
    StringRef name = named.getName();
    if (name == "gradient")
      inside.phase = "backward";
    else if (inside.path.empty())
      inside.path = name.str();
    if (name == "optimizer" || name.starts_with("optimizer.")) inside.phase = "update";
    return collect(named.getChildLoc(), std::move(inside), found);
  }
  if (auto fused = dyn_cast<FusedLoc>(location)) {
    for (Location part : fused.getLocations()) collect(part, inside, found);
    return;
  }
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return collect(call.getCallee(), std::move(inside), found);
  if (auto file = dyn_cast<FileLineColLoc>(location)) {
    inside.file = file.getFilename().str();
    inside.line = static_cast<int>(file.getLine());
  } else if (inside.path.empty()) {
    return; // a constant's
  }
  if (!llvm::is_contained(found, inside)) found.push_back(std::move(inside));
}

std::vector<Origin> originsOf(Location location) {
  std::vector<Origin> found;
  collect(location, {}, found);
  if (found.empty()) found.emplace_back();
  return found;
}

std::string placeOf(Location location) {
  for (const Origin &origin : originsOf(location))
    if (std::string place = origin.place(); !place.empty()) return place;
  return "";
}

} // namespace sinter::detail
