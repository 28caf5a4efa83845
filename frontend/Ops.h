#pragma once

#include "sinter/frontend/Array.h"
#include "sinter/frontend/Tensor.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

/// Ops, with PyTorch's names, arguments, defaults and semantics. Operands are broadcast and promoted
/// as PyTorch does; shapes and types are checked at the call, and a UserError names the op.
/// `Where` is filled in by the compiler: it is the line that errors, IR and profiles show.
namespace sinter {

// Elementwise, of two operands.
Tensor add(const Arg &a, const Arg &b);
Tensor sub(const Arg &a, const Arg &b);
Tensor mul(const Arg &a, const Arg &b);
Tensor div(const Arg &a, const Arg &b);          // true division
Tensor floor_divide(const Arg &a, const Arg &b); // Python's //
Tensor remainder(const Arg &a, const Arg &b);    // Python's %
Tensor pow(const Arg &base, const Arg &exponent);
Tensor maximum(const Arg &a, const Arg &b); // NaN if either is
Tensor minimum(const Arg &a, const Arg &b);
Tensor eq(const Arg &a, const Arg &b);
Tensor ne(const Arg &a, const Arg &b);
Tensor lt(const Arg &a, const Arg &b);
Tensor le(const Arg &a, const Arg &b);
Tensor gt(const Arg &a, const Arg &b);
Tensor ge(const Arg &a, const Arg &b);
Tensor logical_and(const Arg &a, const Arg &b);
Tensor logical_or(const Arg &a, const Arg &b);
/// condition ? a : b.
Tensor where(const Tensor &condition, const Arg &a, const Arg &b);

// Elementwise, of one. Functions of real numbers take integers as f32.
Tensor neg(const Tensor &x, Where where = Where::current());
Tensor abs(const Tensor &x, Where where = Where::current());
Tensor sign(const Tensor &x, Where where = Where::current());
Tensor floor(const Tensor &x, Where where = Where::current());
Tensor ceil(const Tensor &x, Where where = Where::current());
Tensor exp(const Tensor &x, Where where = Where::current());
Tensor log(const Tensor &x, Where where = Where::current());
Tensor log1p(const Tensor &x, Where where = Where::current());
Tensor sqrt(const Tensor &x, Where where = Where::current());
Tensor rsqrt(const Tensor &x, Where where = Where::current());
Tensor reciprocal(const Tensor &x, Where where = Where::current());
Tensor square(const Tensor &x, Where where = Where::current());
Tensor sin(const Tensor &x, Where where = Where::current());
Tensor cos(const Tensor &x, Where where = Where::current());
Tensor tanh(const Tensor &x, Where where = Where::current());
Tensor sigmoid(const Tensor &x, Where where = Where::current());
Tensor erf(const Tensor &x, Where where = Where::current());
Tensor relu(const Tensor &x, Where where = Where::current());
Tensor silu(const Tensor &x, Where where = Where::current());
struct GeluOptions {
  std::string approximate = "none"; // or "tanh"
};
Tensor gelu(const Tensor &x, GeluOptions options = {}, Where where = Where::current());
struct LeakyReluOptions {
  double negative_slope = 0.01;
};
Tensor leaky_relu(const Tensor &x, LeakyReluOptions options = {}, Where where = Where::current());
struct EluOptions {
  double alpha = 1;
};
Tensor elu(const Tensor &x, EluOptions options = {}, Where where = Where::current());
struct SoftplusOptions {
  double beta = 1;
  double threshold = 20; // x itself where beta * x is above
};
Tensor softplus(const Tensor &x, SoftplusOptions options = {}, Where where = Where::current());
/// silu(gate) * x.
Tensor swiglu(const Tensor &gate, const Tensor &x, Where where = Where::current());
Tensor clamp(const Tensor &x, std::optional<double> min, std::optional<double> max,
             Where where = Where::current());
Tensor logical_not(const Tensor &x, Where where = Where::current());
Tensor isfinite(const Tensor &x, Where where = Where::current());
/// Converts elements: float to integer truncates and saturates, NaN becomes 0.
Tensor to(const Tensor &x, DType dtype, Where where = Where::current());
/// The same value, through which no gradient flows.
Tensor detach(const Tensor &x, Where where = Where::current());

// What fusion makes of the graph. The device `reference` fuses nothing and checks nothing of this.
/// The same value; what makes it and what reads it from here are different kernels. Gradients pass.
Tensor fusion_barrier(const Tensor &x, Where where = Where::current());
/// Compiling fails, with a CompileError at this line, unless one kernel computes all of these values, in
/// every function that is made of the code here (a training step, an evaluation). Changes no fusion.
void expect_fused(const std::vector<Tensor> &values, Where where = Where::current());
struct ExpectKernelsOptions {
  int64_t max = 0;
};
/// Compiling fails, with a CompileError at this line, when a function that is made of the code here
/// becomes more than `max` kernels, copies included: what Executable::kernels() counts.
void expect_kernels(ExpectKernelsOptions options, Where where = Where::current());

// Reductions. Integers and booleans are summed as i64.
Tensor sum(const Tensor &x, Dims dim = {}, bool keepdim = false, Where where = Where::current());
Tensor mean(const Tensor &x, Dims dim = {}, bool keepdim = false, Where where = Where::current());
Tensor amax(const Tensor &x, Dims dim = {}, bool keepdim = false, Where where = Where::current());
Tensor amin(const Tensor &x, Dims dim = {}, bool keepdim = false, Where where = Where::current());
/// The first index of the largest element; of the flattened tensor without `dim`.
Tensor argmax(const Tensor &x, std::optional<int64_t> dim = {}, bool keepdim = false,
              Where where = Where::current());
/// Sums of the elements up to each along `dim`.
Tensor cumsum(const Tensor &x, int64_t dim, Where where = Where::current());
/// Elements along a dimension, and where they come from.
struct Sorted {
  Tensor values, indices;
};
/// Indices that sort x along `dim`. Equal elements keep their order; NaN counts as the largest.
Tensor argsort(const Tensor &x, int64_t dim = -1, bool descending = false,
               Where where = Where::current());
/// x sorted along `dim`, and the indices (i64) that do it. The gradient goes to where each element comes from.
Sorted sort(const Tensor &x, int64_t dim = -1, bool descending = false,
            Where where = Where::current());
/// The k largest (or smallest) elements along `dim` in order, and their indices (i64); of equal ones the first.
Sorted topk(const Tensor &x, int64_t k, int64_t dim = -1, bool largest = true,
            Where where = Where::current());
Tensor softmax(const Tensor &x, int64_t dim, Where where = Where::current());
Tensor log_softmax(const Tensor &x, int64_t dim, Where where = Where::current());

// Shapes.
/// The same elements; one size may be -1.
Tensor reshape(const Tensor &x, Shape shape, Where where = Where::current());
Tensor flatten(const Tensor &x, int64_t start_dim = 0, int64_t end_dim = -1,
               Where where = Where::current());
Tensor squeeze(const Tensor &x, Dims dim = {}, Where where = Where::current());
Tensor unsqueeze(const Tensor &x, int64_t dim, Where where = Where::current());
Tensor permute(const Tensor &x, Dims dims, Where where = Where::current());
Tensor transpose(const Tensor &x, int64_t dim0, int64_t dim1, Where where = Where::current());
Tensor t(const Tensor &x, Where where = Where::current());
/// Stretches dimensions of size 1; -1 keeps a size.
Tensor broadcast_to(const Tensor &x, Shape shape, Where where = Where::current());
Tensor cat(const std::vector<Tensor> &tensors, int64_t dim = 0, Where where = Where::current());
Tensor stack(const std::vector<Tensor> &tensors, int64_t dim = 0, Where where = Where::current());
/// `amounts`: before and after, last dimension first, as torch.nn.functional.pad.
Tensor pad(const Tensor &x, std::vector<int64_t> amounts, double value = 0,
           Where where = Where::current());
/// x[start:end:step] along `dim`; negative places count from the end, an absent end is the end.
Tensor slice(const Tensor &x, int64_t dim, int64_t start, std::optional<int64_t> end = {},
             int64_t step = 1, Where where = Where::current());
Tensor narrow(const Tensor &x, int64_t dim, int64_t start, int64_t length,
              Where where = Where::current());
/// x[index] along `dim`, which goes.
Tensor select(const Tensor &x, int64_t dim, int64_t index, Where where = Where::current());

/// `size` elements of x from a place that is data, a scalar of integers for each dimension. A start is
/// moved to the nearest one that leaves the slice inside x.
Tensor dynamic_slice(const Tensor &x, const std::vector<Tensor> &start, Shape size,
                     Where where = Where::current());
/// x with `update` in place of the slice of its shape at `start`.
Tensor dynamic_update_slice(const Tensor &x, const Tensor &update, const std::vector<Tensor> &start,
                            Where where = Where::current());

// Products.
/// Vectors, matrices or batches of them; batch dimensions are broadcast.
Tensor matmul(const Tensor &a, const Tensor &b, Where where = Where::current());
/// x [..., in] * weight [out, in]^T + bias [out], if any.
Tensor linear(const Tensor &x, const Tensor &weight, const Tensor &bias = {},
              Where where = Where::current());
/// Products summed over what the equation's right side does not name: "bij,bjk->bik". Without a right side
/// the letters that occur once, in alphabetical order. No ellipsis.
Tensor einsum(const std::string &equation, const std::vector<Tensor> &operands,
              Where where = Where::current());
struct Conv2dOptions {
  Size2 stride = 1;
  Size2 padding = 0;
  Size2 dilation = 1;
  int64_t groups = 1;
};
/// x [N, C, H, W], weight [O, C/groups, R, S], bias [O].
Tensor conv2d(const Tensor &x, const Tensor &weight, Conv2dOptions options = {},
              Where where = Where::current());
Tensor conv2d(const Tensor &x, const Tensor &weight, const Tensor &bias, Conv2dOptions options = {},
              Where where = Where::current());

struct Conv1dOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
};
/// x [N, C, L], weight [O, C/groups, K], bias [O] if any.
Tensor conv1d(const Tensor &x, const Tensor &weight, const Tensor &bias = {},
              Conv1dOptions options = {}, Where where = Where::current());
