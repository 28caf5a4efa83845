#include "sinter/codegen/KernelFrame.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

// Kernels of kinds reduction and row: for each row (a point of the kept dimensions), passes over the
// columns (the reduced dimensions), each folding all reductions whose operands are known by then, and
// a last pass that writes what has the domain's shape.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Runs of the innermost reduced dimension are folded into this many independent accumulators.
constexpr int64_t accumulatorSets = 4;

/// Lanes of a run under strict numerics, on every CPU.
constexpr int64_t strictLanes = 16;

class RowLowering {
public:
  explicit RowLowering(KernelFrame &frame) : frame(frame), b(frame.builder) {}

  LogicalResult run() {
    analyse();
    elements = frame.elements();
    if (frame.options.gpu && reducedElements >= 32)
      emitBlockPerRow();
    else
      emitParallelNest(frame, *elements, keptExtents, runAlongRows, reducedElements * cost(),
                       [&](ValueRange row, int64_t) { emitRow(row); });
    return failure(elements->failed());
  }

private:
  using Group = SmallVector<Value>; // accumulators of all reductions of a pass, one after another

  int64_t cost() { return int64_t(frame.body().getOperations().size()); }

  // --- What the kernel is.

  void analyse() {
    DenseMap<Value, unsigned> level;
    for (Operation &op : frame.body().without_terminator()) {
      unsigned known = 0;
      for (Value operand : op.getOperands()) known = std::max(known, level.lookup(operand));
      if (auto reduction = dyn_cast<ReductionOpInterface>(op)) {
        if (passes.empty())
          domain.assign(shapeOf(op.getOperand(0))), reducedDims = reduction.getReducedDims();
        if (passes.size() <= known) passes.resize(known + 1);
        passes[known].push_back(reduction);
        ++known;
      }
      for (Value result : op.getResults()) level[result] = known;
    }
    // Outputs that wait for no reduction are written while the one pass folds.
    storesWhileFolding = passes.size() == 1;
    for (Value output : frame.yield()->getOperands())
      storesWhileFolding &= !isDomain(output) || level.lookup(output) == 0;
    // Dimensions of one element have one index: 0.
    SmallVector<int64_t> extents;
    for (auto [dim, extent] : llvm::enumerate(domain)) {
      bool isReduced = llvm::is_contained(reducedDims, int64_t(dim));
      (isReduced ? reducedElements : rows) *= extent;
      if (extent == 1) continue;
      dims.push_back(dim);
      extents.push_back(extent);
      reduced.push_back(isReduced);
    }
    std::vector<AffineExpr> positions =
        frame.trial(extents, [&](Elements &trial, ValueRange indices) {
          elements.reset();
          SmallVector<Value> all = fullIndices(trial, indices);
          for (auto &pass : passes)
            for (ReductionOpInterface reduction : pass) {
              trial.element(reduction->getOperand(0), all);
              components[reduction] =
                  reduction.buildInit(b, frame.loc, accumulatorType(reduction)).size();
              if (usesPosition(reduction)) trial.record(columnPosition(trial, all));
              trial.bindValue(
                  reduction->getResult(0),
                  constantIntOf(b, frame.loc, computeType(elementOf(reduction->getResult(0))), 0));
            }
          for (Value output : frame.yield()->getOperands()) {
            trial.element(output, placeOf(trial, output, all));
            trial.record(positionOf(trial, output, all));
          }
        });
    merged = mergeDims(
        extents, positions, [&](unsigned dim) { return reduced[dim] == reduced[dim + 1]; },
        b.getContext(), [&](unsigned dim) { // the order is the shape's, whoever reads how
          return frame.options.strict && reduced[dim] && reduced[dim + 1];
        });
    for (auto [dim, extent] : llvm::enumerate(merged.extents)) {
      bool isReduced = false;
      for (unsigned original = 0; original < extents.size(); ++original)
        if (merged.mergedOf[original] == dim) isReduced = reduced[original];
      (isReduced ? reducedExtents : keptExtents).push_back(extent);
      mergedReduced.push_back(isReduced);
    }
    bool lastIsReduced = mergedReduced.empty() || mergedReduced.back();
    runAlongRows = !lastIsReduced;
  }

