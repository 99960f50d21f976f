#pragma once

#include <map>
#include <string>

#include "../module.hpp"

namespace xtg::nn {

/// A moving average of a module's weights, for evaluation: average ← average + (1 − decay)·(value − average), about the
/// mean of the last 1/(1 − decay) updates (Polyak & Juditsky 1992, doi:10.1137/0330046, in its exponential form). It
/// begins as a copy of the values. Buffers (running statistics) are averaged in the same way, as the averaged weights
/// need statistics of the same span; counters are not.
///
///   Ema ema(network);
///   …; optimizer.step(lr); ema.update(0.999);
///   { const AveragedWeights averaged(ema); evaluate(network, …); }
class Ema {
 public:
  /// Keeps a reference to `module`, whose parameters and buffers must keep their shapes.
  explicit Ema(Module& module);
  Ema(const Ema&) = delete;
  Ema& operator=(const Ema&) = delete;

  /// Call it after each step. Throws ValueError unless 0 ≤ decay < 1, ShapeError if the module's parameters and buffers
  /// are no longer those that the average is of; it has changed nothing then.
  void update(double decay);

  /// The average under the names of Module::state_dict(), with the module's counters: the module's load_state_dict
  /// takes it, too.
  SafeTensors state_dict() const;
  /// Throws ValueError as Module::load_state_dict does; it has changed nothing then. Counters are not loaded.
  void load_state_dict(const SafeTensors& state);

  // All three throw ValueError while AveragedWeights holds the average.

 private:
  friend class AveragedWeights;
  void require_not_swapped(const char* operation) const;
  void require_same_shapes(const char* operation) const;
  void swap();

  Module& module_;
  std::map<std::string, Tensor> average_;  // the module's own values while swapped_
  bool swapped_ = false;
};

/// Puts the average into the module for its own lifetime; afterwards the module has its own values again, to the bit.
/// Do not train in between: what changes the module's values then changes the average. Graphs recorded before refuse to
/// run backward afterwards, as their numbers were exchanged. Throws ValueError if another already holds the average,
/// ShapeError as Ema::update does.
class AveragedWeights {
 public:
  explicit AveragedWeights(Ema& ema);
  ~AveragedWeights();
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  Ema& ema_;
};

}  // namespace xtg::nn