struct ConvTranspose2dOptions {
  Size2 stride = 1;
  Size2 padding = 0;
  Size2 output_padding = 0; // less than the stride
  int64_t groups = 1;
  Size2 dilation = 1;
};
/// x [N, C, H, W], weight [C, O/groups, R, S], bias [O] if any.
Tensor conv_transpose2d(const Tensor &x, const Tensor &weight, const Tensor &bias = {},
                        ConvTranspose2dOptions options = {}, Where where = Where::current());
struct AttentionOptions {
  Tensor attn_mask = {};  // broadcast to [..., L, S]: booleans (true takes part) or added numbers
  double dropout_p = 0;   // of the weights; nothing knows here whether one trains
  bool is_causal = false; // position i sees positions up to i
  std::optional<double> scale = {}; // 1 / sqrt(E)
  bool enable_gqa = false;          // several heads of the query share one of key and value
};
/// softmax(query key^T scale) value, of query [..., L, E], key [..., S, E] and value [..., S, V].
Tensor scaled_dot_product_attention(const Tensor &query, const Tensor &key, const Tensor &value,
                                    AttentionOptions options = {}, Where where = Where::current());
namespace detail {
/// The same, where a mask and is_causal may both be given.
Tensor attention(const Tensor &query, const Tensor &key, const Tensor &value,
                 const AttentionOptions &options, Where where);
} // namespace detail
struct RotaryOptions {
  double base = 10000;
  bool interleaved = false; // pairs (2i, 2i + 1); else (i, i + E/2)
  int64_t start = 0;        // the first row's position
};
/// x [..., L, E] with each pair of features turned by its position times base^(-2i/E).
Tensor rotary_embedding(const Tensor &x, RotaryOptions options = {},
                        Where where = Where::current());

