#include "sinter/codegen/cuda/KernelPrinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sinter::codegen {

Expression KernelPrinter::use(Value value) {
  if (auto found = inlined.find(value); found != inlined.end()) return found->second;
  return {name(value), Binding::primary};
}

std::string KernelPrinter::text(Value value, Binding context) {
  Expression expression = use(value);
  return expression.binding < context ? "(" + expression.text + ")" : expression.text;
}

static Binding tighter(Binding binding) { return Binding(int(binding) + 1); }

Expression KernelPrinter::infix(Operation &op, StringRef sign, Binding binding) {
  return {text(op.getOperand(0), binding) + " " + sign.str() + " " +
              text(op.getOperand(1), tighter(binding)),
          binding};
}

Expression KernelPrinter::call(StringRef function, ValueRange arguments, StringRef header) {
  if (!header.empty()) headers.insert(header.str());
  std::string list;
  for (Value argument : arguments)
    list += (list.empty() ? "" : ", ") + text(argument, Binding::select);
  return {function.str() + "(" + list + ")", Binding::primary};
}

std::string KernelPrinter::element(Value memref, ValueRange indices) {
  std::string result = name(memref);
  for (Value index : indices) result += "[" + text(index, Binding::select) + "]";
  if (indices.empty()) result += "[0]";
  return result;
}

static std::string floatLiteral(const APFloat &value, Type type) {
  bool isDouble = type.isF64();
  // Bits say exactly which NaN or infinity; digits serve people for everything else.
  if (!value.isFinite()) {
    uint64_t bits = value.bitcastToAPInt().getZExtValue();
    return isDouble ? "bitCast<f64>(" + std::to_string(bits) + "ull)"
                    : "bitCast<f32>(" + std::to_string(bits) + "u)";
  }
  SmallString<32> digits;
  value.toString(digits, isDouble ? 17 : 9, 3);
  // APFloat prints 1.0E-5 and 42; C++ wants a point or an exponent.
  if (digits.find_first_of(".eE") == StringRef::npos) digits += ".0";
  return digits.str().str() + (isDouble ? "" : "f");
}

FailureOr<Expression> KernelPrinter::constant(Operation &op) {
  Attribute value = cast<arith::ConstantOp>(op).getValue();
  Type type = op.getResult(0).getType();
  if (auto number = dyn_cast<FloatAttr>(value)) {
    if (!type.isF32() && !type.isF64())
      return op.emitError() << "a constant of type " << type << " has no spelling in CUDA";
    std::string literal = floatLiteral(number.getValue(), type);
    return Expression{literal, literal.front() == '-' ? Binding::unary : Binding::primary};
  }
  auto number = dyn_cast<IntegerAttr>(value);
  if (!number) return op.emitError() << "a constant of type " << type << " has no spelling in CUDA";
  if (type.isInteger(1)) return Expression{number.getValue().isZero() ? "false" : "true"};
  int64_t integer = number.getValue().getSExtValue();
  if (type.isInteger(64) && (integer > INT32_MAX || integer < INT32_MIN)) {
    if (integer == INT64_MIN) return Expression{"(-9223372036854775807LL - 1)"};
    return Expression{std::to_string(integer) + "LL",
                      integer < 0 ? Binding::unary : Binding::primary};
  }
  if (integer == INT32_MIN) return Expression{"(-2147483647 - 1)"};
  std::string digits = std::to_string(integer);
  // Overloads and templates must see the declared type.
  if (!type.isIndex() && !type.isInteger(32))
    return Expression{typeName(type) + "(" + digits + ")"};
  return Expression{digits, integer < 0 ? Binding::unary : Binding::primary};
}

