#include "sinter/passes/fusion/Peak.h"

#include "sinter/passes/fusion/CostModel.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::fusion {

namespace {

// Values that kernels hand on, and who still waits for them.
class Schedule {
public:
  explicit Schedule(const Groups &groups) {
    for (unsigned group = 0; group < groups.size(); ++group) {
      if (!groups.isKernel(group) || groups[group].update) continue;
      Launch launch;
      llvm::SmallSetVector<unsigned, 8> reads;
      for (Value input : groups.bodyOf(group).inputs())
        if (groups.producerOf(input) >= 0) reads.insert(numberOf(storageOf(input)));
      launch.reads = reads.takeVector();
      for (unsigned value : launch.reads) readers[value].push_back(unsigned(launches.size()));
      for (Value output : groups.bodyOf(group).outputs)
        launch.makes.push_back(numberOf(storageOf(output)));
      launches.push_back(std::move(launch));
    }
    for (Launch &launch : launches)
      for (unsigned value : launch.makes) isMade[value] = true;
    for (Launch &launch : launches)
      launch.waits = llvm::count_if(launch.reads, [&](unsigned value) { return isMade[value]; });
  }

  int64_t peak() {
    SmallVector<size_t> left;
    for (auto &waiting : readers) left.push_back(waiting.size());
    SmallVector<unsigned> ready;
    for (auto [number, launch] : llvm::enumerate(launches))
      if (launch.waits == 0) ready.push_back(unsigned(number));
    int64_t live = 0, most = 0;
    while (!ready.empty()) {
      // What frees most, less what it makes; of equals the first in the program.
      auto growth = [&](unsigned number) {
        int64_t bytes = 0;
        for (unsigned value : launches[number].makes) bytes += left[value] ? size[value] : 0;
        for (unsigned value : launches[number].reads)
          if (isMade[value] && left[value] == 1) bytes -= size[value];
        return bytes;
      };
      auto *best = std::min_element(ready.begin(), ready.end(), [&](unsigned a, unsigned b) {
        return std::pair(growth(a), a) < std::pair(growth(b), b);
      });
      Launch &launch = launches[*best];
      ready.erase(best);
      for (unsigned value : launch.makes) live += size[value];
      most = std::max(most, live);
      for (unsigned value : launch.makes) {
        if (left[value] == 0) live -= size[value];
        for (unsigned reader : readers[value])
          if (--launches[reader].waits == 0) ready.push_back(reader);
      }
      for (unsigned value : launch.reads)
        if (isMade[value] && --left[value] == 0) live -= size[value];
    }
    return most;
  }

private:
  struct Launch {
    SmallVector<unsigned> reads, makes; // values
    unsigned waits = 0;                 // values that are not made yet
  };

  Value storageOf(Value value) const {
    while (auto reshape = value.getDefiningOp<ReshapeOp>()) value = reshape.getX();
    return value;
  }
  unsigned numberOf(Value value) {
    auto [it, isNew] = numbers.try_emplace(value, unsigned(size.size()));
    if (isNew) {
      size.push_back(bytesOf(value));
      readers.emplace_back();
      isMade.push_back(false);
    }
    return it->second;
  }

  std::vector<Launch> launches;
  llvm::DenseMap<Value, unsigned> numbers; // looked up only
  std::vector<int64_t> size;
  std::vector<SmallVector<unsigned>> readers;
  std::vector<bool> isMade;
};

} // namespace

int64_t peakOf(const Groups &groups) { return Schedule(groups).peak(); }

} // namespace sinter::passes::fusion
