#include "Programs.h"

namespace sinter::runtime {
namespace {

using namespace testing;

/// What checkProgram says after a change to the good program.
template <class Change> Status afterChange(Change &&change) {
  Program program = stepProgram();
  change(program, program.entries[0]);
  return checkProgram(program);
}
Launch &launchAt(Entry &entry, size_t i) { return std::get<Launch>(entry.body[i].op); }

TEST(ProgramCheck, TheGoodProgramPasses) {
  EXPECT_OK(checkProgram(stepProgram()));
  EXPECT_OK(checkExecutable(stepProgram()));
}

TEST(ProgramCheck, Indices) {
  EXPECT_ERROR(
      afterChange([](Program &, Entry &e) { launchAt(e, 0).kernel = 2; }), corrupt,
      "program: entry 'step': instruction 0 'scale': kernel 2 does not exist, there are 2");
  EXPECT_ERROR(
      afterChange([](Program &, Entry &e) { launchAt(e, 0).alternatives = {Alternative{9}}; }),
      corrupt, "alternative kernel 9 does not exist");
  EXPECT_ERROR(afterChange([](Program &, Entry &e) { e.body[1].dependencies = {1}; }), corrupt,
               "instruction 1: depends on instruction 1, which is not earlier");
  EXPECT_ERROR(afterChange([](Program &p, Entry &) { p.constants.clear(); }), corrupt,
               "instruction 2 'add ones': constant 0 does not exist, there are 0");
  EXPECT_ERROR(afterChange([](Program &p, Entry &) { p.state.clear(); }), corrupt,
               "state variable 0 does not exist");
  EXPECT_ERROR(afterChange([](Program &, Entry &e) { e.inputs.clear(); }), corrupt,
               "input 0 does not exist");
  EXPECT_ERROR(afterChange([](Program &p, Entry &) { p.kernels[0].headers = {0}; }), corrupt,
               "kernel 'scale' includes header 0, there are 0");
}

TEST(ProgramCheck, Ranges) {
  auto moved = [](int64_t offset, int64_t bytes) {
    return afterChange([=](Program &, Entry &e) {
      auto &location = std::get<PointerParam>(launchAt(e, 0).params[1]).location;
      location.offset = offset;
      location.bytes = bytes;
    });
  };
  EXPECT_OK(moved(112, 400));
  EXPECT_ERROR(moved(113, 400), corrupt,
               "400 bytes at offset 113 lie outside the arena, which has 512");
  EXPECT_ERROR(moved(INT64_MAX, 400), corrupt, "lie outside the arena");
  EXPECT_ERROR(moved(0, INT64_MAX), corrupt, "lie outside the arena");
  EXPECT_ERROR(moved(-1, 4), corrupt, "an operand has a negative offset or size");
  EXPECT_ERROR(afterChange([](Program &, Entry &e) { e.inputs[0].type.shape = {99}; }), corrupt,
               "lie outside input 'x', which has 396");
  EXPECT_ERROR(afterChange([](Program &, Entry &e) { e.arenaBytes = -1; }), corrupt,
               "its arena has a negative size");
  EXPECT_ERROR(afterChange([](Program &, Entry &e) {
                 e.outputs[0].type.shape = {1 << 30, 1 << 30, 8};
               }),
               corrupt, "entry 'step': output 'y' is too large to address");
  EXPECT_ERROR(afterChange([](Program &p, Entry &) { p.state[0].type.shape = {-4}; }), corrupt,
               "state variable 'w' has a negative extent: f32[-4]");
}

TEST(ProgramCheck, Writes) {
  EXPECT_ERROR(afterChange([](Program &, Entry &e) {
                 std::get<PointerParam>(launchAt(e, 0).params[0]).written = true;
               }),
               corrupt, "instruction 0 'scale': writes to input 'x'");
  Location constant{Space::constant, 0, 0, 4};
  EXPECT_ERROR(afterChange([&](Program &, Entry &e) {
                 e.body = {step(Fill{constant, {0}, ""})};
               }),
               corrupt, "writes to constant 0");
}

TEST(ProgramCheck, CopiesAndFills) {
  Location low{Space::arena, 0, 0, 64}, high{Space::arena, 0, 64, 64}, mid{Space::arena, 0, 32, 64};
  auto only = [](decltype(Instruction::op) op) {
    return afterChange([&](Program &, Entry &e) { e.body = {step(op)}; });
  };
  EXPECT_OK(only(Copy{low, high, ""}));
  EXPECT_ERROR(only(Copy{low, mid, ""}), corrupt, "copies between ranges that overlap");
  Location small{Space::arena, 0, 64, 32};
  EXPECT_ERROR(only(Copy{low, small, ""}), corrupt, "copies 64 bytes to a place of 32");
  EXPECT_OK(only(Fill{low, {1, 2}, ""}));
  EXPECT_ERROR(only(Fill{low, {}, ""}), corrupt, "fills 64 bytes with a pattern of 0");
  EXPECT_ERROR(only(Fill{low, {1, 2, 3}, ""}), corrupt, "fills 64 bytes with a pattern of 3");
}

TEST(ProgramCheck, Loops) {
  auto loopOf = [](int64_t count, std::vector<LoopOffset> offsets) {
    return afterChange([&](Program &, Entry &e) {
      auto body = std::make_shared<Block>(Block{step(Fill{{Space::arena, 0, 0, 64}, {0}, ""})});
      e.body = {step(Loop{count, offsets, body})};
    });
  };
  EXPECT_OK(loopOf(8, {{{0}, 0, 64}}));
  EXPECT_ERROR(loopOf(9, {{{0}, 0, 64}}), corrupt,
               "instruction 0: instruction 0: 64 bytes at offset 512 lie outside the arena");
  EXPECT_ERROR(loopOf(2, {{{0}, 0, -64}}), corrupt, "64 bytes at offset -64 lie outside the arena");
  EXPECT_ERROR(loopOf(INT64_MAX, {{{0}, 0, 64}}), corrupt, "a loop's offset overflows");
  EXPECT_ERROR(loopOf(2, {{{0}, 1, 64}}), corrupt,
               "an offset names operand 1 of instruction 0, which is none");
  EXPECT_ERROR(loopOf(2, {{{1}, 0, 64}}), corrupt, "operand 0 of instruction 1");
  EXPECT_ERROR(loopOf(2, {{{}, 0, 64}}), corrupt, "operand 0 of instruction , which is none");
  EXPECT_ERROR(loopOf(-1, {}), corrupt, "its count is negative");
}

// A loop around a branch, in whose second block a loop fills 64 bytes at 0: both loops move it.
TEST(ProgramCheck, LoopsMoveWhatIsInBlocksOfTheirBodies) {
  auto nested = [](std::vector<uint32_t> path, int64_t outer, int64_t inner) {
    return afterChange([&](Program &, Entry &e) {
      Instruction fill = step(Fill{{Space::arena, 0, 0, 64}, {0}, ""});
      auto block = [](Instruction only) { return std::make_shared<Block>(Block{std::move(only)}); };
      auto turns = block(step(Loop{2, {{{0}, 0, inner}}, block(fill)}));
      auto branch = block(step(If{{Space::arena, 0, 0, 1}, block(fill), turns}));
      e.body = {step(Loop{4, {{path, 0, outer}}, branch})};
    });
  };
  EXPECT_OK(nested({0, 1, 0}, 128, 64)); // 3 * 128 + 64 + 64 = 512
  EXPECT_ERROR(nested({0, 1, 0}, 128, 128), corrupt,
               "instruction 0: instruction 0: instruction 0: instruction 0: 64 bytes at offset 512 "
               "lie outside the arena");
  EXPECT_ERROR(nested({0, 1, 0}, -64, 64), corrupt, "64 bytes at offset -192 lie outside");
  EXPECT_OK(nested({0, 0}, 128, 64)); // what the first block has
  EXPECT_OK(nested({0}, 170, 64));    // the condition: 3 * 170 + 1 = 511
  EXPECT_ERROR(nested({0}, 171, 64), corrupt, "1 bytes at offset 513 lie outside the arena");
  EXPECT_ERROR(nested({0, 1}, 0, 64), corrupt, "operand 0 of instruction 0.1, which is none");
  EXPECT_ERROR(nested({0, 2}, 0, 64), corrupt, "operand 0 of instruction 0.2, which is none");
  EXPECT_ERROR(nested({0, 1, 1}, 0, 64), corrupt, "operand 0 of instruction 0.1.1, which is none");
  EXPECT_ERROR(nested({0, 0, 0}, 0, 64), corrupt, "operand 0 of instruction 0.0.0, which is none");
}

TEST(ProgramCheck, NestingIsBounded) {
  auto body = std::make_shared<Block>();
  for (int i = 0; i < 100; ++i) body = std::make_shared<Block>(Block{step(Loop{1, {}, body})});
  EXPECT_ERROR(afterChange([&](Program &, Entry &e) { e.body = *body; }), corrupt,
               "instructions nest deeper than 32");
}

TEST(ProgramCheck, RepeatedNames) {
  EXPECT_ERROR(afterChange([](Program &p, Entry &) { p.state.push_back(p.state[0]); }), corrupt,
               "two state variables are named 'w'");
  EXPECT_ERROR(afterChange([](Program &p, Entry &e) { p.entries.push_back(Entry(e)); }), corrupt,
               "two entries are named 'step'");
}

} // namespace
} // namespace sinter::runtime
