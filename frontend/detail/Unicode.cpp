#include "sinter/frontend/detail/Unicode.h"

#include <algorithm>

namespace sinter::detail {

std::optional<std::u32string> decodeUtf8(std::string_view text, size_t *badByte) {
  std::u32string points;
  points.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
    uint8_t lead = byte(0);
    size_t length = lead < 0x80       ? 1
                    : lead >> 5 == 6  ? 2
                    : lead >> 4 == 14 ? 3
                    : lead >> 3 == 30 ? 4
                                      : 0;
    char32_t point = length == 1 ? lead : lead & (0xff >> (length + 1));
    bool good = length > 0 && at + length <= text.size();
    for (size_t i = 1; good && i < length; ++i) {
      good = byte(i) >> 6 == 2;
      point = point << 6 | (byte(i) & 0x3f);
    }
    static constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    good = good && point >= least[length] && point < 0x110000 && (point < 0xd800 || point > 0xdfff);
    if (!good) {
      if (badByte) *badByte = at;
      return std::nullopt;
    }
    points += point;
    at += length;
  }
  return points;
}

void appendUtf8(std::string &text, char32_t point) {
  auto add = [&](uint32_t byte) { text += static_cast<char>(byte); };
  auto tail = [&](int shift) { add(0x80 | (point >> shift & 0x3f)); };
  if (point < 0x80) {
    add(point);
  } else if (point < 0x800) {
    add(0xc0 | point >> 6), tail(0);
  } else if (point < 0x10000) {
    add(0xe0 | point >> 12), tail(6), tail(0);
  } else {
    add(0xf0 | point >> 18), tail(12), tail(6), tail(0);
  }
}

std::string encodeUtf8(std::u32string_view points) {
  std::string text;
  for (char32_t point : points) appendUtf8(text, point);
  return text;
}

static bool isIn(std::span<const PointRange> ranges, char32_t point) {
  auto after =
      std::upper_bound(ranges.begin(), ranges.end(), point,
                       [](char32_t value, const PointRange &range) { return value < range.first; });
  return after != ranges.begin() && point <= std::prev(after)->last;
}

bool isControl(char32_t point) {
  if (point < 0x80) return point < 0x20 || point == 0x7f;
  return isIn(unicodeClasses.controls, point);
}
bool isPunctuation(char32_t point) { return isIn(unicodeClasses.punctuation, point); }

bool isSpace(char32_t point) {
  if (point < 0x80) return point == ' ' || (point >= '\t' && point <= '\r');
  return point == 0x85 || point == 0xa0 || point == 0x1680 ||
         (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 ||
         point == 0x202f || point == 0x205f || point == 0x3000;
}

/// The entry of a table that is sorted by `point`.
template <class Entry> static const Entry *entry(std::span<const Entry> table, char32_t point) {
  auto found = std::lower_bound(table.begin(), table.end(), point,
                                [](const Entry &e, char32_t value) { return e.point < value; });
  return found != table.end() && found->point == point ? &*found : nullptr;
}

std::u32string withoutMarks(std::u32string_view text) {
  std::u32string kept;
  kept.reserve(text.size());
  for (char32_t point : text) {
    if (point < 0xc0) {
      kept += point;
    } else if (point >= 0xac00 && point <= 0xd7a3) { // a Hangul syllable: two or three letters
      char32_t s = point - 0xac00;
      kept += 0x1100 + s / 588;
      kept += 0x1161 + s % 588 / 28;
      if (s % 28) kept += 0x11a7 + s % 28;
    } else if (const BasePair *pair = entry(unicodeBases.pairs, point)) {
      kept += pair->base;
    } else if (const BaseSeveral *several = entry(unicodeBases.several, point)) {
      for (char32_t base : several->bases)
        if (base) kept += base;
    } else if (!isIn(unicodeClasses.marks, point)) {
      kept += point;
    }
  }
  return kept;
}

std::u32string lowerCase(std::u32string_view text) {
  std::u32string lower;
  lower.reserve(text.size());
  for (char32_t point : text) {
    if (point < 0x80) {
      lower += point >= 'A' && point <= 'Z' ? point + 32 : point;
      continue;
    }
    if (point == 0x130) { // the one whose lower case is two code points
      lower += U"i\u0307";
      continue;
    }
    auto after =
        std::upper_bound(unicodeClasses.lower.begin(), unicodeClasses.lower.end(), point,
                         [](char32_t value, const LowerRun &run) { return value < run.first; });
    if (after != unicodeClasses.lower.begin()) {
      const LowerRun &run = *std::prev(after);
      if (point <= run.last && (point - run.first) % run.step == 0)
        point = static_cast<char32_t>(static_cast<int32_t>(point) + run.difference);
    }
    lower += point;
  }
  return lower;
}

} // namespace sinter::detail
