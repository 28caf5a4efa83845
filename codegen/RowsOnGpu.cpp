#include "sinter/codegen/BlockWriter.h"
#include "sinter/codegen/DeviceCall.h"
#include "sinter/codegen/JoinNeighbours.h"
#include "sinter/codegen/RowKernel.h"
#include "sinter/ir/Machine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/TypeUtilities.h"

// Rows on a GPU. How many threads share a row, and so the tree of its sums, depends on the numbers of rows and
// columns alone:
//   - columns that lie side by side: a thread, a warp or a block per row. A thread takes four neighbours at a time
//     where the extent allows it, 16 bytes of f32; its columns are known when the kernel is compiled, so that loops
//     over them are unrolled and what several passes read stays in registers;
//   - columns of several passes that a block's registers do not hold: a cluster of blocks per row, where the GPU has them;
//   - rows that lie side by side (sums over batches and positions): a warp's lanes are neighbouring rows, eight
//     warps share the columns;
//   - few rows of many columns: blocks share them, and a second launch folds what they found.

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

constexpr int64_t warp = 32;
/// Elements of a row that a thread holds in registers, at most.
constexpr int64_t heldByThread = 32;
/// Up to this many columns a warp has a row, and a block has several.
constexpr int64_t columnsOfWarp = 1024;
/// Blocks of a cluster that every GPU with clusters can start.
constexpr int64_t mostOfCluster = 8;
/// Blocks that a GPU has work from, about: one for each of its multiprocessors.
constexpr int64_t enoughBlocks = 128;

class RowsOnGpu : RowKernel, BlockWriter {
public:
  explicit RowsOnGpu(KernelFrame &frame) : RowKernel(frame), BlockWriter(frame) {}

  LogicalResult run() {
    if (reducedElements < warp)
      byThreads();
    else if (runAlongRows && lastKept >= 8)
      sideBySide();
    else
      byGroups();
    return failure(elements->failed());
  }

private:
  using RowKernel::b, RowKernel::frame;

  // --- Loops of one thread.

  /// Calls `body(counter, carried)` for counters [0, count), in a loop that is unrolled whole where `unroll`.
  Group repeat(int64_t count, bool unroll, const Group &carried,
               function_ref<Group(Value, const Group &)> body) {
    if (count == 1) return body(elements->index(0), carried);
    Group result = emitLoop(b, frame.loc, frame.constant(0), frame.constant(count),
                            frame.constant(1), carried, [&](Value counter, ValueRange values) {
                              elements->variable(counter, 0, count - 1);
                              return body(counter, Group(values));
                            });
    if (unroll) std::prev(b.getInsertionPoint())->setAttr(unrollAttr, b.getUnitAttr());
    return result;
  }

  /// How the threads of a group go through columns of their row, `neighbours` at a time.
  struct Walk {
    int64_t threads, neighbours;
    bool unroll = false;
    Value thread = {}; // its number in the group
    // A part of the columns: where it begins, and how many of them a part has, a multiple of what one turn takes.
    Value first = {};
    int64_t part = 0;
    int64_t ofTurn() const { return threads * neighbours; }
  };
  using WordBody = function_ref<Group(SmallVector<Value> column, Value exists, const Group &)>;

  /// Calls `body` for each of the thread's words, with its first column; `exists` is null where all threads have one.
  /// Where it does not hold, the word is another's.
  Group overWords(const Walk &walk, const Group &carried, WordBody body) {
    int64_t count = walk.first ? walk.part : reducedElements;
    bool isEven = reducedElements % (walk.first ? walk.part : walk.ofTurn()) == 0;
    return repeat(
        llvm::divideCeil(count, walk.ofTurn()), walk.unroll, carried,
        [&](Value turn, const Group &state) {
          Value word = elements->apply(d(0) * walk.threads + d(1), {turn, walk.thread}), exists;
          if (walk.first)
            word = elements->apply(d(0) + d(1).floorDiv(walk.neighbours), {word, walk.first});
          if (!isEven) {
            int64_t words = reducedElements / walk.neighbours;
            exists = below(word, words);
            word = arith::MinSIOp::create(b, frame.loc, word, frame.constant(words - 1));
            elements->variable(word, 0, words - 1);
          }
          Value start = elements->apply(d(0) * walk.neighbours, word);
          SmallVector<Value> column = delinearized(start, reducedExtents, reducedElements);
          return body(column, exists, state);
        });
  }

