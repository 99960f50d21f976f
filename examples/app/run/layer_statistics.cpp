#include "examples/app/run/layer_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <sstream>

#include "autograd/grad_mode.hpp"
#include "examples/app/run/metrics.hpp"
#include "examples/app/terminal/number.hpp"
#include "nn/conv2d.hpp"
#include "tensor/error.hpp"
#include "tensor/excerpt.hpp"
#include "tensor/file.hpp"

namespace xtg::app {

namespace {

constexpr LayerArray arrays[] = {LayerArray::Convolution, LayerArray::ConvolutionGradient, LayerArray::Activation,
                                 LayerArray::ActivationGradient};

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// Linear between the two nearest elements, as NumPy's; sorts as much as it needs.
double quantile(std::vector<Scalar>& sizes, double share) {
  if (sizes.empty()) return 0;
  const double at = share * static_cast<double>(sizes.size() - 1);
  const auto low = sizes.begin() + static_cast<std::ptrdiff_t>(at);
  std::nth_element(sizes.begin(), low, sizes.end());
  const auto high = low + 1 == sizes.end() ? low : std::min_element(low + 1, sizes.end());
  return static_cast<double>(*low) + (at - std::floor(at)) * static_cast<double>(*high - *low);
}

LayerRow describe_array(const std::string& layer, LayerArray array, const Tensor& x) {
  LayerRow row;
  row.layer = layer;
  row.array = array;
  const auto n = static_cast<double>(x.size());
  std::vector<Scalar> sizes;
  sizes.reserve(x.size());
  double sum = 0, zeros = 0;
  for (const Scalar value : x) {
    sum += static_cast<double>(value);
    zeros += value == 0;
    if (value != 0 && std::isfinite(value)) sizes.push_back(std::abs(value));
  }
  row.mean = sum / n;
  double squares = 0;
  for (const Scalar value : x) squares += std::pow(static_cast<double>(value) - row.mean, 2);
  row.sd = std::sqrt(squares / n);
  row.zeros = 100 * zeros / n;
  for (std::size_t i = 0; i < layer_quantiles.size(); ++i) row.sizes[i] = quantile(sizes, layer_quantiles[i] / 100.0);
  return row;
}

/// Which node of the graph holds which array of which layer.
struct Place {
  std::string layer;
  LayerArray array;
};

/// From the operations behind `output`, in the order in which they ran: a convolution belongs to the module it ran in,
/// a relu (that of a norm included) to the convolution before it.
std::map<std::uint64_t, Place> find_layers(const Variable& output) {
  std::map<std::uint64_t, const Node*> nodes;  // by serial number
  std::vector<const Node*> open = {output.node().get()};
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    if (!nodes.emplace(node->serial, node).second) continue;
    for (const Node::Input& input : node->inputs)
      if (input.node) open.push_back(input.node.get());
  }
  std::map<std::uint64_t, Place> places;
  std::string layer;
  for (const auto& [serial, node] : nodes) {
    if (node->is_leaf()) continue;
    const std::string name = node->name;
    if (name == "conv2d") {
      layer = node->notes->scope;
      places[serial] = {layer, LayerArray::Convolution};
    } else if (ends_with(name, "relu") && !layer.empty()) {
      places[serial] = {layer, LayerArray::Activation};
    }
  }
  return places;
}

std::string header() {
  std::string text = "epoch,layer,array,mean,sd,zeros";
  for (const int percent : layer_quantiles) text += fmt::format(",q{}", percent);
  return text;
}

}  // namespace

std::string to_string(LayerArray array) {
  switch (array) {
    case LayerArray::Convolution:
      return "convolution";
    case LayerArray::ConvolutionGradient:
      return "convolution gradient";
    case LayerArray::Activation:
      return "activation";
    case LayerArray::ActivationGradient:
      break;
  }
  return "activation gradient";
}

std::vector<LayerRow> measure_layers(const nn::Module& network, const Tensor& images, const Indices& labels,
                                     nn::LossKind loss, double label_smoothing) {
  const std::unique_ptr<nn::Module> copy = network.clone();
  copy->train();
  for (const auto& [path, module] : copy->named_modules())  // a convolution that is watched leaves relu to itself
    if (dynamic_cast<nn::Conv2d*>(module))
      module->add_forward_hook([](nn::Module&, const Variable&, const Variable&) {});

  const KeepValues keep;
  const NoGrad record(false);
  const GradientMode fused(GradientForm::Fused);  // one operation each, so that their names tell what they are
  const Variable result = nn::classification_loss(loss, (*copy)(Variable(images)), labels, label_smoothing);

  const std::map<std::uint64_t, Place> places = find_layers(result);
  std::map<std::pair<std::uint64_t, LayerArray>, LayerRow> found;
  visit_gradients(result, Variable(), [&](const Node& node, const Tensor& gradient) {
    const auto place = places.find(node.serial);
    if (place == places.end()) return;
    const auto& [layer, array] = place->second;
    const LayerArray slope =
        array == LayerArray::Convolution ? LayerArray::ConvolutionGradient : LayerArray::ActivationGradient;
    found[{node.serial, array}] = describe_array(layer, array, node.output->value);
    found[{node.serial, slope}] = describe_array(layer, slope, gradient);
  });
  std::vector<LayerRow> rows;
  for (const auto& entry : found) rows.push_back(entry.second);
  return rows;
}

std::string to_csv(const std::vector<LayerRow>& rows) {
  std::string text = header() + "\n";
  for (const LayerRow& row : rows) {
    text += fmt::format("{},{},{},{:.6g},{:.6g},{:.4f}", row.epoch, row.layer, to_string(row.array), row.mean, row.sd,
                        row.zeros);
    for (const double size : row.sizes) text += fmt::format(",{:.6g}", size);
    text += "\n";
  }
  return text;
}

std::vector<LayerRow> read_layers(const std::string& path) {
  const std::vector<std::vector<std::string>> lines = parse_csv(read_file(path), path);
  require<FormatError>(!lines.empty() && fmt::format("{}", fmt::join(lines[0], ",")) == header(),
                       "{}: expected the header {}", path, header());
  std::vector<LayerRow> rows;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string>& fields = lines[i];
    const std::string where = fmt::format("{}:{}", path, i + 1);
    LayerRow row;
    row.epoch = parse_epoch(fields[0], 0, where);
    row.layer = fields[1];
    const auto array =
        std::find_if(std::begin(arrays), std::end(arrays), [&](LayerArray a) { return to_string(a) == fields[2]; });
    require<FormatError>(array != std::end(arrays), "{}: there is no array '{}'", where, excerpt(fields[2]));
    row.array = *array;
    row.mean = parse_number(fields[3], where);
    row.sd = parse_number(fields[4], where);
    row.zeros = parse_number(fields[5], where);
    for (std::size_t q = 0; q < row.sizes.size(); ++q) row.sizes[q] = parse_number(fields[6 + q], where);
    rows.push_back(row);
  }
  return rows;
}

}  // namespace xtg::app
