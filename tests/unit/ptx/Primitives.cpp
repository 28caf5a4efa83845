#include "Primitives.h"

#include "../cuda/KernelTest.h"

#include <random>

namespace sinter::test {
namespace {

enum class Content { halves, bfloats, floats, anything };

/// Small integers of a type, whose products and sums are exact; or any bits.
Bytes fill(Content content, size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  Bytes result(bytes);
  size_t size = content == Content::floats ? 4 : content == Content::anything ? 1 : 2;
  for (size_t at = 0; at < bytes; at += size) {
    float x = float(int(random() % 17) - 8);
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    if (content == Content::anything) bits = random();
    if (content == Content::bfloats) bits >>= 16;
    if (content == Content::halves) // f32's exponent has bias 127, f16's 15
      bits = x == 0 ? 0 : (bits >> 16 & 0x8000) | (((bits >> 13) - (112 << 10)) & 0x7fff);
    std::memcpy(&result[at], &bits, size);
  }
  return result;
}
std::string kernel(const std::string &parameters, const std::string &body, int threads = 32,
                   int blocks = 1) {
  std::string cluster = blocks > 1 ? "__cluster_dims__(" + std::to_string(blocks) + ", 1, 1) " : "";
  return "extern \"C\" __global__ void __launch_bounds__(" + std::to_string(threads) + ") " +
         cluster + "k(" + parameters + ") {\n  i32 lane = threadIdx.x;\n" + body + "}\n";
}

Primitive matrixLoad(int count, bool transposed) {
  std::string n = std::to_string(count);
  // Rows in no simple order, words of the tile filled two at a time.
  return {"ldmatrix",
          "ldmatrix.sync.aligned.m8n8.x" + n + (transposed ? ".trans" : "") + ".shared.b16",
          kernel("SINTER_GLOBAL_CONST(u32) in0, SINTER_GLOBAL(u32) out0",
                 "  SINTER_SHARED(f16, tile, 512);\n"
                 "  for (int i = 0; i < 8; ++i) castPtr<u32>(tile + 0)[i * 32 + lane] = in0[i * 32 "
                 "+ lane];\n"
                 "  __syncthreads();\n"
                 "  Fragment<" +
                     n + "> f = loadMatrices" + (transposed ? "Transposed" : "") + "<" + n +
                     ">(tile + lane * 37 % 64 * 8);\n"
                     "  for (int i = 0; i < " +
                     n + "; ++i) out0[lane * " + n + " + i] = f.r[i];\n"),
          {fill(Content::anything, 1024, unsigned(count))},
          size_t(32 * 4 * count)};
}

Primitive product(const char *type, Content content) {
  std::string form = std::string(type) == "tf32" ? "m16n8k8" : "m16n8k16",
              call = std::string(type) == "tf32" ? "mmaTf32" : "mma<" + std::string(type) + ">";
  return {
      "mma",
      "mma.sync.aligned." + form + ".row.col.f32." + type + "." + type + ".f32",
      kernel(
          "SINTER_GLOBAL_CONST(u32) in0, SINTER_GLOBAL_CONST(u32) in1, "
          "SINTER_GLOBAL_CONST(f32) in2, SINTER_GLOBAL(f32) out0",
          "  MmaA a; MmaB b; MmaC c;\n"
          "  for (int i = 0; i < 4; ++i) a.r[i] = in0[lane * 4 + i], c.v[i] = in2[lane * 4 + i];\n"
          "  for (int i = 0; i < 2; ++i) b.r[i] = in1[lane * 2 + i];\n"
          "  MmaC d = " +
              call +
              "(a, b, c);\n"
              "  for (int i = 0; i < 4; ++i) out0[lane * 4 + i] = d.v[i];\n"),
      {fill(content, 512, 1), fill(content, 256, 2), fill(Content::floats, 512, 3)},
      512};
}

Primitive asyncCopy(int bytes, const char *how) {
  std::string n = std::to_string(bytes), elements = std::to_string(bytes / 2), form = how;
  std::string call = form == "whole" ? "copyAsync<" + n + ">(to, from)"
                     : form == "zero"
                         ? "copyAsyncOrZero<" + n + ">(to, from, lane % 3 != 0)"
                         : "copyAsyncFirst<" + n + ">(to, from, lane % (" + elements + " + 1))";
  // Two groups; the first is read after a wait that leaves the second under way.
  return {
      "cp.async",
      std::string("cp.async.") + (bytes == 16 ? "cg" : "ca") + ".shared.global",
      kernel("SINTER_GLOBAL_CONST(f16) in0, SINTER_GLOBAL(u32) out0",
             "  SINTER_SHARED(f16, tile, 512);\n"
             "  for (int half = 0; half < 2; ++half) {\n"
             "    auto to = tile + half * 256 + lane * " +
                 elements +
                 ";\n"
                 "    auto from = in0 + half * 256 + (31 - lane) * " +
                 elements + ";\n    " + call +
                 ";\n    copyAsyncCommit();\n  }\n"
                 "  copyAsyncWait<1>();\n  __syncthreads();\n"
                 "  for (int i = 0; i < " +
                 n +
                 " / 4; ++i)\n"
                 "    out0[i * 32 + lane] = castPtr<u32>(tile + 0)[i * 32 + lane ^ 5];\n"
                 "  copyAsyncWait<0>();\n  __syncthreads();\n"
                 "  for (int i = 0; i < " +
                 n +
                 " / 4; ++i)\n"
                 "    out0[128 + i * 32 + lane] = castPtr<u32>(tile + 256)[i * 32 + lane ^ 9];\n"),
      {fill(Content::anything, 1024, unsigned(bytes))},
      size_t(1024)};
}

/// Four products of 16 steps, two groups of two.
Primitive warpgroupProduct(int n, const char *type, bool acrossA, bool acrossB) {
  std::string columns = std::to_string(n), half = std::to_string(n / 2);
  const size_t bytes = size_t(64 + n) * 128;
  return {
      "wgmma",
      "wgmma.mma_async.sync.aligned.m64n" + columns + "k16.f32." + type + "." + type,
      kernel("SINTER_GLOBAL_CONST(u32) in0, SINTER_GLOBAL_CONST(f32) in1, SINTER_GLOBAL(f32) "
             "out0",
             std::string("  SINTER_DYNAMIC_SHARED(") + type +
                 ", tile);\n  for (int i = lane; i < " + std::to_string(bytes / 4) +
                 "; i += 128) castPtr<u32>(tile + 0)[i] = in0[i];\n"
                 "  copyFence();\n  __syncthreads();\n  f32 d[" +
                 half + "];\n#pragma unroll\n  for (int i = 0; i < " + half +
                 "; ++i) d[i] = in1[i * 128 + lane];\n  wgmmaFence();\n#pragma unroll\n"
                 "  for (int step = 0; step < 4; ++step) {\n    multiplyBlocks<" +
                 columns + ", " + type + ", " + (acrossA ? "1" : "0") + ", " +
                 (acrossB ? "1" : "0") +
                 ">(d, tile, 0, tile, 4096, step, step != 1);\n    if (step % 2) "
                 "wgmmaCommit();\n  }\n"
                 "  wgmmaWait<1>();\n  wgmmaWait<0>();\n  wgmmaSettle(d);\n  syncWarps<128>(3);\n"
                 "#pragma unroll\n  for (int i = 0; i < " +
                 half + "; ++i) out0[i * 128 + lane] = d[i];\n",
             128),
      {fill(std::string(type) == "f16" ? Content::halves : Content::bfloats, bytes, unsigned(n)),
       fill(Content::floats, size_t(n) * 256, 2)},
      size_t(n) * 256,
      128,
      uint32_t(bytes)};
}

/// Two boxes that one barrier counts, in its first phase and in its second.
Primitive boxLoad(std::array<int64_t, 3> sizes, std::array<int, 3> box, bool swizzled,
                  const std::string &first, const std::string &second) {
  const size_t bytes = size_t(box[0] * box[1] * box[2]) * 2;
  std::string words = std::to_string(bytes / 4);
  std::string count =
      "    if (lane == 0) {\n      barrierExpect(barriers, 0, " + std::to_string(bytes) + ");\n";
  std::string read = "  for (int i = lane; i < " + words + "; i += 32) out0[turn * " + words +
                     " + i] = castPtr<u32>(tile + 0)[i];\n  __syncthreads();\n";
  return {"bulk load",
          "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes",
          kernel("SINTER_GLOBAL_CONST(u16) in0, SINTER_GLOBAL(u32) out0, const __grid_constant__ "
                 "TensorMap map",
                 "  SINTER_DYNAMIC_SHARED(u16, tile);\n  SINTER_SHARED(u64, barriers, 1);\n"
                 "  if (lane == 0) {\n    barrierInit(barriers, 0, 1);\n    barrierFence();\n  }\n"
                 "  __syncthreads();\n  prefetchMap(map);\n  int turn = 0;\n" +
                     count + "      bulkLoad(tile, 0, map, barriers, 0, " + first +
                     ");\n    }\n  barrierWait(barriers, 0, 0);\n" + read + "  turn = 1;\n" +
                     count + "      bulkLoad(tile, 0, map, barriers, 0, " + second +
                     ");\n    }\n  barrierWait(barriers, 0, 1);\n" + read),
          {fill(Content::anything, size_t(sizes[0] * sizes[1] * sizes[2]) * 2, 5)},
          2 * bytes,
          32,
          uint32_t(bytes),
          {{0, sizes, box, swizzled}}};
}

/// Two boxes in groups of their own; the first's memory is written again when it has been read.
Primitive boxStore(std::array<int64_t, 3> sizes, std::array<int, 3> box, bool swizzled) {
  const size_t bytes = size_t(box[0] * box[1] * box[2]) * 2;
  std::string words = std::to_string(bytes / 4);
  std::string put = "  for (int i = lane; i < " + words +
                    "; i += 32) castPtr<u32>(tile + 0)[i] = in0[i] + turn;\n  copyFence();\n"
                    "  __syncthreads();\n";
  return {
      "bulk store",
      "cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group",
      kernel("SINTER_GLOBAL_CONST(u32) in0, SINTER_GLOBAL(u16) out0, const __grid_constant__ "
             "TensorMap map",
             "  SINTER_DYNAMIC_SHARED(u16, tile);\n  int turn = 0;\n" + put +
                 "  if (lane == 0) {\n    bulkStore(map, tile, 0, 8, 3, 0);\n    bulkCommit();\n"
                 "    bulkWaitRead<0>();\n  }\n  __syncthreads();\n  turn = 7;\n" +
                 put +
                 "  if (lane == 0) {\n    bulkStore(map, tile, 0, -16, 20, 1);\n    bulkCommit();\n"
                 "    bulkWait<0>();\n  }\n"),
      {fill(Content::anything, bytes, 6)},
      size_t(sizes[0] * sizes[1] * sizes[2]) * 2,
      32,
      uint32_t(bytes),
      {{1, sizes, box, swizzled}}};
}

/// Three phases of a barrier of 32 threads: what each wrote before it arrived, its neighbour reads after it waited.
Primitive phases() {
  return {"phases of a barrier",
          "mbarrier.try_wait.parity.shared::cta.b64",
          kernel("SINTER_GLOBAL_CONST(u32) in0, SINTER_GLOBAL(u32) out0",
                 "  SINTER_SHARED(u64, barriers, 2);\n  SINTER_SHARED(u32, tile, 96);\n"
                 "  if (lane == 0) barrierInit(barriers, 1, 32);\n  __syncthreads();\n"
                 "  barrierWait(barriers, 1, 1);\n"
                 "  for (int phase = 0; phase < 3; ++phase) {\n"
                 "    tile[phase * 32 + lane] = in0[phase * 32 + lane];\n"
                 "    barrierArrive(barriers, 1);\n    barrierWait(barriers, 1, phase & 1);\n"
                 "    out0[phase * 32 + lane] = tile[phase * 32 + (lane + 5) % 32];\n  }\n"),
          {fill(Content::anything, 384, 9)},
          384};
}

/// Two blocks: each says to both when it may be sent for, and sends one half of a tile to both. Two phases.
Primitive sharedLoad() {
  std::array<int64_t, 3> sizes{72, 70, 1};
  std::array<int, 3> box{64, 16, 1};
  const size_t half = size_t(box[0] * box[1] * box[2]) * 2;
  std::string words = std::to_string(half / 2);
  return {"bulk load to a cluster",
          "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
          ".multicast::cluster",
          kernel("SINTER_GLOBAL_CONST(u16) in0, SINTER_GLOBAL(u32) out0, const __grid_constant__ "
                 "TensorMap map",
                 "  SINTER_DYNAMIC_SHARED(u16, tile);\n  SINTER_SHARED(u64, barriers, 2);\n"
                 "  i32 block = blockIdx.x;\n"
                 "  if (lane == 0) {\n    barrierInit(barriers, 0, 1);\n"
                 "    barrierInit(barriers, 1, 2);\n    barrierFence();\n  }\n"
                 "  clusterSync();\n"
                 "  for (int turn = 0; turn < 2; ++turn) {\n    if (lane == 0) {\n"
                 "      barrierExpect(barriers, 0, " +
                     std::to_string(2 * half) +
                     ");\n      barrierWaitCluster(barriers, 1, (turn & 1) ^ 1);\n"
                     "      bulkLoadTo<3>(tile, block * " +
                     std::to_string(half / 2) +
                     ", map, barriers, 0, 8 - 16 * turn, 4 + 60 * turn + 16 * block, 0);\n    }\n"
                     "    barrierWait(barriers, 0, turn & 1);\n"
                     "    for (int i = lane; i < " +
                     words + "; i += 32) out0[(turn * 2 + block) * " + words +
                     " + i] = castPtr<u32>(tile + 0)[i];\n    __syncthreads();\n"
                     "    if (lane < 2) barrierArriveAt(barriers, 1, lane);\n  }\n"
                     "  clusterSync();\n",
                 32, 2),
          {fill(Content::anything, size_t(sizes[0] * sizes[1] * sizes[2]) * 2, 11)},
          8 * half,
          32,
          uint32_t(2 * half),
          {{0, sizes, box, true}},
          2};
}

/// A barrier of each of two blocks, at which the threads of both arrive.
Primitive clusterPhases() {
  return {"phases of a barrier of two blocks",
          "mbarrier.arrive.release.cluster.shared::cluster.b64",
          kernel("SINTER_GLOBAL_CONST(u32) in0, SINTER_GLOBAL(u32) out0",
                 "  SINTER_SHARED(u64, barriers, 2);\n  i32 block = blockIdx.x;\n"
                 "  if (lane == 0) {\n    barrierInit(barriers, 1, 64);\n    barrierFence();\n  }\n"
                 "  clusterSync();\n"
                 "  for (int phase = 0; phase < 3; ++phase) {\n"
                 "    barrierArriveAt(barriers, 1, 0);\n    barrierArriveAt(barriers, 1, 1);\n"
                 "    barrierWaitCluster(barriers, 1, phase & 1);\n"
                 "    out0[(block * 3 + phase) * 32 + lane] = in0[phase * 32 + lane] + block;\n"
                 "  }\n  clusterSync();\n",
                 32, 2),
          {fill(Content::anything, 384, 10)},
          768,
          32,
          0,
          {},
          2};
}

/// What both of two blocks have in one place.
Primitive gather(const std::string &type, size_t bytes, const std::string &instruction) {
  const size_t all = 64 * bytes;
  return {"shared memory of two blocks",
          instruction,
          kernel("SINTER_GLOBAL_CONST(" + type + ") in0, SINTER_GLOBAL(" + type + ") out0",
                 "  SINTER_SHARED(" + type +
                     ", own, 32);\n  i32 block = blockIdx.x;\n"
                     "  own[lane] = in0[block * 32 + lane];\n  clusterSync();\n  " +
                     type +
                     " all[2];\n  clusterGather<2>(all, own + (lane * 5 + 3) % 32);\n"
                     "  for (int i = 0; i < 2; ++i) out0[(block * 2 + i) * 32 + lane] = all[i];\n"
                     "  clusterSync();\n",
                 32, 2),
          {fill(Content::anything, all, unsigned(bytes))},
          2 * all,
          32,
          0,
          {},
          2};
}

/// Sums of two blocks' neighbours.
Primitive sumsOfBlocks(int count) {
  const size_t all = size_t(count) * 256;
  std::string n = std::to_string(count);
  return {"sums of two blocks",
          count % 4 ? "ld.shared::cluster.b32" : "ld.shared::cluster.v4.f32",
          kernel("SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0",
                 "  SINTER_SHARED(f32, own, 32 * " + n +
                     ");\n  i32 block = blockIdx.x;\n  for (int i = 0; i < " + n +
                     "; ++i) own[i * 32 + lane] = in0[(block * " + n +
                     " + i) * 32 + lane];\n  clusterSync();\n  f32 sums[" + n +
                     "];\n  clusterSums<2>(sums, own, (lane * 5 + 3) % 32 * " + n +
                     ");\n  for (int i = 0; i < " + n + "; ++i) out0[(block * " + n +
                     " + i) * 32 + lane] = sums[i];\n  clusterSync();\n",
                 32, 2),
          {fill(Content::floats, all, unsigned(count))},
          all,
          32,
          0,
          {},
          2};
}

} // namespace

std::vector<Primitive> primitives() {
  std::vector<Primitive> all{product("bf16", Content::bfloats), product("f16", Content::halves),
                             product("tf32", Content::floats)};
  for (int count : {1, 2, 4})
    for (bool transposed : {false, true}) all.push_back(matrixLoad(count, transposed));
  for (int bytes : {16, 8, 4})
    for (const char *how : {"whole", "zero", "first"}) all.push_back(asyncCopy(bytes, how));
  all.push_back(
      {"tf32 rounding",
       "cvt.rna.tf32.f32",
       kernel(
           "SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(u32) out0",
           "  for (int i = 0; i < 8; ++i) out0[i * 32 + lane] = tf32BitsOf(in0[i * 32 + lane]);\n"),
       {fill(Content::anything, 1024, 4)},
       1024});
  all.push_back({"bf16 rounding",
                 "cvt.rn.bf16.f32",
                 kernel("SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(bf16) out0",
                        "  for (int i = 0; i < 8; ++i) out0[i * 32 + lane] = bf16(in0[i * 32 + "
                        "lane] * 0.3f);\n"),
                 {fill(Content::floats, 1024, 5)},
                 512});
  all.push_back({"f16 rounding",
                 "cvt.rn.f16.f32",
                 kernel("SINTER_GLOBAL_CONST(f16) in0, SINTER_GLOBAL(f16) out0",
                        "  for (int i = 0; i < 8; ++i) out0[i * 32 + lane] = f16((f32)in0[i * 32 + "
                        "lane] * 0.3f);\n"),
                 {fill(Content::halves, 512, 6)},
                 512});
  all.push_back({"warp sum",
                 "shfl.sync",
                 kernel("SINTER_GLOBAL_CONST(f32) in0, SINTER_GLOBAL(f32) out0",
                        "  out0[lane] = warpReduce(in0[lane], Sum{}) + __shfl_up_sync(0xffffffffu, "
                        "in0[lane], 3) +\n"
                        "               __shfl_down_sync(0xffffffffu, in0[lane], 7) * "
                        "__shfl_sync(0xffffffffu, in0[lane], lane * 5 % 32);\n"),
                 {fill(Content::floats, 128, 7)},
                 128});
  all.push_back(
      {"part of a fragment",
       "mov.u32",
       kernel("SINTER_GLOBAL_CONST(u32) in0, SINTER_GLOBAL(u32) out0",
              "  Fragment<4> f;\n  for (int i = 0; i < 4; ++i) f.r[i] = in0[i * 32 + lane];\n"
              "  Fragment<2> part = fragmentPart<2, 2>(f);\n"
              "  out0[lane] = part.r[0], out0[32 + lane] = part.r[1];\n"),
       {fill(Content::anything, 512, 8)},
       256});
  all.push_back(warpgroupProduct(64, "bf16", false, false));
  all.push_back(warpgroupProduct(64, "f16", true, true));
  all.push_back(warpgroupProduct(128, "bf16", false, true));
  all.push_back(warpgroupProduct(128, "f16", true, false));
  all.push_back(warpgroupProduct(256, "bf16", true, true));
  all.push_back(warpgroupProduct(256, "f16", false, false));
  all.push_back(phases());
  all.push_back(boxLoad({72, 70, 3}, {64, 64, 1}, true, "8, 4, 0", "40, 30, 1"));
  all.push_back(boxLoad({72, 70, 3}, {32, 20, 2}, false, "-8, -3, 2", "64, 69, -1"));
  all.push_back(boxStore({80, 30, 2}, {64, 16, 1}, true));
  all.push_back(boxStore({40, 30, 3}, {24, 5, 2}, false));
  all.push_back(sharedLoad());
  all.push_back(clusterPhases());
  all.push_back(sumsOfBlocks(8));
  all.push_back(sumsOfBlocks(1));
  all.push_back(gather("u32", 4, "ld.shared::cluster.b32"));
  all.push_back(gather("i64", 8, "ld.shared::cluster.b64"));
  all.push_back(gather("i8", 1, "ld.shared::cluster.u8"));
  return all;
}

std::string nameOf(const Primitive &primitive, size_t place) {
  std::string name = primitive.instruction;
  for (char &c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name + "_" + std::to_string(place);
}

uint64_t fingerprint(const Primitive &primitive) { // FNV-1a
  uint64_t hash = 14695981039346656037u;
  auto add = [&](const void *bytes, size_t count) {
    for (size_t i = 0; i < count; ++i)
      hash = (hash ^ static_cast<const uint8_t *>(bytes)[i]) * 1099511628211u;
  };
  auto number = [&](int64_t value) { add(&value, sizeof value); };
  add(primitive.text.data(), primitive.text.size());
  for (const Bytes &input : primitive.inputs) add(input.data(), input.size());
  number(int64_t(primitive.outputBytes)), number(primitive.threads), number(primitive.sharedBytes);
  for (const Tensor &tensor : primitive.maps) {
    number(int64_t(tensor.buffer)), number(tensor.swizzled);
    for (int64_t size : tensor.sizes) number(size);
    for (int size : tensor.box) number(size);
  }
  if (primitive.blocks > 1) number(primitive.blocks);
  return hash;
}

runtime::TensorMapParam mapOf(const Tensor &tensor, runtime::Location location) {
  const auto &[x, y, z] = tensor.sizes;
  return {location,
          DType::bf16,
          {z, y, x},
          {y * x * 2, x * 2, 2},
          {tensor.box[2], tensor.box[1], tensor.box[0]},
          tensor.swizzled ? 3u : 0u};
}

runtime::Program programOf(const Primitive &primitive) {
  runtime::Program program = cudaProgram({{"k", primitive.text}});
  runtime::Entry entry;
  entry.name = "k";
  runtime::Launch launch;
  launch.shape.grid = {uint32_t(primitive.blocks), 1, 1};
  launch.shape.block = {uint32_t(primitive.threads), 1, 1};
  launch.shape.sharedBytes = primitive.sharedBytes;
  launch.label = primitive.name, launch.source = primitive.instruction;
  std::vector<Location> places;
  for (const Bytes &input : primitive.inputs) {
    auto number = uint32_t(entry.inputs.size());
    auto bytes = int64_t(input.size());
    places.push_back({Space::input, number, 0, bytes});
    entry.inputs.push_back({"in" + std::to_string(number), {DType::u8, {bytes}}});
    launch.params.push_back(PointerParam{places.back(), false});
  }
  auto bytes = int64_t(primitive.outputBytes);
  places.push_back({Space::output, 0, 0, bytes});
  entry.outputs.push_back({"out0", {DType::u8, {bytes}}});
  launch.params.push_back(PointerParam{places.back(), true});
  for (const Tensor &tensor : primitive.maps)
    launch.params.push_back(mapOf(tensor, places[tensor.buffer]));
  entry.body.push_back({Fill{places.back(), {untouched}, launch.source}, {}});
  entry.body.push_back({std::move(launch), {0}});
  program.entries.push_back(std::move(entry));
  return program;
}

} // namespace sinter::test