  /// Calls `each` for the neighbours of a word that begins at `column`.
  Group overWord(const Walk &walk, SmallVector<Value> column, const Group &carried,
                 function_ref<Group(ValueRange, const Group &)> each) {
    Group result = repeat(walk.neighbours, true, carried, [&](Value neighbour, const Group &group) {
      SmallVector<Value> at(column);
      if (!at.empty()) at.back() = elements->apply(d(0) + d(1), {at.back(), neighbour});
      return each(at, group);
    });
    if (walk.neighbours > 1)
      codegen::joinNeighbours(b, *elements, cast<scf::ForOp>(std::prev(b.getInsertionPoint())),
                              walk.neighbours);
    return result;
  }

  /// What a thread folds of its columns in one pass. Where it writes while it folds, only what `mine` allows.
  Group foldColumns(Pass pass, ValueRange row, const Walk &walk, Value mine = {}) {
    return overWords(walk, initial(pass, 1),
                     [&](const SmallVector<Value> &word, Value exists, const Group &group) {
                       Group folded =
                           overWord(walk, word, group, [&](ValueRange column, const Group &own) {
                             Group next = fold(pass, row, column, own, exists);
                             if (storesWhileFolding && !mine && !exists)
                               storeDomainOutputs(domainOutputs(), row, column);
                             return next;
                           });
                       if (storesWhileFolding && (mine || exists))
                         storeWord(walk, row, word, both(mine, exists));
                       return folded;
                     });
  }

  void storeWord(const Walk &walk, ValueRange row, const SmallVector<Value> &word, Value exists) {
    if (domainOutputs().empty()) return;
    onlyIf(exists, [&] {
      overWord(walk, word, {}, [&](ValueRange column, const Group &) {
        storeDomainOutputs(domainOutputs(), row, column);
        return Group();
      });
    });
  }

  /// Writes what waits for the row's reductions.
  void storeColumns(const Walk &walk, ValueRange row, Value mine = {}) {
    if (domainOutputs().empty() || storesWhileFolding) return;
    overWords(walk, {}, [&](const SmallVector<Value> &word, Value exists, const Group &) {
      storeWord(walk, row, word, both(mine, exists));
      return Group();
    });
  }

  /// A row by a group of threads; `across` folds what they have.
  void emitRow(ValueRange row, const Walk &walk, function_ref<Group(Pass, const Group &)> across) {
    for (auto &pass : passes) finish(pass, across(pass, foldColumns(pass, row, walk)));
    onlyIf(walk.threads > 1 ? isFirst(walk.thread) : Value(), [&] { storeRowOutputs(row); });
    storeColumns(walk, row);
  }

  // --- A thread, a warp or a block for each row.

  void byThreads() {
    emitParallelNest(frame, *elements, keptExtents, /*vectorize=*/false, reducedElements * cost(),
                     [&](ValueRange row, int64_t) {
                       Walk walk{1, neighbours(), true, elements->index(0)};
                       emitRow(row, walk, [](Pass, const Group &own) { return own; });
                     });
  }

  /// How many columns a thread takes at once: they lie side by side, or rows do and loads wait together.
  int64_t neighbours() const { return reducedExtents.empty() || reducedExtents.back() % 4 ? 1 : 4; }

  void byGroups() {
    Walk walk{warp, neighbours()};
    int64_t block = 4 * warp, most = std::min<int64_t>(1024, frame.options.maxThreads);
    if (reducedElements > columnsOfWarp) {
      walk.threads = 4 * warp;
      while (2 * walk.threads <= most && walk.threads * heldByThread / 2 < reducedElements)
        walk.threads *= 2;
      block = walk.threads;
    }
    walk.unroll = walk.threads * heldByThread >= reducedElements;
    if (!walk.unroll && readsAgain() && hasClusters(frame.options.largeSharedBytes))
      return inCluster(walk);
    if (!walk.unroll && canSplit() && rows < enoughBlocks) return inParts(walk, rows, block);
    int64_t rowsOfBlock = block / walk.threads;
    frame.lowered.block = block;
    frame.lowered.grid = llvm::divideCeil(rows, rowsOfBlock);
    Value number = blockNumber(frame.lowered.grid), thread = threadNumber(block);
    walk.thread = elements->apply(d(0) % walk.threads, thread);
    number = elements->apply(d(0) * rowsOfBlock + d(1).floorDiv(walk.threads), {number, thread});
    auto emit = [&] {
      emitRow(delinearized(number, keptExtents, rows), walk,
              [&](Pass pass, const Group &own) { return acrossGroup(pass, own, walk); });
    };
    if (rows % rowsOfBlock == 0) return emit();
    onlyIf(below(number, rows), [&] {
      number = arith::AddIOp::create(b, frame.loc, number, frame.constant(0));
      elements->variable(number, 0, rows - 1);
      emit();
    });
  }

