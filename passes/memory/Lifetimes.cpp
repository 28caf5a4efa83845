#include "sinter/passes/memory/Lifetimes.h"

using namespace mlir;
using namespace sinter::ir;

namespace sinter::passes::memory {

int64_t bytesOf(Value value) {
  RankedTensorType type = tensorType(value);
  return type.getNumElements() * std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
}

Value storageOf(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>()) value = reshape.getX();
  return value;
}

SmallVector<BlockArgument> donationsOf(func::FuncOp func) {
  SmallVector<BlockArgument> states(func.getNumResults());
  for (BlockArgument argument : func.getArguments()) {
    auto donated = func.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), donatedAttr);
    if (!donated || donated.getInt() < 0 || donated.getInt() >= int64_t(states.size())) continue;
    if (BlockArgument &state = states[donated.getInt()]; !state) state = argument;
  }
  return states;
}

SmallVector<LaunchOp> launchesOf(func::FuncOp func) {
  return SmallVector<LaunchOp>(func.getBody().front().getOps<LaunchOp>());
}

KernelOp kernelOf(LaunchOp launch) {
  return SymbolTable::lookupNearestSymbolFrom<KernelOp>(launch, launch.getKernelAttr());
}

// How often the launch reads the storage of its operand: two operands may be views of one.
static bool readsOnce(LaunchOp launch, unsigned operand) {
  Value storage = storageOf(launch.getInputs()[operand]);
  return llvm::count_if(launch.getInputs(),
                        [&](Value other) { return storageOf(other) == storage; }) == 1;
}

const Reuse::Kernel &Reuse::of(LaunchOp launch) {
  std::unique_ptr<Kernel> &known = kernels[launch.getKernelAttr()];
  if (!known) {
    KernelOp kernel = kernelOf(launch);
    Block &block = kernel.getBody().front();
    known = std::make_unique<Kernel>(
        Kernel{&block, KernelStorage(KernelBody::of(block), *kindOf(kernel.getSchedule()))});
  }
  return *known;
}

bool Reuse::mayTake(LaunchOp launch, unsigned result, unsigned operand) {
  if (launch->getResult(result).getType() != launch.getInputs()[operand].getType()) return false;
  const Kernel &kernel = of(launch);
  return kernel.storage.mayShare(result, kernel.block->getArgument(operand)) &&
         readsOnce(launch, operand);
}

std::vector<Extent> Lifetimes::extents() const {
  std::vector<Extent> result;
  for (const Buffer &buffer : buffers) result.push_back(buffer.extent);
  return result;
}

Lifetimes lifetimesOf(func::FuncOp func, const Homes &homes) {
  SmallVector<LaunchOp> launches = launchesOf(func);
  // The last launch that reads each storage; results of the function live to the end.
  llvm::DenseMap<Value, int64_t> lastRead;
  for (auto [moment, launch] : llvm::enumerate(launches))
    for (Value input : launch.getInputs()) lastRead[storageOf(input)] = int64_t(moment);
  for (Value result : func.getBody().front().getTerminator()->getOperands())
    lastRead[storageOf(result)] = int64_t(launches.size());

  SmallVector<BlockArgument> states = donationsOf(func);
  Lifetimes lifetimes;
  Reuse reuse;
  llvm::DenseMap<Value, unsigned> bufferOf;
  // The operand of `launch` whose storage `result` can take, other results having `taken` theirs.
  auto dyingOperand = [&](LaunchOp launch, OpResult result, int64_t moment,
                          const llvm::SmallDenseSet<int64_t> &taken) -> int64_t {
    for (auto [operand, input] : llvm::enumerate(launch.getInputs())) {
      Value storage = storageOf(input);
      if (bufferOf.contains(storage) && lastRead.lookup(storage) == moment &&
          !taken.contains(operand) && reuse.mayTake(launch, result.getResultNumber(), operand))
        return operand;
    }
    return -1;
  };
  for (auto [index, launch] : llvm::enumerate(launches)) {
    int64_t moment = int64_t(index);
    llvm::SmallDenseSet<int64_t> taken;
    for (OpResult result : launch->getResults()) {
      int64_t &inPlace = lifetimes.inPlace[result];
      inPlace = -1;
      if (auto home = homes.find(result); home != homes.end()) {
        // Straight into state, whose old value this launch may read.
        BlockArgument state = states[home->second];
        for (auto [operand, input] : llvm::enumerate(launch.getInputs()))
          if (state && storageOf(input) == state) inPlace = int64_t(operand);
        continue;
      }
      int64_t last = std::max(moment, lastRead.lookup(result));
      inPlace = dyingOperand(launch, result, moment, taken);
      if (inPlace >= 0) {
        taken.insert(inPlace);
        unsigned buffer = bufferOf.lookup(storageOf(launch.getInputs()[inPlace]));
        bufferOf[result] = buffer;
        lifetimes.buffers[buffer].values.push_back(result);
        lifetimes.buffers[buffer].extent.last = last;
        continue;
      }
      bufferOf[result] = unsigned(lifetimes.buffers.size());
      int64_t bytes =
          std::max<int64_t>(1, (bytesOf(result) + alignment - 1) / alignment) * alignment;
      lifetimes.buffers.push_back({{result}, {bytes, moment, last}});
    }
  }
  return lifetimes;
}

} // namespace sinter::passes::memory
