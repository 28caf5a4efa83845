#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sinter::test {

/// Executes the PTX of one small kernel: one block of one warp, its 32 lanes in step, branches that all of them
/// take. Knows what the device headers' primitives compile to, by the words of the PTX ISA manual; anything else is
/// an error.
class PtxMachine {
public:
  /// Reads entry `name` of a module's text.
  PtxMachine(const std::string &ptx, const std::string &name);

  /// Runs the kernel over `buffers`, its pointer parameters in order. Asynchronous copies land when they must
  /// (`copiesLate`), else at once. Returns what went wrong, or nothing.
  std::string run(const std::vector<std::vector<uint8_t> *> &buffers, bool copiesLate);

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

  void parse(const std::string &statement);
  void step(const Instruction &instruction);
  void scalar(const Instruction &instruction, int lane);
  void load(const Instruction &instruction, int lane);
  void store(const Instruction &instruction, int lane);
  void loadMatrices(const Instruction &instruction);
  void multiply(const Instruction &instruction);
  void shuffle(const Instruction &instruction);
  void copy(const Instruction &instruction, int lane);
  void land(const Copy &copy);

  bool holds(const std::string &guard, int lane) const;
  uint64_t value(const std::string &operand, int lane) const;
  uint64_t address(const std::string &operand, int lane) const; // of "[%rd1+4]"
  void set(const std::string &name, int lane, uint64_t bits) { registers[name][lane] = bits; }
  /// The memory at an address: a buffer's or shared. Fails outside of it.
  uint8_t *memory(uint64_t address, unsigned bytes);
  void fail(const std::string &message);

  std::vector<Instruction> program;
  std::map<std::string, size_t> labels;
  std::map<std::string, uint64_t> symbols; // shared arrays, and numbers of parameters
  std::map<std::string, std::vector<uint64_t>> registers;
  std::vector<uint8_t> shared;
  std::vector<std::vector<uint8_t> *> buffers;
  std::vector<Copy> copies;
  int group = 0;
  bool copiesLate = false;
  std::string failure;
};

} // namespace sinter::test
