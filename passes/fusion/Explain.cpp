#include "sinter/passes/fusion/Explain.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <set>
#include <tuple>

namespace sinter::passes::explain {

// Without folders.
static std::string shortLine(const std::string &line) {
  return line.substr(line.rfind('/') + 1); // npos + 1 is 0
}

static std::string list(const std::vector<std::string> &names) {
  std::string text;
  for (const std::string &name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string describe(const LedgerOp &op) {
  std::vector<std::string> facts;
  if (!op.value.empty()) facts.push_back(op.value);
  facts.push_back(shortLine(op.line));
  if (!op.path.empty()) facts.push_back((op.gradient ? "gradient of " : "") + op.path);
  return op.op + " (" + list(facts) + ")";
}

static std::string number(double value) { return std::to_string(std::llround(value)); }

// "7 against 5": what the cost model had to compare.
static std::string costsOf(const LedgerEdge &edge) {
  if (!edge.costApart) return "";
  if (edge.costTogether)
    return " The cost model, in bytes moved, gives one kernel " + number(*edge.costTogether) +
           " and two " + number(*edge.costApart) + ".";
  return " The cost model, in bytes moved, gives the two kernels " + number(*edge.costApart) + ".";
}

static std::string kernelsOf(const LedgerOp &op) { return list(op.kernels); }

// "different_domain (outputs of shapes [4] and [5]); 64 bytes go through memory, from kernel a to kernel b."
static std::string reasonOf(const Ledger &ledger, const LedgerEdge &edge) {
  return edge.code + " (" + edge.detail + "); " + std::to_string(edge.bytes) +
         " bytes go through memory, from kernel " + kernelsOf(ledger.ops[edge.from]) + " to " +
         kernelsOf(ledger.ops[edge.to]) + "." + costsOf(edge);
}

std::string sentence(const Ledger &ledger, const LedgerEdge &edge) {
  std::string both = describe(ledger.ops[edge.from]) + " and " + describe(ledger.ops[edge.to]);
  if (edge.fused)
    return both + " are one kernel, " + list(edge.kernels) + ": the " + std::to_string(edge.bytes) +
           " bytes between them stay out of memory.";
  return both + " are not one kernel: " + reasonOf(ledger, edge);
}

// --- Names.

static bool endsWith(const std::string &text, const std::string &end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

static bool isLine(const LedgerOp &op, const std::string &name) {
  return op.line == name || endsWith(op.line, "/" + name);
}

static bool isInModule(const LedgerOp &op, const std::string &name) {
  return op.path == name || op.path.compare(0, name.size() + 1, name + ".") == 0;
}

// Levenshtein's distance, to find what was meant.
static size_t distance(const std::string &a, const std::string &b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

static constexpr size_t maxCandidates = 12;

static std::string nearest(const Ledger &ledger, const std::string &name) {
  std::set<std::string> known;
  for (const LedgerOp &op : ledger.ops) {
    known.insert({op.op, shortLine(op.line)});
    if (!op.path.empty()) known.insert(op.path);
    // Values only beside values: there are many.
    if (name[0] == '%') known.insert(op.value);
  }
  std::vector<std::string> sorted(known.begin(), known.end());
  std::stable_sort(sorted.begin(), sorted.end(), [&](const std::string &a, const std::string &b) {
    return distance(a, name) < distance(b, name);
  });
  if (sorted.size() > maxCandidates) sorted.resize(maxCandidates);
  return list(sorted);
}

static std::string candidates(const Ledger &ledger, const std::vector<unsigned> &ops) {
  std::string text;
  for (size_t i = 0; i < ops.size() && i < maxCandidates; ++i)
    text += "\n  " + describe(ledger.ops[ops[i]]);
  if (ops.size() > maxCandidates)
    text += "\n  and " + std::to_string(ops.size() - maxCandidates) + " more";
  return text;
}

Found find(const Ledger &ledger, const std::string &asked) {
  const std::string prefix = "gradient:", dialect = "sinter.";
  bool gradient = asked.compare(0, prefix.size(), prefix) == 0;
  std::string name = gradient ? asked.substr(prefix.size()) : asked;
  std::string op =
      name.compare(0, dialect.size(), dialect) == 0 ? name.substr(dialect.size()) : name;

  std::vector<unsigned> byValue, byOp, byPlace;
  for (unsigned id = 0; id < ledger.ops.size(); ++id) {
    const LedgerOp &candidate = ledger.ops[id];
    if (gradient && !candidate.gradient) continue;
    if (candidate.value == name) byValue.push_back(id);
    if (candidate.op == op) byOp.push_back(id);
    if (!name.empty() && (isLine(candidate, name) || isInModule(candidate, name)))
      byPlace.push_back(id);
  }
  auto forward = [&](const std::vector<unsigned> &from) {
    std::vector<unsigned> kept;
    for (unsigned id : from)
      if (!ledger.ops[id].gradient) kept.push_back(id);
    return kept.empty() ? from : kept;
  };
  if (!byValue.empty()) return {byValue, "", true}; // one op, and what it was opened into
  // A module may bear the name of the one op that it is.
  bool isSame = std::all_of(byOp.begin(), byOp.end(), [&](unsigned id) {
    return ledger.ops[id].gradient ||
           std::find(byPlace.begin(), byPlace.end(), id) != byPlace.end();
  });
  if (!byPlace.empty() && !isSame)
    return {{},
            "'" + asked + "' is both a module and an op of " + ledger.function +
                "; name a value or a line:" + candidates(ledger, byPlace) +
                candidates(ledger, byOp),
            true};
  if (!byPlace.empty()) return {forward(byPlace), "", true};
  if (byOp.empty())
    return {{},
            "no op of " + ledger.function + " is called '" + asked +
                "'; there are, for example: " + nearest(ledger, name.empty() ? " " : name),
            false};
  if (forward(byOp).size() == 1) return {forward(byOp), "", true};
  return {{},
          "'" + asked + "' is the name of " + std::to_string(byOp.size()) + " ops of " +
              ledger.function + "; name a value, a line or a module:" + candidates(ledger, byOp),
          true};
}

// --- Ways.

namespace {

class Ways {
public:
  explicit Ways(const Ledger &ledger) : ledger(ledger), out(ledger.ops.size()), in(out.size()) {
    for (unsigned edge = 0; edge < ledger.edges.size(); ++edge) {
      out[ledger.edges[edge].from].push_back(edge);
      in[ledger.edges[edge].to].push_back(edge);
    }
  }

  // The nearest two of these, by edges, where a value flows from the first to the second.
  bool nearest(const std::vector<unsigned> &from, const std::vector<unsigned> &to, unsigned &a,
               unsigned &b) const {
    std::vector<int> start(ledger.ops.size(), -1);
    std::deque<unsigned> work;
    for (unsigned id : from) {
      start[id] = int(id);
      work.push_back(id);
    }
    while (!work.empty()) {
      unsigned id = work.front();
      work.pop_front();
      for (unsigned edge : out[id]) {
        unsigned next = ledger.edges[edge].to;
        if (std::find(to.begin(), to.end(), next) != to.end() &&
            std::find(from.begin(), from.end(), next) == from.end()) {
          a = unsigned(start[id]);
          b = next;
          return true;
        }
        if (start[next] >= 0) continue;
        start[next] = start[id];
        work.push_back(next);
      }
    }
    return false;
  }

  // The refused edges that are met first on the ways from `a` to `b`, those of most bytes first.
  std::vector<const LedgerEdge *> firstBoundaries(unsigned a, unsigned b) const {
    std::vector<bool> reaches(ledger.ops.size(), false), seen(ledger.ops.size(), false);
    std::vector<unsigned> work{b};
    reaches[b] = true;
    while (!work.empty()) {
      unsigned id = work.back();
      work.pop_back();
      for (unsigned edge : in[id])
        if (unsigned from = ledger.edges[edge].from; !reaches[from]) {
          reaches[from] = true;
          work.push_back(from);
        }
    }
    std::vector<const LedgerEdge *> found;
    work.push_back(a);
    seen[a] = true;
    while (!work.empty()) {
      unsigned id = work.back();
      work.pop_back();
      for (unsigned number : out[id]) {
        const LedgerEdge &edge = ledger.edges[number];
        if (!reaches[edge.to]) continue;
        if (!edge.fused) {
          found.push_back(&edge);
        } else if (!seen[edge.to]) {
          seen[edge.to] = true;
          work.push_back(edge.to);
        }
      }
    }
    std::stable_sort(found.begin(), found.end(), [](const LedgerEdge *x, const LedgerEdge *y) {
      return std::tuple(-x->bytes, x->to, x->from) < std::tuple(-y->bytes, y->to, y->from);
    });
    return found;
  }

private:
  const Ledger &ledger;
  std::vector<std::vector<unsigned>> out, in; // edges of each op
};

std::vector<std::string> commonKernels(const LedgerOp &a, const LedgerOp &b) {
  std::vector<std::string> common;
  for (const std::string &kernel : a.kernels)
    if (std::find(b.kernels.begin(), b.kernels.end(), kernel) != b.kernels.end())
      common.push_back(kernel);
  return common;
}

} // namespace

static const LedgerEdge *edgeBetween(const Ledger &ledger, unsigned a, unsigned b) {
  for (const LedgerEdge &edge : ledger.edges)
    if (edge.from == a && edge.to == b) return &edge;
  return nullptr;
}

static std::string brief(const Ledger &ledger, const LedgerEdge &edge) {
  return describe(ledger.ops[edge.from]) + " -> " + describe(ledger.ops[edge.to]);
}

// `a` flows into `b`.
static std::string explainWay(const Ledger &ledger, const Ways &ways, unsigned a, unsigned b) {
  const LedgerOp &first = ledger.ops[a], &last = ledger.ops[b];
  std::vector<std::string> common = commonKernels(first, last);
  const LedgerEdge *direct = edgeBetween(ledger, a, b);
  if (direct && direct->fused == !common.empty()) return sentence(ledger, *direct);
  std::string both = describe(first) + " and " + describe(last);
  if (!common.empty()) return both + " are one kernel, " + list(common) + ".";
  std::vector<const LedgerEdge *> boundaries = ways.firstBoundaries(a, b);
  if (boundaries.empty())
    return both + " are not one kernel: what lies between is computed in both " + kernelsOf(first) +
           " and " + kernelsOf(last) + ".";
  std::string text = both + " are not one kernel: the first boundary on the way is " +
                     brief(ledger, *boundaries[0]) + ", " + reasonOf(ledger, *boundaries[0]);
  if (boundaries.size() > 1) {
    text += " Other ways meet ";
    for (size_t i = 1; i < boundaries.size() && i < 4; ++i)
      text += (i > 1 ? "; " : "") + brief(ledger, *boundaries[i]) + ", " + boundaries[i]->code +
              ", " + std::to_string(boundaries[i]->bytes) + " bytes";
    if (boundaries.size() > 4) text += "; and " + std::to_string(boundaries.size() - 4) + " more";
    text += ".";
  }
  return text;
}

std::string explain(const Ledger &ledger, const std::vector<unsigned> &a,
                    const std::vector<unsigned> &b) {
  Ways ways(ledger);
  unsigned from = 0, to = 0;
  if (ways.nearest(a, b, from, to) || ways.nearest(b, a, from, to))
    return explainWay(ledger, ways, from, to);
  if (a == b) return "Both names stand for " + describe(ledger.ops[a[0]]) + ".";
  for (unsigned x : a)
    for (unsigned y : b)
      if (std::vector<std::string> common = commonKernels(ledger.ops[x], ledger.ops[y]);
          !common.empty())
        return describe(ledger.ops[x]) + " and " + describe(ledger.ops[y]) + " are one kernel, " +
               list(common) + ", although no value flows between them.";
  const LedgerOp &first = ledger.ops[std::min(a[0], b[0])];
  const LedgerOp &second = ledger.ops[std::max(a[0], b[0])];
  return describe(first) + " and " + describe(second) +
         " are not one kernel: no value flows from one to the other. They are in " +
         kernelsOf(first) + " and " + kernelsOf(second) + ".";
}

bool related(const Ledger &ledger, const std::vector<unsigned> &a, const std::vector<unsigned> &b) {
  Ways ways(ledger);
  unsigned from = 0, to = 0;
  if (ways.nearest(a, b, from, to) || ways.nearest(b, a, from, to)) return true;
  for (unsigned x : a)
    for (unsigned y : b)
      if (x == y || !commonKernels(ledger.ops[x], ledger.ops[y]).empty()) return true;
  return false;
}

std::string largestBoundaries(const Ledger &ledger, size_t most) {
  std::vector<const LedgerEdge *> refused;
  for (const LedgerEdge &edge : ledger.edges)
    if (!edge.fused) refused.push_back(&edge);
  std::stable_sort(refused.begin(), refused.end(),
                   [](const LedgerEdge *x, const LedgerEdge *y) { return x->bytes > y->bytes; });
  std::string text;
  for (size_t i = 0; i < refused.size() && i < most; ++i)
    text += (i ? "; " : "") + brief(ledger, *refused[i]) + ": " + refused[i]->code + ", " +
            std::to_string(refused[i]->bytes) + " bytes";
  return text;
}

} // namespace sinter::passes::explain
