#include "sinter/runtime/Profiler.h"
#include "sinter/runtime/File.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>

namespace sinter::runtime {

double Profiler::now() const {
  return std::chrono::duration<double, std::micro>(Clock::now() - origin).count();
}

std::string Profiler::chromeTrace() const {
  // Two rows: what ran, and below it the user's lines that it came from.
  nlohmann::json events = nlohmann::json::array();
  auto call = [&](const char *what, int thread, const char *name) {
    events.push_back(
        {{"name", what}, {"ph", "M"}, {"pid", 1}, {"tid", thread}, {"args", {{"name", name}}}});
  };
  call("process_name", 1, "sinter");
  call("thread_name", 1, "kernels");
  call("thread_name", 2, "lines");
  auto add = [&](int thread, const char *kind, const std::string &name, const Event &event) {
    events.push_back({{"name", name},
                      {"cat", kind},
                      {"ph", "X"},
                      {"pid", 1},
                      {"tid", thread},
                      {"ts", event.startMicroseconds},
                      {"dur", event.microseconds},
                      {"args", {{"kernel", event.name}, {"source", event.source}}}});
  };
  for (const Event &event : all) {
    add(1, "kernel", event.label.empty() ? event.name : event.label, event);
    if (!event.source.empty()) add(2, "line", event.source, event);
  }
  nlohmann::json trace = {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
  return trace.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Status Profiler::writeChromeTrace(const std::string &path) const {
  return writeFile(path, chromeTrace());
}

std::string Profiler::summary() const {
  struct Total {
    double microseconds = 0;
    int64_t count = 0;
  };
  std::map<std::string, Total> totals;
  double sum = 0;
  for (const Event &event : all) {
    Total &total = totals[event.label.empty() ? event.name : event.label];
    total.microseconds += event.microseconds;
    ++total.count;
    sum += event.microseconds;
  }
  std::vector<std::pair<std::string, Total>> rows(totals.begin(), totals.end());
  std::stable_sort(rows.begin(), rows.end(), [](const auto &a, const auto &b) {
    return a.second.microseconds > b.second.microseconds;
  });
  std::string text = fmt::format("{:>12} {:>7} {:>8}  {}\n", "us", "%", "count", "what");
  for (const auto &[label, total] : rows)
    text += fmt::format("{:>12.1f} {:>7.1f} {:>8}  {}\n", total.microseconds,
                        sum > 0 ? 100 * total.microseconds / sum : 0, total.count, label);
  return text;
}

} // namespace sinter::runtime
