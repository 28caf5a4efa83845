#include "PluginInfo.h"

extern "C" PluginInfo mlirGetPassPluginInfo() {
  return {99, "another", "1", [] {}};
}
