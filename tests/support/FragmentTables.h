#pragma once

// Where a warp's lanes hold the elements of a tile, transcribed from the PTX ISA manual (release 8.7, 9.7.14.5
// "Matrix multiply-accumulate operation using mma instruction").
namespace sinter::test {

struct Place {
  int row, column;
};

// "Matrix Fragments for mma.m16n8k16 with floating point type", .f16 and .bf16: elements a0 to a7 in four
// registers, b0 to b3 in two, c0 to c3; groupID = %laneid >> 2, threadID_in_group = %laneid % 4.
inline Place halfA(int lane, int i) {
  int groupID = lane >> 2, threadID_in_group = lane % 4;
  return {(0 <= i && i < 2) || (4 <= i && i < 6) ? groupID : groupID + 8,
          (threadID_in_group * 2) + (i & 0x1) + (i >= 4 ? 8 : 0)};
}
inline Place halfB(int lane, int i) {
  int groupID = lane >> 2, threadID_in_group = lane % 4;
  return {(threadID_in_group * 2) + (i & 0x1) + (i >= 2 ? 8 : 0), groupID};
}
inline Place sumC(int lane, int i) {
  int groupID = lane >> 2, threadID_in_group = lane % 4;
  return {i < 2 ? groupID : groupID + 8, (threadID_in_group * 2) + (i & 0x1)};
}
// "Matrix Fragments for mma.m16n8k8", .tf32: a0 to a3, b0 and b1, one to a register.
inline Place tf32A(int lane, int i) {
  int groupID = lane >> 2, threadID_in_group = lane % 4;
  return {i == 0 || i == 2 ? groupID : groupID + 8,
          i == 0 || i == 1 ? threadID_in_group : threadID_in_group + 4};
}
inline Place tf32B(int lane, int i) {
  int groupID = lane >> 2, threadID_in_group = lane % 4;
  return {i == 0 ? threadID_in_group : threadID_in_group + 4, groupID};
}

} // namespace sinter::test