// Pooling of [N, C, H, W]. The stride is the kernel's size unless given.
struct MaxPool2dOptions {
  Size2 kernel_size = 2;
  std::optional<Size2> stride = {};
  Size2 padding = 0;
  bool ceil_mode = false;
};
struct AvgPool2dOptions {
  Size2 kernel_size = 2;
  std::optional<Size2> stride = {};
  Size2 padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
};
Tensor max_pool2d(const Tensor &x, MaxPool2dOptions options = {}, Where where = Where::current());
Tensor avg_pool2d(const Tensor &x, AvgPool2dOptions options = {}, Where where = Where::current());
/// Windows as equal as they can be; one pooling where the sizes divide.
Tensor adaptive_avg_pool2d(const Tensor &x, Size2 output_size, Where where = Where::current());
Tensor adaptive_max_pool2d(const Tensor &x, Size2 output_size, Where where = Where::current());
/// The mean of each channel: [N, C].
Tensor global_avg_pool2d(const Tensor &x, Where where = Where::current());

// Normalisation.
struct NormOptions {
  double eps = 1e-5;
};
/// Over the trailing dimensions that weight and bias have.
Tensor layer_norm(const Tensor &x, const Tensor &weight, const Tensor &bias,
                  NormOptions options = {}, Where where = Where::current());
