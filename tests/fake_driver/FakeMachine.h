#pragma once

#include "FakeDriver.h"

#include "sinter/runtime/cuda/CudaApi.h"

#include <deque>
#include <map>
#include <memory>
#include <set>

namespace sinter::fake {

using namespace sinter::runtime::cuda;

/// Something that a stream does.
struct Work {
  std::string name;
  std::vector<Access> accesses;
  std::function<CuResult()> run;
};

struct Node {
  Work work;
  std::vector<Node *> after;
  bool programmatic = false; // the edge from the one that it comes after
};
struct Graph {
  std::vector<std::unique_ptr<Node>> nodes;
};
/// A graph that can be launched: nodes by number.
struct GraphExec {
  struct Step {
    Work work;
    std::vector<size_t> after;
  };
  std::vector<Step> steps;
};

/// For each stream, how much of its work is known to be done.
using Clock = std::map<int, uint64_t>;
void join(Clock &into, const Clock &other);

struct Event {
  Clock clock;
  int stream = -1;       // that it was recorded in
  uint64_t position = 0; // in that stream
};

struct Stream {
  int id = 0;
  Clock clock; // what the next work comes after
  uint64_t queued = 0, done = 0;
  struct Queued {
    Work work;
    std::vector<std::pair<Stream *, uint64_t>> waits; // for other streams' positions
  };
  std::deque<Queued> queue;
  std::vector<std::pair<Stream *, uint64_t>> nextWaits;
  // Capture.
  std::unique_ptr<Graph> capture;
  bool invalid = false;
  std::vector<Node *> captureAfter;
};

class Machine {
public:
  int count = 1, capability = 90, memoryPools = 1;
  size_t totalBytes = size_t(1) << 30, usedBytes = 0;
  int contexts = 0;
  bool current = false, lazy = false;
  const Kernels *kernels = nullptr;
  std::map<CuDevicePtr, size_t> memory;
  std::set<void *> live; // handles of every kind
  std::map<void *, size_t> pinned;
  std::string race;
  std::array<int, 4> lastGraph{};

  ~Machine();
  bool inside(CuDevicePtr address, size_t bytes) const;
  CuResult allocate(CuDevicePtr *address, size_t bytes);
  CuResult release(CuDevicePtr address);

  Stream *makeStream();
  CuResult dropStream(Stream *stream);
  bool capturing() const;
  /// Queues work, or makes it a node of the stream's capture.
  CuResult queue(Stream *stream, Work work, bool programmatic = false);
  void record(Event &event, Stream *stream);
  void wait(Stream *stream, const Event &event);
  CuResult synchronize(Stream *stream);
  CuResult synchronize(const Event &event);
  CuResult drain(); // everything

  std::unique_ptr<GraphExec> instantiate(const Graph &graph);
  CuResult launch(const GraphExec &exec, Stream *stream);

private:
  struct Past {
    Access access;
    std::string name;
    int stream;
    uint64_t position;
  };
  void check(const Work &work, const Clock &clock, int stream, uint64_t position);
  CuResult runUntil(Stream *stream, uint64_t position);
  void hostKnows(const Clock &clock);
  CuResult runGraph(const GraphExec &exec);

  Clock host;
  std::deque<Past> past;
  std::vector<std::unique_ptr<Stream>> streams;
  int nextStream = 0;
};

} // namespace sinter::fake
