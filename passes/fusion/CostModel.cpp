#include "sinter/passes/fusion/CostModel.h"

#include "sinter/ir/Segments.h"

#include <cmath>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::fusion {

int64_t bytesOf(Value value) {
  RankedTensorType type = tensorType(value);
  return type.getNumElements() * std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
}

static double elements(Value value) { return double(tensorType(value).getNumElements()); }

// Elements that one evaluation of the whole op computes.
static double pointsOf(Operation *op) {
  return isa<ReductionOpInterface>(op) ? elements(op->getOperand(0)) : elements(op->getResult(0));
}

double CostModel::operationsPerElement(Operation *op) const {
  auto fusible = dyn_cast<FusibleOpInterface>(op);
  if (!fusible || isa<ConstantOp, ReshapeOp>(op)) return 0;
  // A window or gather visits its elements one by one, where other ops fill vectors.
  auto element = dyn_cast<ElementOpInterface>(op);
  double each = double(fusible.getFlops()) / std::max(1.0, pointsOf(op));
  if (element && !element.isVectorizable()) return each * scalarElement;
  if (fusible.getFusionKind() == FusionKind::View) return 0;
  if (fusible.getFusionKind() == FusionKind::Random) return 20 * each;
  // What mixed precision keeps in f32 pointwise are the functions: exp, log, pow, ...
  auto precision = dyn_cast<PrecisionOpInterface>(op);
  if (fusible.getFusionKind() == FusionKind::Pointwise && precision &&
      precision.getPrecisionPolicy() == PrecisionPolicy::Full)
    return 12 * each;
  return each;
}

// A CPU streams about 10 bytes in the time of 100 vector operations of 4 bytes and starts a kernel in
// a fraction of a microsecond; a GPU needs 14 operations a byte, and its terabytes a second make the
// microsecond between two kernels worth megabytes.
CostModel::CostModel(TargetAttr target) {
  bool isGpu = target && target.getKind() == "cuda";
  isMeasured = !isGpu;
  operationsPerByte = isGpu ? 14 : 10;
  launch = isGpu ? 5e6 : 4e3;
  contractionTile = isGpu ? 64 : 240;
  scalarElement = isGpu ? 4 : 50;
}

int64_t CostModel::bytesOf(const KernelBody &body) const {
  int64_t total = 0;
  for (Value input : body.inputs()) total += fusion::bytesOf(input);
  for (Value output : body.outputs) total += fusion::bytesOf(output);
  return total;
}

static double product(ArrayRef<int64_t> extents) {
  double result = 1;
  for (int64_t extent : extents) result *= double(extent);
  return result;
}

namespace {

// Counts how often each op's elements are computed, from the outputs upwards.
class Evaluations {
public:
  Evaluations(const KernelBody &body, KernelKind kind, double contractionTile)
      : contractionTile(contractionTile) {
    if (kind == KernelKind::Row) findPasses(body);
    for (Value output : body.outputs)
      if (Operation *def = output.getDefiningOp())
        demands[def].passes |= isRow(output) ? 1 : 1u << lastPass;
    for (Operation *op : llvm::reverse(body.ops)) visit(op);
  }

  llvm::SmallDenseMap<Operation *, double> times;

private:
  struct Demand {
    unsigned passes = 0; // of a row kernel, each of which computes the element at its point
    double anew = 0;     // asked for elsewhere, by views and windows: each reader for itself
    double shared = 0;   // the same, through pointwise readers that share it
  };

  // Reductions of level i are folded in pass i; what waits for the last of them is written in a pass
  // after them, and so is everything of the domain then.
  void findPasses(const KernelBody &body) {
    llvm::SmallDenseMap<Operation *, unsigned> level;
    for (Operation *op : body.ops) {
      unsigned known = 0;
      for (Value operand : op->getOperands())
        if (Operation *def = operand.getDefiningOp()) known = std::max(known, level.lookup(def));
      if (isa<ReductionOpInterface>(op)) {
        passOf[op] = known++;
        rows = elements(op->getResult(0));
        lastPass = std::max(lastPass, known);
      }
      level[op] = known;
    }
    if (lastPass == 1 && llvm::all_of(body.outputs, [&](Value output) {
          Operation *def = output.getDefiningOp();
          return isRow(output) || !def || level.lookup(def) == 0;
        }))
      lastPass = 0;
    lastPass = std::min(lastPass, 31u);
  }
  bool isRow(Value value) const { return rows && elements(value) == rows; }

  void visit(Operation *op) {
    if (isa<SegmentsOp>(op)) return; // once each
    Value result = op->getResult(0);
    Demand demand = demands.lookup(op);
    unsigned passes = isRow(result) ? demand.passes != 0 : llvm::popcount(demand.passes);
    double count = passes * elements(result) + demand.anew + demand.shared;
    auto contraction = dyn_cast<ContractionOpInterface>(op);
    if (isa<ReductionOpInterface>(op) || contraction) count = elements(result);
    if (elements(result) == 1) count = std::min(count, 1.0);
    times[op] = count;
    FusionKind kind = cast<FusibleOpInterface>(op).getFusionKind();
    for (OpOperand &use : op->getOpOperands()) {
      Operation *def = use.get().getDefiningOp();
      if (!def) continue;
      Demand &asked = demands[def];
      if (isa<ReductionOpInterface>(op)) {
        asked.passes |= 1u << std::min(passOf.lookup(op), 31u);
      } else if (contraction) {
        asked.anew += loads(contraction, use.getOperandNumber());
      } else if (kind == FusionKind::Attention) {
        // Each is brought in once, a mask where its pair of row and key is.
        std::optional<AttentionFacts> facts = attentionFactsOf(op);
        asked.anew +=
            facts && use.get() == facts->mask ? double(facts->pairs()) : elements(use.get());
      } else if (kind == FusionKind::Pointwise || isa<ReshapeOp>(op)) {
        asked.passes |= demand.passes;
        asked.shared = std::max(asked.shared, demand.anew + demand.shared);
      } else if (kind == FusionKind::Window || kind == FusionKind::Scatter) {
        // As many as the window has, or as it adds up, or as are compared.
        double flops = double(cast<FusibleOpInterface>(op).getFlops());
        asked.anew +=
            count * std::max(1.0, std::max(elements(use.get()), flops) / elements(result));
      } else if (isRow(use.get())) {
        asked.passes |= 1;
      } else {
        asked.anew += count;
      }
    }
  }