  /// Domain indices from those of the dimensions with more than one element.
  SmallVector<Value> fullIndices(Elements &in, ValueRange indices) {
    SmallVector<Value> all(domain.size());
    for (auto [dim, index] : llvm::zip_equal(dims, indices)) all[dim] = index;
    for (Value &index : all)
      if (!index) index = in.index(0);
    return all;
  }
  /// Domain indices at merged row and column indices.
  SmallVector<Value> domainIndices(ValueRange row, ValueRange column) {
    SmallVector<Value> both, original;
    auto nextRow = row.begin(), nextColumn = column.begin();
    for (bool isReduced : mergedReduced) both.push_back(isReduced ? *nextColumn++ : *nextRow++);
    for (AffineExpr expr : merged.exprs) original.push_back(elements->apply(expr, both));
    return fullIndices(*elements, original);
  }
  SmallVector<Value> someColumn() {
    return SmallVector<Value>(reducedExtents.size(), elements->index(0));
  }

  AffineExpr positionIn(Elements &in, ArrayRef<Value> all, bool columns) {
    AffineExpr position = b.getAffineConstantExpr(0);
    for (auto [dim, extent] : llvm::enumerate(domain))
      if (llvm::is_contained(reducedDims, int64_t(dim)) == columns)
        position = position * extent + in.exprOf(all[dim]);
    return position;
  }
  AffineExpr columnPosition(Elements &in, ArrayRef<Value> all) { return positionIn(in, all, true); }
  bool isDomain(Value value) { return shapeOf(value) == ArrayRef<int64_t>(domain); }
  AffineExpr positionOf(Elements &in, Value output, ArrayRef<Value> all) {
    if (!isDomain(output)) return positionIn(in, all, false);
    SmallVector<AffineExpr> exprs;
    for (Value index : all) exprs.push_back(in.exprOf(index));
    return linearIndex(exprs, domain, b.getContext());
  }
  SmallVector<Value> placeOf(Elements &in, Value output, ArrayRef<Value> all) {
    if (isDomain(output)) return SmallVector<Value>(all);
    AffineExpr row = positionIn(in, all, false);
    SmallVector<Value> place;
    int64_t stride = rows;
    for (int64_t extent : shapeOf(output)) {
      stride /= extent;
      place.push_back(in.indexOf(row.floorDiv(stride) % extent));
    }
    return place;
  }

  // --- Folding.

  Type accumulatorType(ReductionOpInterface reduction) {
    return computeType(elementOf(reduction->getOperand(0)));
  }

  /// Initial accumulators; vectors of `lanes` where that is more than one.
  Group initial(ArrayRef<ReductionOpInterface> pass, int64_t lanes) {
    Group group;
    for (ReductionOpInterface reduction : pass) {
      Type type = accumulatorType(reduction);
      llvm::append_range(group,
                         ReductionOpInterface(reduction).buildInit(
                             b, frame.loc, lanes > 1 ? Type(VectorType::get(lanes, type)) : type));
    }
    return group;
  }
  /// Applies `each(reduction, its components of every group)` and gathers what it returns.
  Group combine(ArrayRef<ReductionOpInterface> pass, const Group &lhs, const Group &rhs) {
    Group result;
    unsigned at = 0;
    for (ReductionOpInterface reduction : pass) {
      unsigned count = componentsOf(reduction);
      ValueRange left = ValueRange(lhs).slice(at, count), right = ValueRange(rhs).slice(at, count);
      llvm::append_range(result, reduction.buildCombine(b, frame.loc, left, right));
      at += count;
    }
    return result;
  }
  unsigned componentsOf(ReductionOpInterface reduction) { return components.lookup(reduction); }
  /// Accumulators of several components keep track of places.
  bool usesPosition(ReductionOpInterface reduction) { return componentsOf(reduction) > 1; }

  /// Folds the elements at a column (or run of columns) into `group`.
  Group fold(ArrayRef<ReductionOpInterface> pass, ValueRange row, ValueRange column,
             const Group &group) {
    SmallVector<Value> all = domainIndices(row, column);
    Group lifted;
    for (ReductionOpInterface reduction : pass) {
      Value element = elements->spread(elements->element(reduction->getOperand(0), all));
      Value position;
      if (usesPosition(reduction))
        position =
            elements->asData(elements->indexOf(columnPosition(*elements, all)), b.getI64Type());
      SmallVector<Value> parts = reduction.buildLift(b, frame.loc, element, position);
      SmallVector<Value> neutral;
      if (elements->lanes() > 1 && !runAlongRows)
        neutral = reduction.buildInit(b, frame.loc, element.getType());
      for (auto [number, part] : llvm::enumerate(parts))
        lifted.push_back(neutral.empty() ? part : elements->masked(part, neutral[number]));
    }
    return combine(pass, group, lifted);
  }