FailureOr<Expression> KernelPrinter::comparison(Operation &op) {
  StringRef math = "sinter/math.cuh";
  if (auto compare = dyn_cast<arith::CmpIOp>(op)) {
    using P = arith::CmpIPredicate;
    P predicate = compare.getPredicate();
    static const std::pair<P, const char *> signs[] = {
        {P::eq, "=="},  {P::ne, "!="}, {P::slt, "<"},  {P::sle, "<="}, {P::sgt, ">"},
        {P::sge, ">="}, {P::ult, "<"}, {P::ule, "<="}, {P::ugt, ">"},  {P::uge, ">="}};
    for (auto [known, sign] : signs) {
      if (known != predicate) continue;
      bool isUnsigned = predicate >= P::ult && !compare.getLhs().getType().isInteger(1);
      if (!isUnsigned) // bool has no sign: it compares as 0 and 1
        return infix(op, sign, predicate <= P::ne ? Binding::equality : Binding::relation);
      std::string type = "u" + typeName(compare.getLhs().getType()).substr(1);
      return Expression{"(" + type + ")" + text(compare.getLhs(), Binding::unary) + " " + sign +
                            " (" + type + ")" + text(compare.getRhs(), Binding::unary),
                        Binding::relation};
    }
  }
  auto compare = cast<arith::CmpFOp>(op);
  using P = arith::CmpFPredicate;
  std::string a = text(compare.getLhs(), Binding::shift),
              b = text(compare.getRhs(), Binding::shift);
  auto plain = [&](const char *sign) {
    return Expression{a + " " + sign + " " + b, Binding::relation};
  };
  auto negated = [&](const char *sign) {
    return Expression{"!(" + a + " " + sign + " " + b + ")", Binding::unary};
  };
  switch (compare.getPredicate()) {
  case P::OEQ:
    return Expression{a + " == " + b, Binding::equality};
  case P::UNE:
    return Expression{a + " != " + b, Binding::equality};
  case P::OLT:
    return plain("<");
  case P::OLE:
    return plain("<=");
  case P::OGT:
    return plain(">");
  case P::OGE:
    return plain(">=");
  case P::ULT:
    return negated(">=");
  case P::ULE:
    return negated(">");
  case P::UGT:
    return negated("<=");
  case P::UGE:
    return negated("<");
  case P::ONE:
    return Expression{a + " < " + b + " || " + a + " > " + b, Binding::either};
  case P::UEQ:
    return Expression{"!(" + a + " < " + b + " || " + a + " > " + b + ")", Binding::unary};
  case P::ORD:
    headers.insert(math.str());
    return Expression{"!isNan(" + a + ") && !isNan(" + b + ")", Binding::both};
  case P::UNO:
    headers.insert(math.str());
    return Expression{"isNan(" + a + ") || isNan(" + b + ")", Binding::either};
  case P::AlwaysFalse:
    return Expression{"false"};
  case P::AlwaysTrue:
    return Expression{"true"};
  }
  return op.emitError() << "a comparison has no spelling in CUDA";
}

FailureOr<Expression> KernelPrinter::conversion(Operation &op) {
  Value from = op.getOperand(0);
  std::string to = typeName(op.getResult(0).getType()), source = typeName(from.getType());
  if (to.empty() || source.empty())
    return op.emitError() << "no conversion from " << from.getType() << " to "
                          << op.getResult(0).getType() << " in CUDA";
  auto cast = [&](const std::string &inner) {
    return Expression{"(" + to + ")" + inner, Binding::unary};
  };
  if (isa<arith::BitcastOp>(op))
    return Expression{"bitCast<" + to + ">(" + text(from, Binding::select) + ")"};
  // bf16 and f16 are classes, whose constructors round.
  if (isa<arith::TruncFOp>(op) && (to == "bf16" || to == "f16"))
    return Expression{to + "(" + text(from, Binding::select) + ")"};
  if (isa<arith::FPToSIOp, arith::FPToUIOp>(op)) {
    headers.insert("sinter/math.cuh");
    return Expression{"floatToInt<" + to + ">(" + text(from, Binding::select) + ")"};
  }
  bool isUnsigned = isa<arith::ExtUIOp, arith::UIToFPOp, arith::IndexCastUIOp>(op);
  if (isUnsigned && source != "i1")
    return cast("(u" + source.substr(1) + ")" + text(from, Binding::unary));
  if (isa<arith::ExtSIOp, arith::SIToFPOp>(op) && source == "i1")
    return Expression{"-(" + to + ")" + text(from, Binding::unary), Binding::unary};
  if (isa<arith::TruncIOp>(op) && to == "i1") // the lowest bit
    return Expression{"(" + text(from, Binding::bitAnd) + " & 1) != 0", Binding::equality};
  if (to == source) return use(from);
  return cast(text(from, Binding::unary));
}

