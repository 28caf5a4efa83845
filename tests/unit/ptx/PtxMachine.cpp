#include "PtxMachine.h"
#include "PtxNumbers.h"

#include "../../support/FragmentTables.h"

#include <algorithm>
#include <cstring>
#include <sstream>

namespace sinter::test {
namespace {

// Buffer i starts at (i + 1) << 40; shared memory at 256, so that null is nobody's, and that of block b b << 24 after it.
constexpr int bufferBits = 40, blockBits = 24;
constexpr uint64_t sharedStart = 256, dynamicStart = 1024;

std::string trimmed(const std::string &text) {
  size_t first = text.find_first_not_of(" \t\n"), last = text.find_last_not_of(" \t\n");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}
std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts{""};
  int depth = 0;
  for (char c : text) {
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    if (c == separator && depth == 0)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  for (std::string &part : parts) part = trimmed(part);
  return parts;
}

} // namespace

PtxMachine::PtxMachine(const std::string &ptx, const std::string &name) {
  size_t at = ptx.find(".entry " + name + "(");
  if (at == std::string::npos) {
    fail("no entry " + name);
    return;
  }
  size_t open = ptx.find("\n{", at), close = ptx.find("\n}", at);
  uint64_t number = 0;
  for (size_t param = at; (param = ptx.find(".param ", param)) < open; ++param) {
    size_t end =
        ptx.find_first_of(",\n", param); // ".param .u64 name", ".param .align 128 .b8 name[128]"
    std::string name = ptx.substr(param, end - param);
    name = name.substr(name.rfind(' ') + 1);
    symbols[name.substr(0, name.find('['))] = number++;
  }
  if (size_t threads = ptx.find(".maxntid ", at); threads < open)
    lanes = std::stoi(ptx.substr(threads + 9));
  if (size_t cluster = ptx.find(".reqnctapercluster ", at); cluster < open)
    blocks = std::stoi(ptx.substr(cluster + 19));
  lanes *= blocks;
  if (size_t dynamic = ptx.find(".extern .shared"); dynamic < at) {
    size_t end = ptx.find('[', dynamic), start = ptx.rfind(' ', end) + 1;
    symbols[ptx.substr(start, end - start)] = dynamicStart;
  }
  std::istringstream body(ptx.substr(open + 2, close - open - 2));
  std::string statement;
  for (std::string line; std::getline(body, line);) {
    line = trimmed(line.substr(0, line.find("//")));
    if (line.empty()) continue;
    if (line.back() == ':') {
      labels[line.substr(0, line.size() - 1)] = program.size();
      continue;
    }
    statement += (statement.empty() ? "" : " ") + line;
    if (statement.back() != ';') continue;
    parse(statement.substr(0, statement.size() - 1));
    statement.clear();
  }
}

void PtxMachine::parse(const std::string &text) {
  // Braces are scopes of names, none of which is used twice.
  std::string statement =
      trimmed(text.substr(std::min(text.find_first_not_of("{} "), text.size())));
  if (statement.empty()) return;
  if (statement.starts_with(".shared")) {
    size_t open = statement.find('['), start = statement.rfind(' ', open) + 1;
    sharedBytes = (sharedBytes + 127) / 128 * 128;
    symbols[statement.substr(start, open - start)] = sharedStart + sharedBytes;
    sharedBytes += std::stoul(statement.substr(open + 1));
    return;
  }
  if (statement[0] == '.') return; // registers, pragmas
  Instruction instruction;
  std::string rest = statement;
  if (rest[0] == '@') {
    size_t end = rest.find_first_of(" \t");
    instruction.guard = rest.substr(1, end - 1);
    rest = trimmed(rest.substr(end));
  }
  size_t end = rest.find_first_of(" \t");
  instruction.word = split(rest.substr(0, end), '.');
  std::vector<std::string> operands;
  if (end != std::string::npos) operands = split(rest.substr(end), ',');
  for (const std::string &operand : operands)
    if (operand[0] == '{')
      instruction.operands.push_back(split(operand.substr(1, operand.size() - 2), ','));
    else
      instruction.operands.push_back({operand});
  for (const auto &operand : instruction.operands)
    for (const std::string &name : operand) {
      for (size_t from = name.find('%'); from != std::string::npos; from = name.find('%', from + 1))
        registers[name.substr(from, name.find_first_of("+-]|", from) - from)].resize(lanes);
      if (size_t bar = name.find('|'); bar != std::string::npos) registers[name].resize(lanes);
    }
  if (!instruction.guard.empty())
    registers[instruction.guard.substr(instruction.guard[0] == '!')].resize(lanes);
  program.push_back(instruction);
}

void PtxMachine::fail(const std::string &message) {
  if (failure.empty()) failure = message;
}

bool PtxMachine::holds(const std::string &guard, int lane) const {
  if (!active[lane]) return false;
  if (guard.empty()) return true;
  bool negated = guard[0] == '!';
  return (registers.at(guard.substr(negated))[lane] != 0) != negated;
}

uint64_t PtxMachine::value(const std::string &operand, int lane) const {
  if (operand == "%tid.x") return uint64_t(lane % (lanes / blocks));
  if (operand == "%laneid") return uint64_t(lane % 32);
  if (operand == "%tid.y" || operand == "%tid.z") return 0;
  if (operand == "%ctaid.x") return uint64_t(blockOf(lane));
  if (operand == "%ntid.x") return uint64_t(lanes / blocks);
  if (operand[0] == '%') return registers.at(operand)[lane];
  if (operand.starts_with("0f")) return std::stoull(operand.substr(2), nullptr, 16);
  if (auto symbol = symbols.find(operand); symbol != symbols.end()) // parameters' numbers are small
    return symbol->second +
           (symbol->second < sharedStart ? 0 : uint64_t(blockOf(lane)) << blockBits);
  return uint64_t(std::stoll(operand, nullptr, 0));
}

uint64_t PtxMachine::address(const std::string &operand, int lane) const {
  std::string inside = operand.substr(1, operand.size() - 2);
  size_t plus = inside.find('+');
  uint64_t start = value(inside.substr(0, plus), lane);
  return plus == std::string::npos ? start : start + uint64_t(std::stoll(inside.substr(plus + 1)));
}

uint8_t *PtxMachine::memory(uint64_t address, unsigned bytes) {
  static uint8_t nowhere[16];
  uint64_t number = address >> bufferBits;
  if (address % bytes) fail("misaligned address");
  std::vector<uint8_t> *bank = number == 0                ? &shared
                               : number <= buffers.size() ? buffers[number - 1]
                                                          : nullptr;
  uint64_t offset = address & ((uint64_t(1) << (number == 0 ? blockBits : bufferBits)) - 1),
           size = bank ? bank->size() : 0, first = 0;
  if (number == 0) {
    size /= uint64_t(blocks), first = (address >> blockBits) * size;
    offset -= sharedStart;
    if (address >> blockBits >= uint64_t(blocks)) size = 0;
  }
  if (offset + bytes > size || offset > size) {
    fail("access outside of memory");
    return nowhere;
  }
  return bank->data() + first + offset;
}

std::string PtxMachine::run(const std::vector<std::vector<uint8_t> *> &arguments, bool late) {
  if (!failure.empty()) return failure;
  buffers = arguments, copiesLate = late, group = 0;
  copies.clear(), loads.clear(), stores.clear(), products.clear(), barriers.clear();
  storeGroup = productGroup = 0;
  if (dynamicSharedBytes) sharedBytes = dynamicStart - sharedStart + dynamicSharedBytes;
  shared.assign(sharedBytes * size_t(blocks), uint8_t(0xff));
  std::vector<size_t> place(lanes, 0);
  for (int steps = 0; failure.empty(); ++steps) {
    size_t at = *std::min_element(place.begin(), place.end());
    if (at >= program.size()) break;
    const Instruction &instruction = program[at];
    if (steps > 100000) fail("the kernel does not end");
    active.resize(lanes);
    for (int lane = 0; lane < lanes; ++lane) active[lane] = place[lane] == at;
    for (int lane = 0; lane < lanes; ++lane) {
      if (!active[lane]) continue;
      place[lane] = at + 1;
      if (!holds(instruction.guard, lane)) continue;
      if (instruction.word[0] == "bra") place[lane] = labels.at(instruction.operands[0][0]);
      if (instruction.word[0] == "ret") place[lane] = program.size();
    }
    if (instruction.word[0] != "bra" && instruction.word[0] != "ret") step(instruction);
  }
  if (failure.empty() && (!loads.empty() || !stores.empty()))
    fail("the kernel ends while bulk copies are under way");
  return failure;
}

void PtxMachine::step(const Instruction &instruction) {
  const std::string &name = instruction.word[0];
  if (name == "bar" || name == "barrier" || name == "ldmatrix" || name == "mma" || name == "shfl" ||
      name == "wgmma")
    if (!together()) return fail("lanes part before " + name);
  if (name == "bar" || name == "barrier") return; // lanes are in step
  if ((name == "ldmatrix" || name == "mma" || name == "shfl") && lanes != 32)
    return fail(name + " of several warps");
  if (name == "wgmma") return warpgroup(instruction);
  if (name == "fence" || name == "prefetch" || name == "setmaxnreg") return; // one view of memory
  if (name == "ldmatrix") return loadMatrices(instruction);
  if (name == "mma") return multiply(instruction);
  if (name == "shfl") return shuffle(instruction);
  bool isBulk = name == "cp" && instruction.word[2] == "bulk";
  if (name == "cp" && instruction.word[2] == "commit_group") {
    ++group;
    return;
  }
  if (name == "cp" && instruction.word[2] == "wait_group") {
    int landed = group - int(value(instruction.operands[0][0], 0));
    std::vector<Copy> left;
    for (const Copy &each : copies)
      if (each.group < landed)
        land(each);
      else
        left.push_back(each);
    copies = left;
    return;
  }
  for (int lane = 0; lane < lanes && failure.empty(); ++lane) {
    if (!holds(instruction.guard, lane)) continue;
    if (name == "ld")
      load(instruction, lane);
    else if (name == "st")
      store(instruction, lane);
    else if (isBulk)
      bulk(instruction, lane);
    else if (name == "mbarrier")
      barrier(instruction, lane);
    else if (name == "mapa")
      mapShared(instruction, lane);
    else if (name == "cp")
      copy(instruction, lane);
    else
      scalar(instruction, lane);
  }
}

void PtxMachine::load(const Instruction &instruction, int lane) {
  const auto &to = instruction.operands[0];
  if (instruction.word[1] == "param") {
    const std::string &name = instruction.operands[1][0];
    return set(to[0], lane, (symbols.at(name.substr(1, name.size() - 2)) + 1) << bufferBits);
  }
  unsigned bytes = bitsOf(instruction.word.back()) / 8;
  uint64_t from = address(instruction.operands[1][0], lane);
  memory(from, unsigned(bytes * to.size())); // the whole vector is aligned
  for (size_t i = 0; i < to.size(); ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, memory(from + i * bytes, bytes), bytes);
    set(to[i], lane, uint64_t(extended(bits, instruction.word.back())));
  }
}

