#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../../autograd/variable.hpp"
#include "../../tensor/safetensors.hpp"

namespace xtg::nn {

enum class OptimizerKind { Sgd, Adam, AdamW };

/// "sgd", "adam" or "adamw"; throws ValueError that lists them otherwise.
OptimizerKind parse_optimizer(const std::string& name);

/// As Module::named_parameters() returns them.
using NamedVariables = std::vector<std::pair<std::string, Variable>>;

/// Parameters without names get "0", "1", …
NamedVariables numbered(const Variables& parameters);

/// Moves parameters along their gradients. What all optimizers share: the walk over the parameters, of which those
/// without a gradient are left alone, which of them are decayed, and the state. Read sgd.cpp, then adam.cpp.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Throws ValueError unless lr is finite, as a Scalar, and at least 0, and ShapeError if a parameter, its gradient or
  /// its state was given another shape than was recorded; no parameter has moved then.
  void step(double lr);
  void zero_grad();

  /// Everything but the parameters and the options: "<array>/<parameter>" for each of the optimizer's arrays (an empty
  /// one, of shape (0), before the parameter's first step), and "steps/<parameter>" if it counts them. With both states
  /// loaded, the network's and this, a training goes on bit for bit.
  SafeTensors state_dict() const;
  /// Throws ValueError that lists what is missing, unexpected or of another shape, or for negative steps; it has
  /// changed nothing then.
  void load_state_dict(const SafeTensors& state);

 protected:
  struct Entry {
    std::string name;
    Variable parameter;
    double weight_decay;
    std::vector<Tensor> arrays;  // of the parameter's shape, 0 before its first step
    std::int64_t steps;          // taken
  };

  /// `name` begins every message; `arrays` are the names of the arrays that are kept for each parameter. Throws
  /// ValueError for a weight decay that is negative or not finite, for no parameters, a name or parameter that comes
  /// twice, or a parameter that is undefined or not a leaf.
  Optimizer(const char* name, const NamedVariables& parameters, std::vector<std::string> arrays, bool counts_steps,
            double weight_decay, bool decay_norms_and_biases);

  /// Takes one step of one parameter, which has a gradient; entry.steps counts it already.
  virtual void update(Entry& entry, double lr) = 0;

 private:
  void require_shapes(const Entry& entry) const;

  const std::string name_;
  const std::vector<std::string> arrays_;
  const bool counts_steps_;
  std::vector<Entry> entries_;
};

}  // namespace xtg::nn
