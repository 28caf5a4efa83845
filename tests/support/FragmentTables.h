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

// 9.7.15 "Asynchronous Warpgroup Level Matrix Instructions". "WGMMA .m64nNk16 register fragment layout for accumulator
// matrix D": d0 to d(N/2 - 1) of thread `t` of the warpgroup.
inline Place warpgroupD(int t, int i) {
  int warp = t / 32, groupID = t % 32 >> 2, threadID_in_group = t % 4;
  return {warp * 16 + groupID + ((i >> 1 & 1) ? 8 : 0),
          (i >> 2) * 8 + threadID_in_group * 2 + (i & 1)};
}
// "Matrix Descriptor Format": bits 13-0, 29-16 and 45-32 hold the start address, the leading and the stride dimension's
// byte offset, each as (x & 0x3FFFF) >> 4; 51-49 the base offset, 63-62 the swizzling mode (1: 128 bytes).
struct DescriptorFields {
  unsigned start, leading, stride, base, mode;
};
inline DescriptorFields descriptorFields(unsigned long long bits) {
  auto field = [&](int low, int width) { return unsigned(bits >> low & ((1ull << width) - 1)); };
  return {field(0, 14) << 4, field(16, 14) << 4, field(32, 14) << 4, field(49, 3), field(62, 2)};
}
// "Canonical Layouts" with a swizzle of 128 bytes, in units of elements of 16 bits (T = 128 / 16), where (r, c) are the
// element's place along m or n and along k:
//   K-major:  Swizzle<3,4,3> o ((8,m),(T,2k)):((8T,SBO),(1,T))
//   MN-major: Swizzle<3,4,3> o ((T,8,m),(8,k)):((1,T,LBO),(8T,SBO))
inline unsigned swizzle343(unsigned bytes) { return bytes ^ (bytes >> 7 & 7) << 4; }
inline unsigned canonicalPlace(bool mnMajor, unsigned start, unsigned leading, unsigned stride,
                               int r, int c) {
  constexpr int T = 8;
  unsigned bytes = mnMajor ? unsigned(2 * (r % T * 1 + r / T % 8 * T)) + r / (T * 8) * leading +
                                 unsigned(2 * (c % 8 * 8 * T)) + c / 8 * stride
                           : unsigned(2 * (r % 8 * 8 * T)) + r / 8 * stride +
                                 unsigned(2 * (c % T * 1 + c / T * T));
  return swizzle343(start + bytes);
}

} // namespace sinter::test