void PtxMachine::store(const Instruction &instruction, int lane) {
  const auto &from = instruction.operands[1];
  unsigned bytes = bitsOf(instruction.word.back()) / 8;
  uint64_t to = address(instruction.operands[0][0], lane);
  memory(to, unsigned(bytes * from.size()));
  for (size_t i = 0; i < from.size(); ++i) {
    uint64_t bits = value(from[i], lane);
    std::memcpy(memory(to + i * bytes, bytes), &bits, bytes);
  }
}

// "cp.async.{ca,cg}.shared.global [dstMem], [srcMem], cp-size{, src-size}": .cg copies 16 bytes only.
void PtxMachine::copy(const Instruction &instruction, int lane) {
  const auto &word = instruction.word;
  auto bytes = unsigned(value(instruction.operands[2][0], lane));
  unsigned some =
      instruction.operands.size() > 3 ? unsigned(value(instruction.operands[3][0], lane)) : bytes;
  if (word[1] != "async" || word[3] != "shared" || word[4] != "global" || some > bytes ||
      (word[2] == "cg" && bytes != 16) || (bytes != 4 && bytes != 8 && bytes != 16))
    return fail("not a form of cp.async");
  Copy made{address(instruction.operands[0][0], lane),
            address(instruction.operands[1][0], lane),
            bytes,
            some,
            lane,
            group};
  memory(made.to, bytes);
  if (some) memory(made.from & ~uint64_t(bytes - 1), 1); // alignment of cp-size
  if (made.from % bytes) fail("misaligned source");
  if (copiesLate)
    copies.push_back(made);
  else
    land(made);
}

