#include "sinter/codegen/cuda/KernelPrinter.h"
#include "sinter/codegen/DeviceCall.h"
#include "sinter/codegen/LowerKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sinter::codegen {

llvm::StringRef cudaTypeName(Type type) {
  if (type.isF32()) return "f32";
  if (type.isF64()) return "f64";
  if (type.isBF16()) return "bf16";
  if (type.isF16()) return "f16";
  if (type.isIndex()) return "i64";
  if (auto integer = dyn_cast<IntegerType>(type)) switch (integer.getWidth()) {
    case 1:
      return "i1";
    case 8:
      return "i8";
    case 16:
      return "i16";
    case 32:
      return "i32";
    case 64:
      return "i64";
    }
  return "";
}

FailureOr<CudaText> printCudaKernel(func::FuncOp kernel, int64_t block, bool awaits) {
  return KernelPrinter(kernel, block, awaits).print();
}

std::string KernelPrinter::typeName(Type type) const {
  if (auto vector = dyn_cast<VectorType>(type)) return fragmentName(vector);
  return narrow && type.isIndex() ? "i32" : cudaTypeName(type).str();
}

static bool isShared(MemRefType type) {
  auto space = dyn_cast_or_null<gpu::AddressSpaceAttr>(type.getMemorySpace());
  return space && space.getValue() == gpu::AddressSpace::Workgroup;
}

FailureOr<CudaText> KernelPrinter::print() {
  depth = 1;
  narrow = kernel->hasAttr(narrowAttr);
  strict = kernel->hasAttr(strictAttr);
  if (awaits) {
    headers.insert("sinter/launch.cuh");
    line("awaitEarlierKernels();");
  }
  for (BlockArgument argument : kernel.getArguments())
    if (kernel.getArgAttr(argument.getArgNumber(), alignedAttr))
      line(name(argument) + " = aligned(" + name(argument) + ");");
  if (failed(printBlock(kernel.getBody().front()))) return failure();
  std::string body = std::move(out);
  out.clear();
  depth = 0;
  if (failed(printGlobals()) || failed(printHelpers()) || failed(printSignature()))
    return failure();
  CudaText result;
  for (const std::string &header : headers) result.source += "#include \"" + header + "\"\n";
  result.source += "\n" + out + body + "}\n";
  result.headers.assign(headers.begin(), headers.end());
  return result;
}

/// The function of a call.
static func::FuncOp calleeOf(func::CallOp call) {
  return SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
}

/// Whether code stores through the pointer, here or in a function that gets it.
static bool isWritten(Value pointer) {
  return llvm::any_of(pointer.getUses(), [](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<memref::ReinterpretCastOp>(user)) return isWritten(user->getResult(0));
    if (auto call = dyn_cast<func::CallOp>(user)) {
      func::FuncOp callee = calleeOf(call);
      return !callee.isExternal() && isWritten(callee.getArgument(use.getOperandNumber()));
    }
    return isa<memref::StoreOp, vector::StoreOp>(user);
  });
}

FailureOr<std::string> KernelPrinter::printAsHelper() {
  depth = 1;
  narrow = kernel->hasAttr(narrowAttr);
  strict = kernel->hasAttr(strictAttr);
  if (failed(printBlock(kernel.getBody().front()))) return failure();
  std::string body = std::move(out);
  out = "static __device__ __noinline__ void " + kernel.getName().str() + "(";
  if (failed(printParameters())) return failure();
  return out + body + "}\n\n";
}

LogicalResult KernelPrinter::printHelpers() {
  SmallVector<func::FuncOp> helpers;
  kernel.walk([&](func::CallOp call) {
    func::FuncOp callee = calleeOf(call);
    if (callee.isExternal())
      headers.insert(deviceHeaderOf(callee).str());
    else if (!llvm::is_contained(helpers, callee))
      helpers.push_back(callee);
  });
  for (func::FuncOp helper : helpers) {
    KernelPrinter printer(helper, block, /*awaits=*/false); // its caller has waited
    FailureOr<std::string> text = printer.printAsHelper();
    if (failed(text)) return failure();
    out += *text;
    headers.insert(printer.headers.begin(), printer.headers.end());
  }
  return success();
}

