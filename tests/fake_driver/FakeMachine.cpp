#include "FakeMachine.h"

#include <algorithm>
#include <cstdlib>

namespace sinter::fake {

void join(Clock &into, const Clock &other) {
  for (auto &[stream, position] : other) into[stream] = std::max(into[stream], position);
}

static bool conflict(const Access &a, const Access &b) {
  return (a.write || b.write) && a.at < b.at + b.bytes && b.at < a.at + a.bytes;
}

static std::string raceText(const std::string &first, const std::string &second) {
  return "'" + first + "' and '" + second + "' touch the same memory in no order";
}

Machine::~Machine() {
  for (auto &[address, bytes] : memory) std::free(reinterpret_cast<void *>(address));
}

bool Machine::inside(CuDevicePtr address, size_t bytes) const {
  auto after = memory.upper_bound(address);
  if (after == memory.begin()) return false;
  auto block = std::prev(after);
  return address + bytes <= block->first + block->second;
}

CuResult Machine::allocate(CuDevicePtr *address, size_t bytes) {
  if (bytes > totalBytes - usedBytes) return cuErrorOutOfMemory;
  void *made = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  *address = reinterpret_cast<CuDevicePtr>(made);
  memory[*address] = bytes;
  usedBytes += bytes;
  return cuSuccess;
}

CuResult Machine::release(CuDevicePtr address) {
  auto found = memory.find(address);
  if (found == memory.end()) return cuErrorInvalidValue;
  // What touched it is forgotten: the next to have these bytes comes after the release.
  const size_t bytes = found->second;
  std::erase_if(
      past, [&](const Past &p) { return p.access.at >= address && p.access.at < address + bytes; });
  usedBytes -= bytes;
  memory.erase(found);
  std::free(reinterpret_cast<void *>(address));
  return cuSuccess;
}

Stream *Machine::makeStream() {
  streams.push_back(std::make_unique<Stream>());
  Stream *made = streams.back().get();
  made->id = nextStream++;
  live.insert(made);
  return made;
}

CuResult Machine::dropStream(Stream *stream) {
  if (!live.erase(stream)) return cuErrorInvalidValue;
  CuResult ended = runUntil(stream, stream->queued);
  std::erase_if(streams, [&](auto &one) { return one.get() == stream; });
  return ended;
}

bool Machine::capturing() const {
  return std::any_of(streams.begin(), streams.end(), [](auto &s) { return s->capture != nullptr; });
}

/// Compares work with everything that is not known to be done before it.
void Machine::check(const Work &work, const Clock &clock, int stream, uint64_t position) {
  for (const Access &access : work.accesses) {
    for (const Past &p : past) {
      auto known = clock.find(p.stream);
      if (known != clock.end() && known->second >= p.position) continue;
      if (race.empty() && conflict(p.access, access)) race = raceText(p.name, work.name);
    }
  }
  for (const Access &access : work.accesses) past.push_back({access, work.name, stream, position});
}

CuResult Machine::queue(Stream *stream, Work work, bool programmatic) {
  if (stream->capture) {
    if (stream->invalid) return cuErrorCaptureInvalidated;
    auto node = std::make_unique<Node>();
    node->work = std::move(work);
    node->after = stream->captureAfter;
    node->programmatic = programmatic;
    stream->captureAfter = {node.get()};
    stream->capture->nodes.push_back(std::move(node));
    return cuSuccess;
  }
  join(stream->clock, host);
  check(work, stream->clock, stream->id, ++stream->queued);
  stream->clock[stream->id] = stream->queued;
  stream->queue.push_back({std::move(work), std::exchange(stream->nextWaits, {})});
  return lazy ? cuSuccess : runUntil(stream, stream->queued);
}

CuResult Machine::runUntil(Stream *stream, uint64_t position) {
  while (stream->done < position && !stream->queue.empty()) {
    Stream::Queued next = std::move(stream->queue.front());
    stream->queue.pop_front();
    for (auto &[other, upTo] : next.waits)
      if (CuResult failed = runUntil(other, upTo); failed != cuSuccess) return failed;
    CuResult result = next.work.run ? next.work.run() : cuSuccess;
    ++stream->done;
    if (result != cuSuccess) return result;
  }
  return cuSuccess;
}

void Machine::record(Event &event, Stream *stream) {
  join(stream->clock, host);
  event.clock = stream->clock;
  event.stream = stream->id;
  event.position = stream->queued;
}

void Machine::wait(Stream *stream, const Event &event) {
  join(stream->clock, event.clock);
  for (auto &other : streams)
    if (other->id == event.stream) stream->nextWaits.emplace_back(other.get(), event.position);
}

/// What the host has waited for comes before all that it queues later.
void Machine::hostKnows(const Clock &clock) {
  join(host, clock);
  std::erase_if(past, [&](const Past &p) {
    auto known = host.find(p.stream);
    return known != host.end() && known->second >= p.position;
  });
}

CuResult Machine::synchronize(Stream *stream) {
  CuResult result = runUntil(stream, stream->queued);
  for (auto &[other, upTo] : std::exchange(stream->nextWaits, {}))
    if (result == cuSuccess) result = runUntil(other, upTo);
  hostKnows(stream->clock);
  return result;
}

CuResult Machine::synchronize(const Event &event) {
  CuResult result = cuSuccess;
  for (auto &stream : streams)
    if (stream->id == event.stream) result = runUntil(stream.get(), event.position);
  hostKnows(event.clock);
  return result;
}

CuResult Machine::drain() {
  CuResult result = cuSuccess;
  for (auto &stream : streams)
    if (CuResult one = synchronize(stream.get()); one != cuSuccess) result = one;
  return result;
}

std::unique_ptr<GraphExec> Machine::instantiate(const Graph &graph) {
  auto exec = std::make_unique<GraphExec>();
  std::map<const Node *, size_t> number;
  std::vector<std::vector<bool>> before; // what each node comes after, at any distance
  std::vector<int> depth;
  lastGraph = {};
  for (const auto &node : graph.nodes) {
    const size_t i = exec->steps.size();
    number[node.get()] = i;
    GraphExec::Step step{node->work, {}};
    std::vector<bool> all(i);
    int length = 1;
    for (Node *earlier : node->after) {
      const size_t e = number.at(earlier);
      step.after.push_back(e);
      all[e] = true;
      for (size_t k = 0; k < before[e].size(); ++k)
        if (before[e][k]) all[k] = true;
      length = std::max(length, depth[e] + 1);
    }
    for (size_t k = 0; k < i; ++k) {
      if (all[k] || !race.empty()) continue;
      for (const Access &a : exec->steps[k].work.accesses)
        for (const Access &b : node->work.accesses)
          if (conflict(a, b)) race = raceText(exec->steps[k].work.name, node->work.name);
    }
    lastGraph[1] += static_cast<int>(step.after.size());
    lastGraph[2] += node->programmatic;
    lastGraph[3] = std::max(lastGraph[3], length);
    depth.push_back(length);
    before.push_back(std::move(all));
    exec->steps.push_back(std::move(step));
  }
  lastGraph[0] = static_cast<int>(exec->steps.size());
  return exec;
}

/// In the order of the nodes, or, lazily, always the latest node that may run.
CuResult Machine::runGraph(const GraphExec &exec) {
  std::vector<bool> done(exec.steps.size());
  auto ready = [&](size_t i) {
    return !done[i] && std::all_of(exec.steps[i].after.begin(), exec.steps[i].after.end(),
                                   [&](size_t e) { return done[e]; });
  };
  for (size_t turn = 0; turn < exec.steps.size(); ++turn) {
    size_t chosen = turn;
    if (lazy)
      for (chosen = exec.steps.size() - 1; !ready(chosen);) --chosen;
    const Work &work = exec.steps[chosen].work;
    if (CuResult failed = work.run ? work.run() : cuSuccess; failed != cuSuccess) return failed;
    done[chosen] = true;
  }
  return cuSuccess;
}

CuResult Machine::launch(const GraphExec &exec, Stream *stream) {
  Work whole{"a graph", {}, [this, exec] { return runGraph(exec); }};
  for (const GraphExec::Step &step : exec.steps)
    whole.accesses.insert(whole.accesses.end(), step.work.accesses.begin(),
                          step.work.accesses.end());
  return queue(stream, std::move(whole));
}

} // namespace sinter::fake
