#include "sinter/passes/fusion/Ledger.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace sinter::passes {

using Json = nlohmann::ordered_json;

size_t Ledger::fused() const {
  return size_t(
      std::count_if(edges.begin(), edges.end(), [](const LedgerEdge &edge) { return edge.fused; }));
}

static Json toJson(const LedgerOp &op, size_t id) {
  Json entry = {{"id", id},        {"value", op.value}, {"op", op.op},
                {"line", op.line}, {"type", op.type},   {"kernels", op.kernels}};
  if (!op.path.empty()) entry["path"] = op.path;
  if (op.gradient) entry["gradient"] = true;
  return entry;
}

// Names and lines of the two ops stand here again, for people and for readers that want no more.
static Json toJson(const LedgerEdge &edge, const Ledger &ledger) {
  const LedgerOp &producer = ledger.ops[edge.from], &consumer = ledger.ops[edge.to];
  Json entry = {{"from", edge.from},
                {"to", edge.to},
                {"result", edge.result},
                {"producer", producer.op},
                {"producer_line", producer.line},
                {"consumer", consumer.op},
                {"consumer_line", consumer.line},
                {"bytes", edge.bytes}};
  if (edge.fused) {
    entry["fused"] = edge.kernels.front();
    if (edge.kernels.size() > 1)
      entry["also"] = std::vector<std::string>(edge.kernels.begin() + 1, edge.kernels.end());
    return entry;
  }
  entry["refused"] = edge.code;
  entry["detail"] = edge.detail;
  if (edge.costApart) entry["cost_apart"] = std::llround(*edge.costApart);
  if (edge.costTogether) entry["cost_together"] = std::llround(*edge.costTogether);
  return entry;
}

std::string toJson(const std::vector<Ledger> &ledgers) {
  Json functions = Json::array();
  for (const Ledger &ledger : ledgers) {
    Json ops = Json::array(), edges = Json::array();
    for (size_t id = 0; id < ledger.ops.size(); ++id) ops.push_back(toJson(ledger.ops[id], id));
    for (const LedgerEdge &edge : ledger.edges) edges.push_back(toJson(edge, ledger));
    functions.push_back({{"function", ledger.function},
                         {"fused", ledger.fused()},
                         {"refused", ledger.refused()},
                         {"ops", std::move(ops)},
                         {"edges", std::move(edges)}});
  }
  return functions.dump(2);
}

namespace {

// Reads fields of one object; a field that is missing or of another type is noted, not thrown.
class Fields {
public:
  Fields(const Json &object, bool &fine) : object(object), fine(fine) {}

  std::string text(const char *name, bool needed = true) {
    const Json *field = find(name, needed);
    if (!field) return {};
    fine &= field->is_string();
    return field->is_string() ? field->get<std::string>() : std::string();
  }
  int64_t number(const char *name) {
    const Json *field = find(name, true);
    if (!field) return 0;
    fine &= field->is_number_integer();
    return field->is_number_integer() ? field->get<int64_t>() : 0;
  }
  std::optional<double> maybe(const char *name) {
    const Json *field = find(name, false);
    if (!field || !field->is_number()) return std::nullopt;
    return field->get<double>();
  }
  std::vector<std::string> texts(const char *name, bool needed) {
    std::vector<std::string> found;
    if (const Json *field = find(name, needed))
      for (const Json &each : *field) {
        fine &= each.is_string();
        if (each.is_string()) found.push_back(each.get<std::string>());
      }
    return found;
  }
  const Json *find(const char *name, bool needed) {
    auto it = object.find(name);
    if (it != object.end()) return &*it;
    fine &= !needed;
    return nullptr;
  }

private:
  const Json &object;
  bool &fine;
};

Ledger ledgerOf(const Json &function, bool &fine) {
  Ledger ledger;
  Fields own(function, fine);
  ledger.function = own.text("function");
  const Json *ops = own.find("ops", true), *edges = own.find("edges", true);
  if (!ops || !edges) return ledger;
  for (const Json &entry : *ops) {
    Fields fields(entry, fine);
    LedgerOp op;
    op.value = fields.text("value");
    op.op = fields.text("op");
    op.line = fields.text("line");
    op.path = fields.text("path", false);
    op.type = fields.text("type");
    op.gradient = entry.contains("gradient");
    op.kernels = fields.texts("kernels", true);
    ledger.ops.push_back(std::move(op));
  }
  for (const Json &entry : *edges) {
    Fields fields(entry, fine);
    LedgerEdge edge;
    int64_t from = fields.number("from"), to = fields.number("to");
    int64_t count = int64_t(ledger.ops.size());
    fine &= from >= 0 && from < count && to >= 0 && to < count;
    edge.from = unsigned(from);
    edge.to = unsigned(to);
    edge.result = unsigned(fields.number("result"));
    edge.bytes = fields.number("bytes");
    edge.fused = entry.contains("fused");
    if (edge.fused) {
      edge.kernels = fields.texts("also", false);
      edge.kernels.insert(edge.kernels.begin(), fields.text("fused"));
    } else {
      edge.code = fields.text("refused");
      edge.detail = fields.text("detail");
      edge.costApart = fields.maybe("cost_apart");
      edge.costTogether = fields.maybe("cost_together");
    }
    ledger.edges.push_back(std::move(edge));
  }
  return ledger;
}

} // namespace

std::optional<std::vector<Ledger>> ledgersFromJson(const std::string &text, std::string &problem) {
  Json functions = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  bool fine = functions.is_array();
  std::vector<Ledger> ledgers;
  if (fine)
    for (const Json &function : functions) {
      fine &= function.is_object();
      if (fine) ledgers.push_back(ledgerOf(function, fine));
    }
  if (fine) return ledgers;
  problem = functions.is_discarded() ? "is not JSON" : "is no fusion ledger of this version";
  return std::nullopt;
}

} // namespace sinter::passes
