#include "sinter/codegen/KernelFrame.h"
#include "sinter/codegen/JoinNeighbours.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Opens composite ops until only primitive ones are left, and drops what nothing uses.
void openComposites(Block &block, OpBuilder &builder) {
  OpBuilder::InsertionGuard guard(builder);
  for (bool changed = true; changed;) {
    changed = false;
    for (Operation &op : llvm::make_early_inc_range(block)) {
      auto composite = dyn_cast<DecomposableOpInterface>(op);
      if (!composite || attentionFactsOf(&op)) continue; // attention has loops of its own
      builder.setInsertionPoint(&op);
      op.replaceAllUsesWith(composite.decompose(builder));
      op.erase();
      changed = true;
    }
  }
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op)) op.erase();
}

MemRefType bufferType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return MemRefType::get(type.getNumElements(), storageType(type.getElementType()));
}

/// Work, in element operations, below which waking another thread does not pay.
constexpr int64_t grainWork = 16384;

} // namespace

KernelFrame::KernelFrame(KernelOp original, OpBuilder &builder, const LoweringOptions &options)
    : kernel(original.clone()), builder(builder), options(options), loc(original.getLoc()) {
  openComposites(body(), builder);
  SmallVector<Type> parameters;
  for (Value argument : body().getArguments()) parameters.push_back(bufferType(argument.getType()));
  for (Value result : yield()->getOperands()) parameters.push_back(bufferType(result.getType()));
  if (!options.gpu) parameters.append(2, builder.getIndexType());
  auto function = func::FuncOp::create(builder, loc, kernel.getSymName(),
                                       builder.getFunctionType(parameters, {}));
  Block *entry = function.addEntryBlock();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(entry);
  func::ReturnOp::create(builder, loc);
  lowered.function = function;
}

KernelFrame::~KernelFrame() { kernel->erase(); }

std::unique_ptr<Elements> KernelFrame::elements() {
  Block &entry = lowered.function.getBody().front();
  builder.setInsertionPoint(entry.getTerminator());
  auto result = std::make_unique<Elements>(builder, loc, &entry);
  for (auto [argument, buffer] : llvm::zip(body().getArguments(), entry.getArguments()))
    result->bindMemory(argument, buffer);
  return result;
}

std::vector<AffineExpr> KernelFrame::trial(ArrayRef<int64_t> extents, TrialBody emit) {
  OpBuilder::InsertionGuard guard(builder);
  SmallVector<Type> types(lowered.function.getArgumentTypes());
  size_t parameters = types.size();
  types.append(extents.size(), builder.getIndexType());
  auto scratch = func::FuncOp::create(loc, "trial", builder.getFunctionType(types, {}));
  Block *entry = scratch.addEntryBlock();
  builder.setInsertionPointToEnd(entry);
  func::ReturnOp::create(builder, loc);
  builder.setInsertionPoint(entry->getTerminator());
  std::vector<AffineExpr> positions;
  {
    Elements elements(builder, loc, entry);
    elements.recorder = &positions;
    for (auto [argument, buffer] : llvm::zip(body().getArguments(), entry->getArguments()))
      elements.bindMemory(argument, buffer);
    SmallVector<Value> indices;
    for (auto [dim, extent] : llvm::enumerate(extents))
      indices.push_back(elements.variable(entry->getArgument(parameters + dim), 0, extent - 1));
    emit(elements, indices);
  }
  scratch.erase();
  return positions;
}

Value KernelFrame::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