struct RmsNormOptions {
  std::optional<double> eps = {}; // must be given
};
/// x / sqrt(mean(x * x) + eps) * weight, over the trailing dimensions that weight has.
Tensor rms_norm(const Tensor &x, const Tensor &weight, RmsNormOptions options,
                Where where = Where::current());
/// Over groups of neighbouring channels of x [N, C, ...]; weight and bias [C].
Tensor group_norm(const Tensor &x, int64_t num_groups, const Tensor &weight, const Tensor &bias,
                  NormOptions options = {}, Where where = Where::current());
struct BatchNorm {
  Tensor result, mean, variance; // of the batch; the variance is biased
};
/// Over all dimensions but 1, in training.
BatchNorm batch_norm(const Tensor &x, const Tensor &weight, const Tensor &bias,
                     NormOptions options = {}, Where where = Where::current());
/// With given statistics.
Tensor batch_norm(const Tensor &x, const Tensor &running_mean, const Tensor &running_var,
                  const Tensor &weight, const Tensor &bias, NormOptions options = {},
                  Where where = Where::current());

// Losses.
enum class Reduction { none, mean, sum };
struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;
  int64_t ignore_index = -100;
  std::vector<double> weight = {}; // of each class; the mean is over the weights of the targets
  bool from_logits = true;         // false: the input is probabilities, clipped as Keras clips them
};
/// logits [N, C, ...], target [N, ...] with class indices, or of the logits' shape with probabilities.
/// Probabilities that a softmax made are replaced by its logits.
Tensor cross_entropy(const Tensor &logits, const Tensor &target, CrossEntropyOptions options = {},
                     Where where = Where::current());
/// What cross_entropy weighs each target by, f32: its class's weight, 0 where it is ignored.
Tensor class_weights(const Tensor &target, const CrossEntropyOptions &options,
                     Where where = Where::current());
struct LossOptions {
  Reduction reduction = Reduction::mean;
};
/// Input and target have one shape.
Tensor mse_loss(const Tensor &input, const Tensor &target, LossOptions options = {},
                Where where = Where::current());
Tensor l1_loss(const Tensor &input, const Tensor &target, LossOptions options = {},
               Where where = Where::current());
/// Binary cross entropy of sigmoid(input), stable.
Tensor bce_with_logits(const Tensor &input, const Tensor &target, LossOptions options = {},
                       Where where = Where::current());
/// Of probabilities, whose logarithms are at least -100; those that a sigmoid made are replaced by its
/// logits. An error under mixed precision.
Tensor binary_cross_entropy(const Tensor &input, const Tensor &target, LossOptions options = {},
                            Where where = Where::current());

