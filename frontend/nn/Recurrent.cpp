#include "sinter/frontend/nn/Recurrent.h"

#include <fmt/format.h>

#include <cmath>

namespace sinter::nn {

static Tensor plus(const Tensor &a, const Tensor &b, Where where) {
  return add(Arg(a, where), Arg(b, where));
}
static Tensor times(const Tensor &a, const Tensor &b, Where where) {
  return mul(Arg(a, where), Arg(b, where));
}

Recurrent::Recurrent(Module *parent, std::string name, const char *kind, int64_t gates,
                     bool hasCell, const RecurrentOptions &options, Where where)
    : Module(parent, std::move(name), where), kind(kind), hasCell(hasCell), recurrent(options) {
  auto require = [&](const char *option, int64_t value) {
    if (value < 1) throw UserError(fmt::format("nn::{}: {} is {}", kind, option, value), where);
  };
  require("input_size", options.input_size);
  require("hidden_size", options.hidden_size);
  require("num_layers", options.num_layers);
  int64_t hidden = options.hidden_size, both = options.bidirectional ? 2 : 1;
  double bound = 1 / std::sqrt(static_cast<double>(hidden));
  auto init = init::uniform(-bound, bound);
  for (int64_t layer = 0; layer < options.num_layers; ++layer)
    for (int64_t back = 0; back < both; ++back) {
      std::string suffix = fmt::format("_l{}{}", layer, back ? "_reverse" : "");
      int64_t width = layer == 0 ? options.input_size : both * hidden, rows = gates * hidden;
      Direction d;
      d.weight_ih = parameter("weight_ih" + suffix, {rows, width}, init, f32, where);
      d.weight_hh = parameter("weight_hh" + suffix, {rows, hidden}, init, f32, where);
      if (options.bias) {
        d.bias_ih = parameter("bias_ih" + suffix, {rows}, init, f32, where);
        d.bias_hh = parameter("bias_hh" + suffix, {rows}, init, f32, where);
      }
      directions.push_back(d);
    }
}

/// The outputs of all steps, then the last state.
std::vector<Tensor> Recurrent::runDirection(const Tensor &x, const Direction &d, bool reverse,
                                            std::vector<Tensor> state, const Tensor &running,
                                            Where where) {
  std::vector<Tensor> slices{inputPart(x, d, where)};
  if (running) slices.push_back(running);
  ScanValues made = scan(
      [&](const std::vector<Tensor> &now, const std::vector<Tensor> &slice) {
        std::vector<Tensor> next = step(now, slice[0], d, where);
        Tensor output = next[0];
        if (running) { // a sequence that has ended keeps its state
          Tensor goesOn = broadcast_to(slice[1], next[0].shape(where), where);
          for (size_t i = 0; i < next.size(); ++i)
            next[i] = sinter::where(goesOn, Arg(next[i], where), Arg(now[i], where));
          output = sinter::where(goesOn, Arg(output, where), Arg(0.0, where));
        }
        return ScanValues{next, {output}};
      },
      state, slices, {.reverse = reverse}, where);
  std::vector<Tensor> results{made.outputs[0]};
  results.insert(results.end(), made.state.begin(), made.state.end());
  return results;
}

RecurrentOutputs Recurrent::forward(const Tensor &input, RecurrentInputs inputs, Where where) {
  Scope scope(*this);
  int64_t hidden = recurrent.hidden_size;
  if (input.rank(where) != 3 || input.size(-1, where) != recurrent.input_size)
    throw UserError(fmt::format("{}: input {} is not [{}, {}]", kind, input.spec(where).text(),
                                recurrent.batch_first ? "N, L" : "L, N", recurrent.input_size),
                    where);
  Tensor x = recurrent.batch_first ? transpose(input, 0, 1, where) : input;
  int64_t steps = x.size(0, where), batch = x.size(1, where);
  Shape whole{static_cast<int64_t>(directions.size()), batch, hidden};
  auto first = [&](const Tensor &given, const char *name, size_t number) {
    if (!given) return zeros({batch, hidden}, x.dtype(where), where);
    if (given.shape(where) != whole)
      throw UserError(fmt::format("{}: {} is {}, expected {}", kind, name, text(given.shape(where)),
                                  text(whole)),
                      where);
    return select(given, 0, static_cast<int64_t>(number), where);
  };
  Tensor running;
  if (inputs.lengths) {
    if (inputs.lengths.shape(where) != Shape{batch})
      throw UserError(fmt::format("{}: lengths are {}, expected [{}]", kind,
                                  text(inputs.lengths.shape(where)), batch),
                      where);
    Tensor place =
        broadcast_to(unsqueeze(arange(steps, inputs.lengths.dtype(where), where), 1, where),
                     {steps, batch}, where);
    running = unsqueeze(lt(Arg(place, where), Arg(inputs.lengths, where)), 2, where);
  }
  std::vector<Tensor> lastH, lastC;
  size_t both = recurrent.bidirectional ? 2 : 1;
  for (size_t number = 0; number < directions.size(); number += both) {
    if (number > 0 && recurrent.dropout > 0)
      x = sinter::dropout(x, {.p = recurrent.dropout, .training = training()}, where);
    std::vector<Tensor> outputs;
    for (size_t back = 0; back < both; ++back) {
      std::vector<Tensor> state{first(inputs.h_0, "h_0", number + back)};
      if (hasCell) state.push_back(first(inputs.c_0, "c_0", number + back));
      std::vector<Tensor> made =
          runDirection(x, directions[number + back], back == 1, state, running, where);
      outputs.push_back(made[0]);
      lastH.push_back(made[1]);
      if (hasCell) lastC.push_back(made[2]);
    }
    x = both == 1 ? outputs[0] : cat(outputs, -1, where);
  }
  RecurrentOutputs result;
  result.output = recurrent.batch_first ? transpose(x, 0, 1, where) : x;
  result.h_n = stack(lastH, 0, where);
  if (hasCell) result.c_n = stack(lastC, 0, where);
  return result;
}

RNN::RNN(Module *parent, std::string name, Options given, Where where)
    : Recurrent(parent, std::move(name), "RNN", 1, false, given, where), options(std::move(given)) {
  if (options.nonlinearity != "tanh" && options.nonlinearity != "relu")
    throw UserError(
        fmt::format("nn::RNN: nonlinearity is '{}', expected tanh or relu", options.nonlinearity),
        where);
}

/// Both biases are added for all steps at once where they are added anyway.
static Tensor withBothBiases(const Tensor &x, const Tensor &weight, const Tensor &bias_ih,
                             const Tensor &bias_hh, Where where) {
  Tensor bias = bias_ih ? plus(bias_ih, bias_hh, where) : Tensor();
  return linear(x, weight, bias, where);
}

Tensor RNN::inputPart(const Tensor &x, const Direction &d, Where where) {
  return withBothBiases(x, d.weight_ih, d.bias_ih, d.bias_hh, where);
}
std::vector<Tensor> RNN::step(const std::vector<Tensor> &state, const Tensor &part,
                              const Direction &d, Where where) {
  Tensor sum = plus(part, linear(state[0], d.weight_hh, {}, where), where);
  return {options.nonlinearity == "relu" ? relu(sum, where) : tanh(sum, where)};
}

LSTM::LSTM(Module *parent, std::string name, Options given, Where where)
    : Recurrent(parent, std::move(name), "LSTM", 4, true, given, where), options(given) {}

Tensor LSTM::inputPart(const Tensor &x, const Direction &d, Where where) {
  return withBothBiases(x, d.weight_ih, d.bias_ih, d.bias_hh, where);
}
std::vector<Tensor> LSTM::step(const std::vector<Tensor> &state, const Tensor &part,
                               const Direction &d, Where where) {
  Tensor gates = plus(part, linear(state[0], d.weight_hh, {}, where), where);
  int64_t hidden = options.hidden_size;
  auto gate = [&](int64_t number) { return narrow(gates, -1, number * hidden, hidden, where); };
  Tensor i = sigmoid(gate(0), where), f = sigmoid(gate(1), where);
  Tensor g = tanh(gate(2), where), o = sigmoid(gate(3), where);
  Tensor c = plus(times(f, state[1], where), times(i, g, where), where);
  return {times(o, tanh(c, where), where), c};
}

GRU::GRU(Module *parent, std::string name, Options given, Where where)
    : Recurrent(parent, std::move(name), "GRU", 3, false, given, where), options(given) {}

Tensor GRU::inputPart(const Tensor &x, const Direction &d, Where where) {
  return linear(x, d.weight_ih, d.bias_ih, where);
}
std::vector<Tensor> GRU::step(const std::vector<Tensor> &state, const Tensor &part,
                              const Direction &d, Where where) {
  Tensor own = linear(state[0], d.weight_hh, d.bias_hh, where);
  int64_t hidden = options.hidden_size;
  auto gate = [&](const Tensor &of, int64_t number) {
    return narrow(of, -1, number * hidden, hidden, where);
  };
  Tensor r = sigmoid(plus(gate(part, 0), gate(own, 0), where), where);
  Tensor z = sigmoid(plus(gate(part, 1), gate(own, 1), where), where);
  Tensor n = tanh(plus(gate(part, 2), times(r, gate(own, 2), where), where), where);
  // (1 - z) n + z h
  Tensor moved = times(z, sub(Arg(state[0], where), Arg(n, where)), where);
  return {plus(n, moved, where)};
}

} // namespace sinter::nn
