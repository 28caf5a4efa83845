#include "sinter/runtime/Program.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace sinter::runtime {
namespace {

/// Deeper nesting than any compiler writes; keeps a hostile file from exhausting the stack.
constexpr size_t maxDepth = 32;

Error corrupt(std::string message) {
  return {ErrorCode::corrupt, "program: " + std::move(message)};
}

Status checkType(const TensorType &type, const std::string &owner) {
  int64_t bytes = byteWidth(type.dtype);
  for (int64_t extent : type.shape) {
    if (extent < 0) return corrupt(fmt::format("{} has a negative extent: {}", owner, type.text()));
    if (__builtin_mul_overflow(bytes, extent, &bytes))
      return corrupt(fmt::format("{} is too large to address: {}", owner, type.text()));
  }
  return {};
}

/// Checks the instructions of one entry against the sizes of what they name.
class EntryCheck {
public:
  EntryCheck(const Program &program, const Entry &entry) : program(program), entry(entry) {}

  Status run() {
    if (entry.arenaBytes < 0) return fail("its arena has a negative size");
    for (const Port &port : entry.inputs)
      SINTER_RETURN_IF_ERROR(checkType(port.type, describe("input", port.name)));
    for (const Port &port : entry.outputs)
      SINTER_RETURN_IF_ERROR(checkType(port.type, describe("output", port.name)));
    return checkBlock(entry.body);
  }

private:
  std::string describe(std::string_view what, std::string_view name) const {
    return fmt::format("entry '{}': {} '{}'", entry.name, what, name);
  }
  Error fail(std::string message) const {
    return corrupt(fmt::format("entry '{}': {}{}", entry.name, at, message));
  }

  struct Place {
    std::string text;
    int64_t bytes = 0;
    bool writable = true;
  };
  Result<Place> placeOf(const Location &location) const {
    auto missing = [&](std::string_view what, size_t count) {
      return fail(fmt::format("{} {} does not exist, there are {}", what, location.index, count));
    };
    auto port = [&](std::string_view what, const std::vector<Port> &ports,
                    bool writable) -> Result<Place> {
      if (location.index >= ports.size()) return missing(what, ports.size());
      const Port &named = ports[location.index];
      return Place{fmt::format("{} '{}'", what, named.name), named.type.numBytes(), writable};
    };
    switch (location.space) {
    case Space::arena:
      return Place{"the arena", entry.arenaBytes, true};
    case Space::state:
      if (location.index >= program.state.size())
        return missing("state variable", program.state.size());
      return Place{fmt::format("state '{}'", program.state[location.index].name),
                   program.state[location.index].type.numBytes(), true};
    case Space::input:
      return port("input", entry.inputs, false);
    case Space::output:
      return port("output", entry.outputs, true);
    case Space::constant:
      if (location.index >= program.constants.size())
        return missing("constant", program.constants.size());
      return Place{fmt::format("constant {}", location.index),
                   static_cast<int64_t>(program.constants[location.index].size()), false};
    }
    return fail(fmt::format("memory space {} is unknown", static_cast<int>(location.space)));
  }

  /// A loop around the instruction in hand, and where in `path` its body starts.
  struct Around {
    const Loop *loop;
    size_t depth;
  };

  /// The least and the most that operand `param` of the instruction in hand is moved by the loops around it.
  Result<std::pair<int64_t, int64_t>> movesOf(size_t param) const {
    int64_t least = 0, most = 0;
    for (const Around &around : loops)
      for (const LoopOffset &moved : around.loop->offsets) {
        if (moved.param != param ||
            !std::ranges::equal(moved.path, std::span(path).subspan(around.depth)))
          continue;
        int64_t distance = 0;
        int64_t &end = moved.stride < 0 ? least : most;
        if (__builtin_mul_overflow(moved.stride, std::max<int64_t>(around.loop->count - 1, 0),
                                   &distance) ||
            __builtin_add_overflow(end, distance, &end))
          return fail("a loop's offset overflows");
      }
    return std::pair(least, most);
  }

