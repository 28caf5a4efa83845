#pragma once

/// Sinter: models in C++, compiled to native code and to CUDA. This is the whole public interface.

#include "sinter/frontend/Array.h"
#include "sinter/frontend/Callbacks.h"
#include "sinter/frontend/Checkpoint.h"
#include "sinter/frontend/Compile.h"
#include "sinter/frontend/Device.h"
#include "sinter/frontend/Errors.h"
#include "sinter/frontend/Loss.h"
#include "sinter/frontend/Metrics.h"
#include "sinter/frontend/Ops.h"
#include "sinter/frontend/Optim.h"
#include "sinter/frontend/Precision.h"
#include "sinter/frontend/TensorBoard.h"
#include "sinter/frontend/Trainer.h"
#include "sinter/frontend/data/Augment.h"
#include "sinter/frontend/data/Files.h"
#include "sinter/frontend/data/Loader.h"
#include "sinter/frontend/data/text/Conll.h"
#include "sinter/frontend/data/text/WordPiece.h"
#include "sinter/frontend/keras/Model.h"
#include "sinter/frontend/nn/Attention.h"
#include "sinter/frontend/nn/Layers.h"
#include "sinter/frontend/nn/Lora.h"
#include "sinter/frontend/nn/Recurrent.h"
#include "sinter/frontend/nn/Sequential.h"

#include <fmt/core.h>
