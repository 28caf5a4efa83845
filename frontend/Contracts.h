#pragma once

namespace sinter {

/// What a compilation has to keep to. Where it cannot, it fails and names the op and the user's line, so
/// that what was true once does not quietly become untrue.
struct Contracts {
  /// Every parameter and state is updated in place: none by way of a copy. CompileError.
  bool donation = false;
  /// The whole step can be captured as one graph: launches, copies and fills at fixed places, nothing that
  /// the host decides in between. CompileError.
  bool graph_capture = false;
  /// Each function is compiled for batches of one shape only. UserError at the batch that differs, which
  /// says in what.
  bool no_recompile = false;
  /// Below f32 every matrix product and convolution takes operands of the precision asked for, in the
  /// backward pass too. CompileError.
  bool no_f32_fallback = false;
};

} // namespace sinter
