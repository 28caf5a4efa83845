#include "sinter/runtime/cpu/Cores.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include <sched.h>

namespace sinter::runtime {
namespace {

std::string firstLine(const std::string &path) {
  std::string line;
  std::getline(std::ifstream(path), line);
  return line;
}

int coresOfAffinity() {
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0)
    return static_cast<int>(std::thread::hardware_concurrency()); // more CPUs than a mask holds
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask)) continue;
    std::string number = std::to_string(cpu);
    std::string siblings =
        firstLine("/sys/devices/system/cpu/cpu" + number + "/topology/thread_siblings_list");
    cores.insert(siblings.empty() ? number : siblings);
  }
  return static_cast<int>(cores.size());
}

/// The control group's share of CPU time in CPUs, 0 when it is unlimited or cannot be read.
double quota() {
  double limit = 0, period = 0;
  if (std::ifstream both("/sys/fs/cgroup/cpu.max"); both >> limit >> period) return limit / period;
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> limit;
  std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  return limit > 0 && period > 0 ? limit / period : 0;
}

} // namespace

int usableCores() {
  int cores = coresOfAffinity();
  if (double share = quota(); share > 0)
    cores = std::min(cores, static_cast<int>(std::ceil(share)));
  return std::max(cores, 1);
}

} // namespace sinter::runtime
