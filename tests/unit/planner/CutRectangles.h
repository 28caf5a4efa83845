#pragma once

#include "sinter/passes/memory/Offsets.h"

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

namespace sinter::test {

using passes::memory::Extent;

/// How a rectangle of time x bytes is cut: anywhere; its largest piece; mostly across time (short
/// lives); mostly across bytes (small sizes); and with pinwheels, which no straight cut divides.
enum class Cut { Anywhere, Largest, Thin, Flat, Pinwheel };

/// A rectangle of `moments` x `bytes` in `pieces` pieces, or a few more: a placement of height `bytes`
/// exists, without a byte to spare.
inline std::vector<Extent> cutRectangle(Cut cut, size_t pieces, int64_t moments, int64_t bytes,
                                        uint64_t seed) {
  std::mt19937_64 random(seed);
  auto below = [&](int64_t end) { return int64_t(random() % uint64_t(end)); };
  std::vector<Extent> parts{{bytes, 0, moments - 1}};
  auto area = [](const Extent &e) { return double(e.bytes) * double(e.last - e.first + 1); };
  for (int tries = 0; parts.size() < pieces && tries < 100'000; ++tries) {
    size_t which = random() % parts.size();
    if (cut == Cut::Largest || cut == Cut::Pinwheel)
      for (int other = 0; other < 2; ++other)
        if (size_t next = random() % parts.size(); area(parts[next]) > area(parts[which]))
          which = next;
    Extent whole = parts[which];
    int64_t length = whole.last - whole.first + 1;
    if (cut == Cut::Pinwheel && random() % 3 == 0 && length >= 3 && whole.bytes >= 3) {
      int64_t t1 = 1 + below(length - 2), t2 = t1 + 1 + below(length - t1 - 1);
      int64_t b1 = 1 + below(whole.bytes - 2), b2 = b1 + 1 + below(whole.bytes - b1 - 1);
      parts[which] = {b1, whole.first, whole.first + t2 - 1};
      parts.push_back({b2, whole.first + t2, whole.last});
      parts.push_back({whole.bytes - b2, whole.first + t1, whole.last});
      parts.push_back({whole.bytes - b1, whole.first, whole.first + t1 - 1});
      parts.push_back({b2 - b1, whole.first + t1, whole.first + t2 - 1});
      continue;
    }
    uint64_t inTime = cut == Cut::Thin ? 8 : cut == Cut::Flat ? 2 : 5; // of ten
    if (random() % 10 < inTime) {
      if (length < 2) continue;
      int64_t at = whole.first + 1 + below(length - 1);
      parts[which].last = at - 1;
      parts.push_back({whole.bytes, at, whole.last});
    } else if (whole.bytes >= 2) {
      int64_t lower = 1 + below(whole.bytes - 1);
      parts[which].bytes = lower;
      parts.push_back({whole.bytes - lower, whole.first, whole.last});
    }
  }
  std::shuffle(parts.begin(), parts.end(), random);
  return parts;
}

/// Pair by pair: every extent below `capacity`, and none that are live together meet.
inline bool isPlan(const std::vector<Extent> &extents, const std::vector<int64_t> &offsets,
                   int64_t capacity) {
  if (offsets.size() != extents.size()) return false;
  for (size_t i = 0; i < extents.size(); ++i) {
    if (offsets[i] < 0 || offsets[i] + extents[i].bytes > capacity) return false;
    for (size_t j = 0; j < i; ++j) {
      bool together = extents[i].first <= extents[j].last && extents[j].first <= extents[i].last;
      bool meet =
          offsets[i] < offsets[j] + extents[j].bytes && offsets[j] < offsets[i] + extents[i].bytes;
      if (together && meet) return false;
    }
  }
  return true;
}

} // namespace sinter::test
