#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// What a tokenizer asks of Unicode. The tables are made by tools/unicode-tables.
namespace sinter::detail {

struct PointRange {
  uint32_t first, last;
};
/// Every `step`-th code point from first to last has its lower case `difference` further.
struct LowerRun {
  uint32_t first, last, step;
  int32_t difference;
};
struct BasePair {
  uint32_t point, base;
};
struct BaseSeveral {
  uint32_t point, bases[3]; // up to the first 0
};
struct UnicodeClasses {
  std::span<const PointRange> controls, marks, punctuation;
  std::span<const LowerRun> lower;
};
struct UnicodeBases {
  std::span<const BasePair> pairs;
  std::span<const BaseSeveral> several;
};
extern const UnicodeClasses unicodeClasses;
extern const UnicodeBases unicodeBases;

/// The code points of UTF-8 text; none, and in `badByte` where, if it is not UTF-8 (overlong forms and
/// surrogates are not).
std::optional<std::u32string> decodeUtf8(std::string_view text, size_t *badByte = nullptr);
void appendUtf8(std::string &text, char32_t point);
std::string encodeUtf8(std::u32string_view points);

/// General category C*: controls, formats, private and unassigned ones.
bool isControl(char32_t point);
/// General category P*.
bool isPunctuation(char32_t point);
/// The property White_Space.
bool isSpace(char32_t point);
/// What remains of a text's canonical decomposition (NFD) without nonspacing marks (Mn). Combining characters
/// that are no such marks stay in their order.
std::u32string withoutMarks(std::u32string_view text);
/// Each code point's own lower case, whatever stands beside it.
std::u32string lowerCase(std::u32string_view text);

} // namespace sinter::detail
