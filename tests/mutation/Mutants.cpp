#include "Mutants.h"

#include <fmt/format.h>

#include <cctype>
#include <cstring>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace sinter::test {

const char *name(MutantKind kind) {
  switch (kind) {
  case MutantKind::barrier:
    return "barrier";
  case MutantKind::wait:
    return "wait";
  case MutantKind::commit:
    return "commit";
  case MutantKind::arrival:
    return "arrival";
  case MutantKind::fence:
    return "fence";
  case MutantKind::check:
    return "check";
  case MutantKind::loopBound:
    return "loop bound";
  }
  return "";
}

namespace {

std::vector<std::string> linesOf(const std::string &text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// `lines` with number `at` replaced.
std::string withLine(std::vector<std::string> lines, size_t at, const std::string &line) {
  lines[at] = line;
  std::string text;
  for (const std::string &each : lines) text += each + "\n";
  return text;
}

bool isNumber(const std::string &text) {
  static const std::regex number(R"(\s*\(*-?\d+(LL|ull|u)?\)*\s*)");
  return std::regex_match(text, number);
}

/// The variables that depend on nothing but the thread's place and loop counters: those that bounds
/// are checked for. Data, and what is chosen by data, is not among them.
class Places {
public:
  void define(const std::string &line) {
    static const std::regex constant(R"(\s*const (?:i64|i32|u64|u32|int) (\w+) = (.*);)"),
        counter(R"(\s*for \((?:i64|i32|u64|u32|int) (\w+) = (.*?);.*)");
    std::smatch match;
    if ((std::regex_match(line, match, constant) || std::regex_match(line, match, counter)) &&
        isPlace(match[2]))
      known[match[1]] = ofThread(match[2]);
  }
  /// Whether `expression` is arithmetic on places and numbers.
  bool isPlace(const std::string &expression) const { return visit(expression).first; }
  /// Whether `expression`, a place, differs from thread to thread: counters of loops that all run
  /// alike do not.
  bool ofThread(const std::string &expression) const { return visit(expression).second; }

private:
  std::pair<bool, bool> visit(const std::string &expression) const {
    bool depends = false;
    static const std::set<std::string> words{"threadIdx", "blockIdx", "x",   "y",   "z",
                                             "i64",       "i32",      "u64", "u32", "int"};
    for (size_t at = 0; at < expression.size();) {
      if (std::isalpha(expression[at]) || expression[at] == '_') {
        size_t end = endOfWord(expression, at);
        std::string word = expression.substr(at, end - at);
        auto variable = known.find(word);
        if (variable == known.end() && !words.contains(word)) return {false, false};
        depends |= word == "threadIdx" || word == "blockIdx" ||
                   (variable != known.end() && variable->second);
        at = end;
      } else if (std::isdigit(expression[at])) {
        at = endOfWord(expression, at);
      } else {
        if (!std::strchr(" +-*/%().", expression[at])) return {false, false};
        ++at;
      }
    }
    return {true, depends};
  }
  static size_t endOfWord(const std::string &text, size_t at) {
    while (at < text.size() && (std::isalnum(text[at]) || text[at] == '_')) ++at;
    return at;
  }
  std::map<std::string, bool> known; // with whether it differs from thread to thread
};

/// Where the operand that ends before (or starts at) `at` begins (or ends).
size_t operandStart(const std::string &line, size_t at) {
  for (int depth = 0; at > 0; --at) {
    char c = line[at - 1];
    if (c == ')' || c == ']') ++depth;
    if (c == '(' || c == '[') --depth;
    if (depth < 0 || (depth == 0 && std::strchr("&|=!?:,;{<>", c))) break;
  }
  return at;
}
size_t operandEnd(const std::string &line, size_t at) {
  for (int depth = 0; at < line.size(); ++at) {
    char c = line[at];
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (depth < 0 || (depth == 0 && std::strchr("&|=!?:,;{<>", c))) break;
  }
  return at;
}

std::string trimmed(const std::string &text) {
  size_t first = text.find_first_not_of(' '), last = text.find_last_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

/// A parameter in global memory.
std::string someParameter(const std::string &source) {
  static const std::regex parameter(R"(SINTER_GLOBAL(?:_CONST)?\(\w+\) (\w+))");
  std::smatch match;
  return std::regex_search(source, match, parameter) ? match[1].str() : "";
}

class Finder {
public:
  explicit Finder(const std::string &source)
      : lines(linesOf(source)), parameter(someParameter(source)) {}

  std::vector<Mutant> all() {
    for (size_t at = 0; at < lines.size(); ++at) {
      places.define(lines[at]);
      barrier(at);
      copies(at);
      if (!loop(at)) comparisons(at);
    }
    return std::move(mutants);
  }

private:
  void add(MutantKind kind, size_t at, const std::string &what, const std::string &line,
           const std::string &probeLine = "") {
    mutants.push_back({kind, int(at) + 1, what, withLine(lines, at, line),
                       probeLine.empty() ? "" : withLine(lines, at, probeLine)});
  }

  void leaveOut(MutantKind kind, size_t at, const std::string &call) {
    for (size_t found = 0; (found = lines[at].find(call, found)) != std::string::npos;
         found += call.size())
      add(kind, at, call, lines[at].substr(0, found) + ";" + lines[at].substr(found + call.size()));
  }
  void barrier(size_t at) { leaveOut(MutantKind::barrier, at, "__syncthreads();"); }

  void copies(size_t at) {
    static const std::regex statement(R"((\s*)(\w+)(?:<(\d+)>)?\(.*\);)");
    static const std::map<std::string, MutantKind> kinds{
        {"clusterSync", MutantKind::barrier},     {"barrierWaitCluster", MutantKind::wait},
        {"barrierArriveAt", MutantKind::arrival}, {"syncWarps", MutantKind::barrier},
        {"copyAsyncWait", MutantKind::wait},      {"wgmmaWait", MutantKind::wait},
        {"bulkWaitRead", MutantKind::wait},       {"bulkWait", MutantKind::wait},
        {"barrierWait", MutantKind::wait},        {"copyAsyncCommit", MutantKind::commit},
        {"wgmmaCommit", MutantKind::commit},      {"bulkCommit", MutantKind::commit},
        {"barrierInit", MutantKind::arrival},     {"barrierExpect", MutantKind::arrival},
        {"barrierArrive", MutantKind::arrival},   {"barrierFence", MutantKind::fence},
        {"copyFence", MutantKind::fence},         {"wgmmaFence", MutantKind::fence}};
    std::smatch match;
    if (!std::regex_match(lines[at], match, statement)) return;
    auto kind = kinds.find(match[2]);
    if (kind == kinds.end()) return;
    std::string call = trimmed(lines[at]);
    add(kind->second, at, call, match[1].str() + ";");
    if (kind->second == MutantKind::wait && match[3].matched)
      add(MutantKind::wait, at, call + " for one group less",
          fmt::format("{}{}<{}>();", match[1].str(), match[2].str(), std::stoi(match[3]) + 1));
  }

  /// A loop that threads start at their own places: its last turn is not for all of them.
  bool loop(size_t at) {
    static const std::regex header(
        R"((\s*for \(\w+ (\w+) = (.*?); \2 < )(\d+)(; \2 \+= )(\d+)(\).*))");
    std::smatch match;
    if (lines[at].find("for (") == std::string::npos) return false;
    if (!std::regex_match(lines[at], match, header)) return true;
    int64_t bound = std::stoll(match[4]), step = std::stoll(match[6]);
    if (isNumber(match[3]) || !places.isPlace(match[3]) || !places.ofThread(match[3]) ||
        bound % step == 0)
      return true;
    int64_t whole = (bound + step - 1) / step * step;
    add(MutantKind::loopBound, at, fmt::format("< {}", bound),
        fmt::format("{}{}{}{}{}", match[1].str(), whole, match[5].str(), match[6].str(),
                    match[7].str()));
    return true;
  }

  void comparisons(size_t at) {
    const std::string &line = lines[at];
    for (const char *sign : {" < ", " <= ", " > ", " >= "})
      for (size_t found = 0; (found = line.find(sign, found)) != std::string::npos; ++found) {
        size_t after = found + std::strlen(sign), start = operandStart(line, found),
               end = operandEnd(line, after);
        std::string left = trimmed(line.substr(start, found - start)),
                    right = trimmed(line.substr(after, end - after));
        if (left.empty() || right.empty() || !places.isPlace(left) || !places.isPlace(right) ||
            (!places.ofThread(left) && !places.ofThread(right)))
          continue;
        std::string check = trimmed(line.substr(start, end - start)),
                    head = line.substr(0, start) + " ", tail = " " + line.substr(end);
        add(MutantKind::check, at, check, head + "true" + tail,
            fmt::format("{}(({}) || ({}[-(1LL << 40)], false)){}", head, check, parameter, tail));
      }
  }

  std::vector<std::string> lines;
  std::string parameter;
  Places places;
  std::vector<Mutant> mutants;
};

} // namespace

std::vector<Mutant> mutantsOf(const std::string &source) { return Finder(source).all(); }

std::string renamed(const std::string &source, const std::string &from, const std::string &to) {
  size_t at = source.find("\n" + from + "(");
  if (at == std::string::npos) return "";
  return source.substr(0, at + 1) + to + source.substr(at + 1 + from.size());
}

} // namespace sinter::test
