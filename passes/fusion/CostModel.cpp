#include "sinter/passes/fusion/CostModel.h"

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

double operationsPerElement(Operation *op) {
  auto fusible = dyn_cast<FusibleOpInterface>(op);
  if (!fusible || fusible.getFusionKind() == FusionKind::View) return 0;
  double each = double(fusible.getFlops()) / std::max(1.0, pointsOf(op));
  // What mixed precision keeps in f32 pointwise are the functions: exp, log, pow, ...
  auto precision = dyn_cast<PrecisionOpInterface>(op);
  if (fusible.getFusionKind() == FusionKind::Random) return 20 * each;
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
  operationsPerByte = isGpu ? 14 : 10;
  launch = isGpu ? 5e6 : 4e3;
  contractionTile = isGpu ? 64 : 240;
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

llvm::SmallDenseMap<Operation *, double> CostModel::evaluations(const KernelBody &body,
                                                                KernelKind kind) const {
  double rows = 0;
  if (kind == KernelKind::Row)
    for (Operation *op : body.ops)
      if (isa<ReductionOpInterface>(op)) rows = elements(op->getResult(0));
  llvm::SmallDenseMap<Operation *, double> atPoint, anew;
  for (Value output : body.outputs)
    if (Operation *def = output.getDefiningOp())
      atPoint[def] = std::max(atPoint[def], elements(output));
  llvm::SmallDenseMap<Operation *, double> times;
  for (Operation *op : llvm::reverse(body.ops)) {
    double count = atPoint.lookup(op) + anew.lookup(op);
    if (elements(op->getResult(0)) == 1) count = std::min(count, 1.0);
    auto fusible = cast<FusibleOpInterface>(op);
    auto contraction = dyn_cast<ContractionOpInterface>(op);
    if (isa<ReductionOpInterface>(op) || contraction) count = elements(op->getResult(0));
    times[op] = count;
    for (OpOperand &use : op->getOpOperands()) {
      Operation *def = use.get().getDefiningOp();
      if (!def) continue;
      if (isa<ReductionOpInterface>(op)) {
        atPoint[def] = std::max(atPoint[def], elements(use.get()));
      } else if (contraction) {
        ContractionDims dims = contraction.getContractionDims();
        bool left = use.getOperandNumber() == contraction.getSideOperand(0);
        double own = product(left ? dims.m : dims.n), other = product(left ? dims.n : dims.m);
        anew[def] +=
            product(dims.batch) * own * product(dims.k) * std::ceil(other / contractionTile);
      } else if (fusible.getFusionKind() == FusionKind::Pointwise || isa<ReshapeOp>(op)) {
        atPoint[def] = std::max(atPoint[def], count);
      } else if (fusible.getFusionKind() == FusionKind::Window) {
        anew[def] += count * std::max(1.0, elements(use.get()) / elements(op->getResult(0)));
      } else if (rows && elements(use.get()) == rows) {
        atPoint[def] = std::max(atPoint[def], rows);
      } else {
        anew[def] += count;
      }
    }
  }
  return times;
}

double CostModel::repeatedOperations(const KernelBody &body, KernelKind kind) const {
  llvm::SmallDenseMap<Operation *, double> times = evaluations(body, kind);
  double repeated = 0;
  for (Operation *op : body.ops)
    if (!isa<ReductionOpInterface, ContractionOpInterface>(op))
      repeated +=
          std::max(0.0, times.lookup(op) - elements(op->getResult(0))) * operationsPerElement(op);
  return repeated;
}

double CostModel::costOf(const KernelBody &body, KernelKind kind) const {
  double operations = repeatedOperations(body, kind);
  for (Operation *op : body.ops) operations += operationsPerElement(op) * pointsOf(op);
  return std::max(double(bytesOf(body)), operations / operationsPerByte) + launch;
}

} // namespace sinter::passes::fusion
