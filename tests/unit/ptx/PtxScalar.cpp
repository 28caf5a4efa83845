#include "PtxMachine.h"
#include "PtxNumbers.h"

// Moves, conversions and arithmetic of one lane.

namespace sinter::test {

void PtxMachine::scalar(const Instruction &instruction, int lane) {
  const auto &word = instruction.word;
  const std::string &name = word[0], &type = word.back();
  auto operand = [&](size_t i) { return value(instruction.operands[i][0], lane); };
  auto give = [&](uint64_t bits) { set(instruction.operands[0][0], lane, bits); };
  if (name == "cvta") return give(operand(1));                // one address space
  if (name == "mov" && instruction.operands[1].size() == 2) { // packs
    unsigned half = bitsOf(type) / 2;
    return give(cut(value(instruction.operands[1][0], lane), half) |
                value(instruction.operands[1][1], lane) << half);
  }
  if (name == "mov" && instruction.operands[0].size() == 2) { // unpacks
    unsigned half = bitsOf(type) / 2;
    set(instruction.operands[0][0], lane, cut(operand(1), half));
    return set(instruction.operands[0][1], lane, operand(1) >> half);
  }
  if (name == "mov") return give(cut(operand(1), bitsOf(type)));
  if (name == "cvt") {
    const std::string &to = word[word.size() - 2];
    if (type == "f32" && to == "tf32") { // .rna: ties away from zero
      uint64_t bits = operand(1);
      bool finite = (bits & 0x7f800000) != 0x7f800000;
      return give(finite ? cut((bits + 0x1000) & ~uint64_t(0x1fff), 32) : bits);
    }
    if (type == "f32" && (to == "f16" || to == "bf16"))
      return give(toHalf(asFloat(operand(1)), to));
    if (to == "f32" && type == "f16")
      return give(fromFloat(float(fromHalf(uint16_t(operand(1)), type))));
    if (type[0] == 'f' || to[0] == 'f') return fail("conversion to " + to + " from " + type);
    return give(cut(uint64_t(extended(operand(1), type)), bitsOf(to)));
  }
  if (name == "selp") return give(operand(3) ? operand(1) : operand(2));
  if (type == "f32" && (name == "add" || name == "mul" || name == "fma")) {
    float x = asFloat(operand(1)), y = asFloat(operand(2));
    return give(fromFloat(name == "add"   ? x + y
                          : name == "mul" ? x * y
                                          : std::fma(x, y, asFloat(operand(3)))));
  }
  if (type[0] == 'f') return fail("no " + name + " of " + type);
  int64_t x = extended(operand(1), type),
          y = instruction.operands.size() > 2 ? extended(operand(2), type) : 0;
  unsigned bits = bitsOf(type);
  if (name == "setp") {
    const std::string &how = word[1];
    bool isUnsigned = type[0] == 'u';
    auto less = [&](int64_t p, int64_t q) {
      return isUnsigned ? uint64_t(p) < uint64_t(q) : p < q;
    };
    return give(how == "eq"   ? x == y
                : how == "ne" ? x != y
                : how == "lt" ? less(x, y)
                : how == "gt" ? less(y, x)
                : how == "le" ? !less(y, x)
                              : !less(x, y));
  }
  if (name == "mul" && word[1] == "wide") return give(uint64_t(x * y));
  if (name == "mad" && word[1] == "wide") return give(uint64_t(x * y) + operand(3));
  if (name == "mul" && word[1] == "hi" && bits == 32) return give(cut(uint64_t(x * y) >> 32, 32));
  uint64_t result = 0;
  if (name == "add")
    result = uint64_t(x) + uint64_t(y);
  else if (name == "sub")
    result = uint64_t(x) - uint64_t(y);
  else if (name == "mul" && word[1] == "lo")
    result = uint64_t(x) * uint64_t(y);
  else if (name == "mad" && word[1] == "lo")
    result = uint64_t(x) * uint64_t(y) + operand(3);
  else if (name == "and")
    result = uint64_t(x & y);
  else if (name == "or")
    result = uint64_t(x | y);
  else if (name == "xor")
    result = uint64_t(x ^ y);
  else if (name == "not")
    result = ~uint64_t(x);
  else if (name == "neg")
    result = uint64_t(-x);
  else if (name == "min")
    result = uint64_t(std::min(x, y));
  else if (name == "max")
    result = uint64_t(std::max(x, y));
  else if (name == "rem" && y)
    result = uint64_t(x % y);
  else if (name == "div" && y)
    result = uint64_t(x / y);
  else if (name == "shl")
    result = uint64_t(x) << (operand(2) & 63);
  else if (name == "shr")
    result = uint64_t(x >> (operand(2) & 63));
  else
    return fail("unknown instruction " + name + " of " + type);
  give(cut(result, bits));
}

} // namespace sinter::test