// Indexed access.
struct EmbeddingOptions {
  std::optional<int64_t> padding_idx = {};
};
/// Rows of weight [V, D] by index: [...] -> [..., D].
Tensor embedding(const Tensor &indices, const Tensor &weight, EmbeddingOptions options = {},
                 Where where = Where::current());
Tensor gather(const Tensor &x, int64_t dim, const Tensor &index, Where where = Where::current());
Tensor scatter_add(const Tensor &x, int64_t dim, const Tensor &index, const Tensor &src,
                   Where where = Where::current());
Tensor one_hot(const Tensor &indices, int64_t num_classes, DType dtype = i64,
               Where where = Where::current());

// Recurrence.
/// What a step leaves, and what a scan does: the state, and outputs (of one step; stacked).
struct ScanValues {
  std::vector<Tensor> state, outputs;
};
struct ScanOptions {
  bool reverse = false;               // from the last slice to the first
  std::optional<int64_t> length = {}; // the number of steps; by default that of the slices
};
/// Runs `step` on the state and on one slice of each of `xs` along its first dimension, again and again:
/// each step starts from the state that the one before left. `step` is called once, to trace it; what it
/// uses from outside is the same at every step, random numbers too. The graph has one copy of it, however
/// many steps there are.
ScanValues scan(const std::function<ScanValues(const std::vector<Tensor> &state,
                                               const std::vector<Tensor> &x)> &step,
                const std::vector<Tensor> &init, const std::vector<Tensor> &xs,
                ScanOptions options = {}, Where where = Where::current());

// Control flow on values. What the functions use from outside is captured; each is called to trace it, not to run it.
/// What `true_fn` makes of the operands where `pred`, one boolean, holds, else what `false_fn` does: as many tensors
/// of the same types. The other one is not run. The gradient runs the branch again.
std::vector<Tensor>
cond(const Tensor &pred,
     const std::function<std::vector<Tensor>(const std::vector<Tensor> &)> &true_fn,
     const std::function<std::vector<Tensor>(const std::vector<Tensor> &)> &false_fn,
     const std::vector<Tensor> &operands = {}, Where where = Where::current());
/// Runs `body_fn` on the state again and again while `cond_fn` of it, one boolean, holds; the last state. It has no
/// gradient: where the number of steps is known, `scan` has one. On a GPU the host waits for each condition.
std::vector<Tensor>
while_loop(const std::function<Tensor(const std::vector<Tensor> &)> &cond_fn,
           const std::function<std::vector<Tensor>(const std::vector<Tensor> &)> &body_fn,
           const std::vector<Tensor> &carried_inputs, Where where = Where::current());

/// Prints the value, after each run of the compiled graph, on standard error.
void print(const Tensor &x, const std::string &label = {}, Where where = Where::current());

// Tensors out of nothing, in the trace that is running.
Tensor constant(const Array &value, Where where = Where::current());
Tensor full(Shape shape, double value, DType dtype = f32, Where where = Where::current());
Tensor zeros(Shape shape, DType dtype = f32, Where where = Where::current());
Tensor ones(Shape shape, DType dtype = f32, Where where = Where::current());
Tensor arange(int64_t end, DType dtype = i64, Where where = Where::current());
/// Random numbers, drawn anew each run: uniform in [0, 1), standard normal, 1 with probability p.
/// The same seed gives the same numbers on every device.
Tensor rand(Shape shape, DType dtype = f32, Where where = Where::current());
Tensor randn(Shape shape, DType dtype = f32, Where where = Where::current());
Tensor bernoulli(Shape shape, double p, DType dtype = f32, Where where = Where::current());
struct DropoutOptions {
  double p = 0.5;
  bool training = true;
};
/// x / (1 - p) with probability 1 - p, else 0; x itself unless training.
Tensor dropout(const Tensor &x, DropoutOptions options = {}, Where where = Where::current());

} // namespace sinter
