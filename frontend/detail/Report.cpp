#include "sinter/frontend/detail/Report.h"

#include "sinter/frontend/detail/Origin.h"
#include "sinter/frontend/detail/ReportPage.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

using namespace mlir;

namespace sinter::detail {

// The page stays under two megabytes: longer texts are linked, they lie beside it.
static constexpr size_t longestText = 96 * 1024;
static constexpr size_t mostText = 900 * 1024;
static constexpr int linesAround = 4;

Report::Report(const std::string &label, const std::string &device, const std::string &precision) {
  all = {{"label", label},
         {"device", device},
         {"precision", precision},
         {"functions", Json::array()},
         {"kernels", Json::object()}};
}

Report::Json &Report::functionOf(llvm::StringRef name) {
  for (Json &function : all["functions"])
    if (function["name"] == name.str()) return function;
  all["functions"].push_back({{"name", name.str()}});
  return all["functions"].back();
}

int64_t Report::fileIndex(const std::string &file, int line) {
  lines[file].insert(line);
  return files.try_emplace(file, static_cast<int64_t>(files.size())).first->second;
}

/// [[file, line, path, phase], ...]
Report::Json Report::at(Location location) {
  Json list = Json::array();
  for (const Origin &origin : originsOf(location)) {
    int64_t file = origin.file.empty() ? -1 : fileIndex(origin.file, origin.line);
    list.push_back({file, origin.line, origin.path, origin.phase});
  }
  return list;
}

void Report::stage(llvm::StringRef name, ModuleOp module) {
  if (name == "fusion") fusionSeen = true;
  if (!fusionSeen)
    for (auto function : module.getOps<func::FuncOp>()) {
      Json graph = graphOf(function);
      if (name == "traced") functionOf(function.getName())["traced"] = graph;
      functionOf(function.getName())["before"] = std::move(graph);
    }
  if (name != "memory") return;
  for (auto kernel : module.getOps<ir::KernelOp>())
    all["kernels"][kernel.getSymName().str()] = kernelOf(kernel);
  for (auto function : module.getOps<func::FuncOp>())
    functionOf(function.getName())["after"] = launchGraphOf(function);
}

void Report::text(const std::string &name, const std::string &text) {
  if (name == "ledger.json") return ledgers(text);
  size_t dot = name.rfind('.');
  if (dot == std::string::npos) return;
  auto kernel = all["kernels"].find(name.substr(0, dot));
  if (kernel == all["kernels"].end()) return;
  (*kernel)["texts"].push_back({{"file", name}, {"bytes", text.size()}, {"text", text}});
}

void Report::ledgers(const std::string &json) {
  Json ledgers = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!ledgers.is_array()) return;
  for (Json &ledger : ledgers)
    functionOf(ledger["function"].get<std::string>())["ledger"] = std::move(ledger["edges"]);
}

static nlohmann::ordered_json placeOf(const runtime::Program &program, const runtime::Entry &entry,
                                      const runtime::PointerParam &param) {
  static constexpr const char *spaces[] = {"arena", "state", "input", "output", "constant"};
  const runtime::Location &at = param.location;
  std::string name;
  if (at.space == runtime::Space::state) name = program.state[at.index].name;
  if (at.space == runtime::Space::input) name = entry.inputs[at.index].name;
  if (at.space == runtime::Space::output) name = entry.outputs[at.index].name;
  if (at.space == runtime::Space::constant) name = std::to_string(at.index);
  return {{"space", spaces[static_cast<size_t>(at.space)]},
          {"name", name},
          {"offset", at.offset},
          {"bytes", at.bytes},
          {"written", param.written}};
}

