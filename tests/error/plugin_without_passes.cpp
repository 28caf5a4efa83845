#include "PluginInfo.h"

extern "C" PluginInfo mlirGetPassPluginInfo() { return {1, "none", "1", nullptr}; }
