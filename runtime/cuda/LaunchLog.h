#pragma once

#include "sinter/runtime/Program.h"

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <vector>

namespace sinter::runtime::cuda {

/// The kernels that were queued and are not known to be done, to be named when one of them faults.
class LaunchLog {
public:
  using Names = std::vector<std::string>;

  static std::string nameOf(const std::string &kernel, const Launch &launch) {
    std::string text = kernel;
    if (!launch.label.empty()) text.append(" (").append(launch.label).append(")");
    if (!launch.source.empty()) text.append(" at ").append(launch.source);
    return text;
  }

  void add(std::string name) { add(std::make_shared<const Names>(Names{std::move(name)})); }
  /// All launches of a recording, which shares their names.
  void add(std::shared_ptr<const Names> names) {
    queued_ += names->size();
    pieces_.push_back({queued_, std::move(names)});
    // A step names hundreds: the latest pieces are enough for a message.
    if (pieces_.size() > mostPieces) pieces_.pop_front();
  }

  /// How many launches were queued so far.
  uint64_t queued() const { return queued_; }
  /// The first `upTo` launches are done.
  void done(uint64_t upTo) {
    done_ = std::max(done_, upTo);
    while (!pieces_.empty() && pieces_.front().end <= done_) pieces_.pop_front();
  }

  std::string text() const {
    const uint64_t count = queued_ - done_;
    if (count == 0) return "no kernel was launched since the last synchronisation";
    Names last;
    for (auto piece = pieces_.rbegin(); piece != pieces_.rend() && last.size() < mostNames; ++piece)
      for (auto name = piece->names->rbegin();
           name != piece->names->rend() && last.size() < std::min(mostNames, count); ++name)
        last.push_back(*name);
    std::string all =
        fmt::format("one of the {} kernels launched since the last synchronisation: ", count);
    if (last.size() < count) all += fmt::format("(the last {}) ", last.size());
    for (auto name = last.rbegin(); name != last.rend(); ++name)
      all += (name == last.rbegin() ? "" : ", ") + *name;
    return all;
  }

private:
  static constexpr size_t mostPieces = 256;
  static constexpr uint64_t mostNames = 64;
  struct Piece {
    uint64_t end; // how many launches were queued with it
    std::shared_ptr<const Names> names;
  };
  std::deque<Piece> pieces_;
  uint64_t queued_ = 0, done_ = 0;
};

} // namespace sinter::runtime::cuda
