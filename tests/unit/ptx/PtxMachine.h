#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sinter::test {

/// Executes the PTX of one small kernel: one block of one warp or warpgroup, or one cluster of such blocks, all lanes in
/// step; where they part at a branch, those that are behind go on until they meet the others. Shared memory of block b
/// begins b << 24 after that of the first, so that an address says whose it is. Knows what the device headers' primitives compile to, by the words of the PTX ISA manual; anything else is
/// an error.
class PtxMachine {
public:
  /// Reads entry `name` of a module's text.
  PtxMachine(const std::string &ptx, const std::string &name);

  /// Runs the kernel over `buffers`, its pointer parameters in order. Asynchronous copies land when they must
  /// (`copiesLate`), else at once. Returns what went wrong, or nothing.
  /// `buffers[i]` is parameter i, null where that is a tensor map.
  std::string run(const std::vector<std::vector<uint8_t> *> &buffers, bool copiesLate);

  /// A tensor map, as cuTensorMapEncodeTiled is told of it: dimension 0 is that of neighbours.
  struct Map {
    size_t buffer; // the parameter whose memory it is of
    std::array<int64_t, 3> sizes, strides;
    std::array<int, 3> box;
    int elementBytes;
    bool swizzled; // by 128 bytes
  };
  std::map<uint64_t, Map> maps; // by parameter
  size_t dynamicSharedBytes = 0;

private:
  struct Instruction {
    std::string guard;                              // "%p1", "!%p1" or nothing
    std::vector<std::string> word;                  // "ld", "global", "u32"
    std::vector<std::vector<std::string>> operands; // the registers of a vector, else one text
  };
  struct Copy {
    uint64_t to, from;
    unsigned bytes, some;
    int lane, group;
  };

  void parse(const std::string &text);
  void step(const Instruction &instruction);
  void scalar(const Instruction &instruction, int lane);
  void load(const Instruction &instruction, int lane);
  void store(const Instruction &instruction, int lane);
  void loadMatrices(const Instruction &instruction);
  void multiply(const Instruction &instruction);
  void shuffle(const Instruction &instruction);
  void copy(const Instruction &instruction, int lane);
  void land(const Copy &copy);

  // Barriers, bulk copies and products of a warpgroup (PtxAsync.cpp).
  struct Barrier {
    int64_t expected = 0, pending = 0, bytes = 0;
    uint64_t phase = 0;
  };
  struct Box {
    uint64_t map, shared, barrier;
    std::array<int64_t, 3> at;
    int group;
  };
  void barrier(const Instruction &instruction, int lane);
  void mapShared(const Instruction &instruction, int lane);
  int blockOf(int lane) const { return lane / (lanes / blocks); }
  void count(Barrier &barrier, int64_t threads, int64_t bytes);
  void bulk(const Instruction &instruction, int lane);
  void land(const Box &box, bool isLoad);
  void warpgroup(const Instruction &instruction);
  void multiply64(const Instruction &instruction);
  double half(uint64_t address, const std::string &type);

  bool holds(const std::string &guard, int lane) const;
  uint64_t value(const std::string &operand, int lane) const;
  uint64_t address(const std::string &operand, int lane) const; // of "[%rd1+4]"
  void set(const std::string &name, int lane, uint64_t bits) { registers[name][lane] = bits; }
  bool together() const { // all lanes
    for (bool each : active)
      if (!each) return false;
    return true;
  }
  /// The memory at an address: a buffer's or shared. Fails outside of it.
  uint8_t *memory(uint64_t address, unsigned bytes);
  void fail(const std::string &message);

  int lanes = 32, blocks = 1; // lanes of all blocks
  std::vector<bool> active;
  std::map<uint64_t, Barrier> barriers;
  std::vector<Box> loads, stores;
  std::vector<std::pair<Instruction, int>> products; // with their groups
  int storeGroup = 0, productGroup = 0;
  std::vector<Instruction> program;
  std::map<std::string, size_t> labels;
  std::map<std::string, uint64_t> symbols; // shared arrays, and numbers of parameters
  std::map<std::string, std::vector<uint64_t>> registers;
  std::vector<uint8_t> shared; // of all blocks
  size_t sharedBytes = 0;      // of each
  std::vector<std::vector<uint8_t> *> buffers;
  std::vector<Copy> copies;
  int group = 0;
  bool copiesLate = false;
  std::string failure;
};

} // namespace sinter::test
