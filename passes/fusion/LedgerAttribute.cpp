#include "sinter/passes/fusion/LedgerAttribute.h"

using namespace mlir;

namespace sinter::passes {

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

std::string shortLine(Location loc) {
  std::string line = sourceLine(loc);
  return line.substr(line.rfind('/') + 1);
}

namespace {

class Writer {
public:
  explicit Writer(MLIRContext *context) : b(context) {}

  void text(StringRef name, StringRef value) {
    if (!value.empty()) fields.push_back(b.getNamedAttr(name, b.getStringAttr(value)));
  }
  void number(StringRef name, int64_t value) {
    fields.push_back(b.getNamedAttr(name, b.getI64IntegerAttr(value)));
  }
  void number(StringRef name, std::optional<double> value) {
    if (value) fields.push_back(b.getNamedAttr(name, b.getF64FloatAttr(*value)));
  }
  void texts(StringRef name, ArrayRef<std::string> values) {
    if (values.empty()) return;
    SmallVector<StringRef> refs(values.begin(), values.end());
    fields.push_back(b.getNamedAttr(name, b.getStrArrayAttr(refs)));
  }
  void flag(StringRef name, bool value) {
    if (value) fields.push_back(b.getNamedAttr(name, b.getUnitAttr()));
  }
  Attribute take() { return b.getDictionaryAttr(std::exchange(fields, {})); }

private:
  Builder b;
  SmallVector<NamedAttribute> fields;
};

class Reader {
public:
  explicit Reader(DictionaryAttr fields) : fields(fields) {}

  std::string text(StringRef name) const {
    auto value = fields.getAs<StringAttr>(name);
    return value ? value.getValue().str() : std::string();
  }
  int64_t number(StringRef name) const {
    auto value = fields.getAs<IntegerAttr>(name);
    return value ? value.getInt() : 0;
  }
  std::optional<double> maybe(StringRef name) const {
    auto value = fields.getAs<FloatAttr>(name);
    return value ? std::optional(value.getValueAsDouble()) : std::nullopt;
  }
  std::vector<std::string> texts(StringRef name) const {
    std::vector<std::string> found;
    if (auto values = fields.getAs<ArrayAttr>(name))
      for (auto value : values.getAsRange<StringAttr>()) found.push_back(value.getValue().str());
    return found;
  }
  bool has(StringRef name) const { return fields.contains(name); }

private:
  DictionaryAttr fields;
};

} // namespace

Attribute toAttribute(const Ledger &ledger, MLIRContext *context) {
  Builder b(context);
  Writer w(context);
  SmallVector<Attribute> ops, edges;
  for (const LedgerOp &op : ledger.ops) {
    w.text("value", op.value);
    w.text("op", op.op);
    w.text("line", op.line);
    w.text("path", op.path);
    w.flag("gradient", op.gradient);
    w.text("type", op.type);
    w.texts("kernels", op.kernels);
    ops.push_back(w.take());
  }
  for (const LedgerEdge &edge : ledger.edges) {
    const LedgerOp &producer = ledger.ops[edge.from], &consumer = ledger.ops[edge.to];
    w.number("from", edge.from);
    w.number("to", edge.to);
    w.number("result", edge.result);
    w.text("producer", producer.op);
    w.text("consumer", consumer.op);
    w.text("producer_line", producer.line);
    w.text("consumer_line", consumer.line);
    w.number("bytes", edge.bytes);
    if (edge.fused) {
      w.text("fused", edge.kernels.front());
      w.texts("also", ArrayRef(edge.kernels).drop_front());
    } else {
      w.text("refused", edge.code);
      w.text("detail", edge.detail);
      w.number("cost_apart", edge.costApart);
      w.number("cost_together", edge.costTogether);
    }
    edges.push_back(w.take());
  }
  return b.getDictionaryAttr(
      {b.getNamedAttr("edges", b.getArrayAttr(edges)), b.getNamedAttr("ops", b.getArrayAttr(ops))});
}

static Ledger fromAttribute(StringRef function, DictionaryAttr attribute) {
  Ledger ledger;
  ledger.function = function.str();
  if (auto ops = attribute.getAs<ArrayAttr>("ops"))
    for (auto fields : ops.getAsRange<DictionaryAttr>()) {
      Reader r(fields);
      ledger.ops.push_back({r.text("value"), r.text("op"), r.text("line"), r.text("path"),
                            r.has("gradient"), r.text("type"), r.texts("kernels")});
    }
  if (auto edges = attribute.getAs<ArrayAttr>("edges"))
    for (auto fields : edges.getAsRange<DictionaryAttr>()) {
      Reader r(fields);
      LedgerEdge edge;
      edge.from = unsigned(r.number("from"));
      edge.to = unsigned(r.number("to"));
      edge.result = unsigned(r.number("result"));
      edge.bytes = r.number("bytes");
      edge.fused = r.has("fused");
      if (edge.fused) {
        edge.kernels = r.texts("also");
        edge.kernels.insert(edge.kernels.begin(), r.text("fused"));
      }
      edge.code = r.text("refused");
      edge.detail = r.text("detail");
      edge.costApart = r.maybe("cost_apart");
      edge.costTogether = r.maybe("cost_together");
      ledger.edges.push_back(std::move(edge));
    }
  return ledger;
}

Ledger ledgerOf(func::FuncOp func) {
  return fromAttribute(func.getName(), func->getAttrOfType<DictionaryAttr>(ledgerAttr));
}

std::vector<Ledger> ledgersOf(ModuleOp module) {
  std::vector<Ledger> ledgers;
  for (auto func : module.getOps<func::FuncOp>())
    if (func->getAttrOfType<DictionaryAttr>(ledgerAttr)) ledgers.push_back(ledgerOf(func));
  return ledgers;
}

std::vector<Ledger> takeLedgers(ModuleOp module) {
  std::vector<Ledger> ledgers = ledgersOf(module);
  for (auto func : module.getOps<func::FuncOp>()) func->removeAttr(ledgerAttr);
  return ledgers;
}

} // namespace sinter::passes