FailureOr<Expression> KernelPrinter::arithmetic(Operation &op) {
  StringRef math = "sinter/math.cuh";
  Type type = op.getResult(0).getType();
  bool isIndex = type.isIndex(), isBit = type.isInteger(1);
  ValueRange operands = op.getOperands();
  // Index arithmetic never overflows; data wraps, which C++ leaves undefined for signed types.
  auto integer = [&](StringRef sign, Binding binding, StringRef wrapping) {
    return isIndex ? infix(op, sign, binding) : call(wrapping, operands, math);
  };
  StringRef name = op.getName().stripDialect();
  if (isBit) {
    if (name == "addi") name = "xori";
    if (name == "muli") name = "andi";
  }
  if (name == "addi") return integer("+", Binding::sum, "addWrap");
  if (name == "subi") return integer("-", Binding::sum, "subWrap");
  if (name == "muli") return integer("*", Binding::product, "mulWrap");
  if (name == "divsi" || name == "divui" || name == "remsi" || name == "remui") {
    bool isUnsigned = name.ends_with("ui"), isDivision = name.starts_with("div");
    StringRef sign = isDivision ? "/" : "%";
    if (isIndex) return infix(op, sign, Binding::product);
    if (!isUnsigned) return call(isDivision ? "truncDiv" : "truncRem", operands, math);
    std::string own = typeName(type), other = "u" + own.substr(1);
    headers.insert(math.str());
    return Expression{"(" + own + ")" + (isDivision ? "truncDiv" : "truncRem") + "((" + other +
                          ")" + text(operands[0], Binding::unary) + ", (" + other + ")" +
                          text(operands[1], Binding::unary) + ")",
                      Binding::unary};
  }
  if (name == "floordivsi") return call("floorDiv", operands, math);
  if (name == "ceildivsi" || name == "ceildivui") return call("ceilDiv", operands, math);
  if (name == "maxsi") return call("maximum", operands, math);
  if (name == "minsi") return call("minimum", operands, math);
  if (name == "maxui" || name == "minui") {
    std::string own = typeName(type), other = "u" + own.substr(1);
    headers.insert(math.str());
    return Expression{"(" + own + ")" + (name == "maxui" ? "maximum" : "minimum") + "((" + other +
                          ")" + text(operands[0], Binding::unary) + ", (" + other + ")" +
                          text(operands[1], Binding::unary) + ")",
                      Binding::unary};
  }
  if (name == "andi")
    return isBit ? infix(op, "&&", Binding::both) : infix(op, "&", Binding::bitAnd);
  if (name == "ori")
    return isBit ? infix(op, "||", Binding::either) : infix(op, "|", Binding::bitOr);
  if (name == "xori")
    return isBit ? infix(op, "!=", Binding::equality) : infix(op, "^", Binding::bitXor);
  if (name == "shli") return call("shiftLeft", operands, math);
  if (name == "shrui") return call("shiftRightLogical", operands, math);
  if (name == "shrsi") return call("shiftRight", operands, math);
  if (name == "addf") return infix(op, "+", Binding::sum);
  if (name == "subf") return infix(op, "-", Binding::sum);
  if (name == "mulf") {
    // What is rounded by name is not contracted with the addition that follows.
    if (strict) return call(type.isF64() ? "__dmul_rn" : "__fmul_rn", operands);
    return infix(op, "*", Binding::product);
  }
  if (name == "divf") return infix(op, "/", Binding::product);
  if (name == "remf") return call(type.isF64() ? "fmod" : "fmodf", operands);
  if (name == "negf") return Expression{"-" + text(operands[0], Binding::primary), Binding::unary};
  if (name == "maximumf") return call("maximum", operands, math);
  if (name == "minimumf") return call("minimum", operands, math);
  if (name == "maxnumf") return call(type.isF64() ? "fmax" : "fmaxf", operands);
  if (name == "minnumf") return call(type.isF64() ? "fmin" : "fminf", operands);
  if (name == "select")
    return Expression{text(operands[0], Binding::either) + " ? " +
                          text(operands[1], Binding::either) + " : " +
                          text(operands[2], Binding::either),
                      Binding::select};
  return op.emitError() << "'" << op.getName().getStringRef() << "' has no spelling in CUDA";
}