  Group foldAndStore(ArrayRef<ReductionOpInterface> pass, ValueRange row, ValueRange column,
                     const Group &group) {
    Group folded = fold(pass, row, column, group);
    if (storesWhileFolding) storeDomainOutputs(domainOutputs(), row, column);
    return folded;
  }

  /// Halves vectors until they are scalars: a tree whose shape depends on the lanes alone.
  Group horizontally(ArrayRef<ReductionOpInterface> pass, Group group, int64_t lanes) {
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

  /// Binds the results of a pass to its final accumulators.
  void finish(ArrayRef<ReductionOpInterface> pass, const Group &group) {
    unsigned at = 0;
    for (ReductionOpInterface reduction : pass) {
      unsigned count = componentsOf(reduction);
      Value result =
          reduction.buildFinish(b, frame.loc, ValueRange(group).slice(at, count), reducedElements);
      at += count;
      elements->bindValue(reduction->getResult(0),
                          elements->rounded(result, elementOf(reduction->getResult(0))));
    }
  }

  // --- Loops over the columns of a row on the CPU (or by one thread of a GPU).

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

  void foldPass(ArrayRef<ReductionOpInterface> pass, ValueRange row) {
    int64_t lanes = lanesFor(1);
    bool masks = frame.options.maskedTails && !frame.options.strict;
    bool vectorize = !frame.options.gpu && !runAlongRows && lanes > 1 && !reducedExtents.empty() &&
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

  void storeAt(Value output, unsigned number, Value value, ArrayRef<Value> all) {
    elements->store(value, frame.outputBuffer(number), elementOf(output),
                    positionOf(*elements, output, all));
  }

  void emitRow(ValueRange row) {
    for (auto &pass : passes) foldPass(pass, row);
    storeRowOutputs(row);
    auto outputs = domainOutputs();
    if (outputs.empty() || storesWhileFolding) return;
    overColumns({}, 0, 1, !runAlongRows && !frame.options.gpu && elements->lanes() == 1,
                [&](ValueRange column, int64_t, int64_t, const Group &) {
                  storeDomainOutputs(outputs, row, column);
                  return Group();
                });
  }
  void storeRowOutputs(ValueRange row) {
    SmallVector<Value> all = domainIndices(row, someColumn());
    SmallVector<std::pair<unsigned, Value>> values;
    for (auto [number, output] : llvm::enumerate(frame.yield()->getOperands()))
      if (!isDomain(output))
        values.push_back({number, elements->element(output, placeOf(*elements, output, all))});
    for (auto [number, value] : values)
      storeAt(frame.yield()->getOperand(number), number, value, all);
  }
  SmallVector<unsigned> domainOutputs() {
    SmallVector<unsigned> outputs;
    for (auto [number, output] : llvm::enumerate(frame.yield()->getOperands()))
      if (isDomain(output)) outputs.push_back(number);
    return outputs;
  }
  void storeDomainOutputs(ArrayRef<unsigned> outputs, ValueRange row, ValueRange column) {
    SmallVector<Value> all = domainIndices(row, column), values;
    for (unsigned number : outputs)
      values.push_back(elements->element(frame.yield()->getOperand(number), all));
    for (auto [number, value] : llvm::zip_equal(outputs, values))
      storeAt(frame.yield()->getOperand(number), number, value, all);
  }

  // --- A block of threads for each row, on the GPU.

  void emitBlockPerRow() {
    int64_t threads = std::min<int64_t>(256, frame.options.maxThreads);
    while (threads > 32 && threads / 2 >= reducedElements) threads /= 2;
    frame.lowered.block = threads;
    frame.lowered.grid = rows;
    Value block = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x);
    Value thread = gpu::ThreadIdOp::create(b, frame.loc, gpu::Dimension::x);
    elements->variable(block, 0, rows - 1);
    elements->variable(thread, 0, threads - 1);
    SmallVector<Value> row = delinearized(block, keptExtents, rows);
    Value total = frame.constant(reducedElements), step = frame.constant(threads);
    for (auto &pass : passes) {
      Group own = emitLoop(b, frame.loc, thread, total, step, initial(pass, 1),
                           [&](Value counter, ValueRange carried) {
                             elements->variable(counter, 0, reducedElements - 1);
                             return foldAndStore(
                                 pass, row, delinearized(counter, reducedExtents, reducedElements),
                                 Group(carried));
                           });
      finish(pass, acrossBlock(pass, own, thread, threads));
    }
    Value first =
        arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::eq, thread, frame.constant(0));
    auto branch = scf::IfOp::create(b, frame.loc, first, /*withElseRegion=*/false);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      storeRowOutputs(row);
    }
    auto outputs = domainOutputs();
    if (!outputs.empty() && !storesWhileFolding)
      emitLoop(b, frame.loc, thread, total, step, {}, [&](Value counter, ValueRange) {
        elements->variable(counter, 0, reducedElements - 1);
        storeDomainOutputs(outputs, row, delinearized(counter, reducedExtents, reducedElements));
        return SmallVector<Value>();
      });
  }
  SmallVector<Value> delinearized(Value linear, ArrayRef<int64_t> extents, int64_t total) {
    SmallVector<Value> indices;
    for (int64_t extent : extents) {
      total /= extent;
      indices.push_back(elements->apply(b.getAffineDimExpr(0).floorDiv(total) % extent, linear));
    }
    return indices;
  }

  /// Combines every thread's accumulators: within warps by shuffles, then over the warps' results in
  /// shared memory, which each thread adds up in the same order.
  Group acrossBlock(ArrayRef<ReductionOpInterface> pass, Group group, Value thread,
                    int64_t threads) {
    for (int32_t offset = 16; offset > 0; offset /= 2) {
      Group other;
      for (Value value : group) {
        bool boolean = value.getType().isInteger(1);
        Value sent = boolean
                         ? arith::ExtUIOp::create(b, frame.loc, b.getI32Type(), value).getResult()
                         : value;
        Value got = gpu::ShuffleOp::create(b, frame.loc, sent, offset, 32, gpu::ShuffleMode::XOR)
                        .getShuffleResult();
        other.push_back(
            boolean ? arith::TruncIOp::create(b, frame.loc, b.getI1Type(), got).getResult() : got);
      }
      group = combine(pass, group, other);
    }
    int64_t warps = threads / 32;
    if (warps == 1) return group;
    auto space = gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
    SmallVector<Value> slots;
    Value warp = elements->apply(b.getAffineDimExpr(0).floorDiv(32), thread);
    Value lane = elements->apply(b.getAffineDimExpr(0) % 32, thread);
    for (Value value : group) {
      Type stored = value.getType().isInteger(1) ? b.getI8Type() : value.getType();
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(&frame.lowered.function.getBody().front());
      slots.push_back(memref::AllocaOp::create(
          b, frame.loc, MemRefType::get(warps, stored, MemRefLayoutAttrInterface(), space)));
    }
    Value leads =
        arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::eq, lane, frame.constant(0));
    auto branch = scf::IfOp::create(b, frame.loc, leads, /*withElseRegion=*/false);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      for (auto [value, slot] : llvm::zip_equal(group, slots)) {
        Value stored = value.getType().isInteger(1)
                           ? arith::ExtUIOp::create(b, frame.loc, b.getI8Type(), value).getResult()
                           : value;
        memref::StoreOp::create(b, frame.loc, stored, slot, warp);
      }
    }
    gpu::BarrierOp::create(b, frame.loc);
    Group result;
    for (int64_t number = 0; number < warps; ++number) {
      Group part;
      for (auto [value, slot] : llvm::zip_equal(group, slots)) {
        Value loaded = memref::LoadOp::create(b, frame.loc, slot, frame.constant(number));
        part.push_back(
            value.getType().isInteger(1)
                ? arith::TruncIOp::create(b, frame.loc, b.getI1Type(), loaded).getResult()
                : loaded);
      }
      result = number ? combine(pass, result, part) : part;
    }
    return result;
  }

  KernelFrame &frame;
  OpBuilder &b;
  std::unique_ptr<Elements> elements;

  SmallVector<int64_t> domain, reducedDims;
  int64_t rows = 1, reducedElements = 1;
  std::vector<SmallVector<ReductionOpInterface>> passes;
  DenseMap<Operation *, unsigned> components;
  SmallVector<unsigned> dims; // those of the domain with more than one element
  SmallVector<bool> reduced;  // for each of them
  MergedDims merged;
  SmallVector<bool> mergedReduced;
  SmallVector<int64_t> keptExtents, reducedExtents;
  bool runAlongRows = false; // neighbouring rows are neighbours in memory
  bool storesWhileFolding = false;
};

} // namespace

LogicalResult lowerRows(KernelFrame &frame) { return RowLowering(frame).run(); }

} // namespace sinter::codegen