/// Whether every position walks through dimensions `outer` and `outer + 1`, of which the inner one has
/// `size` elements, as through one.
static bool walksAsOne(ArrayRef<AffineExpr> positions, ArrayRef<int64_t> extents, unsigned outer) {
  int64_t size = extents[outer + 1];
  SmallVector<std::optional<IndexRange>> ranges;
  for (int64_t extent : extents) ranges.push_back(IndexRange{0, extent - 1});
  unsigned merged = ranges.size();
  ranges.push_back(IndexRange{0, extents[outer] * size - 1});
  // Later dimensions are what emission found on its way; they move up by one.
  for (AffineExpr position : positions) {
    MLIRContext *context = position.getContext();
    if (!position.isFunctionOfDim(outer) && !position.isFunctionOfDim(outer + 1)) continue;
    if (size == 1 || extents[outer] == 1) continue;
    unsigned highest = merged;
    position.walk([&](AffineExpr expr) {
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        highest = std::max(highest, dim.getPosition() + 1);
    });
    SmallVector<AffineExpr> replacements;
    AffineExpr joint = getAffineDimExpr(merged, context);
    for (unsigned dim = 0; dim < highest; ++dim)
      replacements.push_back(dim == outer       ? joint.floorDiv(size)
                             : dim == outer + 1 ? joint % size
                             : dim >= merged    ? getAffineDimExpr(dim + 1, context)
                                                : getAffineDimExpr(dim, context));
    AffineExpr replaced = simplifyIndex(position.replaceDimsAndSymbols(replacements, {}), ranges);
    bool apart = false;
    AffineExpr high = simplifyIndex(joint.floorDiv(size), ranges),
               low = simplifyIndex(joint % size, ranges);
    replaced.walk([&](AffineExpr expr) { apart |= expr == high || expr == low; });
    // Any other division by which the two were told apart is of another divisor: compare with the
    // number of divisions before.
    auto divisions = [](AffineExpr expr) {
      int count = 0;
      expr.walk([&](AffineExpr part) {
        count +=
            part.getKind() == AffineExprKind::FloorDiv || part.getKind() == AffineExprKind::Mod;
      });
      return count;
    };
    if (apart || divisions(replaced) > divisions(position)) return false;
  }
  return true;
}

MergedDims mergeDims(ArrayRef<int64_t> extents, ArrayRef<AffineExpr> positions,
                     function_ref<bool(unsigned)> mayMerge, MLIRContext *context,
                     function_ref<bool(unsigned)> mustMerge) {
  // Which neighbours are one; judged on the original dimensions, pair by pair.
  SmallVector<bool> joined(extents.size(), false);
  for (unsigned dim = 0; dim + 1 < extents.size(); ++dim)
    joined[dim] =
        (mustMerge && mustMerge(dim)) || (mayMerge(dim) && walksAsOne(positions, extents, dim));
  MergedDims merged;
  merged.exprs.resize(extents.size());
  merged.mergedOf.resize(extents.size());
  for (unsigned first = 0; first < extents.size();) {
    unsigned last = first;
    while (joined[last]) ++last;
    AffineExpr variable = getAffineDimExpr(merged.extents.size(), context);
    int64_t stride = 1;
    for (unsigned dim = last + 1; dim-- > first;) {
      AffineExpr expr = variable.floorDiv(stride);
      merged.exprs[dim] = dim == first ? expr : expr % extents[dim];
      merged.mergedOf[dim] = merged.extents.size();
      stride *= extents[dim];
    }
    merged.extents.push_back(stride);
    first = last + 1;
  }
  return merged;
}

SmallVector<Value> emitLoop(OpBuilder &b, Location loc, Value lower, Value upper, Value step,
                            ValueRange carried, LoopBody body) {
  auto loop = scf::ForOp::create(b, loc, lower, upper, step, carried);
  OpBuilder::InsertionGuard guard(b);
  if (carried.empty())
    b.setInsertionPoint(loop.getBody()->getTerminator());
  else
    b.setInsertionPointToEnd(loop.getBody());
  SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!carried.empty()) scf::YieldOp::create(b, loc, next);
  return SmallVector<Value>(loop.getResults());
}

static int64_t product(ArrayRef<int64_t> extents) {
  return std::accumulate(extents.begin(), extents.end(), int64_t(1), std::multiplies<>());
}