void Report::program(const runtime::Program &program) {
  int64_t state = 0, parameters = 0;
  for (const runtime::StateVariable &variable : program.state) {
    state += variable.type.numBytes();
    if (variable.role == runtime::StateRole::parameter) parameters += variable.type.numElements();
  }
  all["stateBytes"] = state;
  all["parameters"] = parameters;
  for (const runtime::Entry &entry : program.entries) {
    Json launches = Json::array();
    for (size_t i = 0; i < entry.body.size(); ++i) {
      const runtime::Instruction &instruction = entry.body[i];
      Json launch;
      if (const auto *run = std::get_if<runtime::Launch>(&instruction.op)) {
        Json params = Json::array();
        for (const runtime::KernelParam &param : run->params)
          if (const auto *pointer = std::get_if<runtime::PointerParam>(&param))
            params.push_back(placeOf(program, entry, *pointer));
        launch = {{"kernel", run->label},
                  {"source", run->source},
                  {"symbol", program.kernels[run->kernel].name},
                  {"range", run->shape.range},
                  {"grain", run->shape.grain},
                  {"grid", run->shape.grid},
                  {"block", run->shape.block},
                  {"params", std::move(params)}};
      } else if (const auto *copy = std::get_if<runtime::Copy>(&instruction.op)) {
        launch = {{"kernel", "copy"},
                  {"source", copy->source},
                  {"params", Json::array({placeOf(program, entry, {copy->from, false}),
                                          placeOf(program, entry, {copy->to, true})})}};
      } else if (const auto *fill = std::get_if<runtime::Fill>(&instruction.op)) {
        launch = {{"kernel", "fill"},
                  {"source", fill->source},
                  {"params", Json::array({placeOf(program, entry, {fill->to, true})})}};
      } else {
        launch = {{"kernel", "loop"}, {"source", ""}, {"params", Json::array()}};
      }
      launches.push_back(std::move(launch));
    }
    Json &function = functionOf(entry.name);
    function["launches"] = std::move(launches);
    function["arenaBytes"] = entry.arenaBytes;
    function["boundBytes"] = entry.lowerBoundBytes;
  }
}

void Report::measured(const std::string &entry, const std::vector<runtime::Profiler::Event> &events,
                      int64_t runs) {
  Json &launches = functionOf(entry)["launches"];
  if (launches.empty() || runs < 1 || events.size() != launches.size() * size_t(runs)) return;
  for (size_t i = 0; i < launches.size(); ++i) {
    std::vector<double> times;
    for (size_t run = 0; run < size_t(runs); ++run)
      times.push_back(events[run * launches.size() + i].microseconds);
    std::sort(times.begin(), times.end());
    launches[i]["microseconds"] = times[times.size() / 2];
  }
  functionOf(entry)["measuredRuns"] = runs;
}

/// The user's lines around what kernels came from, where the files can still be read.
void Report::addSources(Json &data) const {
  data["files"] = Json::array();
  std::vector<std::string> inOrder(files.size());
  for (const auto &[file, index] : files) inOrder[static_cast<size_t>(index)] = file;
  for (const std::string &file : inOrder) {
    std::set<int> wanted;
    for (int line : lines.at(file))
      for (int i = line - linesAround; i <= line + linesAround; ++i) wanted.insert(i);
    Json text = Json::object();
    std::ifstream stream(file);
    std::string line;
    for (int number = 1; std::getline(stream, line); ++number)
      if (wanted.count(number)) text[std::to_string(number)] = line;
    data["files"].push_back({{"name", baseName(file)}, {"lines", std::move(text)}});
  }
}

/// Leaves out texts that would make the page too long: LLVM's before those that people read.
static void dropLongTexts(nlohmann::ordered_json &kernels) {
  size_t total = 0;
  for (bool llvm : {false, true})
    for (auto &[name, kernel] : kernels.items())
      for (auto &text : kernel["texts"]) {
        if (text["file"].get<std::string>().ends_with(".ll") != llvm) continue;
        size_t bytes = text["bytes"].get<size_t>();
        if (bytes <= longestText && total + bytes <= mostText)
          total += bytes;
        else
          text.erase("text");
      }
  // Kernels are compiled side by side: their texts come in any order.
  for (auto &[name, kernel] : kernels.items())
    std::sort(kernel["texts"].begin(), kernel["texts"].end(), [](const auto &a, const auto &b) {
      return (a["file"].template get<std::string>().ends_with(".ll") ? 1 : 0) <
             (b["file"].template get<std::string>().ends_with(".ll") ? 1 : 0);
    });
}

static void replaceOnce(std::string &text, std::string_view mark, std::string_view with) {
  if (size_t at = text.find(mark); at != std::string::npos) text.replace(at, mark.size(), with);
}

std::string Report::page() const {
  Json data = all;
  dropLongTexts(data["kernels"]);
  addSources(data);
  std::string json = data.dump(-1, ' ', false, Json::error_handler_t::replace), safe;
  // Inside of a script element no "<" of a string may be taken for a tag.
  for (char c : json) c == '<' ? safe += "\\u003c" : safe += c;
  std::string script;
  for (const char *part :
       {"data.js", "layout.js", "graph.js", "kernel.js", "memory.js", "ledger.js", "report.js"})
    script += reportPart(part);
  std::string page(reportPart("report.html"));
  replaceOnce(page, "/*STYLE*/", reportPart("report.css"));
  replaceOnce(page, "/*SCRIPT*/", script);
  replaceOnce(page, "%TITLE%", fmt::format("{} · Sinter", all["label"].get<std::string>()));
  replaceOnce(page, "%DATA%", safe);
  return page;
}

} // namespace sinter::detail