  double loads(ContractionOpInterface contraction, unsigned operand) const {
    ContractionDims dims = contraction.getContractionDims();
    bool left = operand == contraction.getSideOperand(0);
    double own = product(left ? dims.m : dims.n), other = product(left ? dims.n : dims.m);
    return product(dims.batch) * own * product(dims.k) * std::ceil(other / contractionTile);
  }

  double contractionTile;
  double rows = 0;
  unsigned lastPass = 0;
  llvm::SmallDenseMap<Operation *, unsigned> passOf;
  llvm::SmallDenseMap<Operation *, Demand> demands;
};

} // namespace

CostModel::Evaluated CostModel::evaluations(const KernelBody &body, KernelKind kind) const {
  return std::move(Evaluations(body, kind, contractionTile).times);
}

double CostModel::repeatedOperations(const KernelBody &body, const Evaluated &times) const {
  double repeated = 0;
  for (Operation *op : body.ops)
    if (!isa<ReductionOpInterface, ContractionOpInterface>(op))
      repeated +=
          std::max(0.0, times.lookup(op) - elements(op->getResult(0))) * operationsPerElement(op);
  return repeated;
}

CostModel::Work &CostModel::Work::operator+=(const Work &other) {
  bytes += other.bytes;
  products += other.products;
  packed += other.packed;
  vector += other.vector;
  scalar += other.scalar;
  return *this;
}

// The registers' columns, which products are made of.
static constexpr double vectorColumns = 16;

// How much longer products take on a CPU where one kernel adds them up: all of their panels and sums want the caches,
// and bf16 is not read where it is. Measured alone, with 1024 rows of 3 x 768 terms, and in BERT's step.
static constexpr double longerInSum = 1.05;

CostModel::Work CostModel::workOf(const KernelBody &body, const Evaluated &times) const {
  Work work{.bytes = double(bytesOf(body))};
  auto isProduct = [](Operation *op) { return isa<ContractionOpInterface>(op); };
  double longer = llvm::count_if(body.ops, isProduct) > 1 ? longerInSum : 1;
  for (Operation *op : body.ops) {
    if (auto segments = dyn_cast<SegmentsOp>(op)) {
      for (Operation &inner : segments.getBody().front().without_terminator())
        work.vector += pointsOf(&inner) * timesRun(&inner) * operationsPerElement(&inner);
      continue;
    }
    if (auto contraction = dyn_cast<ContractionOpInterface>(op)) {
      ContractionDims dims = contraction.getContractionDims();
      double columns = product(dims.n), inner = product(dims.batch) * product(dims.k);
      work.products +=
          longer * 2 * inner * product(dims.m) * std::ceil(columns / vectorColumns) * vectorColumns;
      work.packed += inner * columns;
      continue;
    }
    if (std::optional<AttentionFacts> facts = attentionFactsOf(op)) {
      work.products += double(cast<FusibleOpInterface>(op).getFlops());
      work.packed +=
          double(facts->batch * facts->groups * facts->keys * (facts->features + facts->values));
      work.vector += 12 * double(facts->pairs()); // the exponentials
      continue;
    }
    auto element = dyn_cast<ElementOpInterface>(op);
    bool isScalar = element && !element.isVectorizable();
    double points = isa<ReductionOpInterface>(op)
                        ? pointsOf(op)
                        : std::max(times.lookup(op), elements(op->getResult(0)));
    if (isScalar)
      work.scalar += points * operationsPerElement(op) / scalarElement;
    else
      work.vector += points * operationsPerElement(op);
  }
  return work;
}

// What `sinter-calibrate` printed for a Skylake server with AVX-512 (docs/performance.md). Bytes are cheap:
// most kernels of a step find theirs in a cache.
const CostModel::Rates CostModel::cpuRates{130, 0.0119, 0.039, 0.00877, 0.151, 0.0358, 0.235};
static constexpr double nearBytes = 1e6;

double CostModel::nanoseconds(const Work &work, const Rates &rates) {
  return rates[0] + rates[1] * work.bytes + rates[2] * std::max(0.0, work.bytes - nearBytes) +
         rates[3] * work.products + rates[4] * work.packed + rates[5] * work.vector +
         rates[6] * work.scalar;
}

double CostModel::costOf(const KernelBody &body, KernelKind kind) const {
  return costOf(body, evaluations(body, kind));
}

double CostModel::costOf(const KernelBody &body, const Evaluated &times) const {
  if (isMeasured) return nanoseconds(workOf(body, times)) / cpuRates[1];
  double operations = repeatedOperations(body, times);
  for (Operation *op : body.ops) operations += operationsPerElement(op) * pointsOf(op);
  return std::max(double(bytesOf(body)), operations / operationsPerByte) + launch;
}

} // namespace sinter::passes::fusion
