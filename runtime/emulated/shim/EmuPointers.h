#pragma once

#include "sinter/EmuAbi.h"

// Checked pointers and shared arrays: what SINTER_GLOBAL and its relatives become.

extern "C" void *memcpy(void *, const void *, unsigned long);
extern "C" void *memset(void *, int, unsigned long);
extern "C" __attribute__((visibility("hidden"))) sinter_emu::Host *sinterEmuHost;

namespace sinter_emu {

template <class T> struct RemoveConstOf { using type = T; };
template <class T> struct RemoveConstOf<const T> { using type = T; };
template <class T> using RemoveConst = typename RemoveConstOf<T>::type;

/// A pointer into a region. Arithmetic is free; an access outside the region or off its alignment
/// ends the launch.
template <class T> struct Ptr {
  unsigned long long address = 0;
  const Region *region = nullptr;

  Ptr() = default;
  Ptr(unsigned long long address, const Region *region) : address(address), region(region) {}
  Ptr(decltype(nullptr)) {}
  operator Ptr<const T>() const { return {address, region}; }
  explicit operator bool() const { return address != 0; }

  void *checked(unsigned bytes, unsigned align, long long i = 0) const {
    unsigned long long at = address + static_cast<unsigned long long>(i) * sizeof(T);
    if (__builtin_expect(!region, 0))
      sinterEmuHost->badAccess(sinterEmuHost, region, static_cast<long long>(at), bytes, align);
    unsigned long long offset = at - reinterpret_cast<unsigned long long>(region->base);
    if (__builtin_expect(
            offset > region->bytes || region->bytes - offset < bytes || (at & (align - 1)), 0))
      sinterEmuHost->badAccess(sinterEmuHost, region, static_cast<long long>(offset), bytes, align);
    return reinterpret_cast<void *>(at);
  }

  T &operator[](long long i) const { return *static_cast<T *>(checked(sizeof(T), alignof(T), i)); }
  T &operator*() const { return (*this)[0]; }
  T *operator->() const { return &(*this)[0]; }
  Ptr operator+(long long i) const {
    return {address + static_cast<unsigned long long>(i) * sizeof(T), region};
  }
  Ptr operator-(long long i) const { return *this + -i; }
  long long operator-(Ptr o) const {
    return static_cast<long long>(address - o.address) / static_cast<long long>(sizeof(T));
  }
  Ptr &operator+=(long long i) { return *this = *this + i; }
  Ptr &operator-=(long long i) { return *this = *this - i; }
  Ptr &operator++() { return *this += 1; }
  Ptr &operator--() { return *this -= 1; }
  bool operator==(Ptr o) const { return address == o.address; }
  bool operator!=(Ptr o) const { return address != o.address; }
  bool operator<(Ptr o) const { return address < o.address; }

  template <class U> Ptr<U> as() const { return {address, region}; }
  /// n elements at once: as on the device, the whole word must be aligned.
  void readWords(long long i, void *to, int n, unsigned align) const {
    memcpy(to, checked(static_cast<unsigned>(n * sizeof(T)), align, i), n * sizeof(T));
  }
  void writeWords(long long i, const void *from, int n, unsigned align) const {
    memcpy(checked(static_cast<unsigned>(n * sizeof(T)), align, i), from, n * sizeof(T));
  }
};

/// A row of a two-dimensional shared array: its own length is checked too, since an index past
/// the row would still lie inside the array.
template <class T, int C> struct Row {
  Ptr<T> start;
  const char *name;
  T &operator[](long long i) const {
    if (__builtin_expect(static_cast<unsigned long long>(i) >= C, 0))
      sinterEmuHost->badIndex(sinterEmuHost, name, i, C);
    return start[i];
  }
  operator Ptr<T>() const { return start; }
  Ptr<T> operator+(long long i) const { return start + i; }
};
template <class T, int R, int C> struct Rows {
  Ptr<T> start;
  const char *name;
  Row<T, C> operator[](long long i) const {
    if (__builtin_expect(static_cast<unsigned long long>(i) >= R, 0))
      sinterEmuHost->badIndex(sinterEmuHost, name, i, R);
    return {start + i * C, name};
  }
};

template <class T>
inline Ptr<T> sharedArray(const void *site, unsigned long long n, const char *name) {
  const Region *region = sinterEmuHost->shared(sinterEmuHost, site, n * sizeof(T), name);
  return {reinterpret_cast<unsigned long long>(region->base), region};
}

template <class T> inline Region partOf(Ptr<T> start, unsigned long long bytes, const char *name) {
  return {static_cast<char *>(start.checked(static_cast<unsigned>(bytes), 16)), bytes, name, -1};
}

/// The first `some` of `bytes` bytes are copied, the others become zeros; all of them by default.
inline void copyAsync(void *to, const void *from, unsigned bytes, unsigned some = ~0u) {
  sinterEmuHost->copyAsync(sinterEmuHost, to, from, bytes,
                           from ? (some < bytes ? some : bytes) : 0);
}
inline void copyAsyncCommit() { sinterEmuHost->copyAsyncCommit(sinterEmuHost); }
inline void copyAsyncWait(int pending) { sinterEmuHost->copyAsyncWait(sinterEmuHost, pending); }

inline void async(const AsyncRequest &request) { sinterEmuHost->async(sinterEmuHost, &request); }
inline void barrier(AsyncRequest request, void *barrier, unsigned count) {
  request.barrier = barrier, request.count = count;
  async(request);
}
inline void bulk(AsyncRequest request, const TensorMap &map, long long c0, long long c1,
                 long long c2) {
  request.map = &map;
  request.at[0] = static_cast<int>(c0), request.at[1] = static_cast<int>(c1);
  request.at[2] = static_cast<int>(c2);
  async(request);
}
inline unsigned sharedAddress(const void *at) {
  return sinterEmuHost->sharedAddress(sinterEmuHost, at);
}

} // namespace sinter_emu

#define SINTER_EMULATION 1
// The site tells arrays apart, one per place in the text and template instance as on the device.
#define SINTER_EMU_SHARED(T, name, N)                                                              \
  static char name##Site;                                                                          \
  const ::sinter_emu::Ptr<T> name = ::sinter_emu::sharedArray<T>(&name##Site, (N), #name)
#define SINTER_EMU_SHARED_2D(T, name, R, C)                                                        \
  static char name##Site;                                                                          \
  const ::sinter_emu::Rows<T, (R), (C)> name {                                                     \
    ::sinter_emu::sharedArray<T>(&name##Site, (R) * (C), #name), #name                             \
  }
// A part of a shared array, as an array with borders of its own.
#define SINTER_EMU_SHARED_PART(T, name, whole, offset, N)                                          \
  const ::sinter_emu::Region name##Region =                                                        \
      ::sinter_emu::partOf((whole) + (offset), (N) * sizeof(T), #name);                            \
  const ::sinter_emu::Ptr<T> name {                                                                \
    reinterpret_cast<unsigned long long>(name##Region.base), &name##Region                         \
  }
#define SINTER_EMU_DYNAMIC_SHARED(T, name)                                                         \
  const ::sinter_emu::Ptr<T> name {                                                                \
    reinterpret_cast<unsigned long long>(sinterEmuHost->dynamicShared.base),                       \
        &sinterEmuHost->dynamicShared                                                              \
  }
