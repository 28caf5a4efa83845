#pragma once

#include "sinter/runtime/emulated/shim/EmuAbi.h"

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace sinter::runtime::emulated {

/// What works beside the threads of a block on sm_90: barriers in shared memory that count threads and bytes, bulk
/// copies of boxes, products of warpgroups.
///
/// Copies and products take effect when they are sent for, under one schedule; under another at the last moment: what
/// waits for a barrier gets its bytes when nothing else can run, in a random order, a store reads shared memory when
/// it is waited for, and so does a product. They see shared memory through an image of their own, which gets what
/// threads write when one of them calls `copyFence`.
class AsyncUnit {
public:
  using Request = sinter_emu::AsyncRequest;
  using Product = sinter_emu::WarpgroupRequest;

  /// What it asks of the threads' scheduler.
  class Threads {
  public:
    virtual ~Threads() = default;
    virtual unsigned currentRank() const = 0;
    /// Leaves the current thread waiting until `release` names it.
    virtual void wait(const Request &request) = 0;
    /// What a thread waits for, or null.
    virtual const Request *waitsFor(unsigned rank) const = 0;
    virtual void release(unsigned rank) = 0;
    virtual unsigned pickBelow(unsigned bound) = 0;
    /// What works beside the threads of a block of the same cluster, which has not ended.
    virtual AsyncUnit &unitOf(unsigned block) = 0;
    /// The place in that block's shared memory that `own` is in one's own.
    virtual void *placeIn(unsigned block, void *own) = 0;
    [[noreturn]] virtual void fail(std::string message) = 0; // the message gets the thread's place
  };

  explicit AsyncUnit(Threads &threads) : threads_(threads) {}

  void startBlock(const sinter_emu::Region &dynamicShared, unsigned numThreads, uint8_t fill,
                  bool late);
  /// What a thread asks for; comes back when it is done, or when the thread may go on.
  void request(const Request &request);
  void product(const Product &product);
  unsigned sharedAddress(const void *at);
  /// Lets one copy that is under way land. False: there is none.
  bool landOne();
  /// What the current thread, or the block, left under way when it ended, or nothing.
  std::string leftBehind(unsigned rank) const;
  std::string leftBehind() const;
  /// "the end of phase 1 of the barrier at byte 64", of a thread that waits.
  std::string describe(const Request &waits) const;

private:
  struct Barrier {
    unsigned expected = 0, phase = 0;
    long long pending = 0, bytes = 0;
    bool shown = false; // to asynchronous copies
  };
  struct Box {
    sinter_emu::TensorMap map;
    char *shared = nullptr;
    void *barrier = nullptr;
    std::array<int, 3> at{};
    int group = 0;
  };
  struct Stores {
    std::vector<Box> boxes;
    int group = 0;
  };
  /// A product that threads are still sending for, or that has yet to be done.
  struct Sent {
    std::vector<Product> threads;
    unsigned count = 0;
  };
  struct Warpgroup {
    std::deque<Sent> products;
    size_t done = 0;                           // before the first of `products`
    std::array<size_t, 128> sent{};            // of each thread
    std::array<std::vector<size_t>, 128> ends; // of each thread's groups: products sent until then
    std::array<bool, 128> fenced{};
    unsigned waiting = 0;
  };

  /// Calls `body(unit, request)` for each block that a request is for, with its own places; for this one, where it
  /// names none.
  template <class Body> void eachBlock(const Request &request, Body body);
  Barrier &barrierOf(const Request &request);
  void arrive(void *place, Barrier &barrier);
  void endPhase(void *place, Barrier &barrier);
  void complete(void *place, long long bytes);
  void syncWarps(const Request &request);
  void load(const Request &request);
  void store(const Request &request);
  void waitForStores(unsigned pending);
  void waitForProducts(const Request &request);
  void multiply(Warpgroup &group, Sent &sent);
  /// Calls `body(to or from shared memory, in the tensor or null, bytes)` for words of a box.
  template <class Body> void eachWord(const Box &box, Body body);
  void land(const Box &box);
  void send(const Box &box);
  Box boxOf(const Request &request);
  Warpgroup &warpgroup() { return warpgroups_[threads_.currentRank() / 128]; }

  Threads &threads_;
  sinter_emu::Region shared_;
  std::vector<char> image_; // of dynamic shared memory, as copies and products see it
  unsigned numThreads_ = 0;
  bool late_ = true;
  std::map<void *, Barrier> barriers_;
  std::map<int, std::vector<unsigned>> meeting_; // at barriers of some warps, by number
  std::vector<Box> loads_;
  std::map<unsigned, Stores> stores_; // by thread
  std::vector<Warpgroup> warpgroups_;
};

} // namespace sinter::runtime::emulated
