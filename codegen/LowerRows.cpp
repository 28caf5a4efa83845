#include "sinter/codegen/RowKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

// Rows on the CPU: loops over rows and columns, in runs of neighbours.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Runs of the innermost reduced dimension are folded into this many independent accumulators.
constexpr int64_t accumulatorSets = 4;

/// Lanes of a run under strict numerics, on every CPU.
constexpr int64_t strictLanes = 16;

class RowLoops : RowKernel {
public:
  explicit RowLoops(KernelFrame &frame) : RowKernel(frame) {}

  LogicalResult run() {
    emitParallelNest(frame, *elements, keptExtents, runAlongRows, reducedElements * cost(),
                     [&](ValueRange row, int64_t) { emitRow(row); });
    return failure(elements->failed());
  }

private:
  Group foldAndStore(Pass pass, ValueRange row, ValueRange column, const Group &group) {
    Group folded = fold(pass, row, column, group);
    if (storesWhileFolding) storeDomainOutputs(domainOutputs(), row, column);
    return folded;
  }

  /// Halves vectors until they are scalars: a tree whose shape depends on the lanes alone.
  Group horizontally(Pass pass, Group group, int64_t lanes) {
    for (; lanes > 1; lanes /= 2) {
      Group low, high;
      for (Value value : group) {
        SmallVector<int64_t> first, second;
        for (int64_t lane = 0; lane < lanes / 2; ++lane) {
          first.push_back(lane);
          second.push_back(lane + lanes / 2);
        }
        low.push_back(vector::ShuffleOp::create(b, frame.loc, value, value, first));
        high.push_back(vector::ShuffleOp::create(b, frame.loc, value, value, second));
      }
      group = combine(pass, low, high);
    }
    for (Value &value : group) value = vector::ExtractOp::create(b, frame.loc, value, int64_t(0));
    return group;
  }

  using ColumnBody =
      llvm::function_ref<Group(ValueRange column, int64_t set, int64_t lanes, const Group &)>;

  /// Calls `body` for every column or run of columns. The state is `sets` groups for runs, then one for
  /// single columns; `body` gets and returns the group that it works on.
  Group overColumns(Group state, unsigned groupSize, int64_t sets, bool vectorize,
                    ColumnBody body) {
    return overColumnsFrom(0, {}, state, groupSize, sets, vectorize, body);
  }
  Group overColumnsFrom(unsigned dim, SmallVector<Value> column, Group state, unsigned groupSize,
                        int64_t sets, bool vectorize, ColumnBody body) {
    if (dim == reducedExtents.size())
      return withGroup(state, groupSize, sets,
                       [&](const Group &group) { return body(column, sets, 1, group); });
    int64_t extent = reducedExtents[dim];
    if (dim + 1 < reducedExtents.size())
      return emitLoop(b, frame.loc, frame.constant(0), frame.constant(extent), frame.constant(1),
                      state, [&](Value counter, ValueRange carried) {
                        elements->variable(counter, 0, extent - 1);
                        SmallVector<Value> inner(column);
                        inner.push_back(counter);
                        return overColumnsFrom(dim + 1, inner, Group(carried), groupSize, sets,
                                               vectorize, body);
                      });
    int64_t lanes = vectorize ? lanesFor(groupSize) : 1, done = 0;
    auto part = [&](int64_t until, int64_t step, int64_t unroll) {
      if (until <= done) return;
      state = emitLoop(
          b, frame.loc, frame.constant(done), frame.constant(until), frame.constant(step * unroll),
          state, [&](Value counter, ValueRange carried) {
            Group next(carried);
            elements->variable(counter, done, until - 1);
            if (step > 1) elements->setRun(counter, step);
            for (int64_t set = 0; set < unroll; ++set) {
              SmallVector<Value> inner(column);
              inner.push_back(elements->apply(b.getAffineDimExpr(0) + set * step, counter));
              next = withGroup(next, groupSize, step > 1 ? set : sets,
                               [&](const Group &group) { return body(inner, set, step, group); });
            }
            if (step > 1) elements->setRun({}, 1);
            return next;
          });
      done = until;
    };
    if (lanes > 1) {
      if (sets > 1) part(extent / (lanes * sets) * (lanes * sets), lanes, sets);
      part(extent / lanes * lanes, lanes, 1);
    }
    if (lanes > 1 && frame.options.maskedTails && !(frame.options.strict && groupSize) &&
        extent - done > 2 && maskedPart(column, state, groupSize, extent, done, body))
      return state;
    part(extent, 1, 1);
    return state;
  }
  /// Lanes of a run that folds into `groupSize` accumulators, or into none.
  int64_t lanesFor(unsigned groupSize) const {
    return frame.options.strict && groupSize ? strictLanes : frame.options.vectorLanes;
  }
  /// What is left of a line in one run under a mask, folded into the first set.
  bool maskedPart(SmallVector<Value> column, Group &state, unsigned groupSize, int64_t extent,
                  int64_t done, ColumnBody body) {
    int64_t lanes = frame.options.vectorLanes;
    Group before = state;
    bool worked = elements->attempt([&] {
      Value start = arith::AddIOp::create(b, frame.loc, frame.constant(done), frame.constant(0));
      elements->variable(start, done, extent - 1);
      elements->setRun(start, lanes);
      elements->setRunStart(done);
      elements->setMask(elements->firstLanes(frame.constant(extent - done)));
      column.push_back(start);
      state = withGroup(state, groupSize, 0,
                        [&](const Group &group) { return body(column, 0, lanes, group); });
      elements->setMask({});
      elements->setRunStart({});
      elements->setRun({}, 1);
    });
    if (!worked) state = before;
    return worked;
  }
  static Group withGroup(Group state, unsigned groupSize, int64_t number,
                         llvm::function_ref<Group(const Group &)> body) {
    if (groupSize == 0) {
      body({});
      return state;
    }
    Group group(state.begin() + number * groupSize, state.begin() + (number + 1) * groupSize);
    group = body(group);
    std::copy(group.begin(), group.end(), state.begin() + number * groupSize);
    return state;
  }