  /// Operand `param` of the instruction in hand.
  Status checkLocation(const Location &location, bool written, size_t param) const {
    SINTER_ASSIGN_OR_RETURN(Place place, placeOf(location));
    if (written && !place.writable) return fail(fmt::format("writes to {}", place.text));
    if (location.offset < 0 || location.bytes < 0)
      return fail("an operand has a negative offset or size");
    SINTER_ASSIGN_OR_RETURN(auto moves, movesOf(param));
    int64_t first = location.offset + moves.first, last = 0;
    if (__builtin_add_overflow(location.offset, moves.second, &last))
      return fail("a loop's offset overflows");
    if (first < 0 || location.bytes > place.bytes || last > place.bytes - location.bytes)
      return fail(fmt::format("{} bytes at offset {} lie outside {}, which has {}", location.bytes,
                              first < 0 ? first : last, place.text, place.bytes));
    return {};
  }

  Status checkLaunch(const Launch &launch) const {
    if (launch.kernel >= program.kernels.size())
      return fail(fmt::format("kernel {} does not exist, there are {}", launch.kernel,
                              program.kernels.size()));
    for (const Alternative &other : launch.alternatives) {
      if (other.kernel >= program.kernels.size())
        return fail(fmt::format("alternative kernel {} does not exist", other.kernel));
      if (other.shape.range < 0 || other.shape.grain < 1)
        return fail("an alternative's range is negative or its grain not positive");
    }
    if (launch.shape.range < 0 || launch.shape.grain < 1)
      return fail("its range is negative or its grain not positive");
    for (size_t p = 0; p < launch.params.size(); ++p) {
      if (auto *pointer = std::get_if<PointerParam>(&launch.params[p]))
        SINTER_RETURN_IF_ERROR(checkLocation(pointer->location, pointer->written, p));
      if (auto *map = std::get_if<TensorMapParam>(&launch.params[p]))
        SINTER_RETURN_IF_ERROR(checkLocation(map->location, false, p));
    }
    return {};
  }

  Status checkCopy(const Copy &copy) const {
    if (copy.from.bytes != copy.to.bytes)
      return fail(fmt::format("copies {} bytes to a place of {}", copy.from.bytes, copy.to.bytes));
    SINTER_RETURN_IF_ERROR(checkLocation(copy.from, false, 0));
    SINTER_RETURN_IF_ERROR(checkLocation(copy.to, true, 1));
    if (copy.from.space == copy.to.space &&
        (copy.from.space == Space::arena || copy.from.index == copy.to.index) &&
        copy.from.offset < copy.to.offset + copy.to.bytes &&
        copy.to.offset < copy.from.offset + copy.from.bytes)
      return fail("copies between ranges that overlap");
    return {};
  }

  Status checkFill(const Fill &fill) const {
    if (fill.pattern.empty() || fill.to.bytes % static_cast<int64_t>(fill.pattern.size()) != 0)
      return fail(
          fmt::format("fills {} bytes with a pattern of {}", fill.to.bytes, fill.pattern.size()));
    return checkLocation(fill.to, true, 0);
  }

  Status checkLoop(const Loop &loop) {
    if (loop.count < 0) return fail("its count is negative");
    if (!loop.body) return fail("it has no body");
    for (const LoopOffset &moved : loop.offsets)
      if (!names(*loop.body, moved))
        return fail(fmt::format("an offset names operand {} of instruction {}, which is none",
                                moved.param, dotted(moved.path)));
    loops.push_back({&loop, path.size()});
    Status status = checkBlock(*loop.body);
    loops.pop_back();
    return status;
  }

  static std::string dotted(const std::vector<uint32_t> &path) {
    std::string text;
    for (uint32_t number : path) text += (text.empty() ? "" : ".") + std::to_string(number);
    return text;
  }

  static bool names(const Block &body, const LoopOffset &moved) {
    const Instruction *instruction = instructionAt(body, moved.path);
    if (!instruction) return false;
    const auto &op = instruction->op;
    if (auto *launch = std::get_if<Launch>(&op))
      return moved.param < launch->params.size() &&
             !std::holds_alternative<ScalarParam>(launch->params[moved.param]);
    if (std::holds_alternative<Copy>(op)) return moved.param < 2;
    return !std::holds_alternative<Loop>(op) && moved.param == 0;
  }

  Status checkCondition(const Location &condition) const {
    if (condition.bytes != 1)
      return fail(fmt::format("its condition has {} bytes, not one", condition.bytes));
    return checkLocation(condition, false, 0);
  }

  Status checkBranch(const If &branch) {
    SINTER_RETURN_IF_ERROR(checkCondition(branch.condition));
    if (!branch.then) return fail("it has no body");
    SINTER_RETURN_IF_ERROR(checkBlock(*branch.then));
    return branch.otherwise ? checkBlock(*branch.otherwise, branch.then->size()) : Status();
  }

