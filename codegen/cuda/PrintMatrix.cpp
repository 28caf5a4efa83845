#include "sinter/codegen/cuda/KernelPrinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace sinter::codegen {

bool isToken(Type type) { return isa<nvgpu::DeviceAsyncTokenType>(type); }

/// Words of f32 that a matrix unit takes as tf32: one to a register.
static bool isTf32(VectorType type) {
  return type.getRank() == 2 && type.getDimSize(1) == 1 && type.getElementType().isF32();
}

std::string KernelPrinter::fragmentName(VectorType type) {
  Type element = type.getElementType();
  if (type.getRank() == 1 && !cudaTypeName(element).empty())
    return ("Vec<" + cudaTypeName(element) + ", ").str() + std::to_string(type.getDimSize(0)) + ">";
  if (isTf32(type)) return "Fragment<" + std::to_string(type.getDimSize(0)) + ">";
  if (type.getRank() != 2 || type.getDimSize(1) != 2) return "";
  if (element.isF32()) return type.getDimSize(0) == 2 ? "MmaC" : "";
  if (!element.isBF16() && !element.isF16()) return "";
  return "Fragment<" + std::to_string(type.getDimSize(0)) + ">";
}

/// An element's address: pointer and number.
std::string KernelPrinter::address(Value memref, ValueRange indices) {
  return name(memref) + " + " + text(indices[0], Binding::sum);
}

FailureOr<bool> KernelPrinter::printMatrixOp(Operation &op) {
  StringRef async = "sinter/async.cuh";
  if (auto poison = dyn_cast<ub::PoisonOp>(op)) {
    if (isToken(poison.getType())) return true; // no copies yet
    return false;
  }
  if (auto whole = dyn_cast<gpu::DynamicSharedMemoryOp>(op)) {
    line("SINTER_DYNAMIC_SHARED(i8, " + name(whole.getResult()) + ");");
    return true;
  }
  if (auto part = dyn_cast<memref::ViewOp>(op)) {
    auto type = part.getType();
    std::string element = typeName(type.getElementType());
    if (type.getRank() != 1 || !type.hasStaticShape() || element.empty()) return false;
    line("SINTER_SHARED_PART(" + element + ", " + name(part.getResult()) + ", " +
         name(part.getSource()) + ", " + text(part.getByteShift(), Binding::select) + ", " +
         std::to_string(type.getDimSize(0)) + ");");
    return true;
  }
  if (auto copy = dyn_cast<nvgpu::DeviceAsyncCopyOp>(op)) {
    MemRefType to = cast<MemRefType>(copy.getDst().getType());
    if (to.getRank() != 1 || cast<MemRefType>(copy.getSrc().getType()).getRank() != 1) return false;
    int64_t bytes = copy.getDstElements().getSExtValue() * to.getElementTypeBitWidth() / 8;
    headers.insert(async.str());
    std::string arguments = address(copy.getDst(), copy.getDstIndices()) + ", " +
                            address(copy.getSrc(), copy.getSrcIndices());
    if (Value count = copy.getSrcElements())
      line("copyAsyncFirst<" + std::to_string(bytes) + ">(" + arguments + ", " +
           text(count, Binding::select) + ");");
    else
      line("copyAsync<" + std::to_string(bytes) + ">(" + arguments + ");");
    return true;
  }
  if (isa<nvgpu::DeviceAsyncCreateGroupOp>(op)) {
    headers.insert(async.str());
    line("copyAsyncCommit();");
    return true;
  }
  if (auto wait = dyn_cast<nvgpu::DeviceAsyncWaitOp>(op)) {
    headers.insert(async.str());
    line("copyAsyncWait<" + std::to_string(wait.getNumGroups().value_or(0)) + ">();");
    return true;
  }
  if (auto read = dyn_cast<vector::LoadOp>(op)) {
    auto type = cast<VectorType>(read.getType());
    if (cast<MemRefType>(read.getBase().getType()).getRank() != 1) return false;
    headers.insert("sinter/memory.cuh");
    line("const " + declare(read.getResult()) + " = loadVec<" + std::to_string(type.getDimSize(0)) +
         ">(" + name(read.getBase()) + ", " + text(read.getIndices()[0], Binding::select) + ");");
    return true;
  }
  if (auto write = dyn_cast<vector::StoreOp>(op)) {
    if (cast<MemRefType>(write.getBase().getType()).getRank() != 1) return false;
    headers.insert("sinter/memory.cuh");
    line("storeVec(" + name(write.getBase()) + ", " + text(write.getIndices()[0], Binding::select) +
         ", " + text(write.getValueToStore(), Binding::select) + ");");
    return true;
  }
  if (auto matrices = dyn_cast<nvgpu::LdMatrixOp>(op)) {
    if (cast<MemRefType>(matrices.getSrcMemref().getType()).getRank() != 1) return false;
    headers.insert("sinter/mma.cuh");
    std::string loaded = std::string("loadMatrices") +
                         (matrices.getTranspose() ? "Transposed<" : "<") +
                         std::to_string(matrices.getNumTiles()) + ">(" +
                         address(matrices.getSrcMemref(), matrices.getIndices()) + ")";
    if (cast<VectorType>(matrices.getRes().getType()).getElementType().isF32())
      loaded = "roundTf32(" + loaded + ")";
    line("const " + declare(matrices.getRes()) + " = " + loaded + ";");
    return true;
  }
  return false;
}