LogicalResult KernelPrinter::printSignature() {
  out += "extern \"C\" __global__ void __launch_bounds__(" + std::to_string(block) + ")";
  if (auto cluster = kernel->getAttrOfType<IntegerAttr>(clusterAttr))
    out += " __cluster_dims__(" + std::to_string(cluster.getInt()) + ", 1, 1)";
  out += "\n" + kernel.getName().str() + "(";
  return printParameters();
}

LogicalResult KernelPrinter::printParameters() {
  for (BlockArgument argument : kernel.getArguments()) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (argument.getType().isIndex()) {
      out += ", const " + declare(argument);
      continue;
    }
    if (argument.getArgNumber()) out += ", ";
    if (kernel.getArgAttr(argument.getArgNumber(), tensorMapAttr)) {
      headers.insert("sinter/bulk.cuh");
      out += "const __grid_constant__ TensorMap " + name(argument);
      continue;
    }
    std::string element = type ? typeName(type.getElementType()) : "";
    if (element.empty())
      return kernel.emitError() << "a CUDA kernel cannot take a " << argument.getType();
    bool written = isWritten(argument) || kernel.getArgAttr(argument.getArgNumber(), writtenAttr);
    out += (written ? "SINTER_GLOBAL(" : "SINTER_GLOBAL_CONST(") + element + ") " + name(argument);
  }
  out += ") {\n";
  return success();
}

LogicalResult KernelPrinter::printGlobals() {
  SmallVector<memref::GetGlobalOp> uses;
  kernel.walk([&](memref::GetGlobalOp use) { uses.push_back(use); });
  std::set<std::string> printed;
  for (memref::GetGlobalOp use : uses) {
    if (!printed.insert(use.getName().str()).second) continue;
    auto global = SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(kernel, use.getNameAttr());
    auto values =
        global ? dyn_cast_or_null<DenseElementsAttr>(global.getConstantInitValue()) : nullptr;
    if (!values)
      return use.emitError() << "the global @" << use.getName() << " has no constant value";
    Type element = values.getElementType();
    std::string list;
    if (isa<FloatType>(element)) {
      if (!element.isF32() && !element.isF64())
        return use.emitError() << "a global of " << element << " has no spelling in CUDA";
      for (APFloat value : values.getValues<APFloat>()) {
        if (!value.isFinite())
          return use.emitError() << "a global with an infinity or NaN has no spelling in CUDA";
        SmallString<32> digits;
        value.toString(digits, 17, 0);
        if (digits.find_first_of(".eE") == StringRef::npos) digits += ".0";
        list += (list.empty() ? "" : ", ") + digits.str().str() + (element.isF32() ? "f" : "");
      }
    } else {
      for (APInt value : values.getValues<APInt>())
        list += (list.empty() ? "" : ", ") + std::to_string(value.getSExtValue());
    }
    line("__device__ const " + typeName(element) + " " + global.getName().str() + "[] = {" + list +
         "};");
  }
  return success();
}

std::string KernelPrinter::name(Value value) {
  std::string &known = names[value];
  if (known.empty()) {
    auto argument = dyn_cast<BlockArgument>(value);
    bool isParameter = argument && argument.getOwner()->getParentOp() == kernel;
    known = isParameter ? "p" + std::to_string(argument.getArgNumber())
                        : "v" + std::to_string(nextName++);
  }
  return known;
}

std::string KernelPrinter::declare(Value value) {
  return typeName(value.getType()) + " " + name(value);
}