  /// Instructions are counted from `first` on.
  Status checkBlock(const Block &block, size_t first = 0) {
    if (path.size() > maxDepth)
      return fail(fmt::format("instructions nest deeper than {}", maxDepth));
    std::string outer = at;
    path.push_back(0);
    for (size_t i = 0; i < block.size(); ++i) {
      const Instruction &instruction = block[i];
      path.back() = static_cast<uint32_t>(first + i);
      at = fmt::format("{}instruction {}: ", outer, i);
      for (uint32_t dependency : instruction.dependencies)
        if (dependency >= i)
          return fail(fmt::format("depends on instruction {}, which is not earlier", dependency));
      Status status;
      if (auto *launch = std::get_if<Launch>(&instruction.op)) {
        at = fmt::format("{}instruction {} '{}': ", outer, i, launch->label);
        status = checkLaunch(*launch);
      } else if (auto *copy = std::get_if<Copy>(&instruction.op)) {
        status = checkCopy(*copy);
      } else if (auto *fill = std::get_if<Fill>(&instruction.op)) {
        status = checkFill(*fill);
      } else if (auto *nested = std::get_if<Loop>(&instruction.op)) {
        status = checkLoop(*nested);
      } else if (auto *branch = std::get_if<If>(&instruction.op)) {
        status = checkBranch(*branch);
      } else if (auto *turn = std::get_if<While>(&instruction.op)) {
        SINTER_RETURN_IF_ERROR(checkCondition(turn->condition));
        if (!turn->body) return fail("it has no body");
        status = checkBlock(*turn->body);
      }
      SINTER_RETURN_IF_ERROR(status);
    }
    path.pop_back();
    at = outer;
    return {};
  }

  const Program &program;
  const Entry &entry;
  std::string at;             // the instruction in hand, for messages
  std::vector<uint32_t> path; // to it, in `entry`'s body
  std::vector<Around> loops;
};

Status refuseUnsupported(const Entry &entry, const Block &block) {
  auto refuse = [&](std::string_view feature) {
    return Status(ErrorCode::unsupported,
                  fmt::format("entry '{}' uses {}, which this runtime does not execute", entry.name,
                              feature));
  };
  for (const Instruction &instruction : block) {
    std::vector<std::shared_ptr<Block>> nested;
    if (auto *loop = std::get_if<Loop>(&instruction.op)) nested = {loop->body};
    if (auto *turns = std::get_if<While>(&instruction.op)) nested = {turns->body};
    if (auto *branch = std::get_if<If>(&instruction.op)) nested = {branch->then, branch->otherwise};
    for (const std::shared_ptr<Block> &inner : nested)
      if (inner) SINTER_RETURN_IF_ERROR(refuseUnsupported(entry, *inner));
    auto *launch = std::get_if<Launch>(&instruction.op);
    if (!launch) continue;
    for (const KernelParam &param : launch->params)
      if (std::holds_alternative<TensorMapParam>(param))
        return refuse(fmt::format("tensor maps (launch '{}')", launch->label));
  }
  return {};
}

} // namespace

Status checkProgram(const Program &program) {
  std::set<std::string_view> names;
  for (const StateVariable &variable : program.state) {
    if (!names.insert(variable.name).second)
      return corrupt(fmt::format("two state variables are named '{}'", variable.name));
    SINTER_RETURN_IF_ERROR(
        checkType(variable.type, fmt::format("state variable '{}'", variable.name)));
  }
  for (const Kernel &kernel : program.kernels)
    for (uint32_t header : kernel.headers)
      if (header >= program.headers.size())
        return corrupt(fmt::format("kernel '{}' includes header {}, there are {}", kernel.name,
                                   header, program.headers.size()));
  names.clear();
  for (const Entry &entry : program.entries) {
    if (!names.insert(entry.name).second)
      return corrupt(fmt::format("two entries are named '{}'", entry.name));
    SINTER_RETURN_IF_ERROR(EntryCheck(program, entry).run());
  }
  return {};
}

Status checkExecutable(const Program &program) {
  if (program.target == TargetKind::cuda) return {};
  for (const Entry &entry : program.entries)
    SINTER_RETURN_IF_ERROR(refuseUnsupported(entry, entry.body));
  return {};
}

} // namespace sinter::runtime
