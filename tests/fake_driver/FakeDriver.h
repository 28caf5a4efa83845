#pragma once

// What tests tell the fake driver and ask of it; found by dlsym in the library they opened.
extern "C" {
/// The call named `name` fails with `code` after `skip` more successes, once.
void fakeFailNext(const char *name, int code, int skip);
/// Forgets failures, counts and allocations.
void fakeReset();
/// How often a call was made since the reset.
int fakeCalls(const char *name);
/// Device allocations, modules, streams and the like that were not given back.
int fakeLive();
/// Properties of the device from the next `cuInit` on.
void fakeSetDevice(int count, int capability, int memoryPools, unsigned long long memoryBytes);
}