/// An op that can be printed where its value is used: nothing between may change what it computes.
bool KernelPrinter::printsInside(Operation &op) const {
  if (op.getNumResults() != 1 || op.getNumRegions() != 0) return false;
  if (isa<arith::ConstantOp>(op)) return true;
  if (!isMemoryEffectFree(&op) || isa<gpu::ShuffleOp, memref::GetGlobalOp>(op)) return false;
  if (!op.hasOneUse()) return false;
  Operation *user = *op.user_begin();
  // A value from outside a loop stays outside: printed inside, it would be computed every turn.
  return user->getBlock() == op.getBlock();
}

LogicalResult KernelPrinter::printBlock(Block &body) {
  for (Operation &op : body.without_terminator())
    if (failed(printOp(op))) return failure();
  return success();
}

LogicalResult KernelPrinter::printOp(Operation &op) {
  if (isa<scf::ForOp>(op)) return printFor(op);
  if (isa<scf::IfOp>(op)) return printIf(op);
  if (isa<memref::AllocaOp>(op)) return printAlloca(op);
  if (isa<gpu::BarrierOp>(op)) {
    line("__syncthreads();");
    return success();
  }
  if (auto global = dyn_cast<memref::GetGlobalOp>(op)) {
    names[global.getResult()] = global.getName().str();
    return success();
  }
  if (auto cast = dyn_cast<memref::ReinterpretCastOp>(op)) { // the same pointer
    names[cast.getResult()] = name(cast.getSource());
    return success();
  }
  if (auto call = dyn_cast<func::CallOp>(op)) {
    std::string arguments;
    for (Value operand : call.getOperands())
      arguments +=
          (arguments.empty() ? "" : ", ") +
          (isa<MemRefType>(operand.getType()) ? name(operand) : text(operand, Binding::select));
    func::FuncOp callee = calleeOf(call);
    line((callee.isExternal() ? deviceSpellingOf(callee) : callee.getName()).str() + "(" +
         arguments + ");");
    return success();
  }
  if (auto store = dyn_cast<memref::StoreOp>(op)) {
    line(element(store.getMemRef(), store.getIndices()) + " = " +
         text(store.getValueToStore(), Binding::select) + ";");
    return success();
  }
  if (auto load = dyn_cast<memref::LoadOp>(op)) {
    line("const " + declare(load.getResult()) + " = " +
         element(load.getMemRef(), load.getIndices()) + ";");
    return success();
  }
  if (auto shuffle = dyn_cast<gpu::ShuffleOp>(op)) {
    if (!shuffle.getValid().use_empty())
      return op.emitError() << "the validity of a shuffle has no spelling in CUDA";
    StringRef kind;
    switch (shuffle.getMode()) {
    case gpu::ShuffleMode::XOR:
      kind = "__shfl_xor_sync";
      break;
    case gpu::ShuffleMode::DOWN:
      kind = "__shfl_down_sync";
      break;
    case gpu::ShuffleMode::UP:
      kind = "__shfl_up_sync";
      break;
    case gpu::ShuffleMode::IDX:
      kind = "__shfl_sync";
      break;
    }
    line("const " + declare(shuffle.getShuffleResult()) + " = " + kind.str() + "(0xffffffffu, " +
         text(shuffle.getValue(), Binding::select) + ", " +
         text(shuffle.getOffset(), Binding::select) + ", " +
         text(shuffle.getWidth(), Binding::select) + ");");
    return success();
  }
  FailureOr<bool> printed = printMatrixOp(op);
  if (failed(printed)) return failure();
  if (*printed) return success();
  FailureOr<Expression> expression = expressionOf(op);
  if (failed(expression)) return failure();
  Value result = op.getResult(0);
  if (printsInside(op)) {
    inlined[result] = *expression;
    return success();
  }
  if (result.use_empty()) return success();
  line("const " + declare(result) + " = " + expression->text + ";");
  return success();
}