  void foldPass(Pass pass, ValueRange row) {
    int64_t lanes = lanesFor(1);
    bool masks = frame.options.maskedTails && !frame.options.strict;
    bool vectorize = !runAlongRows && lanes > 1 && !reducedExtents.empty() &&
                     reducedExtents.back() >= (masks ? 4 : lanes);
    int64_t sets = 0;
    if (vectorize)
      sets = reducedExtents.back() >= 2 * accumulatorSets * lanes ? accumulatorSets : 1;
    Group state;
    for (int64_t set = 0; set < sets; ++set) llvm::append_range(state, initial(pass, lanes));
    Group single = initial(pass, elements->lanes());
    llvm::append_range(state, single);
    state = overColumns(state, single.size(), sets, vectorize,
                        [&](ValueRange column, int64_t, int64_t, const Group &group) {
                          return foldAndStore(pass, row, column, group);
                        });
    auto group = [&](int64_t number) {
      return Group(state.begin() + number * single.size(),
                   state.begin() + (number + 1) * single.size());
    };
    Group result = group(sets);
    if (vectorize) {
      SmallVector<Group> parts;
      for (int64_t set = 0; set < sets; ++set) parts.push_back(group(set));
      for (; parts.size() > 1; parts.resize(parts.size() / 2))
        for (size_t i = 0; i < parts.size() / 2; ++i)
          parts[i] = combine(pass, parts[i], parts[i + parts.size() / 2]);
      result = combine(pass, horizontally(pass, parts[0], lanes), result);
    }
    finish(pass, result);
  }

  void emitRow(ValueRange row) {
    for (auto &pass : passes) foldPass(pass, row);
    storeRowOutputs(row);
    auto outputs = domainOutputs();
    if (outputs.empty() || storesWhileFolding) return;
    overColumns({}, 0, 1, !runAlongRows && elements->lanes() == 1,
                [&](ValueRange column, int64_t, int64_t, const Group &) {
                  storeDomainOutputs(outputs, row, column);
                  return Group();
                });
  }
};

} // namespace

LogicalResult lowerRows(KernelFrame &frame) {
  return frame.options.gpu ? lowerRowsOnGpu(frame) : RowLoops(frame).run();
}

} // namespace sinter::codegen
