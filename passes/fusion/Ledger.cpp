#include "sinter/passes/fusion/Ledger.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <nlohmann/json.hpp>

using namespace mlir;

namespace sinter::passes {

size_t Ledger::fused() const {
  return size_t(llvm::count_if(edges, [](const LedgerEdge &edge) { return edge.fused; }));
}

std::string sourceLine(Location loc) {
  std::string result;
  loc->walk([&](Location part) {
    if (auto file = dyn_cast<FileLineColLoc>(part)) {
      result = (file.getFilename().getValue() + ":" + Twine(file.getLine())).str();
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  if (result.empty()) {
    llvm::raw_string_ostream os(result);
    loc.print(os);
  }
  return result;
}

Attribute toAttribute(const Ledger &ledger, MLIRContext *context) {
  Builder b(context);
  SmallVector<Attribute> edges;
  for (const LedgerEdge &edge : ledger.edges) {
    SmallVector<NamedAttribute> fields;
    auto add = [&](StringRef name, StringRef value) {
      if (!value.empty()) fields.push_back(b.getNamedAttr(name, b.getStringAttr(value)));
    };
    add("producer", edge.producer);
    add("consumer", edge.consumer);
    add("producer_line", edge.producerLine);
    add("consumer_line", edge.consumerLine);
    fields.push_back(b.getNamedAttr("bytes", b.getI64IntegerAttr(edge.bytes)));
    add("fused", edge.fused ? edge.kernel : "");
    add("refused", edge.fused ? "" : edge.code);
    add("detail", edge.fused ? "" : edge.detail);
    edges.push_back(b.getDictionaryAttr(fields));
  }
  return b.getArrayAttr(edges);
}

static Ledger fromAttribute(StringRef function, ArrayAttr attribute) {
  Ledger ledger;
  ledger.function = function.str();
  for (auto fields : attribute.getAsRange<DictionaryAttr>()) {
    auto text = [&](StringRef name) {
      auto value = fields.getAs<StringAttr>(name);
      return value ? value.getValue().str() : std::string();
    };
    LedgerEdge edge;
    edge.producer = text("producer");
    edge.consumer = text("consumer");
    edge.producerLine = text("producer_line");
    edge.consumerLine = text("consumer_line");
    if (auto bytes = fields.getAs<IntegerAttr>("bytes")) edge.bytes = bytes.getInt();
    edge.kernel = text("fused");
    edge.fused = !edge.kernel.empty();
    edge.code = text("refused");
    edge.detail = text("detail");
    ledger.edges.push_back(std::move(edge));
  }
  return ledger;
}

std::vector<Ledger> ledgersOf(ModuleOp module) {
  std::vector<Ledger> ledgers;
  for (auto func : module.getOps<func::FuncOp>())
    if (auto attribute = func->getAttrOfType<ArrayAttr>(ledgerAttr))
      ledgers.push_back(fromAttribute(func.getName(), attribute));
  return ledgers;
}

std::vector<Ledger> takeLedgers(ModuleOp module) {
  std::vector<Ledger> ledgers = ledgersOf(module);
  for (auto func : module.getOps<func::FuncOp>()) func->removeAttr(ledgerAttr);
  return ledgers;
}

std::string toJson(const std::vector<Ledger> &ledgers) {
  nlohmann::ordered_json functions = nlohmann::ordered_json::array();
  for (const Ledger &ledger : ledgers) {
    nlohmann::ordered_json edges = nlohmann::ordered_json::array();
    for (const LedgerEdge &edge : ledger.edges) {
      nlohmann::ordered_json entry = {{"producer", edge.producer},
                                      {"producer_line", edge.producerLine},
                                      {"consumer", edge.consumer},
                                      {"consumer_line", edge.consumerLine},
                                      {"bytes", edge.bytes}};
      if (edge.fused) {
        entry["fused"] = edge.kernel;
      } else {
        entry["refused"] = edge.code;
        entry["detail"] = edge.detail;
      }
      edges.push_back(std::move(entry));
    }
    functions.push_back({{"function", ledger.function},
                         {"fused", ledger.fused()},
                         {"refused", ledger.refused()},
                         {"edges", std::move(edges)}});
  }
  return functions.dump(2);
}

} // namespace sinter::passes
