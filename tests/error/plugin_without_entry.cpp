// A shared library that has nothing to do with passes.
extern "C" int something() { return 1; }