  // --- A cluster of blocks for each row: what one block has not the registers to hold is read once all the same.

  /// Whether columns are looked at again when a reduction of them is known.
  bool readsAgain() {
    return passes.size() > 1 || (!domainOutputs().empty() && !storesWhileFolding);
  }

  void inCluster(Walk walk) {
    int64_t blocks = 2;
    while (blocks < mostOfCluster && blocks * walk.threads * heldByThread < reducedElements)
      blocks *= 2;
    walk.part = llvm::alignTo(llvm::divideCeil(reducedElements, blocks), walk.ofTurn());
    walk.unroll = walk.threads * heldByThread >= walk.part;
    frame.lowered.block = walk.threads;
    frame.lowered.grid = rows * blocks;
    frame.lowered.function->setAttr(clusterAttr, b.getI64IntegerAttr(blocks));
    Value number = blockNumber(frame.lowered.grid);
    Value member = elements->apply(d(0) % blocks, number);
    SmallVector<Value> row =
        delinearized(elements->apply(d(0).floorDiv(blocks), number), keptExtents, rows);
    walk.thread = threadNumber(walk.threads);
    walk.first = elements->apply(d(0) * walk.part, member);
    for (auto &pass : passes) {
      Group own = acrossGroup(pass, foldColumns(pass, row, walk), walk);
      finish(pass, acrossCluster(pass, own, walk.thread, blocks));
    }
    onlyIf(both(isFirst(walk.thread), isFirst(member)), [&] { storeRowOutputs(row); });
    storeColumns(walk, row);
    syncCluster(); // others may still read what this block found
  }

  void syncCluster() { emitDeviceCall(b, frame.loc, "clusterSync", "sinter/cluster.cuh", {}); }

  /// Over the blocks of a cluster, in their order. All get the result.
  Group acrossCluster(Pass pass, const Group &own, Value thread, int64_t blocks) {
    SmallVector<Value> slots = slotsFor(own, 1), everyones;
    onlyIf(isFirst(thread), [&] { fill(slots, own, elements->index(0)); });
    syncCluster();
    for (Value slot : slots) {
      everyones.push_back(array({blocks}, cast<MemRefType>(slot.getType()).getElementType()));
      emitDeviceCall(b, frame.loc, "clusterGather<" + std::to_string(blocks) + ">",
                     "sinter/cluster.cuh", {everyones.back(), slot});
    }
    Group result;
    for (int64_t number = 0; number < blocks; ++number) {
      Group part = taken(everyones, own, frame.constant(number));
      result = number ? combine(pass, result, part) : part;
    }
    return result;
  }

  // --- Rows that lie side by side: lanes are rows, warps share the columns.

  void sideBySide() {
    constexpr int64_t warps = 8;
    Walk walk{warps, neighbours()};
    int64_t stripes = llvm::divideCeil(rows, warp);
    if (canSplit() && stripes < enoughBlocks && reducedElements >= 16 * walk.ofTurn())
      return inParts(walk, stripes, warps * warp);
    frame.lowered.block = warps * warp;
    frame.lowered.grid = stripes;
    Value stripe = blockNumber(stripes), thread = threadNumber(warps * warp);
    Lane lane = laneOf(stripe, thread);
    walk.thread = elements->apply(d(0).floorDiv(warp), thread);
    for (auto &pass : passes) {
      Group own = foldColumns(pass, lane.row, walk, lane.exists);
      finish(pass, acrossStripe(pass, own, walk, lane.number));
    }
    onlyIf(both(lane.exists, isFirst(walk.thread)), [&] { storeRowOutputs(lane.row); });
    storeColumns(walk, lane.row, lane.exists);
  }

  /// A lane's row of a stripe; beyond the last one it reads that one's elements, and writes nothing.
  struct Lane {
    Value number, linear, exists;
    SmallVector<Value> row;
  };
  Lane laneOf(Value stripe, Value thread) {
    Lane lane;
    lane.number = elements->apply(d(0) % warp, thread);
    lane.linear = elements->apply(d(0) * warp + d(1), {stripe, lane.number});
    if (rows % warp) {
      lane.exists = below(lane.linear, rows);
      lane.linear = arith::MinSIOp::create(b, frame.loc, lane.linear, frame.constant(rows - 1));
      elements->variable(lane.linear, 0, rows - 1);
    }
    lane.row = delinearized(lane.linear, keptExtents, rows);
    return lane;
  }

  // --- Few rows of many columns: two launches.