LogicalResult KernelPrinter::printAlloca(Operation &op) {
  auto type = cast<MemRefType>(op.getResult(0).getType());
  std::string element = typeName(type.getElementType());
  if (element.empty() || !type.hasStaticShape() || type.getRank() > 2)
    return op.emitError() << "an array of type " << type << " has no spelling in CUDA";
  std::string id = name(op.getResult(0));
  SmallVector<std::string> extents;
  for (int64_t extent : type.getShape()) extents.push_back(std::to_string(extent));
  if (extents.empty()) extents.push_back("1");
  if (isShared(type))
    line((extents.size() == 2 ? "SINTER_SHARED_2D(" : "SINTER_SHARED(") + element + ", " + id +
         ", " + llvm::join(extents, ", ") + ");");
  else
    line((cast<memref::AllocaOp>(op).getAlignment() == 16 ? "alignas(16) " : "") + element + " " +
         id + "[" + llvm::join(extents, "][") + "];");
  return success();
}

LogicalResult KernelPrinter::printYield(Operation &yield, ValueRange allTargets) {
  SmallVector<Value> sources, targets;
  for (auto [value, target] : llvm::zip(yield.getOperands(), allTargets)) {
    if (isToken(value.getType())) continue;
    sources.push_back(value);
    targets.push_back(target);
  }
  // All values are read before any target is written, in case one target is another's new value.
  SmallVector<std::string> values;
  for (auto [value, target] : llvm::zip(sources, targets)) {
    std::string source = text(value, Binding::select);
    bool isTarget = llvm::is_contained(targets, value) && value != target;
    if (isTarget) {
      std::string copy = "t" + std::to_string(nextName++);
      line("const " + typeName(value.getType()) + " " + copy + " = " + source + ";");
      source = copy;
    }
    values.push_back(source);
  }
  bool overlaps = false;
  for (Value value : sources)
    if (inlined.contains(value) && targets.size() > 1) overlaps = true;
  if (overlaps) // An expression printed inside may read a target: name them all first.
    for (auto [value, operand] : llvm::zip(values, sources)) {
      if (!inlined.contains(operand) || operand.getDefiningOp<arith::ConstantOp>()) continue;
      std::string copy = "t" + std::to_string(nextName++);
      line("const " + typeName(operand.getType()) + " " + copy + " = " + value + ";");
      value = copy;
    }
  for (auto [value, target] : llvm::zip(values, targets))
    if (value != name(target)) line(name(target) + " = " + value + ";");
  return success();
}

LogicalResult KernelPrinter::printFor(Operation &op) {
  auto loop = cast<scf::ForOp>(op);
  for (auto [argument, init, result] :
       llvm::zip(loop.getRegionIterArgs(), loop.getInitArgs(), loop.getResults())) {
    if (isToken(argument.getType())) continue;
    line(declare(argument) + " = " + text(init, Binding::select) + ";");
    names[result] = name(argument);
  }
  std::string index = name(loop.getInductionVar());
  if (op.hasAttr(unrollAttr)) line("#pragma unroll");
  line("for (" + declare(loop.getInductionVar()) + " = " +
       text(loop.getLowerBound(), Binding::select) + "; " + index + " < " +
       text(loop.getUpperBound(), Binding::shift) + "; " + index +
       " += " + text(loop.getStep(), Binding::select) + ") {");
  ++depth;
  if (failed(printBlock(*loop.getBody())) ||
      failed(printYield(*loop.getBody()->getTerminator(), ValueRange(loop.getRegionIterArgs()))))
    return failure();
  --depth;
  line("}");
  return success();
}

LogicalResult KernelPrinter::printIf(Operation &op) {
  auto branch = cast<scf::IfOp>(op);
  for (Value result : branch.getResults()) line(declare(result) + ";");
  line("if (" + text(branch.getCondition(), Binding::select) + ") {");
  ++depth;
  if (failed(printBlock(*branch.thenBlock())) ||
      failed(printYield(*branch.thenYield(), branch.getResults())))
    return failure();
  --depth;
  if (branch.elseBlock()) {
    line("} else {");
    ++depth;
    if (failed(printBlock(*branch.elseBlock())) ||
        failed(printYield(*branch.elseYield(), branch.getResults())))
      return failure();
    --depth;
  }
  line("}");
  return success();
}

} // namespace sinter::codegen
