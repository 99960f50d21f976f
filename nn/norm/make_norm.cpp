#include "nn/norm/make_norm.hpp"

#include <algorithm>
#include <array>

#include "nn/norm/batch_norm.hpp"
#include "nn/norm/group_norm.hpp"
#include "nn/norm/instance_norm.hpp"
#include "nn/norm/layer_norm.hpp"
#include "tensor/excerpt.hpp"

namespace xtg::nn {
namespace {

/// A row for each norm; a new one is a file and a row.
struct Row {
  NormKind kind;
  const char* name;
  std::unique_ptr<Norm> (*make)(std::size_t channels, std::size_t groups);
};

const std::array<Row, 5> kRows = {{
    {NormKind::Batch, "batch",
     [](std::size_t C, std::size_t) -> std::unique_ptr<Norm> { return std::make_unique<BatchNorm>(C); }},
    {NormKind::Layer, "layer",
     [](std::size_t C, std::size_t) -> std::unique_ptr<Norm> { return std::make_unique<LayerNorm>(C, 3); }},
    {NormKind::Instance, "instance",
     [](std::size_t C, std::size_t) -> std::unique_ptr<Norm> { return std::make_unique<InstanceNorm>(C); }},
    {NormKind::Group, "group",
     [](std::size_t C, std::size_t G) -> std::unique_ptr<Norm> { return std::make_unique<GroupNorm>(G ? G : C, C); }},
    {NormKind::None, "none", [](std::size_t, std::size_t) -> std::unique_ptr<Norm> { return nullptr; }},
}};

const Row& row_of(NormKind kind) {
  return *std::find_if(kRows.begin(), kRows.end(), [kind](const Row& row) { return row.kind == kind; });
}

}  // namespace

NormKind parse_norm(const std::string& name) {
  std::string names;
  for (const Row& row : kRows) {
    if (name == row.name) return row.kind;
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  throw ValueError(fmt::format("unknown norm '{}', expected one of {}", excerpt(name), names));
}

std::string to_string(NormKind kind) { return row_of(kind).name; }

std::unique_ptr<Norm> make_norm(NormKind kind, std::size_t channels, std::size_t groups) {
  return row_of(kind).make(channels, groups);
}

}  // namespace xtg::nn