void PtxMachine::land(const Copy &copy) {
  uint8_t *to = memory(copy.to, copy.bytes);
  for (unsigned i = 0; i < copy.bytes; ++i) to[i] = i < copy.some ? *memory(copy.from + i, 1) : 0;
}

// "ldmatrix.sync.aligned.m8n8.num{.trans}.shared.b16 r, [p]": thread 8i + j holds the address of row j of matrix i;
// row j's elements 2t and 2t + 1 go to thread 4j + t (of the transpose, with .trans).
void PtxMachine::loadMatrices(const Instruction &instruction) {
  const auto &word = instruction.word;
  const auto &to = instruction.operands[0];
  bool transposed = word[5] == "trans";
  if (word[1] != "sync" || word[3] != "m8n8" || word[4] != "x" + std::to_string(to.size()) ||
      word[transposed ? 6 : 5] != "shared" || word.back() != "b16")
    return fail("not a form of ldmatrix");
  std::vector<uint16_t> matrix(64);
  for (size_t i = 0; i < to.size(); ++i) {
    for (size_t row = 0; row < 8; ++row)
      std::memcpy(&matrix[row * 8],
                  memory(address(instruction.operands[1][0], int(8 * i + row)), 16), 16);
    for (int lane = 0; lane < lanes; ++lane) {
      int j = lane / 4, t = lane % 4 * 2;
      uint64_t low = transposed ? matrix[t * 8 + j] : matrix[j * 8 + t],
               high = transposed ? matrix[(t + 1) * 8 + j] : matrix[j * 8 + t + 1];
      set(to[i], lane, low | high << 16);
    }
  }
}

