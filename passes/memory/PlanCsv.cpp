#include "sinter/passes/memory/PlanCsv.h"

#include <charconv>
#include <cstddef>
#include <map>
#include <numeric>

namespace sinter::passes::memory {

namespace {

/// A record's fields; `line` moves on past it, and past the line ends within quotes.
struct Reader {
  std::string_view text;
  size_t at = 0;
  int line = 1;

  bool done() const { return at >= text.size(); }

  // False where a quote is never closed, or is followed by anything but the field's end.
  bool record(std::vector<std::string> &fields) {
    fields.assign(1, "");
    while (!done()) {
      char c = text[at];
      if (c == '\n' || (c == '\r' && (at + 1 == text.size() || text[at + 1] == '\n'))) {
        at += c == '\r' ? 2 : 1;
        return true;
      }
      ++at;
      if (c == ',') {
        fields.emplace_back();
      } else if (c == '"' && fields.back().empty()) {
        if (!quoted(fields.back())) return false;
      } else {
        fields.back() += c;
      }
    }
    return true;
  }

private:
  bool quoted(std::string &field) {
    for (; !done(); ++at) {
      char c = text[at];
      if (c == '"') {
        if (++at >= text.size() || text[at] != '"')
          return done() || text[at] == ',' || text[at] == '\n' || text[at] == '\r';
      }
      line += c == '\n';
      field += c;
    }
    return false;
  }
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string canonical(const std::string &column) {
  static const std::map<std::string, std::string, std::less<>> names = {
      {"buffer", "id"}, {"buffer_id", "id"}, {"start", "lower"}, {"begin", "lower"}};
  std::string name(trimmed(column));
  auto known = names.find(name);
  return known == names.end() ? name : known->second;
}

std::string quotedIfNeeded(const std::string &field) {
  if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
  std::string result = "\"";
  for (char c : field) result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + '"';
}

class Parser {
public:
  Parser(std::string_view text, const std::string &file, PlanCsv &csv, std::string &error)
      : reader{text}, file(file), csv(csv), error(error) {}

  bool run() {
    if (reader.text.substr(0, 3) == "\xEF\xBB\xBF") reader.at = 3;
    bool headed = false;
    int64_t total = 0;
    for (std::vector<std::string> fields; !reader.done(); ++reader.line) {
      line = reader.line;
      if (!reader.record(fields)) return fail("a quoted field is not closed");
      if (fields.size() == 1 && trimmed(fields[0]).empty()) continue;
      if (!headed) {
        if (!header(fields)) return false;
        headed = true;
        continue;
      }
      if (!buffer(fields)) return false;
      if (__builtin_add_overflow(total, csv.extents.back().bytes, &total))
        return fail("column 'size': the sum of all sizes does not fit in 64 bits");
    }
    if (!headed) return fail("the file is empty: a header 'id,lower,upper,size' is expected");
    return alignmentsHold();
  }

private:
  bool fail(const std::string &what) {
    error = file + ":" + std::to_string(line) + ": " + what;
    return false;
  }
  bool failAt(const std::string &column, const std::string &what) {
    return fail("column '" + column + "': " + what);
  }

  bool header(const std::vector<std::string> &fields) {
    for (size_t i = 0; i < fields.size(); ++i) {
      std::string name = canonical(fields[i]);
      if (name == "end") {
        name = "upper";
        upperIsLast = true;
      }
      if (!columns.emplace(name, i).second)
        return failAt(fields[i], "a second column '" + name + "'");
    }
    width = fields.size();
    for (const char *name : {"id", "lower", "upper", "size"})
      if (!columns.count(name)) return failAt(name, "missing from the header");
    return true;
  }

  bool number(const std::vector<std::string> &fields, const std::string &column, int64_t &value) {
    std::string_view text = trimmed(fields[columns.at(column)]);
    auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    std::string shown = "'" + std::string(text) + "'";
    if (code == std::errc::result_out_of_range)
      return failAt(column, shown + " does not fit in 64 bits");
    if (code != std::errc() || end != text.data() + text.size())
      return failAt(column, shown + " is not an integer");
    return true;
  }

  bool buffer(const std::vector<std::string> &fields) {
    if (fields.size() != width)
      return fail(std::to_string(fields.size()) + " fields where the header has " +
                  std::to_string(width));
    int64_t lower = 0, upper = 0, size = 0;
    if (!number(fields, "lower", lower) || !number(fields, "upper", upper) ||
        !number(fields, "size", size))
      return false;
    if (upperIsLast && __builtin_add_overflow(upper, 1, &upper))
      return failAt("upper", "does not fit in 64 bits");
    if (upper <= lower)
      return failAt("upper",
                    std::to_string(upper) + " is not above lower, " + std::to_string(lower));
    if (size < 0) return failAt("size", std::to_string(size) + " is negative");
    if (columns.count("alignment")) {
      int64_t alignment = 1;
      if (!number(fields, "alignment", alignment)) return false;
      if (alignment < 1) return failAt("alignment", std::to_string(alignment) + " is not positive");
      alignments.emplace_back(line, alignment);
    }
    csv.ids.push_back(fields[columns.at("id")]);
    csv.extents.push_back({size, lower, upper - 1});
    return true;
  }

  // Offsets are sums of sizes: multiples of what divides them all.
  bool alignmentsHold() {
    int64_t common = 0;
    for (const Extent &extent : csv.extents) common = std::gcd(common, extent.bytes);
    for (auto [where, alignment] : alignments) {
      line = where;
      if (common % alignment != 0)
        return failAt("alignment", std::to_string(alignment) +
                                       " is not planned: sizes would have to be multiples of it");
    }
    return true;
  }

  Reader reader;
  const std::string &file;
  PlanCsv &csv;
  std::string &error;
  std::map<std::string, size_t> columns;
  size_t width = 0;
  bool upperIsLast = false;
  std::vector<std::pair<int, int64_t>> alignments; // by line
  int line = 1;
};

} // namespace

bool readPlanCsv(std::string_view text, const std::string &file, PlanCsv &csv, std::string &error) {
  return Parser(text, file, csv, error).run();
}

std::string writePlanCsv(const PlanCsv &csv, const std::vector<int64_t> &offsets) {
  std::string text = "id,lower,upper,size,offset\n";
  for (size_t i = 0; i < csv.ids.size(); ++i) {
    const Extent &extent = csv.extents[i];
    text += quotedIfNeeded(csv.ids[i]);
    for (int64_t field : {extent.first, extent.last + 1, extent.bytes, offsets[i]})
      text += "," + std::to_string(field);
    text += "\n";
  }
  return text;
}

} // namespace sinter::passes::memory
