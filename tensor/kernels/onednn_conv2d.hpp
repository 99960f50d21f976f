#pragma once

#include <string>

#include "../conv2d.hpp"

namespace xtg::kernels {

// Convolutions by oneDNN. Activations come and go channels-last in float; where the algorithm that the table chose, or
// bfloat16, wants them otherwise, they are reordered into buffers that all convolutions share. Each function returns
// false where oneDNN is not built in, has no such convolution (double) or only its reference loops for it, or an array
// is empty; the caller does the work itself then.

/// y = x * w + bias; bias may be null.
bool onednn_conv2d_forward(const Conv2dGeometry& geometry, const Scalar* x, const Scalar* w, const Scalar* bias,
                           Scalar* y);
/// Both gradients of one convolution, so that what they share of dy is reordered once. dx or dw may be null for not
/// wanted (x and w then need not be given); false means that neither was computed.
bool onednn_conv2d_backward(const Conv2dGeometry& geometry, const Scalar* dy, const Scalar* x, const Scalar* w,
                            Scalar* dx, Scalar* dw);

/// oneDNN's name of the primitive that a pass gets by this algorithm; "" where there is none.
std::string onednn_implementation(const Conv2dGeometry& geometry, Conv2dPass pass, Conv2dAlgorithm algorithm,
                                  bool bfloat16);
/// Whether that is the name of its reference loops.
inline bool is_reference(const std::string& name) { return name.find("ref") != std::string::npos; }

/// What ran so far.
std::vector<Conv2dChoice> onednn_choices();

}  // namespace xtg::kernels