// "mma.sync.aligned.m16n8k16.row.col.f32.type.type.f32 d, a, b, c", and m16n8k8 of tf32.
void PtxMachine::multiply(const Instruction &instruction) {
  const auto &word = instruction.word;
  std::string type = word.size() == 10 ? word[7] : "";
  bool tf32 = type == "tf32";
  if ((type != "bf16" && type != "f16" && !tf32) || word[3] != (tf32 ? "m16n8k8" : "m16n8k16") ||
      word[4] != "row" || word[5] != "col" || word[6] != "f32" || word[8] != type ||
      word[9] != "f32")
    return fail("not a known form of mma");
  const int depth = tf32 ? 8 : 16, each = tf32 ? 1 : 2;
  double a[16][16], b[16][8];
  auto read = [&](const std::string &name, int lane, int part) -> double {
    uint64_t bits = value(name, lane);
    return tf32 ? asFloat(bits & ~uint64_t(0x1fff)) : fromHalf(uint16_t(bits >> 16 * part), type);
  };
  for (int lane = 0; lane < lanes; ++lane) {
    for (int i = 0; i < 4 * each; ++i) {
      Place at = tf32 ? tf32A(lane, i) : halfA(lane, i);
      a[at.row][at.column] = read(instruction.operands[1][i / each], lane, i % each);
    }
    for (int i = 0; i < 2 * each; ++i) {
      Place at = tf32 ? tf32B(lane, i) : halfB(lane, i);
      b[at.row][at.column] = read(instruction.operands[2][i / each], lane, i % each);
    }
  }
  std::vector<std::pair<std::string, std::vector<uint64_t>>> results;
  for (int i = 0; i < 4; ++i) {
    std::vector<uint64_t> sums(lanes);
    for (int lane = 0; lane < lanes; ++lane) {
      Place at = sumC(lane, i);
      double sum = asFloat(value(instruction.operands[3][i], lane));
      for (int k = 0; k < depth; ++k) sum += a[at.row][k] * b[k][at.column];
      sums[lane] = fromFloat(float(sum));
    }
    results.push_back({instruction.operands[0][i], sums});
  }
  for (auto &[name, sums] : results) registers[name] = sums;
}

// "shfl.sync.mode.b32 d|p, a, b, c, membermask": c holds the mask of the segment and the clamp.
void PtxMachine::shuffle(const Instruction &instruction) {
  std::string to = instruction.operands[0][0];
  const std::string &mode = instruction.word[2];
  to = to.substr(0, to.find('|'));
  std::vector<uint64_t> results(lanes);
  for (int lane = 0; lane < lanes; ++lane) {
    auto b = int(value(instruction.operands[2][0], lane) & 31),
         c = int(value(instruction.operands[3][0], lane));
    int clamp = c & 31, mask = c >> 8 & 31, least = (lane & mask) | (clamp & ~mask & 31);
    int first = lane & mask, from = mode == "up"     ? lane - b
                                    : mode == "down" ? lane + b
                                    : mode == "bfly" ? lane ^ b
                                                     : first | (b & ~mask & 31);
    if (mode == "up" ? from < least : from > least) from = lane;
    results[lane] = value(instruction.operands[1][0], from);
  }
  registers[to] = results;
}

} // namespace sinter::test
