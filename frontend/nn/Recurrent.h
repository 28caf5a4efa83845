#pragma once

#include "sinter/frontend/nn/Layers.h"

/// Recurrent layers, with PyTorch's names and layouts of parameters. Sequences are one scan each, however
/// long they are.
namespace sinter::nn {

struct RecurrentOptions {
  int64_t input_size = 0;
  int64_t hidden_size = 0;
  int64_t num_layers = 1;
  bool bias = true;
  bool batch_first = false;
  double dropout = 0; // of every layer's output but the last's, in training
  bool bidirectional = false;
};
struct RNNOptions : RecurrentOptions {
  std::string nonlinearity = "tanh"; // or "relu"
};

/// What a recurrent layer is given besides its input.
struct RecurrentInputs {
  Tensor h_0 = {};     // [num_layers * directions, N, hidden]; zeros without
  Tensor c_0 = {};     // likewise, of an LSTM
  Tensor lengths = {}; // integers [N]: the state stays and outputs are 0 from there on
};
struct RecurrentOutputs {
  Tensor output; // [L, N, directions * hidden], batch first as the input
  Tensor h_n;    // [num_layers * directions, N, hidden]
  Tensor c_n;    // likewise, of an LSTM
};

/// What RNN, LSTM and GRU share: parameters weight_ih_l0 [gates * hidden, input], weight_hh_l0
/// [gates * hidden, hidden], bias_ih_l0, bias_hh_l0, and with the suffix _reverse those of the other direction.
class Recurrent : public Module {
public:
  /// x [L, N, input]; with batch_first [N, L, input].
  RecurrentOutputs forward(const Tensor &x, RecurrentInputs inputs = {},
                           Where where = Where::current());
  RecurrentOutputs operator()(const Tensor &x, RecurrentInputs inputs = {},
                              Where where = Where::current()) {
    return forward(x, std::move(inputs), where);
  }

protected:
  struct Direction {
    Tensor weight_ih, weight_hh, bias_ih, bias_hh;
  };
  Recurrent(Module *parent, std::string name, const char *kind, int64_t gates, bool hasCell,
            const RecurrentOptions &options, Where where);
  /// What the input contributes at every step, of x [L, N, input]: computed for all steps at once.
  virtual Tensor inputPart(const Tensor &x, const Direction &d, Where where) = 0;
  /// The next state (h, and c where there is a cell) from this one and a step's part of the input.
  virtual std::vector<Tensor> step(const std::vector<Tensor> &state, const Tensor &part,
                                   const Direction &d, Where where) = 0;

private:
  std::vector<Tensor> runDirection(const Tensor &x, const Direction &d, bool reverse,
                                   std::vector<Tensor> state, const Tensor &running, Where where);

  const char *kind;
  bool hasCell;
  RecurrentOptions recurrent;
  std::vector<Direction> directions; // of layer 0, forward and back, then of layer 1, ...
};

/// h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu of it.
class RNN : public Recurrent {
public:
  using Options = RNNOptions;
  RNN(Module *parent, std::string name, Options options, Where where = Where::current());
  const Options options;

protected:
  Tensor inputPart(const Tensor &x, const Direction &d, Where where) override;
  std::vector<Tensor> step(const std::vector<Tensor> &state, const Tensor &part, const Direction &d,
                           Where where) override;
};

/// Gates in the order i, f, g, o: c' = f c + i g, h' = o tanh(c').
class LSTM : public Recurrent {
public:
  using Options = RecurrentOptions;
  LSTM(Module *parent, std::string name, Options options, Where where = Where::current());
  const Options options;

protected:
  Tensor inputPart(const Tensor &x, const Direction &d, Where where) override;
  std::vector<Tensor> step(const std::vector<Tensor> &state, const Tensor &part, const Direction &d,
                           Where where) override;
};

/// Gates in the order r, z, n: n = tanh(W_in x + b_in + r (W_hn h + b_hn)), h' = (1 - z) n + z h.
class GRU : public Recurrent {
public:
  using Options = RecurrentOptions;
  GRU(Module *parent, std::string name, Options options, Where where = Where::current());
  const Options options;

protected:
  Tensor inputPart(const Tensor &x, const Direction &d, Where where) override;
  std::vector<Tensor> step(const std::vector<Tensor> &state, const Tensor &part, const Direction &d,
                           Where where) override;
};

} // namespace sinter::nn