/// Sequential loops over the dimensions from `dim` on; the last in runs where `vectorize`.
static void emitInnerLoops(KernelFrame &frame, Elements &elements, ArrayRef<int64_t> extents,
                           unsigned dim, SmallVector<Value> indices, bool vectorize,
                           NestBody body) {
  OpBuilder &b = frame.builder;
  if (dim == extents.size()) return body(indices, 1);
  auto loop = [&](int64_t from, int64_t to, int64_t step) {
    if (from >= to) return;
    emitLoop(b, frame.loc, frame.constant(from), frame.constant(to), frame.constant(step), {},
             [&](Value counter, ValueRange) {
               elements.variable(counter, from, to - step);
               SmallVector<Value> inner(indices);
               inner.push_back(counter);
               if (dim + 1 == extents.size() && step > 1) {
                 elements.variable(counter, from, to - 1);
                 elements.setRun(counter, step);
                 body(inner, step);
                 elements.setRun({}, 1);
               } else {
                 emitInnerLoops(frame, elements, extents, dim + 1, inner, vectorize, body);
               }
               return SmallVector<Value>();
             });
  };
  int64_t lanes = frame.options.vectorLanes, extent = extents[dim];
  if (dim + 1 == extents.size() && vectorize && lanes > 1) {
    int64_t whole = extent / lanes * lanes;
    loop(0, whole, lanes);
    // The rest under a mask, where that works, if it is worth one.
    bool done = whole == extent ||
                (frame.options.maskedTails && extent - whole > 2 && elements.attempt([&] {
                  Value start =
                      arith::AddIOp::create(b, frame.loc, frame.constant(whole), frame.constant(0));
                  elements.variable(start, whole, extent - 1);
                  elements.setRun(start, lanes);
                  elements.setRunStart(whole);
                  elements.setMask(elements.firstLanes(frame.constant(extent - whole)));
                  SmallVector<Value> inner(indices);
                  inner.push_back(start);
                  body(inner, lanes);
                  elements.setMask({});
                  elements.setRunStart({});
                  elements.setRun({}, 1);
                }));
    if (!done) loop(whole, extent, 1);
  } else {
    loop(0, extent, 1);
  }
}

/// How many points that lie side by side a thread of a GPU takes: as many as 16 bytes hold of the widest elements
/// that the kernel reads and writes, where the innermost extent is a multiple of that.
static int64_t neighboursOfThread(KernelFrame &frame, int64_t extent) {
  unsigned widest = 8;
  for (Type type : frame.lowered.function.getArgumentTypes())
    widest = std::max(widest, cast<MemRefType>(type).getElementTypeBitWidth());
  return std::gcd(extent, std::clamp<int64_t>(128 / widest, 2, 8));
}

