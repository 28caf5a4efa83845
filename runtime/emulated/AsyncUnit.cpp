#include "sinter/runtime/emulated/AsyncUnit.h"

#include <algorithm>
#include <cstring>
#include <fmt/core.h>
#include <utility>

namespace sinter::runtime::emulated {

using sinter_emu::AsyncKind;
using sinter_emu::TensorMap;

namespace {
// Where dynamic shared memory begins in the window that descriptors name.
constexpr unsigned windowStart = 1024;

std::string placeOf(const AsyncUnit::Request &request) {
  return request.file ? fmt::format(" ({}:{})", request.file, request.line) : "";
}
} // namespace

void AsyncUnit::startBlock(const sinter_emu::Region &dynamicShared, unsigned numThreads,
                           uint8_t fill, bool late) {
  shared_ = dynamicShared;
  numThreads_ = numThreads, late_ = late;
  image_.assign(dynamicShared.bytes, static_cast<char>(fill));
  barriers_.clear();
  meeting_.clear();
  loads_.clear();
  stores_.clear();
  warpgroups_.clear();
  warpgroups_.resize((numThreads + 127) / 128);
}

unsigned AsyncUnit::sharedAddress(const void *at) {
  const auto offset = static_cast<unsigned long long>(static_cast<const char *>(at) - shared_.base);
  if (offset >= shared_.bytes) threads_.fail("products and copies need dynamic shared memory");
  return windowStart + static_cast<unsigned>(offset);
}

void AsyncUnit::request(const Request &request) {
  const unsigned rank = threads_.currentRank();
  switch (request.kind) {
  case AsyncKind::barrierInit: {
    if (request.count == 0) threads_.fail("a barrier for no thread");
    barriers_[request.barrier] = {request.count, 0, request.count, 0, false};
    return;
  }
  case AsyncKind::barrierExpect:
    barrierOf(request).bytes += request.count;
    [[fallthrough]];
  case AsyncKind::barrierArrive:
    return eachBlock(request, [](AsyncUnit &unit, const Request &there) {
      unit.arrive(there.barrier, unit.barrierOf(there));
    });
  case AsyncKind::barrierWait:
    // `count` is the parity of the phase that is waited for.
    if ((barrierOf(request).phase & 1) == request.count) threads_.wait(request);
    return;
  case AsyncKind::fenceCopies:
    if (!image_.empty()) std::memcpy(image_.data(), shared_.base, image_.size());
    [[fallthrough]];
  case AsyncKind::fenceBarriers:
    for (auto &[place, barrier] : barriers_) barrier.shown = true;
    return;
  case AsyncKind::syncWarps:
    return syncWarps(request);
  case AsyncKind::bulkLoad:
    return eachBlock(request, [](AsyncUnit &unit, const Request &there) { unit.load(there); });
  case AsyncKind::bulkStore:
    return store(request);
  case AsyncKind::bulkCommit:
    ++stores_[rank].group;
    return;
  case AsyncKind::bulkWaitRead:
  case AsyncKind::bulkWait:
    return waitForStores(request.count);
  case AsyncKind::wgmmaFence:
    warpgroup().fenced[rank % 128] = true;
    return;
  case AsyncKind::wgmmaCommit:
    warpgroup().ends[rank % 128].push_back(warpgroup().sent[rank % 128]);
    return;
  case AsyncKind::wgmmaWait:
    return waitForProducts(request);
  case AsyncKind::syncCluster:
    return; // the scheduler's
  }
}

template <class Body> void AsyncUnit::eachBlock(const Request &request, Body body) {
  if (!request.blocks) return body(*this, request);
  for (unsigned block = 0; request.blocks >> block; ++block) {
    if (!(request.blocks >> block & 1)) continue;
    AsyncUnit &unit = threads_.unitOf(block);
    Request there = request;
    if (there.shared) there.shared = threads_.placeIn(block, there.shared);
    if (there.barrier) there.barrier = threads_.placeIn(block, there.barrier);
    body(unit, there);
  }
}

// --- Barriers.

AsyncUnit::Barrier &AsyncUnit::barrierOf(const Request &request) {
  auto found = barriers_.find(request.barrier);
  if (found == barriers_.end())
    threads_.fail("a barrier in shared memory is used before it is made" + placeOf(request));
  return found->second;
}

void AsyncUnit::arrive(void *place, Barrier &barrier) {
  if (barrier.pending == 0)
    threads_.fail(fmt::format("more threads arrive at a barrier than the {} it was made for",
                              barrier.expected));
  --barrier.pending;
  endPhase(place, barrier);
}

void AsyncUnit::complete(void *place, long long bytes) {
  Barrier &barrier = barriers_.at(place);
  barrier.bytes -= bytes;
  endPhase(place, barrier);
}

void AsyncUnit::endPhase(void *place, Barrier &barrier) {
  if (barrier.pending != 0 || barrier.bytes != 0) return;
  ++barrier.phase;
  barrier.pending = barrier.expected;
  for (unsigned rank = 0; rank < numThreads_; ++rank)
    if (const Request *waits = threads_.waitsFor(rank))
      if (waits->kind == AsyncKind::barrierWait && waits->barrier == place &&
          (barrier.phase & 1) != waits->count)
        threads_.release(rank);
}

void AsyncUnit::syncWarps(const Request &request) {
  std::vector<unsigned> &here = meeting_[request.at[0]];
  if (request.at[0] < 1 || request.at[0] > 15 || request.count % 32 != 0)
    threads_.fail(fmt::format("a barrier {} of {} threads{}: numbers are 1 to 15, and warps are "
                              "whole",
                              request.at[0], request.count, placeOf(request)));
  if (here.size() + 1 < request.count) {
    here.push_back(threads_.currentRank());
    return threads_.wait(request);
  }
  for (unsigned rank : std::exchange(here, {})) threads_.release(rank);
}

// --- Bulk copies.

AsyncUnit::Box AsyncUnit::boxOf(const Request &request) {
  sharedAddress(request.shared);
  return {*request.map,
          static_cast<char *>(request.shared),
          request.barrier,
          {request.at[0], request.at[1], request.at[2]}};
}

template <class Body> void AsyncUnit::eachWord(const Box &box, Body body) {
  const TensorMap &map = box.map;
  const unsigned perWord = std::min(16 / map.elementBytes, map.box[0]);
  unsigned address = sharedAddress(box.shared);
  for (unsigned z = 0; z < map.box[2]; ++z)
    for (unsigned y = 0; y < map.box[1]; ++y)
      for (unsigned x = 0; x < map.box[0]; x += perWord, address += perWord * map.elementBytes) {
        const long long at[3] = {box.at[0] + static_cast<long long>(x),
                                 box.at[1] + static_cast<long long>(y),
                                 box.at[2] + static_cast<long long>(z)};
        // The pattern is one of addresses.
        unsigned place = map.swizzle ? address ^ (address >> 7 & 7) << 4 : address;
        char *inShared = shared_.base + (place - windowStart);
        for (unsigned i = 0; i < perWord; ++i) {
          bool inside = true;
          long long offset = 0;
          for (int d = 0; d < 3; ++d) {
            long long index = at[d] + (d == 0 ? i : 0);
            inside &= index >= 0 && index < static_cast<long long>(map.size[d]);
            offset += index * static_cast<long long>(map.stride[d]);
          }
          body(inShared + i * map.elementBytes, inside ? map.base + offset : nullptr,
               map.elementBytes);
        }
      }
}

void AsyncUnit::load(const Request &request) {
  if (!barrierOf(request).shown)
    threads_.fail("a bulk copy is to count its bytes at a barrier that asynchronous copies do not "
                  "see yet (barrierFence)");
  Box box = boxOf(request);
  if (late_)
    loads_.push_back(box);
  else
    land(box);
}

void AsyncUnit::land(const Box &box) {
  long long bytes = 0;
  eachWord(box, [&](char *to, const char *from, unsigned size) {
    char *seen = image_.data() + (to - shared_.base);
    for (char *place : {to, seen}) {
      if (from)
        std::memcpy(place, from, size);
      else
        std::memset(place, 0, size);
    }
    bytes += size;
  });
  complete(box.barrier, bytes);
}

bool AsyncUnit::landOne() {
  if (loads_.empty()) return false;
  size_t which = threads_.pickBelow(static_cast<unsigned>(loads_.size()));
  Box box = loads_[which];
  loads_.erase(loads_.begin() + static_cast<std::ptrdiff_t>(which));
  land(box);
  return true;
}

void AsyncUnit::store(const Request &request) {
  Stores &own = stores_[threads_.currentRank()];
  Box box = boxOf(request);
  box.group = own.group;
  if (late_)
    own.boxes.push_back(box);
  else
    send(box);
}

void AsyncUnit::send(const Box &box) {
  eachWord(box, [&](const char *from, char *to, unsigned size) {
    if (to) std::memcpy(to, image_.data() + (from - shared_.base), size);
  });
}

void AsyncUnit::waitForStores(unsigned pending) {
  Stores &own = stores_[threads_.currentRank()];
  const int sent = own.group - static_cast<int>(pending); // groups below this number are waited for
  std::vector<Box> left;
  for (const Box &box : own.boxes) {
    if (box.group < sent)
      send(box);
    else
      left.push_back(box);
  }
  own.boxes = std::move(left);
}

// --- Products.

void AsyncUnit::product(const Product &product) {
  const unsigned rank = threads_.currentRank(), own = rank % 128;
  Warpgroup &group = warpgroup();
  const std::string place = fmt::format(" ({}:{})", product.file, product.line);
  if (numThreads_ / 128 * 128 <= rank)
    threads_.fail("a product of a warpgroup that has less than 128 threads" + place);
  if (!group.fenced[own])
    threads_.fail("a product adds to sums that nothing orders before it (wgmmaFence)" + place);
  const size_t number = group.sent[own]++;
  while (group.done + group.products.size() <= number) group.products.emplace_back();
  Sent &sent = group.products[number - group.done];
  if (sent.threads.empty()) sent.threads.resize(128);
  sent.threads[own] = product;
  if (++sent.count < 128 || late_) return;
  // In order, as they were sent for.
  while (!group.products.empty() && group.products.front().count == 128) {
    multiply(group, group.products.front());
    group.products.pop_front();
    ++group.done;
  }
}

void AsyncUnit::multiply(Warpgroup &, Sent &sent) {
  std::array<const Product *, 128> threads;
  for (unsigned i = 0; i < 128; ++i) {
    threads[i] = &sent.threads[i];
    const Product &first = sent.threads[0], &other = sent.threads[i];
    if (first.a != other.a || first.b != other.b || first.add != other.add ||
        first.work != other.work)
      threads_.fail(fmt::format("threads of a warpgroup send for different products ({}:{})",
                                other.file, other.line));
  }
  bool outside = false;
  sent.threads[0].work(threads.data(), {image_.data(), windowStart, image_.size(), &outside});
  if (outside)
    threads_.fail(fmt::format("a product reads outside of shared memory ({}:{})",
                              sent.threads[0].file, sent.threads[0].line));
}

/// The whole warpgroup meets here, which its products make it do anyway.
void AsyncUnit::waitForProducts(const Request &request) {
  Warpgroup &group = warpgroup();
  if (++group.waiting < 128) return threads_.wait(request);
  group.waiting = 0;
  const unsigned first = threads_.currentRank() / 128 * 128;
  const std::vector<size_t> &ends = group.ends[0];
  for (unsigned i = 1; i < 128; ++i)
    if (group.ends[i] != ends || group.sent[i] != group.sent[0])
      threads_.fail("threads of a warpgroup send for different products" + placeOf(request));
  for (unsigned rank = first; rank < first + 128; ++rank)
    if (const Request *waits = threads_.waitsFor(rank))
      if (waits->kind != AsyncKind::wgmmaWait || waits->count != request.count)
        threads_.fail("threads of a warpgroup wait for different products" + placeOf(request));
  if (ends.size() > request.count) {
    const size_t until = ends[ends.size() - 1 - request.count];
    for (; group.done < until && !group.products.empty(); ++group.done) {
      multiply(group, group.products.front());
      group.products.pop_front();
    }
    // What has ended need not be known any more.
    for (auto &each : group.ends)
      each.erase(each.begin(), each.end() - static_cast<std::ptrdiff_t>(request.count));
  }
  if (request.count == 0) group.fenced.fill(false); // sums may be looked at now
  for (unsigned rank = first; rank < first + 128; ++rank)
    if (threads_.waitsFor(rank)) threads_.release(rank);
}

// --- Words for people.

std::string AsyncUnit::leftBehind(unsigned rank) const {
  auto found = stores_.find(rank);
  if (found == stores_.end() || found->second.boxes.empty()) return "";
  return "a thread ends before its bulk stores have read shared memory (bulkWaitRead)";
}

std::string AsyncUnit::leftBehind() const {
  return loads_.empty() ? ""
                        : "the block ends while a bulk copy into its shared memory is under way";
}

std::string AsyncUnit::describe(const Request &waits) const {
  if (waits.kind == AsyncKind::syncWarps)
    return fmt::format("barrier {} of {} threads{}", waits.at[0], waits.count, placeOf(waits));
  if (waits.kind == AsyncKind::syncCluster)
    return "the other blocks of its cluster" + placeOf(waits);
  if (waits.kind == AsyncKind::wgmmaWait) return "its warpgroup's products" + placeOf(waits);
  auto found = barriers_.find(waits.barrier);
  const std::string state =
      found == barriers_.end()
          ? ""
          : fmt::format(", which lacks {} of {} threads and {} bytes", found->second.pending,
                        found->second.expected, found->second.bytes);
  return fmt::format("the end of a phase of parity {} of the barrier at byte {} of shared "
                     "memory{}{}",
                     waits.count, static_cast<const char *>(waits.barrier) - shared_.base, state,
                     placeOf(waits));
}

} // namespace sinter::runtime::emulated