FailureOr<Expression> KernelPrinter::matrixExpression(Operation &op) {
  StringRef mma = "sinter/mma.cuh";
  auto refuse = [&]() -> FailureOr<Expression> {
    return op.emitError() << "'" << op.getName().getStringRef() << "' on "
                          << op.getResult(0).getType() << " has no spelling in CUDA";
  };
  if (auto product = dyn_cast<nvgpu::MmaSyncOp>(op)) {
    Type element = cast<VectorType>(product.getMatrixA().getType()).getElementType();
    std::array<int64_t, 3> shape = product.getMmaShapeAsArray();
    if (element.isF32() && shape == std::array<int64_t, 3>{16, 8, 8})
      return call("mmaTf32", op.getOperands(), mma);
    if (shape != std::array<int64_t, 3>{16, 8, 16} || (!element.isBF16() && !element.isF16()))
      return refuse();
    return call("mma<" + typeName(element) + ">", op.getOperands(), mma);
  }
  if (auto words = dyn_cast<vector::FromElementsOp>(op); words && isTf32(words.getType())) {
    std::string type = fragmentName(words.getType());
    headers.insert(mma.str());
    std::string list;
    for (Value element : words.getElements())
      list += (list.empty() ? "" : ", ") + ("tf32BitsOf(" + text(element, Binding::select)) + ")";
    return Expression{type + "{{" + list + "}}"};
  }
  if (auto part = dyn_cast<vector::ExtractStridedSliceOp>(op)) {
    auto first = cast<IntegerAttr>(part.getOffsets()[0]).getInt(),
         count = cast<IntegerAttr>(part.getSizes()[0]).getInt();
    if (fragmentName(cast<VectorType>(part.getType())).empty()) return refuse();
    return call("fragmentPart<" + std::to_string(first) + ", " + std::to_string(count) + ">",
                ValueRange(op.getOperand(0)), mma);
  }
  if (auto made = dyn_cast<vector::FromElementsOp>(op)) {
    std::string type = fragmentName(made.getDest().getType());
    headers.insert(mma.str());
    if (type == "Fragment<4>") return call("fragmentOf", op.getOperands(), mma);
    if (type != "MmaC") return refuse();
    std::string numbers;
    for (Value number : op.getOperands())
      numbers += (numbers.empty() ? "" : ", ") + text(number, Binding::select);
    return Expression{"MmaC{{" + numbers + "}}"};
  }
  if (auto element = dyn_cast<vector::ExtractOp>(op)) {
    ArrayRef<int64_t> place = element.getStaticPosition();
    if (place.size() == 1 && element.hasDynamicPosition())
      return Expression{text(element.getSource(), Binding::primary) + "[" +
                        text(element.getDynamicPosition()[0], Binding::select) + "]"};
    if (element.hasDynamicPosition() || place.size() != 2 ||
        fragmentName(cast<VectorType>(element.getSource().getType())) != "MmaC")
      return refuse();
    return Expression{text(element.getSource(), Binding::primary) + ".v[" +
                      std::to_string(place[0] * 2 + place[1]) + "]"};
  }
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    std::string type = fragmentName(cast<VectorType>(constant.getType()));
    if (type.empty() || !matchPattern(constant.getResult(), m_AnyZeroFloat())) return refuse();
    headers.insert(mma.str());
    return Expression{type + "{}"};
  }
  return refuse();
}

} // namespace sinter::codegen