/// One thread for `neighbours` points of the last dimension.
static void emitThreadsOf(KernelFrame &frame, Elements &elements, ArrayRef<int64_t> extents,
                          int64_t neighbours, NestBody body) {
  OpBuilder &b = frame.builder;
  int64_t total = product(extents) / neighbours,
          threads = std::min<int64_t>(256, frame.options.maxThreads);
  frame.lowered.block = threads;
  frame.lowered.grid = std::max<int64_t>(1, llvm::divideCeil(total, threads));
  Value block = gpu::BlockIdOp::create(b, frame.loc, gpu::Dimension::x);
  Value thread = gpu::ThreadIdOp::create(b, frame.loc, gpu::Dimension::x);
  elements.variable(block, 0, frame.lowered.grid - 1);
  elements.variable(thread, 0, threads - 1);
  Value point =
      elements.apply(b.getAffineDimExpr(0) * threads + b.getAffineDimExpr(1), {block, thread});
  Value inside =
      arith::CmpIOp::create(b, frame.loc, arith::CmpIPredicate::slt, point, frame.constant(total));
  auto branch = scf::IfOp::create(b, frame.loc, inside, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  // A variable of its own, known to be inside.
  Value own = arith::AddIOp::create(b, frame.loc, point, frame.constant(0));
  elements.variable(own, 0, total - 1);
  SmallVector<Value> indices;
  int64_t stride = total;
  for (auto [dim, extent] : llvm::enumerate(extents)) {
    int64_t steps = dim + 1 == extents.size() ? extent / neighbours : extent;
    stride /= steps;
    indices.push_back(elements.apply(b.getAffineDimExpr(0).floorDiv(stride) % steps, own));
  }
  if (neighbours == 1) return body(indices, 1);
  std::vector<AffineExpr> positions;
  auto *outer = std::exchange(elements.recorder, &positions);
  bool isStraight = true;
  emitLoop(b, frame.loc, frame.constant(0), frame.constant(neighbours), frame.constant(1), {},
           [&](Value neighbour, ValueRange) {
             elements.variable(neighbour, 0, neighbours - 1);
             AffineExpr last = b.getAffineDimExpr(0) * neighbours + b.getAffineDimExpr(1);
             indices.back() = elements.apply(last, {indices.back(), neighbour});
             body(indices, 1);
             b.getInsertionBlock()->walk([&](scf::ForOp) { isStraight = false; });
             return SmallVector<Value>();
           });
  elements.recorder = outer;
  auto loop = cast<scf::ForOp>(std::prev(b.getInsertionPoint()));
  loop->setAttr(unrollAttr, b.getUnitAttr());
  if (isStraight && walkSideBySide(elements, positions, loop.getInductionVar(), neighbours))
    joinNeighbours(b, elements, loop, neighbours);
  else
    elements.giveUp();
}

/// The GPU's form: a thread for each point, or for neighbours that come in one load and go in one store.
static void emitThreads(KernelFrame &frame, Elements &elements, ArrayRef<int64_t> extents,
                        bool vectorize, NestBody body) {
  int64_t neighbours =
      vectorize && !extents.empty() ? neighboursOfThread(frame, extents.back()) : 1;
  if (neighbours > 1 &&
      elements.attempt([&] { emitThreadsOf(frame, elements, extents, neighbours, body); }))
    return;
  emitThreadsOf(frame, elements, extents, 1, body);
}

void emitParallelNest(KernelFrame &frame, Elements &elements, ArrayRef<int64_t> extents,
                      bool vectorize, int64_t cost, NestBody body) {
  OpBuilder &b = frame.builder;
  if (frame.options.gpu) return emitThreads(frame, elements, extents, vectorize, body);
  LoweredKernel &lowered = frame.lowered;
  int64_t lanes = vectorize ? frame.options.vectorLanes : 1;
  cost = std::max<int64_t>(cost, 1);
  if (extents.empty()) {
    lowered.range = lowered.grain = 1;
    return body({}, 1);
  }
  Value one = frame.constant(1);
  if (extents.size() == 1) {
    lowered.range = extents[0];
    lowered.grain =
        llvm::alignTo(std::max<int64_t>(1, grainWork / cost), lanes > 1 ? 4 * lanes : 1);
    Value middle = frame.begin();
    if (lanes > 1) {
      // `begin` is a multiple of `lanes`.
      Value width = frame.constant(lanes);
      middle = arith::MulIOp::create(
          b, frame.loc, arith::DivUIOp::create(b, frame.loc, frame.end(), width), width);
      middle = arith::MaxUIOp::create(b, frame.loc, middle, frame.begin());
      emitLoop(b, frame.loc, frame.begin(), middle, width, {}, [&](Value counter, ValueRange) {
        elements.variable(counter, 0, extents[0] - 1);
        elements.setRun(counter, lanes);
        body(counter, lanes);
        elements.setRun({}, 1);
        return SmallVector<Value>();
      });
      if (extents[0] % lanes == 0) return;
    }
    emitLoop(b, frame.loc, middle, frame.end(), one, {}, [&](Value counter, ValueRange) {
      elements.variable(counter, 0, extents[0] - 1);
      body(counter, 1);
      return SmallVector<Value>();
    });
    return;
  }
  // Enough leading dimensions to keep many threads busy.
  unsigned parallel = 1;
  while (parallel + 1 < extents.size() && product(extents.take_front(parallel)) < 64) ++parallel;
  int64_t units = product(extents.take_front(parallel)),
          inner = product(extents.drop_front(parallel));
  lowered.range = units;
  lowered.grain = std::max<int64_t>(1, grainWork / std::max<int64_t>(1, cost * inner));
  emitLoop(b, frame.loc, frame.begin(), frame.end(), one, {}, [&](Value unit, ValueRange) {
    elements.variable(unit, 0, units - 1);
    SmallVector<Value> indices;
    int64_t stride = units;
    for (int64_t extent : extents.take_front(parallel)) {
      stride /= extent;
      indices.push_back(elements.apply(b.getAffineDimExpr(0).floorDiv(stride) % extent, unit));
    }
    emitInnerLoops(frame, elements, extents, parallel, indices, vectorize, body);
    return SmallVector<Value>();
  });
}

} // namespace sinter::codegen
