#pragma once

#include "sinter/runtime/Status.h"
#include "sinter/runtime/Types.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The hinge between compiler and runtime: plain data that can be written to one file, loaded and
/// run (and trained on) by the runtime alone.
namespace sinter::runtime {

/// Where the bytes of an operand live.
enum class Space : uint8_t {
  arena,    // the entry's one working allocation; `offset` is in bytes
  state,    // `index` names a variable of the program's state table
  input,    // `index` names an input of the entry
  output,   // `index` names an output of the entry
  constant, // `index` names a constant of the program
};

/// A range of bytes: `bytes` at `offset` from the start of (space, index).
struct Location {
  Space space = Space::arena;
  uint32_t index = 0; // ignored for the arena
  int64_t offset = 0;
  int64_t bytes = 0;
  friend bool operator==(const Location &, const Location &) = default;
};

/// A kernel parameter. Typed, so that a loader can check and encode each one.
struct PointerParam {
  Location location;
  bool written = false;
};
struct ScalarParam {
  DType type = DType::i64;
  std::array<uint8_t, 8> bits{};
};
/// A tensor map of Hopper's bulk copies, encoded at load time.
struct TensorMapParam {
  Location location;
  DType type = DType::bf16;
  std::vector<int64_t> shape, strides, box;
  uint32_t swizzle = 0;
};
using KernelParam = std::variant<PointerParam, ScalarParam, TensorMapParam>;

/// How many blocks and threads of a CUDA kernel, or how much of a CPU kernel's range.
struct LaunchShape {
  std::array<uint32_t, 3> grid{1, 1, 1};
  std::array<uint32_t, 3> block{1, 1, 1};
  uint32_t sharedBytes = 0;
  int64_t range = 1; // CPU: the kernel is called over [0, range) in chunks
  int64_t grain = 1; // CPU: smallest chunk worth a thread; every chunk starts at a multiple of it,
                     // and chunks never depend on the thread count
  friend bool operator==(const LaunchShape &, const LaunchShape &) = default;
};

struct Instruction;
using Block = std::vector<Instruction>;

/// A kernel that may stand in for a launch's own: the same parameters, another shape.
struct Alternative {
  uint32_t kernel = 0;
  LaunchShape shape = {};
  double cycles = 0; // until it has ended, as the compiler's model of the machine predicts
  friend bool operator==(const Alternative &, const Alternative &) = default;
};

/// Runs kernel `kernel` of the program, the model's choice; `alternatives` are what a measurement may
/// put in its place.
struct Launch {
  uint32_t kernel = 0;
  LaunchShape shape;
  std::vector<KernelParam> params;
  std::vector<Alternative> alternatives;
  double cycles = 0;  // predicted, where there are alternatives
  std::string label;  // "matmul+bias+relu", for profiles
  std::string source; // "model.cpp:14 fc", for errors
};
struct Copy {
  Location from, to;
  std::string source;
};
struct Fill {
  Location to;
  std::vector<uint8_t> pattern;
  std::string source;
};
/// One location that a loop moves on by `stride` bytes a turn. `path` leads from the loop's body to its
/// instruction: a number there, then, as long as that one runs blocks of its own, a number in those
/// (see `instructionAt`). `param` indexes a launch's `params`, or is 0 for a copy's `from`, a fill's `to`
/// and a condition, 1 for a copy's `to`.
struct LoopOffset {
  std::vector<uint32_t> path;
  uint32_t param = 0;
  int64_t stride = 0;
};
/// Runs `body` `count` times.
struct Loop {
  int64_t count = 0;
  std::vector<LoopOffset> offsets;
  std::shared_ptr<Block> body;
};
struct If {
  Location condition;
  std::shared_ptr<Block> then, otherwise;
};
struct While {
  Location condition;
  std::shared_ptr<Block> body;
};

/// One step of an entry. `dependencies` are indices of earlier instructions of the same block that
/// must be done first; independent ones may run in parallel.
struct Instruction {
  std::variant<Launch, Copy, Fill, Loop, If, While> op;
  std::vector<uint32_t> dependencies;
};

/// The instruction that `path` leads to from `block`, null where it leads nowhere. In an `If`, those of
/// `otherwise` are counted on from those of `then`.
const Instruction *instructionAt(const Block &block, std::span<const uint32_t> path);

/// A named tensor at an entry's border.
struct Port {
  std::string name;
  TensorType type;
};

/// A variable that outlives a step: parameters, moments, running statistics, step, seed, rates.
enum class StateRole : uint8_t { parameter, state, scalar, seed };
struct StateVariable {
  std::string name; // "conv1.weight", "conv1.weight.exp_avg", "step", "lr.0"
  TensorType type;
  StateRole role = StateRole::parameter;
};

/// A function of the program. Outputs that are donated back to state are written in place and are
/// not among `outputs`.
struct Entry {
  std::string name; // "init", "train_step", "eval_step", "predict"
  std::vector<Port> inputs, outputs;
  Block body;
  int64_t arenaBytes = 0;      // size of the one working allocation
  int64_t lowerBoundBytes = 0; // most bytes live at once: no plan can be smaller
  /// The largest tensors of the arena, for "out of memory" messages: bytes and user's line.
  struct Resident {
    int64_t bytes = 0;
    std::string label;
  };
  std::vector<Resident> largest;
};

/// The CPU kernel ABI: `buffers[i]` is pointer parameter i, `scalars[i]` scalar parameter i, and
/// the kernel does the part [begin, end) of its range.
using CpuFunction = void (*)(void *const *buffers, const int64_t *scalars, int64_t begin,
                             int64_t end);
/// A kernel that runs inside this process and cannot be saved (the reference device): gets every
/// pointer parameter of the launch in order.
using HostFunction = std::function<Status(std::span<void *const> buffers)>;

/// One kernel, in whatever forms the target needs.
struct Kernel {
  std::string name;              // the symbol
  std::string source;            // CUDA: canonical text; CPU: empty or LLVM IR for inspection
  std::vector<uint32_t> headers; // CUDA: indices into Program::headers
  std::map<std::string, std::vector<uint8_t>>
      images;                     // CUDA: "sm_90" -> cubin; CPU: see Program::cpuImages
  CpuFunction function = nullptr; // in-process handle while JIT-compiling
  HostFunction host;              // reference device only
  /// CUDA: before anything else it waits for the kernels that it depends on, so that it may be
  /// started before they have ended (programmatic dependent launch).
  bool awaits = false;
};

enum class TargetKind : uint8_t { cpu, cuda, reference };

struct Program {
  TargetKind target = TargetKind::cpu;
  std::string isa;                           // CPU: "amx", "avx512", "avx2", "generic"
  std::vector<std::string> requiredFeatures; // a loader refuses a program with one it does not know
  std::vector<StateVariable> state;
  std::vector<Entry> entries;
  std::vector<Kernel> kernels;
  std::vector<std::vector<uint8_t>> constants;
  struct Header {
    std::string name, text;
  };
  std::vector<Header> headers; // CUDA device headers that kernels include
  std::map<std::string, std::vector<uint8_t>>
      cpuImages;                               // isa -> ELF shared object with every kernel
  std::map<std::string, std::string> metadata; // model, precision, compiler version
  std::shared_ptr<void> keepAlive;             // owns JIT-compiled code that `function` points into

  const Entry *findEntry(std::string_view name) const;
  int findState(std::string_view name) const; // -1: none
};

/// Checks what a loader must not trust: every index, offset, extent and dependency.
Status checkProgram(const Program &program);
/// Refuses, by name, what is well formed but no executor runs: tensor maps.
Status checkExecutable(const Program &program);

/// Serialises to the container of `Container.h`. Fails on kernels that live in this process only.
Result<std::vector<uint8_t>> serialize(const Program &program);
/// Parses and checks: lengths, checksum, version, required features, every index and offset.
Result<Program> deserialize(std::span<const uint8_t> bytes);
Status saveProgram(const Program &program, const std::string &path); // replaced atomically
Result<Program> loadProgram(const std::string &path);

} // namespace sinter::runtime