  /// Whether accumulators of parts may be folded by a second launch. Not in strict numerics: whatever is fused with
  /// the reduction, its tree stays the same, and it may be fused with what needs its columns again.
  bool canSplit() {
    if (frame.options.strict || passes.size() != 1 || !domainOutputs().empty()) return false;
    Group group = initial(passes[0], 1);
    partType = group[0].getType();
    bool fits = !partType.isInteger(1) &&
                llvm::all_of(group, [&](Value value) { return value.getType() == partType; });
    for (Value value : group)
      if (value.use_empty()) value.getDefiningOp()->erase();
    return fits;
  }

  /// The first launch has a block for each part of each group of rows, of which there are `groups`; the second folds
  /// the parts of each row.
  void inParts(Walk walk, int64_t groups, int64_t block) {
    int64_t parts = std::min(llvm::divideCeil(2 * enoughBlocks, groups),
                             llvm::divideCeil(reducedElements, 4 * walk.ofTurn()));
    walk.part = llvm::alignTo(llvm::divideCeil(reducedElements, parts), walk.ofTurn());
    parts = llvm::divideCeil(reducedElements, walk.part);
    Pass pass = passes[0];
    int64_t components = initial(pass, 1).size();
    auto scratch = MemRefType::get(components * parts * rows, partType);
    LoweredKernel &lowered = frame.lowered;
    lowered.scratchBytes = scratch.getNumElements() * scratch.getElementTypeBitWidth() / 8;
    emitParts(walk, groups, block, parts, scratch);

    func::FuncOp last = lowered.function;
    if (failed(last.insertArgument(last.getNumArguments(), scratch, {}, frame.loc))) return;
    Value memory = last.getArguments().back();
    elements = frame.elements();
    auto partOf = [&](Value number, Value row, const Group &carried) {
      Group loaded;
      for (int64_t component = 0; component < components; ++component)
        loaded.push_back(memref::LoadOp::create(
            b, frame.loc, memory,
            elements->apply((d(0) + component * parts) * rows + d(1), {number, row})));
      return combine(pass, carried, loaded);
    };
    if (runAlongRows) { // a thread folds the parts of a row
      emitParallelNest(
          frame, *elements, {rows}, /*vectorize=*/false, parts, [&](ValueRange linear, int64_t) {
            finish(pass,
                   repeat(parts, false, initial(pass, 1), [&](Value part, const Group &carried) {
                     return partOf(part, linear[0], carried);
                   }));
            storeRowOutputs(delinearized(linear[0], keptExtents, rows));
          });
      return;
    }
    // A warp does.
    lowered.block = warp;
    lowered.grid = rows;
    Value row = blockNumber(rows), thread = threadNumber(warp);
    Group own = emitLoop(b, frame.loc, thread, frame.constant(parts), frame.constant(warp),
                         initial(pass, 1), [&](Value part, ValueRange carried) {
                           elements->variable(part, 0, parts - 1);
                           return partOf(part, row, Group(carried));
                         });
    finish(pass, acrossLanes(pass, own, warp));
    onlyIf(isFirst(thread), [&] { storeRowOutputs(delinearized(row, keptExtents, rows)); });
  }

  void emitParts(Walk walk, int64_t groups, int64_t block, int64_t parts, MemRefType scratch) {
    LoweredKernel &lowered = frame.lowered;
    SmallVector<Type> inputs(
        lowered.function.getArgumentTypes().take_front(frame.body().getNumArguments()));
    inputs.push_back(scratch);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(lowered.function);
    lowered.first = func::FuncOp::create(
        b, frame.loc, (lowered.function.getName() + "_parts").str(), b.getFunctionType(inputs, {}));
    lowered.firstGrid = groups * parts;
    lowered.firstBlock = block;
    Block *entry = lowered.first.addEntryBlock();
    b.setInsertionPointToEnd(entry);
    func::ReturnOp::create(b, frame.loc);
    b.setInsertionPoint(entry->getTerminator());
    elements = std::make_unique<Elements>(b, frame.loc, entry);
    for (auto [argument, buffer] : llvm::zip(frame.body().getArguments(), entry->getArguments()))
      elements->bindMemory(argument, buffer);

    Pass pass = passes[0];
    Value number = blockNumber(lowered.firstGrid), thread = threadNumber(block);
    Value group = elements->apply(d(0) % groups, number),
          part = elements->apply(d(0).floorDiv(groups), number);
    walk.first = elements->apply(d(0) * walk.part, part);
    auto store = [&](const Group &result, Value row, Value mine) {
      onlyIf(mine, [&] {
        for (auto [component, value] : llvm::enumerate(result))
          memref::StoreOp::create(
              b, frame.loc, value, entry->getArguments().back(),
              elements->apply((d(0) + int64_t(component) * parts) * rows + d(1), {part, row}));
      });
    };
    if (runAlongRows) {
      Lane lane = laneOf(group, thread);
      walk.thread = elements->apply(d(0).floorDiv(warp), thread);
      store(acrossStripe(pass, foldColumns(pass, lane.row, walk), walk, lane.number), lane.linear,
            both(lane.exists, isFirst(walk.thread)));
    } else {
      walk.thread = thread;
      store(
          acrossGroup(pass, foldColumns(pass, delinearized(group, keptExtents, rows), walk), walk),
          group, isFirst(thread));
    }
  }

