#include "sinter/passes/fusion/LedgerRemarks.h"

#include "sinter/passes/fusion/Explain.h"

#include "llvm/Remarks/Remark.h"
#include "llvm/Remarks/RemarkSerializer.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm::remarks;

namespace sinter::passes {

// "folder/model.cpp:14"; nothing for a location that is no line.
static std::optional<RemarkLocation> locationOf(llvm::StringRef line) {
  auto [file, number] = line.rsplit(':');
  unsigned at = 0;
  if (file.empty() || number.getAsInteger(10, at)) return std::nullopt;
  return RemarkLocation{file, at, 1};
}

static Argument argument(llvm::StringRef key, llvm::StringRef value) {
  Argument result;
  result.Key = key;
  result.Val = value;
  return result;
}

std::string toRemarks(const std::vector<Ledger> &ledgers) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  auto serializer = llvm::cantFail(createRemarkSerializer(Format::YAML, stream));
  for (const Ledger &ledger : ledgers)
    for (const LedgerEdge &edge : ledger.edges) {
      const LedgerOp &producer = ledger.ops[edge.from], &consumer = ledger.ops[edge.to];
      std::string sentence = explain::sentence(ledger, edge), bytes = std::to_string(edge.bytes);
      Remark remark;
      remark.RemarkType = edge.fused ? Type::Passed : Type::Missed;
      remark.PassName = "sinter-fusion";
      remark.RemarkName = edge.fused ? "fused" : llvm::StringRef(edge.code);
      remark.FunctionName = ledger.function;
      remark.Loc = locationOf(consumer.line);
      remark.Args.push_back(argument("Remark", sentence));
      remark.Args.push_back(argument("Producer", producer.op));
      remark.Args.push_back(argument("ProducerLine", producer.line));
      remark.Args.push_back(argument("Consumer", consumer.op));
      remark.Args.push_back(argument("ConsumerLine", consumer.line));
      remark.Args.push_back(argument("Bytes", bytes));
      if (edge.fused) remark.Args.push_back(argument("Kernel", edge.kernels.front()));
      serializer->emit(remark);
    }
  return text;
}

} // namespace sinter::passes
