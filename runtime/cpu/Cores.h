#pragma once

namespace sinter::runtime {

/// How many threads of steady arithmetic this process can run at once: physical cores of its
/// affinity mask (two threads of one core share its arithmetic units), no more than what the
/// container's quota pays for. At least 1.
int usableCores();

} // namespace sinter::runtime