  // --- Folding across threads.

  /// Over `count` neighbouring lanes, a power of two: by shuffles. All lanes get the result.
  Group acrossLanes(Pass pass, Group group, int64_t count) {
    for (int32_t offset = int32_t(count / 2); offset > 0; offset /= 2) {
      Group other;
      for (Value value : group) {
        Value sent = widened(value, b.getI32Type());
        Value got =
            gpu::ShuffleOp::create(b, frame.loc, sent, offset, int32_t(warp), gpu::ShuffleMode::XOR)
                .getShuffleResult();
        other.push_back(narrowed(got, value.getType()));
      }
      group = combine(pass, group, other);
    }
    return group;
  }

  /// Over the threads of a group of whole warps; of a block of several warps, where it is more than one. All get the
  /// result.
  Group acrossGroup(Pass pass, const Group &own, const Walk &walk) {
    Group group = acrossLanes(pass, own, warp);
    int64_t warps = walk.threads / warp;
    if (warps == 1) return group;
    Value number = elements->apply(d(0).floorDiv(warp), walk.thread),
          lane = elements->apply(d(0) % warp, walk.thread);
    SmallVector<Value> slots = slotsFor(group, warps);
    onlyIf(isFirst(lane), [&] { fill(slots, group, number); });
    gpu::BarrierOp::create(b, frame.loc);
    Value other = elements->apply(d(0) % warps, lane);
    return acrossLanes(pass, taken(slots, group, other), warps);
  }

  /// Over the warps that share a stripe of rows, in their order.
  Group acrossStripe(Pass pass, const Group &own, const Walk &walk, Value lane) {
    SmallVector<Value> slots = slotsFor(own, walk.threads * warp);
    fill(slots, own, elements->apply(d(0) * warp + d(1), {walk.thread, lane}));
    gpu::BarrierOp::create(b, frame.loc);
    Group result;
    for (int64_t number = 0; number < walk.threads; ++number) {
      Group part = taken(slots, own, elements->apply(d(0) + number * warp, lane));
      result = number ? combine(pass, result, part) : part;
    }
    return result;
  }

  /// Shared memory for `count` groups, by component.
  SmallVector<Value> slotsFor(const Group &group, int64_t count) {
    SmallVector<Value> slots;
    for (Value value : group)
      slots.push_back(array({count}, value.getType().isInteger(1) ? b.getI8Type() : value.getType(),
                            /*shared=*/true));
    return slots;
  }
  void fill(ArrayRef<Value> slots, const Group &group, Value number) {
    for (auto [value, slot] : llvm::zip_equal(group, slots))
      memref::StoreOp::create(b, frame.loc, widened(value, b.getI8Type()), slot, number);
  }
  Group taken(ArrayRef<Value> slots, const Group &like, Value number) {
    Group group;
    for (auto [value, slot] : llvm::zip_equal(like, slots))
      group.push_back(
          narrowed(memref::LoadOp::create(b, frame.loc, slot, number), value.getType()));
    return group;
  }

  /// A truth value as one of `type`, for what has no place for truth values; everything else as it is.
  Value widened(Value value, Type type) {
    if (!value.getType().isInteger(1)) return value;
    return arith::ExtUIOp::create(b, frame.loc, type, value);
  }
  Value narrowed(Value value, Type type) {
    if (value.getType() == type) return value;
    return arith::TruncIOp::create(b, frame.loc, type, value);
  }

  // --- Little things.

  Value blockNumber(int64_t blocks) {
    Value number = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x);
    return elements->variable(number, 0, blocks - 1);
  }
  Value threadNumber(int64_t threads) {
    Value number = gpu::ThreadIdOp::create(b, frame.loc, gpu::Dimension::x);
    return elements->variable(number, 0, threads - 1);
  }
  Value isFirst(Value thread) {
    return arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::eq, thread, frame.constant(0));
  }

  Type partType; // of accumulators that go from launch to launch
};

} // namespace

LogicalResult lowerRowsOnGpu(KernelFrame &frame) { return RowsOnGpu(frame).run(); }

} // namespace sinter::codegen
