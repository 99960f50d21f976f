#pragma once

#include <string>

#include "tensor/conv2d.hpp"

namespace xtg::kernels {

// Convolutions by oneDNN on channels-last activations. Each returns false where oneDNN is not built in, has no such
// convolution (double) or only its reference loops for it, or an array is empty; the caller does the work itself then.

bool onednn_conv2d_forward(const Conv2dGeometry& geometry, const Scalar* x, const Scalar* w, const Scalar* bias,
                           Scalar* y);
bool onednn_conv2d_backward_input(const Conv2dGeometry& geometry, const Scalar* dy, const Scalar* w, Scalar* dx);
bool onednn_conv2d_backward_weight(const Conv2dGeometry& geometry, const Scalar* dy, const Scalar* x, Scalar* dw);

/// oneDNN's name of the primitive for "forward", "backward_input" or "backward_weight"; "" where there is none.
std::string onednn_implementation(const Conv2dGeometry& geometry, const std::string& pass);
/// Whether that is the name of its reference loops.
inline bool is_reference(const std::string& name) { return name.find("ref") != std::string::npos; }

}  // namespace xtg::kernels