FailureOr<Expression> KernelPrinter::function(Operation &op) {
  Type type = op.getResult(0).getType();
  StringRef single = llvm::StringSwitch<StringRef>(op.getName().stripDialect())
                         .Case("absf", "fabsf")
                         .Case("ceil", "ceilf")
                         .Case("copysign", "copysignf")
                         .Case("cos", "cosf")
                         .Case("erf", "erff")
                         .Case("exp", "expf")
                         .Case("exp2", "exp2f")
                         .Case("expm1", "expm1f")
                         .Case("floor", "floorf")
                         .Case("fma", "fmaf")
                         .Case("log", "logf")
                         .Case("log1p", "log1pf")
                         .Case("log2", "log2f")
                         .Case("powf", "powf")
                         .Case("roundeven", "rintf")
                         .Case("round", "roundf")
                         .Case("rsqrt", "rsqrtf")
                         .Case("sin", "sinf")
                         .Case("sqrt", "sqrtf")
                         .Case("tanh", "tanhf")
                         .Case("trunc", "truncf")
                         .Default("");
  if (op.getName().getStringRef() == "math.absi")
    return call("absolute", op.getOperands(), "sinter/math.cuh");
  if (single.empty() || (!type.isF32() && !type.isF64()))
    return op.emitError() << "'" << op.getName().getStringRef() << "' on " << type
                          << " has no spelling in CUDA";
  return call(type.isF64() ? single.drop_back() : single, op.getOperands());
}

FailureOr<Expression> KernelPrinter::expressionOf(Operation &op) {
  if (isa<nvgpu::NVGPUDialect, vector::VectorDialect>(op.getDialect()) ||
      (isa<arith::ConstantOp>(op) && isa<VectorType>(op.getResult(0).getType())))
    return matrixExpression(op);
  if (isa<arith::ConstantOp>(op)) return constant(op);
  if (isa<arith::CmpIOp, arith::CmpFOp>(op)) return comparison(op);
  if (isa<arith::ExtFOp, arith::TruncFOp, arith::ExtSIOp, arith::ExtUIOp, arith::TruncIOp,
          arith::SIToFPOp, arith::UIToFPOp, arith::FPToSIOp, arith::FPToUIOp, arith::IndexCastOp,
          arith::IndexCastUIOp, arith::BitcastOp>(op))
    return conversion(op);
  if (isa<math::MathDialect>(op.getDialect())) return function(op);
  auto place = [&](StringRef word, gpu::Dimension dimension) {
    return Expression{"(" + typeName(op.getResult(0).getType()) + ")" + word.str() + "." +
                          gpu::stringifyDimension(dimension).str(),
                      Binding::unary};
  };
  if (auto id = dyn_cast<gpu::BlockIdOp>(op)) return place("blockIdx", id.getDimension());
  if (auto id = dyn_cast<gpu::ThreadIdOp>(op)) return place("threadIdx", id.getDimension());
  if (auto size = dyn_cast<gpu::GridDimOp>(op)) return place("gridDim", size.getDimension());
  if (isa<arith::ArithDialect>(op.getDialect()) && op.getNumResults() == 1) return arithmetic(op);
  return op.emitError() << "'" << op.getName().getStringRef() << "' has no spelling in CUDA";
}

} // namespace sinter::codegen
