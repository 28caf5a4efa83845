#include "PtxMachine.h"
#include "PtxNumbers.h"

#include "../../support/FragmentTables.h"

#include <algorithm>
#include <cstring>

// Barriers in shared memory, bulk copies and products of a warpgroup, by the words of the PTX ISA manual ("Parallel
// Synchronization and Communication Instructions: mbarrier", "Data Movement and Conversion Instructions: Tensor copy",
// "Asynchronous Warpgroup Level Matrix Instructions").

namespace sinter::test {

void PtxMachine::barrier(const Instruction &instruction, int lane) {
  const auto &word = instruction.word;
  const auto &operands = instruction.operands;
  const std::string &space = word[word.size() - 2];
  // Of another block's barrier nobody may do anything but arrive.
  bool isRemote = space == "shared::cluster" && word[1] == "arrive" && word.size() == 6 &&
                  word[2] == "release" && word[3] == "cluster";
  if (word.back() != "b64" || (space != "shared::cta" && !isRemote))
    return fail("not a form of mbarrier");
  if (word[1] == "init") { // mbarrier.init{.shared{::cta}}.b64 [addr], count
    uint64_t place = address(operands[0][0], lane);
    memory(place, 8);
    auto threads = int64_t(value(operands[1][0], lane));
    barriers[place] = {threads, threads, 0, 0};
    return;
  }
  auto found = barriers.find(address(operands[1][0], lane));
  if (found == barriers.end()) return fail("a barrier that was not made");
  Barrier &own = found->second;
  if (word[1] == "arrive" && word[2] == "expect_tx") // expect-tx, then arrive-on
    return count(own, 1, -int64_t(value(operands[2][0], lane)));
  if (word[1] == "arrive" && operands.size() == 2) return count(own, 1, 0);
  if (word[1] != "try_wait" || word[2] != "parity" ||
      (word.size() == 7 && (word[3] != "acquire" || word[4] != "cluster")) ||
      (word.size() != 5 && word.size() != 7))
    return fail("not a form of mbarrier");
  // True where the phase of this parity, the current one or the one before, has completed. It may come back before:
  // meanwhile a copy lands.
  bool ended = (own.phase & 1) != value(operands[2][0], lane);
  if (!ended && !loads.empty()) {
    Box box = loads.back();
    loads.pop_back();
    land(box, true);
  }
  set(operands[0][0], lane, ended);
}

// "mapa.shared::cluster.u32 d, a, b": the address of what lies at a, in the shared memory of block b of the cluster.
void PtxMachine::mapShared(const Instruction &instruction, int lane) {
  const auto &word = instruction.word;
  if (word.size() != 3 || word[1] != "shared::cluster" || word[2] != "u32")
    return fail("not a known form of mapa");
  uint64_t own = value(instruction.operands[1][0], lane),
           block = value(instruction.operands[2][0], lane);
  if (block >= uint64_t(blocks)) return fail("a block that the cluster does not have");
  set(instruction.operands[0][0], lane, (own & 0xffffff) | block << 24);
}

void PtxMachine::count(Barrier &barrier, int64_t threads, int64_t bytes) {
  barrier.pending -= threads,
      barrier.bytes -= bytes; // pending bytes go up by expect-tx, down by complete-tx
  if (barrier.pending < 0) return fail("more arrive at a barrier than it counts");
  if (barrier.pending != 0 || barrier.bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.expected;
}

void PtxMachine::bulk(const Instruction &instruction, int lane) {
  const auto &word = instruction.word;
  const auto &operands = instruction.operands;
  if (word[3] == "commit_group") {
    ++storeGroup;
    return;
  }
  if (word[3] == "wait_group") {
    int ended = storeGroup - int(value(operands[0][0], lane));
    std::vector<Box> left;
    for (const Box &box : stores)
      if (box.group < ended)
        land(box, false);
      else
        left.push_back(box);
    stores = left;
    return;
  }
  // cp.async.bulk.tensor.dim.dst.src{.load_mode}.completion_mechanism{.multicast} [dstMem], [tensorMap, tensorCoords],
  // [mbar]{, ctaMask}, and
  // cp.async.bulk.tensor.dim.dst.src{.load_mode}.completion_mechanism [tensorMap, tensorCoords], [srcMem].
  bool isLoad = word[5] == "shared::cluster" && word[6] == "global" && word[7] == "tile" &&
                word[8] == "mbarrier::complete_tx::bytes",
       isStore = word[5] == "global" && word[6] == "shared::cta" && word[7] == "tile" &&
                 word[8] == "bulk_group";
  if (word[3] != "tensor" || word[4] != "3d" || (!isLoad && !isStore))
    return fail("not a known form of cp.async.bulk");
  const std::string &tensor = operands[isLoad ? 1 : 0][0]; // "[%rd1, {%r1, %r2, %r3}]"
  size_t comma = tensor.find(','), open = tensor.find('{');
  Box box{value(tensor.substr(1, comma - 1), lane),
          address(operands[isLoad ? 0 : 1][0], lane),
          0,
          {},
          storeGroup};
  std::string list = tensor.substr(open + 1, tensor.find('}') - open - 1);
  for (size_t d = 0; d < 3; ++d) {
    size_t end = std::min(list.find(','), list.size());
    std::string one = list.substr(0, end);
    one = one.substr(one.find_first_not_of(' '));
    box.at[d] = int32_t(value(one, lane));
    list = list.substr(std::min(end + 1, list.size()));
  }
  if (!maps.count(box.map)) return fail("a parameter that is no tensor map");
  if (box.shared % 128) return fail("shared memory of a bulk copy is a multiple of 128");
  if (isLoad) box.barrier = address(operands[2][0], lane);
  // "The data is copied to the same CTA-relative offset as dstMem in the shared memory of each destination CTA", and so
  // is the signal to the mbarrier.
  bool isMulticast = isLoad && word.size() == 10 && word[9] == "multicast::cluster";
  if (word.size() != 9 && !isMulticast) return fail("not a known form of cp.async.bulk");
  auto own = uint64_t(blockOf(lane)),
       mask = isMulticast ? value(operands[3][0], lane) : uint64_t(1) << own;
  if (mask == 0 || mask >> blocks) return fail("a block that the cluster does not have");
  for (uint64_t block = 0; block < uint64_t(blocks); ++block) {
    if (!(mask >> block & 1)) continue;
    Box there = box;
    there.shared = (box.shared & 0xffffff) | block << 24;
    there.barrier = (box.barrier & 0xffffff) | block << 24;
    if (isLoad && !barriers.count(there.barrier)) return fail("a barrier that was not made");
    if (copiesLate)
      (isLoad ? loads : stores).push_back(there);
    else
      land(there, isLoad);
  }
}

/// Elements outside of the tensor are zeros, and not stored. The swizzle is one of addresses in shared memory.
void PtxMachine::land(const Box &box, bool isLoad) {
  const Map &map = maps.at(box.map);
  std::vector<uint8_t> &tensor = *buffers[map.buffer];
  auto size = size_t(map.elementBytes);
  uint64_t linear = box.shared;
  for (int z = 0; z < map.box[2]; ++z)
    for (int y = 0; y < map.box[1]; ++y)
      for (int x = 0; x < map.box[0]; ++x, linear += size) {
        const std::array<int64_t, 3> at{box.at[0] + x, box.at[1] + y, box.at[2] + z};
        bool inside = true;
        int64_t offset = 0;
        for (size_t d = 0; d < 3; ++d) {
          inside &= at[d] >= 0 && at[d] < map.sizes[d];
          offset += at[d] * map.strides[d];
        }
        uint8_t *place =
            memory(map.swizzled ? swizzle343(unsigned(linear)) : linear, unsigned(size));
        if (isLoad && inside)
          std::memcpy(place, &tensor[size_t(offset)], size);
        else if (isLoad)
          std::memset(place, 0, size);
        else if (inside)
          std::memcpy(&tensor[size_t(offset)], place, size);
      }
  if (isLoad) count(barriers.at(box.barrier), 0, int64_t(linear - box.shared));
}

void PtxMachine::warpgroup(const Instruction &instruction) {
  const auto &word = instruction.word;
  if (lanes != 128) return fail("wgmma of another number of threads than 128");
  if (word[1] == "fence") return;
  if (word[1] == "commit_group") {
    ++productGroup;
    return;
  }
  if (word[1] == "wait_group") {
    int ended = productGroup - int(value(instruction.operands[0][0], 0));
    while (!products.empty() && products.front().second < ended) {
      multiply64(products.front().first);
      products.erase(products.begin());
    }
    return;
  }
  if (word[1] != "mma_async" || word.size() != 8 || word[2] != "sync" || word[3] != "aligned" ||
      !word[4].starts_with("m64n") || !word[4].ends_with("k16") || word[5] != "f32" ||
      (word[6] != "bf16" && word[6] != "f16") || word[7] != word[6])
    return fail("not a known form of wgmma");
  // Descriptors are read when it is sent for; its sums and matrices when it is done.
  Instruction sent = instruction;
  for (size_t operand : {1, 2})
    sent.operands[operand] = {std::to_string(int64_t(value(instruction.operands[operand][0], 0)))};
  sent.operands[3] = {std::to_string(value(instruction.operands[3][0], 0))};
  if (copiesLate)
    products.emplace_back(sent, productGroup);
  else
    multiply64(sent);
}

double PtxMachine::half(uint64_t address, const std::string &type) {
  uint16_t bits = 0;
  std::memcpy(&bits, memory(address, 2), 2);
  return fromHalf(bits, type);
}

// "wgmma.mma_async.sync.aligned.shape.dtype.atype.btype d, a-desc, b-desc, scale-d, imm-scale-a, imm-scale-b,
// imm-trans-a, imm-trans-b"
void PtxMachine::multiply64(const Instruction &instruction) {
  const auto &operands = instruction.operands;
  const std::string &type = instruction.word[6];
  const int n = std::stoi(instruction.word[4].substr(4));
  if (operands.size() != 8 || operands[0].size() != size_t(n / 2) || operands[4][0] != "1" ||
      operands[5][0] != "1")
    return fail("not a known form of wgmma");
  auto matrix = [&](size_t descriptor, size_t transposed, int rows) {
    DescriptorFields at = descriptorFields(value(operands[descriptor][0], 0));
    if (at.mode != 1 || at.base != 0) fail("not a known form of a matrix descriptor");
    std::vector<double> elements;
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < 16; ++c)
        elements.push_back(half(canonicalPlace(value(operands[transposed][0], 0) != 0, at.start,
                                               at.leading, at.stride, r, c),
                                type));
    return elements;
  };
  std::vector<double> a = matrix(1, 6, 64), b = matrix(2, 7, n);
  bool add = value(operands[3][0], 0) != 0;
  for (int i = 0; i < n / 2; ++i)
    for (int lane = 0; lane < lanes; ++lane) {
      Place at = warpgroupD(lane, i);
      double sum = add ? asFloat(value(operands[0][size_t(i)], lane)) : 0;
      for (int k = 0; k < 16; ++k)
        sum += a[size_t(at.row * 16 + k)] * b[size_t(at.column * 16 + k)];
      set(operands[0][size_t(i)], lane, fromFloat(float(sum)));
    }
}

} // namespace sinter::test
