#include "sinter/frontend/Profile.h"

#include "sinter/frontend/Errors.h"
#include "sinter/runtime/File.h"

#include <fmt/format.h>

#include <algorithm>

namespace sinter {

double Profile::microseconds() const {
  double sum = 0;
  for (const LaunchTime &launch : launches) sum += launch.microseconds;
  return sum;
}

std::vector<Profile::LineTime> Profile::lines() const {
  std::vector<LineTime> times;
  for (const LaunchTime &launch : launches)
    for (const LineShare &part : launch.lines) {
      auto known = std::find_if(times.begin(), times.end(), [&](const LineTime &time) {
        return time.line == part.line && time.module == part.module;
      });
      if (known == times.end()) known = times.insert(times.end(), {part.line, part.module, 0});
      known->microseconds += part.share * launch.microseconds;
    }
  std::stable_sort(times.begin(), times.end(), [](const LineTime &a, const LineTime &b) {
    return a.microseconds > b.microseconds;
  });
  return times;
}

std::string Profile::text() const {
  double whole = microseconds();
  auto percent = [&](double part) { return whole > 0 ? 100 * part / whole : 0; };
  std::string text = fmt::format("{} launches, {:.1f} us, medians of {} runs on {}\n\n",
                                 launches.size(), whole, runs, device);
  text += fmt::format("{:>10} {:>6} {:>9}  {:<36} {}\n", "us", "%", "GFLOP/s", "kernel", "lines");
  for (const LaunchTime &launch : launches) {
    std::string where;
    for (const LineShare &part : launch.lines)
      if (where.find(part.line) == std::string::npos)
        where += (where.empty() ? "" : ", ") + part.line;
    double rate =
        launch.microseconds > 0 ? static_cast<double>(launch.flops) / launch.microseconds / 1e3 : 0;
    text += fmt::format("{:>10.1f} {:>6.1f} {:>9.2f}  {:<36} {}\n", launch.microseconds,
                        percent(launch.microseconds), rate, launch.kernel, where);
  }
  text += fmt::format("\n{:>10} {:>6}  {}\n", "us", "%", "line");
  for (const LineTime &time : lines())
    text +=
        fmt::format("{:>10.1f} {:>6.1f}  {}{}{}\n", time.microseconds, percent(time.microseconds),
                    time.line, time.module.empty() ? "" : "  ", time.module);
  return text;
}

void Profile::write_chrome_trace(const std::string &path) const {
  check(runtime::writeFile(path, chrome_trace));
}

} // namespace sinter
